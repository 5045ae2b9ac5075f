# These tests create and delete agent pools in organization acme. Run them against the emulator.

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
    error_message = "The runner configuration must contain the token."
  }
}

run "is_default" {
  module {
    source = "./tests/organization"
  }

  variables {
    agent_pool_id = run.create.id
  }

  assert {
    condition     = output.is_default
    error_message = "The agent pool must be the default."
  }
}

run "rotate" {
  variables {
    rotate_triggers = { month = "2026-12" }
  }

  assert {
    condition     = can(regex("^pul-[0-9a-f]{40}$", yamldecode(output.runner_config).token))
    error_message = "The runner configuration must contain the new token."
  }
}

run "only_the_new_agent_pool_is_left" {
  module {
    source = "./tests/organization"
  }

  variables {
    agent_pool_id = run.rotate.id
  }

  assert {
    condition     = output.is_default && output.has_only_this_agent_pool
    error_message = "The new agent pool must be the default, and the old one must be deleted."
  }
}
