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

output "runners_online" {
  value = [for agent in data.pulumicloud_agent_pool.example.agents : agent.hostname if agent.status == "online"]
}

# Warns if no runner is online. Deployments wait until one is.
check "runners" {
  assert {
    condition     = data.pulumicloud_agent_pool.example.status == "online"
    error_message = "No runner of the agent pool is online."
  }
}
