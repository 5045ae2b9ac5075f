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
  name_prefix   = "production-" # Names are unique, and two agent pools exist during the rotation.
  drain_timeout = "30m"         # The old agent pool is deleted after its last deployment has ended.

  rotate_triggers = {
    token_version = var.token_version
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Starts a runner with the new token. Replace the command with the one that starts your runners.
resource "terraform_data" "runner" {
  triggers_replace = pulumicloud_agent_pool.example.id

  provisioner "local-exec" {
    command = "sh start-runner.sh"

    environment = {
      AGENT_POOL_ID      = pulumicloud_agent_pool.example.id
      PULUMI_AGENT_TOKEN = pulumicloud_agent_pool.example.token
    }
  }
}

# Waits until the runner is online.
resource "pulumicloud_agent_pool_readiness" "example" {
  agent_pool_id = pulumicloud_agent_pool.example.id

  depends_on = [terraform_data.runner]
}

# Moves the stacks to the new agent pool.
resource "pulumicloud_stack_agent_pool" "shop" {
  for_each = toset(["production", "staging"])

  project       = "shop"
  stack         = each.key
  agent_pool_id = pulumicloud_agent_pool_readiness.example.agent_pool_id
}
