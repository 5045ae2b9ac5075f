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
  name         = "production"

  rotate_triggers = {
    month = var.token_month
  }
}

# What the runners are started with: PULUMI_AGENT_TOKEN.
output "agent_token" {
  value     = pulumicloud_agent_pool.example.token
  sensitive = true
}

output "agent_pool_id" {
  value = pulumicloud_agent_pool.example.id
}
