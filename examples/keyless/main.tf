terraform {
  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

# No stored access token: the pipeline's own ID token is exchanged for a short-lived one. It is found in HCP Terraform and in
# GitHub Actions; elsewhere, token_env or token_file says where it is.
provider "pulumicloud" {
  organization = "acme"

  oidc = {
    admin = true # Managing pools takes an administrator, or a role with the agent_pool permissions.
  }
}

resource "pulumicloud_agent_pool" "production" {
  name        = "production"
  description = "Runners inside the production network"
}
