terraform {
  required_version = ">= 1.8" # for provider functions

  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

resource "pulumicloud_agent_pool" "example" {
  organization = "acme"
  name         = "production"
}

# For runners that authenticate with the pool's token.
output "with_token" {
  value = provider::pulumicloud::runner_config({
    token         = pulumicloud_agent_pool.example.token
    deploy_target = "kubernetes"
  })
  sensitive = true
}

# For runners that have an ID token of their own, such as a projected service account token. It holds no secret.
output "with_oidc" {
  value = provider::pulumicloud::runner_config({
    oidc_token_file   = "/var/run/secrets/pulumi/token"
    organization_name = pulumicloud_agent_pool.example.organization
    runner_pool_id    = pulumicloud_agent_pool.example.id
  })
}
