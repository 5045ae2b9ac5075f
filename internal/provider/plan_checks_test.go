package provider_test

import (
	"net/http"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

const nameInUse = "Agent pool name is already in use"

func TestPlan_nameInUse(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	existing := cloud.mustCreate(t, "acme", "runners", "")
	own := cloud.mustCreate(t, "acme", "builders", "")
	pools := cloud.acme(t)
	imported, _ := pools.Import(t.Context(), "acme/"+own.ID)
	builders := pools.MustRead(t, imported)

	_, diagnostics := pools.Plan(t.Context(), pools.Absent(), acctest.Values{"name": "runners"})
	expectWarning(t, diagnostics, nameInUse, `AttributeName("name")`, existing.ID, "import {", `id = "acme/`+existing.ID+`"`)
	_, diagnostics = pools.Plan(t.Context(), builders, acctest.Values{"name": "runners"})
	expectWarning(t, diagnostics, nameInUse, existing.ID)
	for name, test := range map[string]struct {
		prior  acctest.Object
		config acctest.Values
	}{
		"free name":              {pools.Absent(), acctest.Values{"name": "new"}},
		"name of a prefix":       {pools.Absent(), acctest.Values{"name_prefix": "runners"}},
		"unknown name":           {pools.Absent(), acctest.Values{"name": tftypes.UnknownValue}},
		"different organization": {pools.Absent(), acctest.Values{"name": "runners", "organization": "globex"}},
		"unknown organization":   {pools.Absent(), acctest.Values{"name": "runners", "organization": tftypes.UnknownValue}},
		"moved":                  {builders, acctest.Values{"name": "builders", "organization": "globex"}},
		"only the description":   {builders, acctest.Values{"name": "builders", "description": "new"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, diagnostics := pools.Plan(t.Context(), test.prior, test.config)
			expectNone(t, diagnostics)
		})
	}
}

// A replacement is planned as a create, and deletes the agent pool with its name first.
func TestPlan_replacementKeepsName(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	prior := cloud.poolInAcme(t)
	for name, refresh := range map[string]bool{"tainted": true, "changed without refresh": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pools, pool := cloud.acme(t), prior
			config := acctest.Values{"name": "runners", "rotate_triggers": triggers("2026-11")}
			if refresh {
				pool = pools.MustRead(t, pool)
				pool.Tainted = true
			}
			change, diagnostics := pools.Plan(t.Context(), pool, config)
			expectNone(t, diagnostics)
			if change.Action != acctest.Replace {
				t.Errorf("the plan is %s, want %s", change.Action, acctest.Replace)
			}
		})
	}
}

func TestPlan_requests(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	provider := cloud.provider(t, acctest.Values{"organization": "acme"})
	pools, readiness := provider.Resource(poolType), provider.Resource(readinessType)
	plan := func(resource *acctest.Resource, config acctest.Values) acctest.Change {
		change, diagnostics := resource.Plan(t.Context(), resource.Absent(), config)
		expectNone(t, diagnostics)
		return change
	}
	existing := cloud.mustCreate(t, "acme", "existing", "")
	first := plan(pools, acctest.Values{"name": "first"})
	plan(pools, acctest.Values{"name": "second"})
	plan(readiness, acctest.Values{"agent_pool_id": existing.ID})
	cloud.expectRequests(t, listRequest)

	if _, diagnostics := pools.ApplyChange(t.Context(), first); diagnostics.HasError() {
		t.Fatal(diagnostics)
	}
	plan(pools, acctest.Values{"name": "existing"})
	plan(readiness, acctest.Values{"agent_pool_id": missingID})
	cloud.expectRequests(t, createRequest)
}

func TestPlan_listFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		list    interceptor
		summary string
	}{
		"401":           {respondError(http.StatusUnauthorized, "invalid token"), "Access token rejected"},
		"401 in HTML":   {respond(http.StatusUnauthorized, htmlType, "<h1>Log in</h1>"), ""},
		"403":           {respondError(http.StatusForbidden, "no"), ""},
		"404":           {respondError(http.StatusNotFound, "no"), "Organization not found"},
		"404 in HTML":   {respond(http.StatusNotFound, htmlType, "<h1>Not Found</h1>"), ""},
		"500":           {respondError(http.StatusInternalServerError, "out of order"), ""},
		"lost response": {func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := startPulumiCloud(t, emulator.Options{})
			provider := cloud.provider(t, acctest.Values{"organization": "acme"},
				func(config *pulumiapi.Config) { config.MaxRetries = 0 })
			cloud.intercept("", test.list)
			for typeName, config := range map[string]acctest.Values{
				poolType: {"name": "runners"}, readinessType: {"agent_pool_id": missingID},
			} {
				resource := provider.Resource(typeName)
				_, diagnostics := resource.Plan(t.Context(), resource.Absent(), config)
				if test.summary == "" {
					expectNone(t, diagnostics)
					continue
				}
				expectError(t, diagnostics, test.summary)
			}
		})
	}
}

const readinessType = "pulumicloud_agent_pool_readiness"

func TestPlan_unknownAgentPoolID(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	similar := cloud.mustCreate(t, "acme", "runners", "")
	wrong := similar.ID[:24] + "000000000000"
	configs := map[string]acctest.Values{
		readinessType: {}, "pulumicloud_organization_default_agent_pool": {},
		"pulumicloud_stack_agent_pool": {"project": "web", "stack": "production"},
	}
	for typeName, config := range configs {
		t.Run(typeName, func(t *testing.T) {
			t.Parallel()
			resource := cloud.provider(t, acctest.Values{"organization": "acme"}).Resource(typeName)
			plan := func(id any) acctest.Diagnostics {
				config["agent_pool_id"] = id
				_, diagnostics := resource.Plan(t.Context(), resource.Absent(), config)
				return diagnostics
			}
			expectError(t, plan(wrong), "Agent pool not found", `AttributeName("agent_pool_id")`, wrong, `"acme"`,
				`Similar agent pools: "runners" (`+similar.ID+")")
			expectNone(t, plan(similar.ID))
			expectNone(t, plan(tftypes.UnknownValue))
		})
	}
}

// An agent pool that the list does not show yet exists if a read of the agent pool finds it.
func TestPlan_newAgentPoolID(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pool := cloud.mustCreate(t, "acme", "runners", "")
	cloud.intercept(http.MethodGet, func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		if uuidPattern.MatchString(r.URL.Path) {
			api.ServeHTTP(w, r)
			return
		}
		respond(http.StatusOK, jsonType, `{"agentPools":[]}`)(w, r, api)
	})
	readiness := cloud.provider(t, acctest.Values{"organization": "acme"}).Resource(readinessType)
	_, diagnostics := readiness.Plan(t.Context(), readiness.Absent(), acctest.Values{"agent_pool_id": pool.ID})
	expectNone(t, diagnostics)
	cloud.expectRequests(t, listRequest, getRequest)
}
