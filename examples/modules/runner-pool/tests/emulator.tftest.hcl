# Creates real pools, and deletes them, in the organization acme of the Pulumi Cloud that PULUMI_BACKEND_URL names: run it
# against the emulator.

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
    error_message = "The name begins as asked."
  }

  assert {
    condition     = can(regex("^pul-[0-9a-f]{40}$", yamldecode(output.runner_config).token))
    error_message = "Runners get the token that Pulumi Cloud made."
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
    error_message = "The pool is the organization's default."
  }
}

run "rotate" {
  variables {
    rotate_triggers = { month = "2026-12" }
  }

  assert {
    condition     = can(regex("^pul-[0-9a-f]{40}$", yamldecode(output.runner_config).token))
    error_message = "Runners get a token again."
  }
}

run "another_pool_took_its_place" {
  module {
    source = "./tests/organization"
  }

  variables {
    agent_pool_id = run.rotate.id
  }

  assert {
    condition     = output.is_default && output.has_only_this_pool
    error_message = "The new pool is the organization's default, and the first one is gone."
  }
}
