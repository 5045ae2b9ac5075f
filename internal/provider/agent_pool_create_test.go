package provider_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// listed responds to lists with one agent pool named runners, which has this age on the clock of the server.
func listed(age time.Duration) interceptor {
	return func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		date, _ := http.ParseTime(w.Header().Get("Date"))
		respond(http.StatusOK, jsonType, fmt.Sprintf(
			`{"agentPools":[{"id":%q,"name":"runners","description":"","created":%d,"status":"offline"}]}`,
			missingID, date.Add(-age).Unix()))(w, r, api)
	}
}

// TestCreateAgentPool_responseLost covers what the list can show after a create whose response was lost.
func TestCreateAgentPool_responseLost(t *testing.T) {
	t.Parallel()
	const unknown = "Agent pool may have been created"
	withoutDate := func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		w.Header()["Date"] = nil
		respond(http.StatusOK, jsonType, fmt.Sprintf(
			`{"agentPools":[{"id":%q,"name":"runners","created":%d}]}`, missingID, time.Now().Unix()))(w, r, api)
	}
	empty := respond(http.StatusOK, jsonType, `{"agentPools":[]}`)
	for name, test := range map[string]struct {
		list    interceptor
		summary string
		texts   []string
		tainted bool
	}{
		"created": {
			listed(0), "Agent pool created without its token",
			[]string{missingID, "tainted", "Apply again", "terraform untaint", "terraform state rm"},
			true,
		},
		"existed before": {
			listed(time.Hour), "Agent pool already exists",
			[]string{"terraform import ADDRESS acme/" + missingID, "choose a different name"},
			false,
		},
		"undecided": {withoutDate, unknown, []string{"terraform import ADDRESS acme/" + missingID, "delete it"}, false},
		"list fails": {
			respondError(http.StatusInternalServerError, "out of order"), unknown,
			[]string{"could not read the list", "Apply again", "Then: GET /api/orgs/acme/agent-pools: 500"},
			false,
		},
		"wrong URL": {
			respond(http.StatusNotFound, htmlType, "<html>"), unknown, []string{"could not read the list", "may be wrong"}, false,
		},
		"not created": {empty, unknown, []string{"probably not created", "Apply again"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := startPulumiCloud(t, emulator.Options{})
			pools := cloud.acme(t)
			change, diagnostics := pools.Plan(t.Context(), pools.Absent(), acctest.Values{"name": "runners"})
			expectNone(t, diagnostics)
			cloud.intercept(http.MethodGet, test.list)
			cloud.intercept(http.MethodPost, func(http.ResponseWriter, *http.Request, http.Handler) {
				panic(http.ErrAbortHandler)
			})
			pool, diagnostics := pools.ApplyChange(t.Context(), change)
			expectError(t, diagnostics, test.summary, append(test.texts, `"runners"`, `"acme"`)...)
			if pool.Tainted != test.tainted || pool.Exists() != test.tainted {
				t.Errorf("the state has an agent pool: %t, tainted: %t", pool.Exists(), pool.Tainted)
			}
			if test.tainted && (pool.Text("id") != missingID || pool.Text("token") != "" || pool.Identity == nil) {
				t.Errorf("the state has the agent pool %q", pool.Text("id"))
			}
		})
	}
}

// The next apply would not find the agent pool by a generated name.
func TestCreateAgentPool_generatedNameLost(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	cloud.intercept(http.MethodPost, func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) })
	_, diagnostics := pools.Apply(t.Context(), pools.Absent(), acctest.Values{"name_prefix": "runners-"})
	expectError(t, diagnostics, "Agent pool may have been created", `"runners-`, "with a new name", "delete it there")
}

func TestAgentPool_nameTaken(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	existing := cloud.mustCreate(t, "acme", "runners", "created in the console")
	pools := cloud.acme(t)
	const summary = "Agent pool already exists"
	_, diagnostics := pools.Apply(t.Context(), pools.Absent(), acctest.Values{"name": "runners"})
	expectError(t, diagnostics, summary, `"runners"`, `"acme"`, "terraform import ADDRESS acme/"+existing.ID, "name_prefix")
	cloud.expectRequests(t, listRequest, createRequest, listRequest)

	pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "others"})
	kept, diagnostics := pools.Apply(t.Context(), pool, acctest.Values{"name": "runners"})
	expectError(t, diagnostics, summary, `update agent pool "others"`, existing.ID)
	if kept.Text("name") != "others" {
		t.Errorf("the name is %q after a failed update", kept.Text("name"))
	}
}

func TestAgentPool_nameReserved(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t, func(config *pulumiapi.Config) { config.MaxRetries = 1 })
	cloud.intercept(http.MethodPost, respondError(http.StatusConflict, "agent pool already exists"))
	_, diagnostics := pools.Apply(t.Context(), pools.Absent(), acctest.Values{"name": "runners"})
	expectError(t, diagnostics, "Agent pool name is reserved", `"runners"`, `"acme"`, "apply again", "different name")
	cloud.expectWrites(t, http.MethodPost, http.MethodPost)
}

// stopProvider cancels the requests of a provider, as Terraform does after Ctrl-C.
func stopProvider(t *testing.T, pools *acctest.Resource) {
	t.Helper()
	resp, err := pools.Server.StopProvider(t.Context(), &tfprotov6.StopProviderRequest{})
	if err != nil || resp.Error != "" {
		t.Errorf("stop: %v %s", err, resp.Error)
	}
}

func TestCreateAgentPool_interrupted(t *testing.T) {
	t.Parallel()
	config := acctest.Values{"name": "runners"}
	t.Run("response arrives", func(t *testing.T) {
		t.Parallel()
		cloud := startPulumiCloud(t, emulator.Options{})
		pools := cloud.acme(t)
		cloud.intercept(http.MethodPost, func(w http.ResponseWriter, r *http.Request, api http.Handler) {
			stopProvider(t, pools)
			api.ServeHTTP(w, r)
		})
		pool := pools.MustApply(t, pools.Absent(), config)
		if !cloud.TokenMatches("acme", pool.Text("id"), pool.Text("token")) {
			t.Error("the state does not have the token")
		}
	})
	t.Run("not created", func(t *testing.T) {
		t.Parallel()
		cloud := startPulumiCloud(t, emulator.Options{})
		pools := cloud.acme(t, func(config *pulumiapi.Config) { config.GracePeriod = 200 * time.Millisecond })
		cloud.intercept(http.MethodPost, func(http.ResponseWriter, *http.Request, http.Handler) {
			stopProvider(t, pools)
			panic(http.ErrAbortHandler)
		})
		pool, diagnostics := pools.Apply(t.Context(), pools.Absent(), config)
		expectError(t, diagnostics, "Agent pool may have been created", `"runners"`, `"acme"`, "Apply again")
		if pool.Exists() {
			t.Error("the state has an agent pool that does not exist")
		}
		cloud.expectWrites(t, http.MethodPost)
	})
}
