import {
  to = pulumicloud_stack_agent_pool.example
  id = "acme/shop/production"
}
