package provider_test

import (
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// triggers returns rotate_triggers with this value.
func triggers(month any) map[string]tftypes.Value {
	return map[string]tftypes.Value{"month": tftypes.NewValue(tftypes.String, month)}
}

func TestRotateTriggers(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	november, december := triggers("2026-11"), triggers("2026-12")
	none, null := map[string]tftypes.Value{}, triggers(nil)
	for name, test := range map[string]struct {
		before, after any
		want          acctest.Action
	}{
		"same":                {november, november, acctest.NoOp},
		"changed":             {november, december, acctest.Replace},
		"added":               {nil, november, acctest.Replace},
		"removed":             {november, nil, acctest.Replace},
		"unknown":             {november, triggers(tftypes.UnknownValue), acctest.Replace},
		"unknown map":         {november, tftypes.UnknownValue, acctest.Replace},
		"null to unknown":     {nil, tftypes.UnknownValue, acctest.Replace},
		"null to empty":       {nil, none, acctest.Update},
		"null to null value":  {nil, null, acctest.Update},
		"null value to empty": {null, none, acctest.Update},
		"value to null value": {november, null, acctest.Replace},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": name, "rotate_triggers": test.before})
			change, diagnostics := pools.Plan(t.Context(), pool, acctest.Values{"name": name, "rotate_triggers": test.after})
			expectNone(t, diagnostics)
			if change.Action != test.want {
				t.Fatalf("the plan is %s, want %s", change.Action, test.want)
			}
			if test.want == acctest.Replace && acctest.Attributes(change.Planned.Value)["token"] != tftypes.UnknownValue {
				t.Error("the plan does not have a new token")
			}
		})
	}
}

func TestNamePrefix(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	runners, builders := regexp.MustCompile(`^runners-[a-z2-7]{12}$`), regexp.MustCompile(`^builders-[a-z2-7]{12}$`)
	pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name_prefix": "runners-"})
	id, name := pool.Text("id"), pool.Text("name")
	if !runners.MatchString(name) {
		t.Errorf("the name is %q", name)
	}
	pool = pools.MustApply(t, pool, acctest.Values{"name_prefix": "runners-", "description": "changed"})
	if pool.Text("name") != name {
		t.Errorf("an update of the description renamed the agent pool to %q", pool.Text("name"))
	}
	change, diagnostics := pools.Plan(t.Context(), pool, acctest.Values{"name_prefix": "builders-"})
	expectNone(t, diagnostics)
	if got := acctest.Attributes(change.Planned.Value)["name"]; change.Action != acctest.Update || got != tftypes.UnknownValue {
		t.Errorf("the plan is %s with the name %v", change.Action, got)
	}
	pool, diagnostics = pools.ApplyChange(t.Context(), change)
	expectNone(t, diagnostics)
	if !builders.MatchString(pool.Text("name")) || pool.Text("id") != id {
		t.Errorf("the name is %q after a change of the prefix", pool.Text("name"))
	}
	renamed := "renamed"
	mustDo(t, cloud.UpdateAgentPool("acme", id, &renamed, nil))
	pool = pools.MustApply(t, pools.MustRead(t, pool), acctest.Values{"name_prefix": "builders-"})
	if !builders.MatchString(pool.Text("name")) {
		t.Errorf("the name is %q after a rename in the console", pool.Text("name"))
	}
	pool = pools.MustApply(t, pool, acctest.Values{"name": "runners"})
	if pool.Text("name") != "runners" || pool.Text("id") != id {
		t.Errorf("the name is %q", pool.Text("name"))
	}
	pool = pools.MustApply(t, pool, acctest.Values{"name_prefix": "run"})
	if pool.Text("name") != "runners" {
		t.Errorf("a prefix of the current name renamed the agent pool to %q", pool.Text("name"))
	}
}
