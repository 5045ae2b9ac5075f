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

resource "pulumicloud_stack_agent_pool" "example" {
  organization  = "acme"
  project       = "shop"
  stack         = "production"
  agent_pool_id = pulumicloud_agent_pool.example.id
}
