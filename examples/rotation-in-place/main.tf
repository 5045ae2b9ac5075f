terraform {
  required_providers {
    pulumicloud = {
      source  = "pulumicloud/pulumicloud"
      version = "~> 0.1"
    }
  }
}

provider "pulumicloud" {
  organization = "acme"
}

variable "token_version" {
  description = "Version of the token. A new value replaces the agent pool and its token."
  type        = string
  default     = "1"
}

resource "pulumicloud_agent_pool" "example" {
  name = "production"

  rotate_triggers = {
    token_version = var.token_version
  }
}

# Contents of pulumi-workflow-agent.yaml, the configuration file of the runners.
output "runner_config" {
  value = yamlencode({
    token         = pulumicloud_agent_pool.example.token
    deploy_target = "docker"
  })
  sensitive = true
}
