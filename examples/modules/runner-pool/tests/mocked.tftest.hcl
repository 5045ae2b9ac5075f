# These tests need no Pulumi Cloud and no access token.

mock_provider "pulumicloud" {
  mock_resource "pulumicloud_agent_pool" {
    defaults = {
      id           = "9f1c2d7e-4b5a-4c3d-8e6f-0a1b2c3d4e5f"
      name         = "network-mocked"
      organization = "acme"
      token        = "pul-mocked"
    }
  }
}

variables {
  name_prefix = "network-"
}

run "with_token" {
  assert {
    condition     = yamldecode(output.runner_config) == { token = "pul-mocked", deploy_target = "docker" }
    error_message = "Runners must authenticate with the token of the agent pool."
  }

  assert {
    condition     = length(pulumicloud_organization_default_agent_pool.this) == 0
    error_message = "The agent pool must not be the default."
  }

  assert {
    condition     = length(pulumicloud_agent_pool_readiness.this) == 0
    error_message = "Without min_runners there is nothing to wait for."
  }
}

run "with_id_token" {
  command = plan

  variables {
    oidc_token_file = "/var/run/secrets/pulumi/token"
    deploy_target   = "kubernetes"
  }

  assert {
    condition     = !pulumicloud_agent_pool.this.store_token
    error_message = "The state must not contain a token that no runner needs."
  }
}

run "stacks_and_default" {
  variables {
    is_default  = true
    min_runners = 2
    stacks = [
      { project = "shop", stack = "production" },
      { project = "shop", stack = "staging" },
    ]
  }

  assert {
    condition     = pulumicloud_agent_pool_readiness.this[0].min_runners == 2
    error_message = "The stacks must wait for two runners."
  }

  assert {
    condition     = pulumicloud_stack_agent_pool.this["shop/production"].agent_pool_id == output.id
    error_message = "The stack must use the agent pool."
  }

  assert {
    condition     = length(pulumicloud_stack_agent_pool.this) == 2
    error_message = "Both stacks must be assigned."
  }

  assert {
    condition     = pulumicloud_organization_default_agent_pool.this[0].agent_pool_id == output.id
    error_message = "The agent pool must be the default."
  }
}

run "unknown_deploy_target" {
  command = plan

  variables {
    deploy_target = "nomad"
  }

  expect_failures = [var.deploy_target]
}
