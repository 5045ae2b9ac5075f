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
}

resource "pulumicloud_organization_default_agent_pool" "example" {
  organization  = "acme"
  agent_pool_id = pulumicloud_agent_pool.example.id
}
