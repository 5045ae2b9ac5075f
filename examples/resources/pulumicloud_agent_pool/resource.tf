terraform {
  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

resource "pulumicloud_agent_pool" "example" {
  organization = "acme"
  name         = "production"
  description  = "Runners inside the production network"
}

# What the pool's runners are started with: PULUMI_AGENT_TOKEN.
output "agent_token" {
  value     = pulumicloud_agent_pool.example.token
  sensitive = true
}

# What a stack's deployment settings name.
output "agent_pool_id" {
  value = pulumicloud_agent_pool.example.id
}
