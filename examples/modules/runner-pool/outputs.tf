output "id" {
  description = "ID of the agent pool."
  value       = pulumicloud_agent_pool.this.id
}

output "name" {
  description = "Name of the agent pool."
  value       = pulumicloud_agent_pool.this.name
}

output "runner_config" {
  description = "Contents of pulumi-workflow-agent.yaml. Includes the token unless oidc_token_file is set."
  value = yamlencode({ for key, value in {
    token             = pulumicloud_agent_pool.this.token
    oidc_token_file   = var.oidc_token_file
    organization_name = var.oidc_token_file == null ? null : pulumicloud_agent_pool.this.organization
    runner_pool_id    = var.oidc_token_file == null ? null : pulumicloud_agent_pool.this.id
    deploy_target     = var.deploy_target
    service_url       = var.service_url
  } : key => value if value != null })
  sensitive = true
}
