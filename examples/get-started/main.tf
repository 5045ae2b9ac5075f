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

resource "pulumicloud_agent_pool" "example" {
  name        = "get-started"
  description = "Created by following the guide"
}

output "agent_pool_id" {
  value = pulumicloud_agent_pool.example.id
}

# Contents of pulumi-workflow-agent.yaml, the configuration file of the runners.
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
