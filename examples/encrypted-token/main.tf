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

variable "token_recipients" {
  description = "Public keys of the machines that runners start on: age recipients or SSH public keys."
  type        = set(string)
}

resource "pulumicloud_agent_pool" "example" {
  name             = "production"
  token_recipients = var.token_recipients
}

output "encrypted_token" {
  value = pulumicloud_agent_pool.example.encrypted_token
}

# User data for cloud-init. It contains no secret, because the token is decrypted on the machine.
output "user_data" {
  value = join("\n", ["#cloud-config", yamlencode({
    packages = ["age"]
    write_files = [
      {
        path    = "/etc/pulumi-runner/token.age"
        content = pulumicloud_agent_pool.example.encrypted_token
      },
      {
        path        = "/usr/local/bin/with-agent-token"
        content     = file("${path.module}/with-agent-token.sh")
        permissions = "0755"
      },
    ]
  })])
}
