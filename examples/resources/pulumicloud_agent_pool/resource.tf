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
  description  = "Runners in the production network"
}

# Contents of pulumi-workflow-agent.yaml, the configuration file of the runners.
output "runner_config" {
  value = yamlencode({
    token         = pulumicloud_agent_pool.example.token
    deploy_target = "docker"
  })
  sensitive = true
}
