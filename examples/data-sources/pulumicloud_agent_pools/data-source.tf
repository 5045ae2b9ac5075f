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

output "pools_without_runners" {
  value = [for pool in data.pulumicloud_agent_pools.example.agent_pools : pool.name if pool.status == "offline"]
}

# Null while deployments run on the Pulumi-hosted pool by default.
output "default_agent_pool_id" {
  value = data.pulumicloud_agent_pools.example.default_agent_pool_id
}
