terraform {
  required_version = ">= 1.11" # for write-only arguments

  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 3.0"
    }
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

# In HCP Terraform and in GitHub Actions; see the provider's page for others.
provider "pulumicloud" {
  organization = "acme"
  oidc         = {}
}

ephemeral "pulumicloud_runner_token" "example" {
  runner     = "batch"
  expiration = "1h"
}

# data_wo is write-only: the token is sent to Kubernetes, and neither the plan nor the state has it. Another revision
# sends another token.
resource "kubernetes_secret_v1" "example" {
  metadata {
    name      = "pulumi-runner"
    namespace = "pulumi"
  }

  data_wo = {
    token = ephemeral.pulumicloud_runner_token.example.token
  }
  data_wo_revision = 1
}
