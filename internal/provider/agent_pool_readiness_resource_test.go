package provider_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// readiness returns the resource type of a provider that is configured for acme and uses the clock.
func (c pulumiCloud) readiness(t *testing.T, clock *testClock) *acctest.Resource {
	t.Helper()
	return c.provider(t, acctest.Values{"organization": "acme"}, clock.option).Resource(readinessType)
}

// createTimeout returns the value of the attribute timeouts.
func createTimeout(duration any) tftypes.Value {
	typ := tftypes.Object{AttributeTypes: map[string]tftypes.Type{"create": tftypes.String}}
	return acctest.Values{"create": duration}.Object(typ)
}

func TestAgentPoolReadiness_waitsForRunners(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pool := cloud.mustCreate(t, "acme", "runners", "")
	sleeps := 0
	// One runner connects during each wait.
	connect := func(config *pulumiapi.Config) {
		config.Sleep = func(context.Context, time.Duration) error {
			sleeps++
			return cloud.ConnectAgent("acme", pool.ID, emulator.Agent{Hostname: fmt.Sprintf("runner-%d", sleeps)})
		}
	}
	r := cloud.provider(t, acctest.Values{"organization": "acme"}, connect).Resource(readinessType)
	config := acctest.Values{"agent_pool_id": pool.ID, "min_runners": 2}
	change, diagnostics := r.Plan(t.Context(), r.Absent(), config)
	expectNone(t, diagnostics)
	cloud.ResetRequests()
	ready, diagnostics := r.ApplyChange(t.Context(), change)
	expectNone(t, diagnostics)
	cloud.expectRequests(t, getRequest, getRequest, getRequest)
	if got := ready.Text("agent_pool_id"); got != pool.ID {
		t.Errorf("agent_pool_id is %q, want %q", got, pool.ID)
	}
	if got := r.IdentityOf(ready); got["organization"] != "acme" || got["id"] != pool.ID {
		t.Errorf("identity %v", got)
	}

	mustDo(t, cloud.DeleteAgentPool("acme", pool.ID))
	cloud.ResetRequests()
	ready = r.MustRead(t, ready)
	_, diagnostics = r.Destroy(t.Context(), ready)
	expectNone(t, diagnostics)
	cloud.expectRequests(t)
}

func TestAgentPoolReadiness_timeout(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{Now: func() time.Time { return noon }})
	pool := cloud.mustCreate(t, "acme", "runners", "")
	mustDo(t, cloud.ConnectAgent("acme", pool.ID, emulator.Agent{Hostname: "online", PID: "1"}))
	mustDo(t, cloud.ConnectAgent("acme", pool.ID, emulator.Agent{Hostname: "offline", PID: "2"}))
	mustDo(t, cloud.DisconnectAgent("acme", pool.ID, "offline"))
	for want, timeouts := range map[time.Duration]any{10 * time.Minute: nil, 3 * time.Minute: createTimeout("3m")} {
		clock := newTestClock()
		start := *clock.now.Load()
		r := cloud.readiness(t, clock)
		config := acctest.Values{"agent_pool_id": pool.ID, "min_runners": 2, "timeouts": timeouts}
		waited, diagnostics := r.Apply(t.Context(), r.Absent(), config)
		expectError(t, diagnostics, "Runners not online",
			fmt.Sprintf(`1 of 2 runners online in agent pool %s of organization "acme" after %s`, pool.ID, want),
			`"online", process "1": "online", last seen 2026-03-01T12:00:00Z`,
			`"offline", process "2": "offline", last seen 2026-03-01T12:00:00Z`, "timeouts.create")
		if got := clock.now.Load().Sub(start); got != want || waited.Exists() {
			t.Errorf("waited %s, want %s, and the state has a readiness: %t", got, want, waited.Exists())
		}
	}
}

func TestAgentPoolReadiness_validation(t *testing.T) {
	t.Parallel()
	r := startPulumiCloud(t, emulator.Options{}).readiness(t, newTestClock())
	for timeout, valid := range map[any]bool{"10m": true, nil: true, tftypes.UnknownValue: true, "-1m": false, "5": false} {
		diagnostics := r.ValidateConfig(t.Context(), acctest.Values{"agent_pool_id": missingID, "timeouts": createTimeout(timeout)})
		if !valid {
			expectError(t, diagnostics, "Invalid duration", "create")
		} else {
			expectNone(t, diagnostics)
		}
	}
}

func TestAgentPoolReadiness_changes(t *testing.T) {
	cloud := startPulumiCloud(t, emulator.Options{})
	pool, other := cloud.mustCreate(t, "acme", "runners", ""), cloud.mustCreate(t, "acme", "other", "")
	mustDo(t, cloud.ConnectAgent("acme", pool.ID, emulator.Agent{Hostname: "runner-1"}))
	r := cloud.readiness(t, newTestClock())
	ready := r.MustApply(t, r.Absent(), acctest.Values{"agent_pool_id": pool.ID})
	for name, test := range map[string]struct {
		config acctest.Values
		want   acctest.Action
	}{
		"min_runners": {acctest.Values{"agent_pool_id": pool.ID, "min_runners": 3}, acctest.Update},
		"timeouts":    {acctest.Values{"agent_pool_id": pool.ID, "timeouts": createTimeout("1m")}, acctest.Update},
		"triggers":    {acctest.Values{"agent_pool_id": pool.ID, "triggers": triggers("2026-12")}, acctest.Replace},
		"agent pool":  {acctest.Values{"agent_pool_id": other.ID}, acctest.Replace},
	} {
		change, diagnostics := r.Plan(t.Context(), ready, test.config)
		expectNone(t, diagnostics)
		if change.Action != test.want {
			t.Errorf("%s: %s, want %s", name, change.Action, test.want)
		}
		if change.Action == acctest.Update {
			cloud.ResetRequests()
			_, diagnostics = r.ApplyChange(t.Context(), change)
			expectNone(t, diagnostics)
			cloud.expectRequests(t)
		}
	}
}
