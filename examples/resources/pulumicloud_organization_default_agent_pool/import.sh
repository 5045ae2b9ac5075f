# Name of the organization
terraform import pulumicloud_organization_default_agent_pool.example acme
