import {
  to = pulumicloud_agent_pool.example
  identity = {
    organization = "acme"
    id           = "9f1c2d7e-4b5a-4c3d-8e6f-0a1b2c3d4e5f"
  }
}
