# Organization and ID of the agent pool
terraform import pulumicloud_agent_pool.example acme/9f1c2d7e-4b5a-4c3d-8e6f-0a1b2c3d4e5f

# ID of the agent pool, in the default organization of the provider
terraform import pulumicloud_agent_pool.example 9f1c2d7e-4b5a-4c3d-8e6f-0a1b2c3d4e5f

# Organization and name of the agent pool
terraform import pulumicloud_agent_pool.example acme/production

# Organization, name and ID, as in Pulumi's own provider
terraform import pulumicloud_agent_pool.example acme/production/9f1c2d7e-4b5a-4c3d-8e6f-0a1b2c3d4e5f
