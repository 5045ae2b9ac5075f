import {
  to = pulumicloud_default_agent_pool.example
  identity = {
    organization = "acme"
  }
}
