terraform {
  required_version = ">= 1.8" # for provider functions

  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

variable "runner_image" {
  description = "Image of the runner, as the pool's installation instructions in Pulumi's console name it."
  type        = string
  default     = "registry.example.com/pulumi-runner:latest"
}

resource "pulumicloud_agent_pool" "compose" {
  organization = "acme"
  name         = "compose"
}

# terraform output -raw compose_file > compose.yaml
output "compose_file" {
  value = yamlencode({
    services = {
      runner = {
        image   = var.runner_image
        restart = "unless-stopped"
        configs = [{ source = "runner", target = "/etc/pulumi-workflow-agent.yaml" }]
        # The runner starts a container for each deployment.
        volumes = ["/var/run/docker.sock:/var/run/docker.sock"]
      }
    }
    configs = {
      runner = {
        # Compose takes $ for the beginning of a variable.
        content = replace(provider::pulumicloud::runner_config({
          token         = pulumicloud_agent_pool.compose.token
          deploy_target = "docker"
        }), "$", "$$")
      }
    }
  })
  sensitive = true
}
