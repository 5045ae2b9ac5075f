resource "pulumicloud_agent_pool" "this" {
  organization    = var.organization
  name_prefix     = var.name_prefix
  description     = var.description
  force_destroy   = var.force_destroy
  rotate_triggers = var.rotate_triggers

  lifecycle {
    create_before_destroy = true
  }
}

resource "pulumicloud_default_agent_pool" "this" {
  count = var.is_default ? 1 : 0

  organization  = pulumicloud_agent_pool.this.organization
  agent_pool_id = pulumicloud_agent_pool.this.id
}
