terraform {
  required_providers {
    pulumicloud = {
      source  = "pulumicloud/pulumicloud"
      version = "~> 0.1"
    }
  }
}

# The access token, the URL and the organization come from the environment or from "pulumi login".
provider "pulumicloud" {}

resource "pulumicloud_agent_pool" "team" {
  for_each = var.teams

  name          = each.value.name
  description   = each.value.description
  force_destroy = each.value.force_destroy
}

data "pulumicloud_agent_pools" "online" {
  status     = "online"
  depends_on = [pulumicloud_agent_pool.team]
}
