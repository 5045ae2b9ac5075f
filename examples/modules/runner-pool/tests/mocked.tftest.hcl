# Requires no Pulumi Cloud and no access token: the CLI installs the provider and reads only its schema.

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
    condition     = length(pulumicloud_default_agent_pool.this) == 0
    error_message = "By default the agent pool is not the organization's default."
  }
}

run "with_id_token" {
  variables {
    oidc_token_file = "/var/run/secrets/pulumi/token"
    deploy_target   = "kubernetes"
  }

  assert {
    condition = yamldecode(output.runner_config) == {
      oidc_token_file   = "/var/run/secrets/pulumi/token"
      organization_name = "acme"
      runner_pool_id    = "9f1c2d7e-4b5a-4c3d-8e6f-0a1b2c3d4e5f"
      deploy_target     = "kubernetes"
    }
    error_message = "Runners with an ID token must not receive a token."
  }
}

run "default_pool" {
  variables {
    is_default = true
  }

  assert {
    condition     = pulumicloud_default_agent_pool.this[0].agent_pool_id == output.id
    error_message = "The default must be the agent pool of the module."
  }
}

run "unknown_target" {
  command = plan

  variables {
    deploy_target = "nomad"
  }

  expect_failures = [var.deploy_target]
}
