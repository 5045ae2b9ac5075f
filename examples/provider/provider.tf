terraform {
  required_providers {
    pulumicloud = {
      source  = "pulumicloud/pulumicloud"
      version = "~> 0.1"
    }
  }
}

# The access token comes from PULUMI_ACCESS_TOKEN or from "pulumi login".
provider "pulumicloud" {
  organization = "acme"
}

resource "pulumicloud_agent_pool" "production" {
  name        = "production"
  description = "Runners in the production network"
}

# Contents of pulumi-workflow-agent.yaml, the configuration file of the runners.
output "runner_config" {
  value = yamlencode({
    token         = pulumicloud_agent_pool.production.token
    deploy_target = "docker"
  })
  sensitive = true
}

# Deployments of the existing stack acme/shop/production execute on these runners.
resource "pulumicloud_stack_agent_pool" "shop" {
  project       = "shop"
  stack         = "production"
  agent_pool_id = pulumicloud_agent_pool.production.id
}
