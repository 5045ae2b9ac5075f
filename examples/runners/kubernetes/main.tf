terraform {
  required_version = ">= 1.5"

  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 2.20"
    }
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

variable "runner_image" {
  description = "Image of the runner: pulumi/customer-managed-workflow-agent with a version, or a mirror of it."
  type        = string
}

variable "namespace" {
  description = "Namespace of the runners, in which the service account is."
  type        = string
}

variable "service_account" {
  description = "Service account of the runners, which start a pod for each deployment."
  type        = string
}

resource "pulumicloud_agent_pool" "kubernetes" {
  organization = "acme"
  name         = "kubernetes"
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
    replicas = 2 # One runner runs one deployment at a time.

    selector {
      match_labels = { app = "pulumi-runner" }
    }

    template {
      metadata {
        labels = { app = "pulumi-runner" }
        # A pool with a new token has a new id: the runners are restarted with it.
        annotations = { "agent-pool-id" = pulumicloud_agent_pool.kubernetes.id }
      }

      spec {
        service_account_name = var.service_account

        container {
          name  = "runner"
          image = var.runner_image

          # Pods copy a program from it, which has to match the runner.
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
