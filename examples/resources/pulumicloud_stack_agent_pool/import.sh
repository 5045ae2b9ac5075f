# Organization, project and stack
terraform import pulumicloud_stack_agent_pool.example acme/shop/production

# Project and stack, in the default organization of the provider
terraform import pulumicloud_stack_agent_pool.example shop/production
