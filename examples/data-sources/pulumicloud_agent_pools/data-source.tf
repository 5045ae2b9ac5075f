terraform {
  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

data "pulumicloud_agent_pools" "example" {
  organization = "acme"
  name_regex   = "^shared"
}

output "ids_by_name" {
  value = { for pool in data.pulumicloud_agent_pools.example.agent_pools : pool.name => pool.id }
}

output "agent_pools_without_runners" {
  value = [for pool in data.pulumicloud_agent_pools.example.agent_pools : pool.name if pool.status == "offline"]
}

# Null if the default is the Pulumi-hosted pool.
output "default_agent_pool_id" {
  value = data.pulumicloud_agent_pools.example.default_agent_pool_id
}
