# Creates and deletes agent pools in the organization acme at PULUMI_BACKEND_URL, which must be the URL of an emulator.

provider "pulumicloud" {
  organization = "acme"
}

variables {
  name_prefix     = "module-test-"
  is_default      = true
  rotate_triggers = { month = "2026-11" }
}

run "create" {
  assert {
    condition     = startswith(output.name, "module-test-")
    error_message = "The name must start with the prefix."
  }

  assert {
    condition     = can(regex("^pul-[0-9a-f]{40}$", yamldecode(output.runner_config).token))
    error_message = "Runners must receive the token of the agent pool."
  }
}

run "pool_is_the_default" {
  module {
    source = "./tests/organization"
  }

  variables {
    agent_pool_id = run.create.id
  }

  assert {
    condition     = output.is_default
    error_message = "The agent pool must be the default of the organization."
  }
}

run "rotate" {
  variables {
    rotate_triggers = { month = "2026-12" }
  }

  assert {
    condition     = can(regex("^pul-[0-9a-f]{40}$", yamldecode(output.runner_config).token))
    error_message = "Runners must receive a new token."
  }
}

run "pool_is_replaced" {
  module {
    source = "./tests/organization"
  }

  variables {
    agent_pool_id = run.rotate.id
  }

  assert {
    condition     = output.is_default && output.has_only_this_pool
    error_message = "Only the new agent pool must exist, and it must be the default of the organization."
  }
}
