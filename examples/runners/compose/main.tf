terraform {
  required_version = ">= 1.5"

  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

variable "runner_image" {
  description = "Image of the runner, built from the Dockerfile beside this."
  type        = string
}

resource "pulumicloud_agent_pool" "compose" {
  organization = "acme"
  name         = "compose"
}

# It holds the token: (umask 077 && terraform output -raw compose_file > compose.yaml)
output "compose_file" {
  value = yamlencode({
    services = {
      runner = {
        image   = var.runner_image
        restart = "unless-stopped"
        configs = [{ source = "runner", target = "/etc/pulumi-workflow-agent.yaml" }]
        # The runner has the host's Docker start a container for each deployment, with temporary directories of the runner's.
        # Docker looks for these on the host, so they have the same path on both sides.
        environment = { PULUMI_AGENT_SHARED_VOLUME_DIRECTORY = "/var/lib/pulumi-runner" }
        volumes = [
          "/var/run/docker.sock:/var/run/docker.sock",
          "/var/lib/pulumi-runner:/var/lib/pulumi-runner",
        ]
      }
    }
    configs = {
      runner = {
        # Compose takes $ for the beginning of a variable.
        content = replace(yamlencode({
          token         = pulumicloud_agent_pool.compose.token
          deploy_target = "docker"
        }), "$", "$$")
      }
    }
  })
  sensitive = true
}
