terraform {
  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.9"
    }
  }
}

# Due at the first apply after 30 days.
resource "time_rotating" "token" {
  rotation_days = 30
}

resource "pulumicloud_agent_pool" "example" {
  organization = "acme"
  name_prefix  = "production-"

  rotate_triggers = {
    rotated_at = time_rotating.token.id
  }

  lifecycle {
    create_before_destroy = true
  }
}
