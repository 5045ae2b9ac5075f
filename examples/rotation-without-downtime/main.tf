terraform {
  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

variable "token_month" {
  description = "Another value means another token. Whoever rotates changes it: a person, or a pipeline on a schedule."
  type        = string
  default     = "2026-11"
}

resource "pulumicloud_agent_pool" "example" {
  organization = "acme"
  name_prefix  = "production-" # Two pools can't have one name, and for a moment there are two.

  rotate_triggers = {
    month = var.token_month
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Stacks whose deployment settings name no pool move to the new one before the old one is deleted.
resource "pulumicloud_default_agent_pool" "example" {
  organization  = "acme"
  agent_pool_id = pulumicloud_agent_pool.example.id
}

# What the runners are started with: PULUMI_AGENT_TOKEN.
output "agent_token" {
  value     = pulumicloud_agent_pool.example.token
  sensitive = true
}

output "agent_pool_id" {
  value = pulumicloud_agent_pool.example.id
}
