resource "pulumicloud_agent_pool" "this" {
  organization    = var.organization
  name_prefix     = var.name_prefix
  description     = var.description
  force_destroy   = var.force_destroy
  drain_timeout   = var.drain_timeout
  store_token     = var.oidc_token_file == null
  rotate_triggers = var.rotate_triggers

  lifecycle {
    create_before_destroy = true
  }
}

resource "pulumicloud_agent_pool_readiness" "this" {
  count = var.min_runners > 0 ? 1 : 0

  organization  = pulumicloud_agent_pool.this.organization
  agent_pool_id = pulumicloud_agent_pool.this.id
  min_runners   = var.min_runners
}

locals {
  # Everything that moves work to the agent pool uses this ID, and so waits for the runners.
  ready_agent_pool_id = one(concat(
    pulumicloud_agent_pool_readiness.this[*].agent_pool_id,
    var.min_runners > 0 ? [] : [pulumicloud_agent_pool.this.id],
  ))
}

resource "pulumicloud_stack_agent_pool" "this" {
  for_each = { for stack in var.stacks : "${stack.project}/${stack.stack}" => stack }

  organization  = pulumicloud_agent_pool.this.organization
  project       = each.value.project
  stack         = each.value.stack
  agent_pool_id = local.ready_agent_pool_id
}

resource "pulumicloud_organization_default_agent_pool" "this" {
  count = var.is_default ? 1 : 0

  organization  = pulumicloud_agent_pool.this.organization
  agent_pool_id = local.ready_agent_pool_id
}
