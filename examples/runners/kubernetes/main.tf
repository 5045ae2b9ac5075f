terraform {
  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 2.20"
    }
    pulumicloud = {
      source  = "pulumicloud/pulumicloud"
      version = "~> 0.1"
    }
  }
}

provider "pulumicloud" {
  organization = "acme"
}

variable "runner_image" {
  description = "Image of the runner, such as pulumi/customer-managed-workflow-agent:v2.3.0."
  type        = string
}

variable "namespace" {
  description = "Namespace of the runners."
  type        = string
}

variable "service_account" {
  description = "Service account of the runners."
  type        = string
}

resource "pulumicloud_agent_pool" "kubernetes" {
  name = "kubernetes"
}

resource "kubernetes_secret_v1" "runner" {
  metadata {
    name      = "pulumi-runner"
    namespace = var.namespace
  }

  data = {
    "pulumi-workflow-agent.yaml" = yamlencode({
      token         = pulumicloud_agent_pool.kubernetes.token
      deploy_target = "kubernetes"
    })
  }
}

resource "kubernetes_deployment_v1" "runner" {
  metadata {
    name      = "pulumi-runner"
    namespace = var.namespace
  }

  spec {
    replicas = 2 # A runner executes one deployment at a time.

    selector {
      match_labels = { app = "pulumi-runner" }
    }

    template {
      metadata {
        labels = { app = "pulumi-runner" }
        # Restarts the runners after a rotation, because a new token comes with a new ID.
        annotations = { "agent-pool-id" = pulumicloud_agent_pool.kubernetes.id }
      }

      spec {
        service_account_name = var.service_account

        container {
          name  = "runner"
          image = var.runner_image

          # The pods of deployments copy a program from this image.
          env {
            name  = "PULUMI_AGENT_IMAGE"
            value = var.runner_image
          }

          volume_mount {
            name       = "config"
            mount_path = "/etc/pulumi-workflow-agent.yaml"
            sub_path   = "pulumi-workflow-agent.yaml"
            read_only  = true
          }
        }

        volume {
          name = "config"

          secret {
            secret_name = kubernetes_secret_v1.runner.metadata[0].name
          }
        }
      }
    }
  }
}
