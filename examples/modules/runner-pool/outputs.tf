output "id" {
  description = "ID of the agent pool, which deployment settings of stacks call agentPoolID."
  value       = pulumicloud_agent_pool.this.id
}

output "name" {
  description = "Name of the agent pool."
  value       = pulumicloud_agent_pool.this.name
}

output "runner_config" {
  description = "Runner configuration, pulumi-workflow-agent.yaml. Contains the pool's token unless oidc_token_file is set."
  value = yamlencode({ for key, value in {
    token             = var.oidc_token_file == null ? pulumicloud_agent_pool.this.token : null
    oidc_token_file   = var.oidc_token_file
    organization_name = var.oidc_token_file == null ? null : pulumicloud_agent_pool.this.organization
    runner_pool_id    = var.oidc_token_file == null ? null : pulumicloud_agent_pool.this.id
    deploy_target     = var.deploy_target
    service_url       = var.service_url
  } : key => value if value != null })
  sensitive = true
}
