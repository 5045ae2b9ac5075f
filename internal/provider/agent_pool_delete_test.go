package provider_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestDeleteAgentPool_gone(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "runners"})
	mustDo(t, cloud.DeleteAgentPool("acme", pool.Text("id")))
	cloud.ResetRequests()
	_, diagnostics := pools.Destroy(t.Context(), pool)
	expectNone(t, diagnostics)
	// A 404 may mean that the access token cannot see the organization.
	cloud.expectRequests(t, deleteRequest, listRequest)
}

func TestDeleteAgentPool_inUse(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "runners"})
	mustDo(t, cloud.SetStackPool("acme", "web", "production", pool.Text("id")))
	cloud.ResetRequests()
	kept, diagnostics := pools.Destroy(t.Context(), pool)
	expectError(t, diagnostics, "Agent pool in use",
		`"runners"`, `"acme"`, "assign them to a different agent pool", "force_destroy = true")
	if !kept.Exists() {
		t.Error("the agent pool left the state")
	}
	cloud.expectRequests(t, deleteRequest)

	pool = pools.MustApply(t, pool, acctest.Values{"name": "runners", "force_destroy": true})
	stop := cloud.intercept(http.MethodDelete, respondError(http.StatusBadRequest, "malformed"))
	_, diagnostics = pools.Destroy(t.Context(), pool)
	expectError(t, diagnostics, "Request rejected", `delete agent pool "runners"`, "malformed")
	stop()
	cloud.ResetRequests()
	_, diagnostics = pools.Destroy(t.Context(), pool)
	expectNone(t, diagnostics)
	cloud.expectRequests(t, deleteRequest+"?force=true")
}

func TestDeleteAgentPool_drain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		// statuses are those of the deployment after each request for deployments.
		statuses []string
		denied   bool
		summary  string
		texts    []string
	}{
		"deployment ends": {statuses: []string{emulator.DeploymentRunning, emulator.DeploymentSucceeded}},
		"deployment does not end": {
			statuses: []string{emulator.DeploymentRunning}, summary: "Agent pool is executing deployments",
			texts: []string{`"runners"`, `stack "production" of project "web": running`, "10m0s", "drain_timeout"},
		},
		"no permission": {
			denied: true, summary: "Permission denied", texts: []string{"deployments:read", `"runners"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock, cloud := newTestClock(), startPulumiCloud(t, emulator.Options{})
			pools := cloud.acme(t, clock.option)
			pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "runners", "drain_timeout": "10m"})
			mustDo(t, cloud.SetStackPool("acme", "web", "production", pool.Text("id")))
			deployment, err := cloud.StartDeployment("acme", "web", "production")
			mustDo(t, err)
			// The stack is moved first, as in a rotation.
			mustDo(t, cloud.SetStackPool("acme", "web", "production", ""))
			var requests atomic.Int64
			cloud.intercept(http.MethodGet, func(w http.ResponseWriter, r *http.Request, api http.Handler) {
				if test.denied {
					respondError(http.StatusForbidden, "not for you")(w, r, api)
					return
				}
				api.ServeHTTP(w, r)
				if i := int(requests.Add(1)) - 1; i < len(test.statuses) {
					if err := cloud.SetDeploymentStatus("acme", deployment, test.statuses[i]); err != nil {
						t.Error(err)
					}
				}
			})
			cloud.ResetRequests()
			kept, diagnostics := pools.Destroy(t.Context(), pool)
			if test.summary == "" {
				expectNone(t, diagnostics)
				cloud.expectWrites(t, http.MethodDelete)
				return
			}
			expectError(t, diagnostics, test.summary, test.texts...)
			cloud.expectWrites(t)
			if !kept.Exists() {
				t.Error("the agent pool left the state")
			}
		})
	}
}
