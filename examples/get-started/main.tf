terraform {
  required_version = ">= 1.5"

  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

# Access token, URL and organization come from the environment or from "pulumi login".
provider "pulumicloud" {}

resource "pulumicloud_agent_pool" "example" {
  name        = "get-started"
  description = "Made by following the guide"
}

# What stacks' deployment settings name.
output "agent_pool_id" {
  value = pulumicloud_agent_pool.example.id
}

# The runner's pulumi-workflow-agent.yaml.
output "runner_config" {
  value = yamlencode({
    token         = pulumicloud_agent_pool.example.token
    deploy_target = "docker"
  })
  sensitive = true
}

data "pulumicloud_agent_pool" "example" {
  id = pulumicloud_agent_pool.example.id
}

output "runners_online" {
  value = [for agent in data.pulumicloud_agent_pool.example.agents : agent.hostname if agent.status == "online"]
}
