terraform {
  required_providers {
    pulumicloud = {
      source  = "pulumicloud/pulumicloud"
      version = "~> 0.1"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.9"
    }
  }
}

provider "pulumicloud" {
  organization = "acme"
}

resource "time_rotating" "token" {
  rotation_days = 30
}

resource "pulumicloud_agent_pool" "example" {
  name_prefix = "production-"

  rotate_triggers = {
    rotated_at = time_rotating.token.id
  }

  lifecycle {
    create_before_destroy = true
  }
}
