package provider_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestReadAgentPool_driftUpdatesState(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	config := acctest.Values{"name": "runners", "description": "ours"}
	pools := cloud.acme(t)
	pool := pools.MustApply(t, pools.Absent(), config)
	name, description := "theirs", "changed in the console"
	mustDo(t, cloud.UpdateAgentPool("acme", pool.Text("id"), &name, &description))
	cloud.ResetRequests()
	drifted := pools.MustRead(t, pool)
	if drifted.Text("name") != name || drifted.Text("description") != description || drifted.Text("token") != pool.Text("token") {
		t.Errorf("name %q and description %q after a refresh", drifted.Text("name"), drifted.Text("description"))
	}
	repaired := pools.MustApply(t, drifted, config)
	if !repaired.Value.Equal(pool.Value) {
		t.Error("the state differs after the repair")
	}
	cloud.expectRequests(t, listRequest, updateRequest)
}

// Reads may not show an agent pool for a minute after its creation, which may be a time on a different clock.
func TestReadAgentPool_recentlyCreated(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for _, test := range []struct {
		age    time.Duration
		reads  int // that do not find the agent pool
		exists bool
	}{
		{0, 0, true},
		{0, 3, true},
		{50 * second, 3, true},
		{-50 * second, 3, true},
		{0, 5, false},
		{61 * second, 1, false},
		{-61 * second, 1, false},
	} {
		t.Run(fmt.Sprintf("age %s, missing from %d reads", test.age, test.reads), func(t *testing.T) {
			t.Parallel()
			clock, cloud := newTestClock(), startPulumiCloud(t, emulator.Options{})
			pools := cloud.acme(t, clock.option)
			pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "runners"})
			var hidden atomic.Int64
			hidden.Store(int64(test.reads))
			cloud.intercept(http.MethodGet, func(w http.ResponseWriter, r *http.Request, api http.Handler) {
				switch {
				case !uuidPattern.MatchString(r.URL.Path):
					respond(http.StatusOK, jsonType, `{"agentPools":[]}`)(w, r, api)
				case hidden.Add(-1) >= 0:
					respondError(http.StatusNotFound, "agent pool")(w, r, api)
				default:
					api.ServeHTTP(w, r)
				}
			})
			clock.advance(test.age)
			refreshing := cloud.acme(t, clock.option)
			cloud.ResetRequests()
			pool = refreshing.MustRead(t, pool)
			if pool.Exists() != test.exists {
				t.Errorf("exists %t, want %t", pool.Exists(), test.exists)
			}
			want := []string{listRequest}
			for read := range test.reads {
				if read == 4 { // The list is older than ten seconds.
					want = append(want, listRequest)
				}
				want = append(want, getRequest)
			}
			if test.exists {
				want = append(want, getRequest)
			}
			cloud.expectRequests(t, want...)
			change, _ := refreshing.Plan(t.Context(), pool, acctest.Values{"name": "runners"})
			if (change.Action == acctest.Create) == test.exists {
				t.Errorf("the plan is %s", change.Action)
			}
		})
	}
}

// An agent pool that leaves the state by mistake is created a second time.
func TestReadAgentPool_errorKeepsState(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handle  interceptor
		summary string
	}{
		"404 in HTML":       {respond(http.StatusNotFound, htmlType, "<h1>Not Found</h1>"), "Response not from Pulumi Cloud"},
		"404 in plain text": {respond(http.StatusNotFound, textType, "404 page not found"), "Response not from Pulumi Cloud"},
		"404 for the organization": {
			respondError(http.StatusNotFound, "Organization 'acme' not found"), "Organization not found",
		},
		"200 in HTML": {respond(http.StatusOK, htmlType, "<h1>Log in</h1>"), "Unexpected response from Pulumi Cloud"},
		"401":         {respondError(http.StatusUnauthorized, "invalid token"), "Access token rejected"},
		"500":         {respondError(http.StatusInternalServerError, "out of order"), "Pulumi Cloud server error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock, cloud := newTestClock(), startPulumiCloud(t, emulator.Options{})
			pools := cloud.acme(t, clock.option)
			pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "runners"})
			clock.advance(time.Hour)
			cloud.intercept("", test.handle)
			kept, diagnostics := pools.Read(t.Context(), pool)
			expectError(t, diagnostics, test.summary)
			if !kept.Value.Equal(pool.Value) {
				t.Error("the state has changed")
			}
		})
	}
}
