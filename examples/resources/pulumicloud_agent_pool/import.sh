# An organization and the pool's id
terraform import pulumicloud_agent_pool.example acme/9f1c2d7e-4b5a-4c3d-8e6f-0a1b2c3d4e5f

# The id alone, in the provider's default organization
terraform import pulumicloud_agent_pool.example 9f1c2d7e-4b5a-4c3d-8e6f-0a1b2c3d4e5f

# An organization and the pool's name
terraform import pulumicloud_agent_pool.example acme/production

# All three, as Pulumi's own providers write it
terraform import pulumicloud_agent_pool.example acme/production/9f1c2d7e-4b5a-4c3d-8e6f-0a1b2c3d4e5f
