# terraform query -generate-config-out=agent_pools.tf
list "pulumicloud_agent_pool" "all" {
  provider         = pulumicloud
  include_resource = true
  limit            = 1000 # 100 by default

  config {
    organization = "acme"
  }
}
