import {
  to = pulumicloud_default_agent_pool.example
  id = "acme"
}
