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
}

variable "runner_image" {
  description = "Image of the runner."
  type        = string
}

resource "pulumicloud_agent_pool" "compose" {
  name = "compose"
}

# Contains the token.
output "compose_file" {
  value = yamlencode({
    services = {
      runner = {
        image   = var.runner_image
        restart = "unless-stopped"
        configs = [{ source = "runner", target = "/etc/pulumi-workflow-agent.yaml" }]
        # The Docker daemon of the host mounts this directory into the container of each deployment, so that its path must
        # be the same on the host and in the runner.
        environment = { PULUMI_AGENT_SHARED_VOLUME_DIRECTORY = "/var/lib/pulumi-runner" }
        volumes = [
          "/var/run/docker.sock:/var/run/docker.sock",
          "/var/lib/pulumi-runner:/var/lib/pulumi-runner",
        ]
      }
    }
    configs = {
      runner = {
        # Compose expands variables such as $NAME.
        content = replace(yamlencode({
          token         = pulumicloud_agent_pool.compose.token
          deploy_target = "docker"
        }), "$", "$$")
      }
    }
  })
  sensitive = true
}
