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
  oidc         = {} # Exchanges the ID token of the pipeline for a short-lived access token.
}

resource "pulumicloud_agent_pool" "production" {
  name        = "production"
  description = "Runners in the production network"
}
