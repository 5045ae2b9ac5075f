# Reads the organization independently of the module under test.
terraform {
  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

variable "agent_pool_id" {
  type = string
}

variable "name_prefix" {
  type = string
}

data "pulumicloud_agent_pools" "all" {
  organization = "acme"
  name_regex   = "^${var.name_prefix}"
}

output "has_only_this_agent_pool" {
  value = data.pulumicloud_agent_pools.all.ids == tolist([var.agent_pool_id])
}

output "is_default" {
  value = data.pulumicloud_agent_pools.all.default_agent_pool_id == var.agent_pool_id
}
