import {
  to = pulumicloud_organization_default_agent_pool.example
  id = "acme"
}
