output "agent_pool_ids" {
  description = "ID of the agent pool of each team."
  value       = { for team, pool in pulumicloud_agent_pool.team : team => pool.id }
}

output "runner_configs" {
  description = "Contents of pulumi-workflow-agent.yaml for the runners of each team."
  value = { for team, pool in pulumicloud_agent_pool.team : team => yamlencode({
    token         = pool.token
    deploy_target = "docker"
  }) }
  sensitive = true
}

output "online_agent_pools" {
  description = "Names of all agent pools of the organization that have an online runner."
  value       = data.pulumicloud_agent_pools.online.agent_pools[*].name
}
