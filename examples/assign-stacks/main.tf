terraform {
  required_providers {
    pulumicloud = {
      source  = "pulumicloud/pulumicloud"
      version = "~> 0.1"
    }
  }
}

provider "pulumicloud" {
  organization = "acme"
}

resource "pulumicloud_agent_pool" "production" {
  name = "production"
}

output "agent_pool_id" {
  value = pulumicloud_agent_pool.production.id
}

# Stacks to assign, by project.
locals {
  stacks = {
    shop = ["production", "staging"]
  }
}

resource "pulumicloud_stack_agent_pool" "production" {
  for_each = {
    for pair in flatten([
      for project, stacks in local.stacks : [for stack in stacks : { project = project, stack = stack }]
    ]) : "${pair.project}/${pair.stack}" => pair
  }

  project       = each.value.project
  stack         = each.value.stack
  agent_pool_id = pulumicloud_agent_pool.production.id
}
