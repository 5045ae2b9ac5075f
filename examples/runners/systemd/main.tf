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

variable "runner_command" {
  description = "Command that starts the runner."
  type        = string
  default     = "/opt/customer-managed-workflow-agent/customer-managed-workflow-agent run"
}

resource "pulumicloud_agent_pool" "machines" {
  name = "machines"
}

# User data for cloud-init. Contains the token.
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
        defer       = true # until the user exists
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
