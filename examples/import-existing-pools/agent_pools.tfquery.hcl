list "pulumicloud_agent_pool" "all" {
  provider         = pulumicloud
  include_resource = true
  limit            = 1000 # The default is 100.

  config {
    organization = "acme"
  }
}
