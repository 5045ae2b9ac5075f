terraform {
  required_version = ">= 1.5"

  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

variable "runner_command" {
  description = "What starts the runner. By default, the machine's image has the archive of a release unpacked in /opt."
  type        = string
  default     = "/opt/customer-managed-workflow-agent/customer-managed-workflow-agent run"
}

resource "pulumicloud_agent_pool" "machines" {
  organization = "acme"
  name         = "machines"
}

# For cloud-init: what most clouds call user data. It holds the pool's token.
output "user_data" {
  value = join("\n", ["#cloud-config", yamlencode({
    users = ["default", {
      name   = "pulumi-runner"
      system = true
      groups = ["docker"]
    }]
    write_files = [
      {
        path        = "/var/lib/pulumi-runner/pulumi-workflow-agent.yaml"
        owner       = "pulumi-runner"
        permissions = "0400"
        defer       = true # until the user is there
        content = yamlencode({
          token         = pulumicloud_agent_pool.machines.token
          deploy_target = "docker"
        })
      },
      {
        path    = "/etc/systemd/system/pulumi-runner.service"
        content = templatefile("${path.module}/pulumi-runner.service.tftpl", { command = var.runner_command })
      },
    ]
    runcmd = [["systemctl", "enable", "--now", "pulumi-runner.service"]]
  })])
  sensitive = true
}
