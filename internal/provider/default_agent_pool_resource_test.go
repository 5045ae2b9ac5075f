package provider_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const (
	defaultPoolType    = "pulumicloud_default_agent_pool"
	defaultPoolAddress = defaultPoolType + ".test"

	setDefaultRequest = "PATCH /api/orgs/acme"

	unknownPoolID = "00000000-0000-4000-8000-000000000000"
)

// defaultPool returns the id of an organization's default pool, empty for the Pulumi-hosted one.
func (c pulumiCloud) defaultPool(organization string) string {
	for _, pool := range c.AgentPools(organization) {
		if pool.IsDefault {
			return pool.ID
		}
	}
	return ""
}

func (c pulumiCloud) expectDefault(t *testing.T, organization, id string) {
	t.Helper()
	if got := c.defaultPool(organization); got != id {
		t.Errorf("the default pool of %s is %q, want %q", organization, got, id)
	}
}

func TestAccDefaultAgentPool_life(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	one, two := pulumi.mustCreate(t, "acme", "one", ""), pulumi.mustCreate(t, "acme", "two", "")
	with := func(id string) string {
		return pulumi.config(`organization = "acme"`,
			fmt.Sprintf("resource %q \"test\" {\n  agent_pool_id = %q\n}\n", defaultPoolType, id))
	}
	action := func(action plancheck.ResourceActionType) plancheck.PlanCheck {
		return plancheck.ExpectResourceAction(defaultPoolAddress, action)
	}
	isDefault := func(id string) resource.TestCheckFunc {
		return func(*terraform.State) error {
			if got := pulumi.defaultPool("acme"); got != id {
				return fmt.Errorf("the default pool is %q, want %q", got, id)
			}
			return nil
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy: func(state *terraform.State) error {
			return errors.Join(isDefault("")(state), pulumi.expect(listRequest, setDefaultRequest).check())
		},
		Steps: []resource.TestStep{
			{
				Config: with(one.ID),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             []plancheck.PlanCheck{action(plancheck.ResourceActionCreate), pulumi.expect()},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(defaultPoolAddress, attribute("organization"), knownvalue.StringExact("acme")),
					statecheck.ExpectKnownValue(defaultPoolAddress, attribute("agent_pool_id"), knownvalue.StringExact(one.ID)),
				},
				Check: isDefault(one.ID),
			},
			{
				PreConfig: pulumi.ResetRequests,
				Config:    with(two.ID),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{action(plancheck.ResourceActionUpdate)},
				},
				Check: resource.ComposeTestCheckFunc(isDefault(two.ID), func(*terraform.State) error {
					if n := pulumi.count(setDefaultRequest); n != 1 {
						return fmt.Errorf("a change took %d writes, want 1", n)
					}
					return nil
				}),
			},
			{ // Somebody made another pool the default.
				PreConfig:        func() { mustDo(t, pulumi.SetDefaultAgentPool("acme", one.ID)) },
				Config:           with(two.ID),
				ConfigPlanChecks: preApply(action(plancheck.ResourceActionUpdate)),
				Check:            isDefault(two.ID),
			},
			{ // Somebody went back to the Pulumi-hosted pool.
				PreConfig:        func() { mustDo(t, pulumi.SetDefaultAgentPool("acme", "")) },
				Config:           with(two.ID),
				ConfigPlanChecks: preApply(action(plancheck.ResourceActionCreate)),
				Check:            isDefault(two.ID),
			},
			{
				PreConfig:        pulumi.ResetRequests,
				Config:           with(two.ID),
				ConfigPlanChecks: preApply(plancheck.ExpectEmptyPlan()),
				Check: func(*terraform.State) error {
					pulumi.ResetRequests()
					return nil
				},
			},
		},
	})
}

// The order of creation and destruction follows from the reference alone.
func TestAccDefaultAgentPool_withItsPool(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	var id string
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy: func(state *terraform.State) error {
			var writes []string
			for _, request := range pulumi.Requests() {
				if request.Method != http.MethodGet {
					writes = append(writes, request.Method+" "+request.Path)
				}
			}
			if want := []string{setDefaultRequest, "DELETE /api/orgs/acme/agent-pools/" + id}; !slices.Equal(writes, want) {
				return fmt.Errorf("writes of the destroy: %q, want %q", writes, want)
			}
			return pulumi.noPools(state)
		},
		Steps: []resource.TestStep{{
			Config: pulumi.config(`organization = "acme"`, poolBlock(`name = "runners"`)+`
resource "pulumicloud_default_agent_pool" "test" {
  agent_pool_id = pulumicloud_agent_pool.test.id
}`),
			Check: func(*terraform.State) error {
				id = pulumi.onlyPool(t, "acme").ID
				pulumi.expectDefault(t, "acme", id)
				pulumi.ResetRequests()
				return nil
			},
		}},
	})
}

func TestDefaultAgentPool_isReadFromTheListOfItsPools(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	c := newCore(t, pulumi, attributes{"organization": "acme"})
	d := c.Resource(defaultPoolType)
	one := c.MustApply(t, c.Absent(), attributes{"name": "one"})
	two := c.MustApply(t, c.Absent(), attributes{"name": "two"})
	setting := d.MustApply(t, d.Absent(), attributes{"agent_pool_id": one.Text("id")})
	pulumi.ResetRequests()
	c.MustRead(t, one)
	setting = d.MustRead(t, setting)
	c.MustRead(t, two)
	expectRequests(t, pulumi, listRequest)
	if got := setting.Text("agent_pool_id"); got != one.Text("id") {
		t.Errorf("the default is %q, want %q", got, one.Text("id"))
	}
	// A write makes what was read before it old.
	setting = d.MustApply(t, setting, attributes{"agent_pool_id": two.Text("id")})
	if got := d.MustRead(t, setting).Text("agent_pool_id"); got != two.Text("id") {
		t.Errorf("the default is %q, want %q", got, two.Text("id"))
	}
	expectRequests(t, pulumi, setDefaultRequest, listRequest)
}

func TestDefaultAgentPool_organization(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	inAcme, inGlobex := pulumi.mustCreate(t, "acme", "runners", ""), pulumi.mustCreate(t, "globex", "runners", "")
	d := newCore(t, pulumi, nil).Resource(defaultPoolType)

	byUser := d.MustApply(t, d.Absent(), attributes{"agent_pool_id": inAcme.ID})
	if got := byUser.Text("organization"); got != "acme" {
		t.Errorf("organization %q, want the user's default, acme", got)
	}
	pulumi.expectDefault(t, "acme", inAcme.ID)
	plan, diagnostics := d.Plan(t.Context(), byUser, attributes{"organization": "globex", "agent_pool_id": inGlobex.ID})
	expectNoError(t, diagnostics)
	expectReplacement(t, plan, "organization")
	other := newCore(t, pulumi, attributes{"organization": "globex"}).Resource(defaultPoolType)
	plan, diagnostics = other.Plan(t.Context(), byUser, attributes{"agent_pool_id": inAcme.ID})
	expectNoError(t, diagnostics)
	expectReplacement(t, plan, "organization")

	byProvider := other.MustApply(t, other.Absent(), attributes{"agent_pool_id": inGlobex.ID})
	pulumi.expectDefault(t, "globex", inGlobex.ID)
	gone, diagnostics := other.Destroy(t.Context(), byProvider)
	expectNoError(t, diagnostics)
	if gone.Exists() {
		t.Error("the setting is still in the state")
	}
	pulumi.expectDefault(t, "globex", "")
	pulumi.expectDefault(t, "acme", inAcme.ID)
}

func expectReplacement(t *testing.T, plan acctest.Change, attribute string) {
	t.Helper()
	if len(plan.RequiresReplace) != 1 || plan.RequiresReplace[0].String() != `AttributeName("`+attribute+`")` {
		t.Errorf("replaced because of %v, want %s", plan.RequiresReplace, attribute)
	}
}

func TestDefaultAgentPool_poolThatTheOrganizationLacks(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	existing, elsewhere := pulumi.mustCreate(t, "acme", "runners", ""), pulumi.mustCreate(t, "globex", "runners", "")
	d := newCore(t, pulumi, attributes{"organization": "acme"}).Resource(defaultPoolType)
	for name, id := range map[string]string{"no pool": unknownPoolID, "another organization's": elsewhere.ID} {
		created, diagnostics := d.Apply(t.Context(), d.Absent(), attributes{"agent_pool_id": id})
		expectError(t, diagnostics, "Agent pool not found", `set the default agent pool of organization "acme"`, id)
		if created.Exists() {
			t.Errorf("%s: the state holds a setting that was refused", name)
		}
	}
	pulumi.expectDefault(t, "acme", "")
	setting := d.MustApply(t, d.Absent(), attributes{"agent_pool_id": existing.ID})
	pulumi.ResetRequests()
	kept, diagnostics := d.Apply(t.Context(), setting, attributes{"agent_pool_id": elsewhere.ID})
	expectError(t, diagnostics, "Agent pool not found", elsewhere.ID)
	expectRequests(t, pulumi, setDefaultRequest, getRequest)
	if !kept.Value.Equal(setting.Value) {
		t.Error("the state has changed")
	}
	pulumi.expectDefault(t, "acme", existing.ID)
}

// A pool that is planned for creation has no id yet.
func TestDefaultAgentPool_unknownPoolAtPlan(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	d := newCore(t, pulumi, attributes{"organization": "acme"}).Resource(defaultPoolType)
	_, diagnostics := d.Plan(t.Context(), d.Absent(), attributes{"agent_pool_id": tftypes.UnknownValue})
	expectNoError(t, diagnostics)
	expectError(t, d.ValidateConfig(t.Context(), attributes{"agent_pool_id": ""}), "Empty name")
	expectNoError(t, d.ValidateConfig(t.Context(), attributes{"agent_pool_id": tftypes.UnknownValue}))
	expectRequests(t, pulumi)
}

func expectOrganizationIdentity(t *testing.T, c *acctest.Resource, of acctest.Object, organization string) {
	t.Helper()
	if got, _ := identityOf(c, of); got != organization {
		t.Errorf("the identity is that of %q, want %q", got, organization)
	}
}

func TestAccDefaultAgentPool_nameForAnID(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pulumi.mustCreate(t, "acme", "runners", "")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{{
			Config: pulumi.config(`organization = "acme"`, `
resource "pulumicloud_default_agent_pool" "test" {
  agent_pool_id = "runners"
}`),
			PlanOnly:    true,
			ExpectError: message("Not an agent pool's id", "data source pulumicloud_agent_pool finds the id"),
		}},
	})
}

func TestDefaultAgentPool_identity(t *testing.T) {
	t.Parallel()
	for _, withoutIdentity := range []bool{false, true} {
		t.Run(fmt.Sprintf("without identity %t", withoutIdentity), func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{})
			one, two := pulumi.mustCreate(t, "acme", "one", ""), pulumi.mustCreate(t, "acme", "two", "")
			d := newCore(t, pulumi, attributes{"organization": "acme"}).Resource(defaultPoolType)
			d.OmitIdentity = withoutIdentity
			setting := d.MustApply(t, d.Absent(), attributes{"agent_pool_id": one.ID})
			expectOrganizationIdentity(t, d, setting, "acme")
			expectOrganizationIdentity(t, d, d.MustRead(t, setting), "acme")
			setting = d.MustApply(t, setting, attributes{"agent_pool_id": two.ID})
			expectOrganizationIdentity(t, d, setting, "acme")

			stop := pulumi.intercept("", answer(http.StatusForbidden, jsonType, pulumiError(403, "no")))
			kept, diagnostics := d.Apply(t.Context(), setting, attributes{"agent_pool_id": one.ID})
			expectError(t, diagnostics, "Permission denied", "organization:update", `"acme"`)
			expectOrganizationIdentity(t, d, kept, "acme")
			_, diagnostics = d.Destroy(t.Context(), setting)
			expectError(t, diagnostics, "Permission denied", "organization:update")
			_, diagnostics = d.Apply(t.Context(), d.Absent(), attributes{"agent_pool_id": one.ID})
			expectError(t, diagnostics, "Permission denied", "organization:update")
			d = newCore(t, pulumi, attributes{"organization": "acme"}).Resource(defaultPoolType)
			kept, diagnostics = d.Read(t.Context(), setting)
			expectError(t, diagnostics, "Permission denied", "agent_pool:read", "read the default agent pool")
			expectOrganizationIdentity(t, d, kept, "acme")
			stop()

			mustDo(t, pulumi.SetDefaultAgentPool("acme", ""))
			d = newCore(t, pulumi, attributes{"organization": "acme"}).Resource(defaultPoolType)
			d.OmitIdentity = withoutIdentity
			gone := d.MustRead(t, setting)
			if gone.Exists() {
				t.Error("the setting is gone and still in the state")
			}
			expectOrganizationIdentity(t, d, gone, "acme")
		})
	}
}

func TestDefaultAgentPool_import(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pool := pulumi.mustCreate(t, "globex", "runners", "")
	mustDo(t, pulumi.SetDefaultAgentPool("globex", pool.ID))
	d := newCore(t, pulumi, attributes{"organization": "acme"}).Resource(defaultPoolType)
	byIdentity := attributes{"organization": "globex"}
	for _, form := range []struct {
		id       string
		identity attributes
	}{{id: "globex"}, {identity: byIdentity}} {
		imported, diagnostics := d.Import(t.Context(), form.id)
		if form.id == "" {
			imported, diagnostics = d.ImportByIdentity(t.Context(), form.identity)
		}
		expectNoError(t, diagnostics)
		read := d.MustRead(t, imported)
		expectOrganizationIdentity(t, d, read, "globex")
		plan, diagnostics := d.Plan(t.Context(), read, attributes{"organization": "globex", "agent_pool_id": pool.ID})
		expectNoError(t, diagnostics)
		if !plan.Planned.Equal(read.Value) || len(plan.RequiresReplace) > 0 {
			t.Error("the plan after the import is not empty")
		}
	}

	hosted, diagnostics := d.Import(t.Context(), "acme")
	expectNoError(t, diagnostics)
	if d.MustRead(t, hosted).Exists() {
		t.Error("an organization with the Pulumi-hosted pool has a setting to import")
	}
	nowhere, diagnostics := d.Import(t.Context(), "initech")
	expectNoError(t, diagnostics)
	_, diagnostics = d.Read(t.Context(), nowhere)
	expectError(t, diagnostics, "Organization not found", `"initech"`)
}

func TestAccDefaultAgentPool_importThroughTheCLI(t *testing.T) {
	t.Parallel()
	setting := func(t *testing.T) (config string) {
		t.Helper()
		pulumi := startPulumiCloud(t, emulator.Options{})
		pool := pulumi.mustCreate(t, "acme", "runners", "")
		return pulumi.config(`organization = "acme"`,
			fmt.Sprintf("resource %q \"test\" {\n  agent_pool_id = %q\n}\n", defaultPoolType, pool.ID))
	}
	t.Run("by organization", func(t *testing.T) {
		t.Parallel()
		config := setting(t)
		resource.Test(t, resource.TestCase{
			ProtoV6ProviderFactories: factories(),
			Steps: []resource.TestStep{{Config: config}, {
				Config: config, ResourceName: defaultPoolAddress, ImportState: true, ImportStateId: "acme", ImportStateVerify: true,
				ImportStateVerifyIdentifierAttribute: "organization",
			}},
		})
	})
	t.Run("by identity", func(t *testing.T) {
		t.Parallel()
		resource.Test(t, resource.TestCase{
			ProtoV6ProviderFactories: factories(),
			TerraformVersionChecks:   []tfversion.TerraformVersionCheck{tfversion.SkipBelow(tfversion.Version1_12_0)},
			Steps: []resource.TestStep{
				{Config: setting(t), ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectIdentity(defaultPoolAddress, map[string]knownvalue.Check{
						"organization": knownvalue.StringExact("acme"),
					}),
				}},
				{
					ResourceName: defaultPoolAddress, ImportState: true,
					ImportStateKind: resource.ImportBlockWithResourceIdentity,
				},
			},
		})
	})
}

func TestDefaultAgentPool_failures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reply func(http.ResponseWriter, *http.Request, http.Handler)
		title string
	}{
		"an unknown organization": {answer(http.StatusNotFound, jsonType, pulumiError(404, "no")), "Organization not found"},
		"a wrong URL":             {answer(http.StatusNotFound, textType, "404 page not found"), "Not an answer of Pulumi Cloud"},
		"a proxy's page":          {answer(http.StatusOK, htmlType, "<h1>Sign in</h1>"), "Unexpected answer of Pulumi Cloud"},
		"500 for ever":            {answer(http.StatusInternalServerError, jsonType, pulumiError(500, "no")), "Pulumi Cloud failed"},
		"another 400":             {answer(http.StatusBadRequest, jsonType, pulumiError(400, "no")), "Request refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{})
			one, two := pulumi.mustCreate(t, "acme", "one", ""), pulumi.mustCreate(t, "acme", "two", "")
			d := newCore(t, pulumi, attributes{"organization": "acme"}, fewRetries).Resource(defaultPoolType)
			setting := d.MustApply(t, d.Absent(), attributes{"agent_pool_id": one.ID})
			pulumi.intercept("", test.reply)
			kept, diagnostics := d.Apply(t.Context(), setting, attributes{"agent_pool_id": two.ID})
			expectError(t, diagnostics, test.title, `set the default agent pool of organization "acme"`)
			if !kept.Value.Equal(setting.Value) {
				t.Error("the state has changed after an update that failed")
			}
			kept, diagnostics = d.Destroy(t.Context(), setting)
			expectError(t, diagnostics, test.title)
			if !kept.Exists() {
				t.Error("a setting that was not reset has left the state")
			}
			kept, diagnostics = d.Read(t.Context(), setting)
			expectError(t, diagnostics, test.title)
			if !kept.Value.Equal(setting.Value) {
				t.Error("the state has changed after a refresh that failed")
			}
			pulumi.expectDefault(t, "acme", one.ID)
		})
	}
}

func TestDefaultAgentPool_providerNotConfiguredYet(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pool := pulumi.mustCreate(t, "acme", "runners", "")
	d := newCore(t, pulumi, attributes{"organization": "acme"}).Resource(defaultPoolType)
	setting := d.MustApply(t, d.Absent(), attributes{"agent_pool_id": pool.ID})
	pulumi.ResetRequests()
	d = newCore(t, pulumi, attributes{"access_token": tftypes.UnknownValue}).Resource(defaultPoolType)
	plan, diagnostics := d.Plan(t.Context(), setting, attributes{"agent_pool_id": pool.ID})
	expectNoError(t, diagnostics)
	if len(plan.RequiresReplace) > 0 {
		t.Error("the setting is to be replaced because the provider's configuration is not known yet")
	}
	refreshed, diagnostics := d.Read(t.Context(), setting)
	expectNoError(t, diagnostics)
	expectWarning(t, diagnostics, "Provider configuration is not known yet", "was not refreshed")
	if !refreshed.Value.Equal(setting.Value) {
		t.Error("the state has changed without a request")
	}
	kept, diagnostics := d.Destroy(t.Context(), setting)
	expectError(t, diagnostics, "Provider configuration is not known yet")
	if !kept.Exists() {
		t.Error("a setting that was not reset has left the state")
	}
	expectRequests(t, pulumi)
}
