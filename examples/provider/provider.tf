terraform {
  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

# The access token comes from PULUMI_ACCESS_TOKEN or from "pulumi login".
provider "pulumicloud" {
  organization = "acme"
}

resource "pulumicloud_agent_pool" "production" {
  name        = "production"
  description = "Runners inside the production network"
}

# What the pool's runners are started with: PULUMI_AGENT_TOKEN.
output "agent_token" {
  value     = pulumicloud_agent_pool.production.token
  sensitive = true
}
