# In a file such as agent_pools.tfquery.hcl, for "terraform query", which can also write the configuration that imports
# what it finds: terraform query -generate-config-out=agent_pools.tf
list "pulumicloud_agent_pool" "production" {
  provider = pulumicloud

  config {
    organization = "acme"
    name_regex   = "^production"
  }
}
