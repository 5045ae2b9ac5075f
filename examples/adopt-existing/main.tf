terraform {
  required_version = ">= 1.7" # for for_each in import blocks

  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

data "pulumicloud_agent_pools" "existing" {
  organization = "acme"
}

locals {
  # The keys are ids, which stay. With names, a pool that somebody renames would leave the configuration under its old one,
  # and the apply would delete it.
  existing = { for pool in data.pulumicloud_agent_pools.existing.agent_pools : pool.id => pool }
}

# Import every pool. Once that is applied, the map above can say in full what the pools should be, and the import block and
# the data source can go.
import {
  for_each = local.existing
  to       = pulumicloud_agent_pool.adopted[each.key]
  id       = "acme/${each.key}"
}

resource "pulumicloud_agent_pool" "adopted" {
  for_each = local.existing

  organization = "acme"
  name         = each.value.name
  description  = each.value.description
}
