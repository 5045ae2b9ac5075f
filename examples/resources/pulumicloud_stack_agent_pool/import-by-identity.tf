import {
  to = pulumicloud_stack_agent_pool.example
  identity = {
    organization = "acme"
    project      = "shop"
    stack        = "production"
  }
}
