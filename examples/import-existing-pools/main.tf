terraform {
  required_version = ">= 1.7" # for_each in import blocks

  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

provider "pulumicloud" {
  organization = "acme"
}

data "pulumicloud_agent_pools" "existing" {}

locals {
  # The keys are IDs, because names can change.
  existing = { for pool in data.pulumicloud_agent_pools.existing.agent_pools : pool.id => pool }
}

import {
  for_each = local.existing
  to       = pulumicloud_agent_pool.imported[each.key]
  id       = "acme/${each.key}"
}

resource "pulumicloud_agent_pool" "imported" {
  for_each = local.existing

  name        = each.value.name
  description = each.value.description
}
