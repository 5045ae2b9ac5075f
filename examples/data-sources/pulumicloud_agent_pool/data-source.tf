terraform {
  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

data "pulumicloud_agent_pool" "example" {
  organization = "acme"
  name         = "shared"
}

output "runners_online" {
  value = [for agent in data.pulumicloud_agent_pool.example.agents : agent.hostname if agent.status == "online"]
}

# Warns, without failing the run, while deployments of the pool's stacks would only wait.
check "agent_pool" {
  assert {
    condition     = data.pulumicloud_agent_pool.example.status == "online"
    error_message = "No runner of the agent pool is online."
  }
}
