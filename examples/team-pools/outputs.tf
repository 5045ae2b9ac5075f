output "agent_pool_ids" {
  description = "What stacks' deployment settings take as agentPoolID, by team."
  value       = { for team, pool in pulumicloud_agent_pool.team : team => pool.id }
}

output "runner_configurations" {
  description = "The pulumi-workflow-agent.yaml of each team's runners. It holds the pool's token."
  value       = { for team, pool in pulumicloud_agent_pool.team : team => yamlencode({ token = pool.token }) }
  sensitive   = true
}

output "online_agent_pools" {
  description = "Names of the organization's pools that have a runner online."
  value       = data.pulumicloud_agent_pools.online.agent_pools[*].name
}
