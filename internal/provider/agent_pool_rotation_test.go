package provider_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestAccAgentPool_rotateTriggers(t *testing.T) {
	t.Parallel()
	const address = "pulumicloud_agent_pool.test"
	pulumi := startPulumiCloud(t, emulator.Options{})
	with := func(triggers string) string {
		return pulumi.config(`organization = "acme"`, `
resource "pulumicloud_agent_pool" "test" {
  name            = "runners"
  rotate_triggers = `+triggers+`
}`)
	}
	rotated := statecheck.CompareValue(compare.ValuesDiffer())
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			{
				Config:            with(`{ month = "2026-11" }`),
				ConfigStateChecks: []statecheck.StateCheck{rotated.AddStateValue(address, tfjsonpath.New("token"))},
			},
			{
				Config: with(`{ month = "2026-12" }`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionDestroyBeforeCreate),
				}},
				ConfigStateChecks: []statecheck.StateCheck{rotated.AddStateValue(address, tfjsonpath.New("token"))},
			},
			{
				Config: with(`null`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionDestroyBeforeCreate),
				}},
			},
		},
	})
}

func TestAccAgentPool_importedPoolAdoptsWhatReplacesOthers(t *testing.T) {
	t.Parallel()
	const address = "pulumicloud_agent_pool.test"
	pulumi := startPulumiCloud(t, emulator.Options{})
	existing, _, err := pulumi.CreateAgentPool("acme", "runners", "")
	if err != nil {
		t.Fatal(err)
	}
	with := func(month string) string {
		return pulumi.config(`organization = "acme"`, `
import {
  to = pulumicloud_agent_pool.test
  id = "acme/`+existing.ID+`"
}

resource "pulumicloud_agent_pool" "test" {
  name             = "runners"
  rotate_triggers  = { month = "`+month+`" }
  token_recipients = ["`+ageRecipient+`"]
}`)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			{
				Config: with("2026-11"),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
				}},
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(address, tfjsonpath.New("id"), knownvalue.StringExact(existing.ID)),
					statecheck.ExpectKnownValue(address, tfjsonpath.New("token"), knownvalue.Null()),
					statecheck.ExpectKnownValue(address, tfjsonpath.New("encrypted_token"), knownvalue.Null()),
				},
			},
			{
				Config: with("2026-12"),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionDestroyBeforeCreate),
				}},
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(address, tfjsonpath.New("encrypted_token"), knownvalue.NotNull()),
				},
			},
		},
	})
	for _, request := range pulumi.Requests() {
		if request.Method == http.MethodPatch {
			t.Errorf("taking the values over sent %s %s", request.Method, request.Path)
		}
	}
}

func TestAccAgentPool_namePrefix(t *testing.T) {
	t.Parallel()
	const address = "pulumicloud_agent_pool.test"
	pulumi := startPulumiCloud(t, emulator.Options{})
	with := func(arguments string) string {
		return pulumi.config(`organization = "acme"`, `
resource "pulumicloud_agent_pool" "test" {
  `+arguments+`
  lifecycle {
    create_before_destroy = true
  }
}`)
	}
	sameID, sameName := statecheck.CompareValue(compare.ValuesSame()), statecheck.CompareValue(compare.ValuesSame())
	named := func(pattern string) statecheck.StateCheck {
		return statecheck.ExpectKnownValue(address, tfjsonpath.New("name"), knownvalue.StringRegexp(regexp.MustCompile(pattern)))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			{
				Config: with(`name_prefix = "runners-"`),
				ConfigStateChecks: []statecheck.StateCheck{
					named(`^runners-[a-z2-7]{12}$`),
					sameID.AddStateValue(address, tfjsonpath.New("id")),
					sameName.AddStateValue(address, tfjsonpath.New("name")),
				},
			},
			{ // The name is made once.
				Config: with("name_prefix = \"runners-\"\n  description = \"changed\""),
				ConfigStateChecks: []statecheck.StateCheck{
					sameName.AddStateValue(address, tfjsonpath.New("name")),
				},
			},
			{ // Another prefix is another name for the same pool.
				Config: with(`name_prefix = "builders-"`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
					plancheck.ExpectUnknownValue(address, tfjsonpath.New("name")),
				}},
				ConfigStateChecks: []statecheck.StateCheck{
					named(`^builders-[a-z2-7]{12}$`),
					sameID.AddStateValue(address, tfjsonpath.New("id")),
				},
			},
			{ // A name that somebody else gave to it does not stay.
				PreConfig: func() {
					pool, renamed := pulumi.onlyPool(t, "acme"), "renamed"
					mustDo(t, pulumi.UpdateAgentPool("acme", pool.ID, &renamed, nil))
				},
				Config: with(`name_prefix = "builders-"`),
				ConfigStateChecks: []statecheck.StateCheck{
					named(`^builders-[a-z2-7]{12}$`),
					sameID.AddStateValue(address, tfjsonpath.New("id")),
				},
			},
			{ // A name of the user's own is another one for the same pool as well.
				Config: with(`name = "runners"`),
				ConfigStateChecks: []statecheck.StateCheck{
					named(`^runners$`),
					sameID.AddStateValue(address, tfjsonpath.New("id")),
				},
			},
		},
	})
}

func TestAccAgentPool_eitherNameOrNamePrefix(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	var steps []resource.TestStep
	for _, arguments := range []string{"", "name = \"runners\"\n  name_prefix = \"runners-\""} {
		steps = append(steps, resource.TestStep{
			Config: pulumi.config("", `
resource "pulumicloud_agent_pool" "test" {
  `+arguments+`
}`),
			PlanOnly:    true,
			ExpectError: regexp.MustCompile(`Invalid Attribute Combination`),
		})
	}
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: factories(), Steps: steps})
}

func TestAccAgentPool_rotatesWithoutDowntime(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	with := func(month string) string {
		return pulumi.config(`organization = "acme"`, `
resource "pulumicloud_agent_pool" "test" {
  name_prefix     = "runners-"
  rotate_triggers = { month = "`+month+`" }
  lifecycle {
    create_before_destroy = true
  }
}

resource "pulumicloud_default_agent_pool" "test" {
  agent_pool_id = pulumicloud_agent_pool.test.id
}`)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			{Config: with("2026-11")},
			{PreConfig: pulumi.ResetRequests, Config: with("2026-12"), Check: func(*terraform.State) error {
				// The new pool is there, and the default, before the old one goes.
				expectWrites(t, pulumi, "POST", "PATCH", "DELETE")
				return nil
			}},
		},
	})
}

// expectWrites compares the methods of all requests but reads, in their order.
func expectWrites(t *testing.T, pulumi pulumiCloud, want ...string) {
	t.Helper()
	var got []string
	for _, request := range pulumi.Requests() {
		if request.Method != http.MethodGet {
			got = append(got, request.Method)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("writes: %q, want %q", got, want)
	}
}

func TestAccAgentPool_createBeforeDestroyWithTheSameName(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	with := func(month string) string {
		return pulumi.config(`organization = "acme"`, `
resource "pulumicloud_agent_pool" "test" {
  name            = "runners"
  rotate_triggers = { month = "`+month+`" }
  lifecycle {
    create_before_destroy = true
  }
}`)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			{Config: with("2026-11")},
			{
				Config:      with("2026-12"),
				ExpectError: regexp.MustCompile(`(?s)Agent pool exists already.*create_before_destroy.*name_prefix`),
			},
		},
	})
}
