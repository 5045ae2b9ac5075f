import {
  to = pulumicloud_organization_default_agent_pool.example
  identity = {
    organization = "acme"
  }
}
