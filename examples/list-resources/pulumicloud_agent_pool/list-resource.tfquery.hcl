list "pulumicloud_agent_pool" "production" {
  provider = pulumicloud

  config {
    organization = "acme"
    name_regex   = "^production"
  }
}
