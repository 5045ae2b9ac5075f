terraform {
  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

variable "token_recipients" {
  description = "Public keys of the machines that runners start on: age recipients, or SSH public keys."
  type        = set(string)
}

resource "pulumicloud_agent_pool" "example" {
  organization     = "acme"
  name             = "production"
  token_recipients = var.token_recipients
}

# For cloud-init. Nothing in it is secret: the token is decrypted on the machine, with a key that never leaves it.
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

output "encrypted_token" {
  value = pulumicloud_agent_pool.example.encrypted_token
}
