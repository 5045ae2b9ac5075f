terraform {
  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

# An agent pool that a different configuration manages.
data "pulumicloud_agent_pool" "example" {
  organization = "acme"
  name         = "shared"
}

# An online runner is required before the stack moves to the agent pool.
resource "pulumicloud_agent_pool_readiness" "example" {
  organization  = "acme"
  agent_pool_id = data.pulumicloud_agent_pool.example.id
  min_runners   = 1

  timeouts = {
    create = "5m"
  }
}

resource "pulumicloud_stack_agent_pool" "example" {
  organization  = "acme"
  project       = "shop"
  stack         = "production"
  agent_pool_id = pulumicloud_agent_pool_readiness.example.agent_pool_id
}
