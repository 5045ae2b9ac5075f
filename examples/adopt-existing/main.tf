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
  existing = { for pool in data.pulumicloud_agent_pools.existing.agent_pools : pool.name => pool }
}

# Import every pool, under its name. Once that is applied, the blocks below can say in full what the pools should be, and
# the import block and the data source can go.
import {
  for_each = local.existing
  to       = pulumicloud_agent_pool.adopted[each.key]
  id       = "acme/${each.value.id}"
}

resource "pulumicloud_agent_pool" "adopted" {
  for_each = local.existing

  organization = "acme"
  name         = each.key
  description  = each.value.description
}
