package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// importForms are the import ids of a pool in acme.
func importForms(pool emulator.AgentPool) map[string]string {
	return map[string]string{
		"organization and id":           "acme/" + pool.ID,
		"id alone":                      pool.ID,
		"organization and name":         "acme/" + pool.Name,
		"organization, name and id":     "acme/" + pool.Name + "/" + pool.ID,
		"id in upper case":              "acme/" + strings.ToUpper(pool.ID),
		"id alone in upper case":        strings.ToUpper(pool.ID),
		"another name with the same id": "acme/renamed since/" + pool.ID,
	}
}

func TestAgentPool_importForms(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	for _, name := range []string{
		"runners", "the / runners", "a/b/c", "/leading", "trailing/", "Läufer 走者", "50% ?&#", "..",
		"not-an-id/0123", strings.Repeat("long ", 50) + "name",
	} {
		pool := pulumi.mustCreate(t, "acme", name, "made in the console")
		for form, id := range importForms(pool) {
			t.Run(fmt.Sprintf("%.15s by %s", name, form), func(t *testing.T) {
				t.Parallel()
				c := newCore(t, pulumi, attributes{"organization": "acme"})
				imported, diagnostics := c.Import(t.Context(), id)
				expectNoError(t, diagnostics)
				expectWarning(t, diagnostics, "Agent pool imported without its token", pool.ID, "only once", "token is null")
				if organization, id := identityOf(c, imported); organization != "acme" || id != pool.ID {
					t.Errorf("identity %s/%s, want acme/%s", organization, id, pool.ID)
				}
				read := c.MustRead(t, imported)
				plan, diagnostics := c.Plan(t.Context(), read, attributes{"name": name, "description": "made in the console"})
				expectNoError(t, diagnostics)
				if !plan.Planned.Equal(read.Value) || len(plan.RequiresReplace) > 0 {
					t.Error("the plan after the import is not empty")
				}
				if read.Text("token") != "" {
					t.Error("an imported pool has a token")
				}
			})
		}
	}
}

func TestAgentPool_importRequests(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pool := pulumi.mustCreate(t, "acme", "runners", "")
	for _, test := range []struct {
		form string
		id   string
		want []string
	}{
		{"organization and id", "acme/" + pool.ID, []string{listRequest}},
		{"organization and name", "acme/runners", []string{listRequest}},
		{"id alone", pool.ID, []string{"GET /api/user/organizations/default", listRequest}},
	} {
		pulumi.ResetRequests()
		c := newCore(t, pulumi, nil)
		imported, diagnostics := c.Import(t.Context(), test.id)
		expectNoError(t, diagnostics)
		c.MustRead(t, imported)
		if err := pulumi.expect(test.want...).check(); err != nil {
			t.Errorf("%s: %v", test.form, err)
		}
	}
}

func TestAgentPool_importRefused(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	near := pulumi.mustCreate(t, "acme", "linux-runners", "")
	pulumi.mustCreate(t, "acme", "something else entirely", "")
	c := newCore(t, pulumi, nil)
	const unknownID = "00000000-0000-4000-8000-000000000000"
	for name, test := range map[string]struct {
		id    string
		title string
		texts []string
	}{
		"a name alone": {"runners", "Invalid import id", []string{`"runners"`, "ORGANIZATION/POOL_ID", "ORGANIZATION/NAME"}},
		"no organization": {
			"/" + near.ID, "Invalid import id", []string{"ORGANIZATION/POOL_ID"},
		},
		"nothing after the slash": {"acme/", "Invalid import id", []string{"ORGANIZATION/POOL_ID"}},
		"a slash alone":           {"/", "Invalid import id", nil},
		"an id cut short":         {near.ID[:35], "Invalid import id", nil},
		"an id with braces":       {"{" + near.ID + "}", "Invalid import id", nil},
		"a near name": {
			"acme/linux-runner", "Agent pool not found", []string{`"linux-runner"`, `"linux-runners" (` + near.ID + ")"},
		},
		"another case of the name": {"acme/Linux-Runners", "Agent pool not found", []string{`"linux-runners"`}},
		"no near name":             {"acme/zzz", "Agent pool not found", []string{"None of its 2 agent pools has a similar name"}},
		"an empty organization":    {"globex/runners", "Agent pool not found", []string{`"globex"`, "no agent pools at all"}},
		"an unknown organization":  {"initech/runners", "Organization not found", []string{`"initech"`}},
		"a dot segment":            {"../runners", "Invalid value", []string{"organization"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			imported, diagnostics := c.Import(t.Context(), test.id)
			expectError(t, diagnostics, test.title, test.texts...)
			if imported.Exists() {
				t.Error("something was imported")
			}
		})
	}
	// The pool itself is asked for after the import, by the refresh. Terraform makes an error of a resource that is not
	// there then.
	imported, diagnostics := c.Import(t.Context(), "acme/"+unknownID)
	expectNoError(t, diagnostics)
	if c.MustRead(t, imported).Exists() {
		t.Error("a pool that does not exist was imported")
	}
}

func TestAgentPool_importOfDuplicateNames(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{SkipResponseValidation: true})
	pulumi.intercept(http.MethodGet, answer(http.StatusOK, jsonType, `{"agentPools":[
		{"id":"00000000-0000-4000-8000-000000000001","name":"twins"},{"id":"00000000-0000-4000-8000-000000000002","name":"twins"}]}`))
	c := newCore(t, pulumi, nil)
	_, diagnostics := c.Import(t.Context(), "acme/twins")
	expectError(t, diagnostics, "Agent pool's name is ambiguous", `2 agent pools named "twins"`, "id")
}

func TestAgentPool_importByIdentity(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	inAcme := pulumi.mustCreate(t, "acme", "runners", "")
	inGlobex := pulumi.mustCreate(t, "globex", "runners", "")
	c := newCore(t, pulumi, attributes{"organization": "acme"})
	for name, test := range map[string]struct {
		identity     attributes
		organization string
		id           string
	}{
		"organization and id":   {attributes{"organization": "globex", "id": inGlobex.ID}, "globex", inGlobex.ID},
		"id alone":              {attributes{"id": inAcme.ID}, "acme", inAcme.ID},
		"an id in upper case":   {attributes{"id": strings.ToUpper(inAcme.ID)}, "acme", inAcme.ID},
		"an empty organization": {attributes{"organization": "", "id": inAcme.ID}, "acme", inAcme.ID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			imported, diagnostics := c.ImportByIdentity(t.Context(), test.identity)
			expectNoError(t, diagnostics)
			expectWarning(t, diagnostics, "Agent pool imported without its token")
			if organization, id := identityOf(c, imported); organization != test.organization || id != test.id {
				t.Errorf("identity %s/%s, want %s/%s", organization, id, test.organization, test.id)
			}
			if read := c.MustRead(t, imported); read.Text("name") != "runners" {
				t.Errorf("the imported pool has the name %q", read.Text("name"))
			}
		})
	}
	for name, identity := range map[string]attributes{
		"no id":          {"organization": "acme"},
		"an empty id":    {"id": ""},
		"a name for id":  {"id": "runners"},
		"slashes for id": {"id": "../../stacks"},
		"an unknown id":  {"id": tftypes.UnknownValue},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			imported, diagnostics := c.ImportByIdentity(t.Context(), identity)
			expectError(t, diagnostics, "Invalid import identity", "id")
			if imported.Exists() {
				t.Error("something was imported")
			}
		})
	}
}

func TestAgentPool_importWithoutADefaultOrganization(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pool := pulumi.mustCreate(t, "acme", "runners", "")
	pulumi.SetDefaultOrganization("")
	c := newCore(t, pulumi, nil)
	_, diagnostics := c.Import(t.Context(), pool.ID)
	expectError(t, diagnostics, "No organization", "PULUMI_DEFAULT_ORGANIZATION")
	_, diagnostics = c.Import(t.Context(), "acme/"+pool.ID)
	expectNoError(t, diagnostics)
}

func TestAccAgentPool_importedPoolHasNoTokenAndNoDiff(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pool := pulumi.mustCreate(t, "acme", "runners", "made in the console")
	const described = "\ndescription = \"made in the console\""
	noToken := statecheck.ExpectKnownValue(address, attribute("token"), knownvalue.Null())
	config := pulumi.inAcme(`name = "runners"` + described)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             pulumi.noPools,
		Steps: []resource.TestStep{
			{
				Config:             config,
				ResourceName:       address,
				ImportState:        true,
				ImportStateId:      "acme/runners",
				ImportStatePersist: true,
			},
			{
				Config:            config,
				ConfigPlanChecks:  preApply(plancheck.ExpectEmptyPlan()),
				ConfigStateChecks: []statecheck.StateCheck{noToken, has("id", pool.ID)},
			},
			{
				PreConfig:         pulumi.ResetRequests,
				Config:            pulumi.inAcme(`name = "renamed"` + described),
				ConfigPlanChecks:  preApply(action(plancheck.ResourceActionUpdate), pulumi.expect(listRequest)),
				ConfigStateChecks: []statecheck.StateCheck{pulumi.expect(updateRequest), noToken, has("id", pool.ID)},
			},
			{
				ResourceName:            address,
				ImportState:             true,
				ImportStateVerify:       true,
				ImportStateId:           pool.ID,
				ImportStateVerifyIgnore: []string{"token"},
			},
			{
				PreConfig:         pulumi.ResetRequests,
				Config:            pulumi.inAcme("name = \"renamed\"\nforce_destroy = true" + described),
				ConfigPlanChecks:  preApply(action(plancheck.ResourceActionUpdate), pulumi.expect(listRequest)),
				ConfigStateChecks: []statecheck.StateCheck{pulumi.expect(), noToken, has("id", pool.ID)},
			},
		},
	})
}

func TestAccAgentPool_importBlocks(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	var blocks strings.Builder
	var checks []statecheck.StateCheck
	planChecks := []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}
	i := 0
	for name, id := range map[string]func(emulator.AgentPool) string{
		"by id":            func(pool emulator.AgentPool) string { return "acme/" + pool.ID },
		"by id / default":  func(pool emulator.AgentPool) string { return pool.ID },
		"by name / spaces": func(pool emulator.AgentPool) string { return "acme/" + pool.Name },
		"by both / Pulumi": func(pool emulator.AgentPool) string { return "acme/" + pool.Name + "/" + pool.ID },
	} {
		i++
		pool := pulumi.mustCreate(t, "acme", name, "")
		fmt.Fprintf(&blocks, `
import {
  to = pulumicloud_agent_pool.test%[1]d
  id = %[2]q
}

resource "pulumicloud_agent_pool" "test%[1]d" {
  name = %[3]q
}
`, i, id(pool), name)
		to := fmt.Sprintf("%s%d", address, i)
		checks = append(checks, statecheck.ExpectKnownValue(to, attribute("id"), knownvalue.StringExact(pool.ID)))
	}
	planChecks = append(planChecks, planCheck(func(plan *tfjson.Plan) error {
		imported := 0
		for _, change := range plan.ResourceChanges {
			if change.Change.Importing != nil {
				imported++
			}
		}
		if imported != i {
			return fmt.Errorf("%d imports are planned, want %d", imported, i)
		}
		return nil
	}), pulumi.expect(listRequest))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             pulumi.noPools,
		Steps: []resource.TestStep{{
			Config:            pulumi.config(`organization = "acme"`, blocks.String()),
			ConfigPlanChecks:  preApply(planChecks...),
			ConfigStateChecks: checks,
		}},
	})
}

func TestAccAgentPool_importErrorsInTheCLI(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pulumi.mustCreate(t, "acme", "linux-runners", "")
	refused := func(id string, texts ...string) resource.TestStep {
		return resource.TestStep{
			Config:        pulumi.inAcme(`name = "runners"`),
			ResourceName:  address,
			ImportState:   true,
			ImportStateId: id,
			ExpectError:   message(texts...),
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			refused("runners", "Invalid import id", "Use one of these forms", "ORGANIZATION/POOL_ID"),
			refused("acme/linux-runner", "Agent pool not found", `Similar: "linux-runners"`),
			// The CLI's own words for an import that finds nothing.
			refused("acme/00000000-0000-4000-8000-000000000000", "Cannot import non-existent remote object"),
		},
	})
}

func TestAccAgentPool_importByIdentityInTheCLI(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	resource.Test(t, resource.TestCase{
		TerraformVersionChecks:   []tfversion.TerraformVersionCheck{tfversion.SkipBelow(tfversion.Version1_12_0)},
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             pulumi.noPools,
		Steps: []resource.TestStep{
			{
				Config: pulumi.inAcme(`name = "runners"`),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectIdentityValue(address, attribute("organization"), knownvalue.StringExact("acme")),
					statecheck.ExpectIdentityValueMatchesState(address, attribute("id")),
				},
			},
			{
				ResourceName:    address,
				ImportState:     true,
				ImportStateKind: resource.ImportBlockWithResourceIdentity,
			},
			{
				ResourceName:    address,
				ImportState:     true,
				ImportStateKind: resource.ImportBlockWithID,
			},
		},
	})
}
