# The organization's name
terraform import pulumicloud_default_agent_pool.example acme
