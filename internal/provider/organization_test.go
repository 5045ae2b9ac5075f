package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// poolIn returns an agent pool in acme as the state has it.
func (c pulumiCloud) poolInAcme(t *testing.T) acctest.Object {
	t.Helper()
	pools := c.acme(t)
	pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "runners"})
	c.ResetRequests()
	return pool
}

func TestOrganization_configuration(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pool := cloud.poolInAcme(t)
	for name, test := range map[string]struct {
		provider, resource any
		action             acctest.Action
		want               any
	}{
		"same in the provider block":     {"acme", nil, acctest.NoOp, "acme"},
		"same in the resource":           {nil, "acme", acctest.NoOp, "acme"},
		"resource takes precedence":      {"globex", "acme", acctest.NoOp, "acme"},
		"changed in the provider block":  {"globex", nil, acctest.Replace, "globex"},
		"changed in the resource":        {"acme", "globex", acctest.Replace, "globex"},
		"different case in the provider": {"ACME", nil, acctest.NoOp, "acme"},
		"different case in the resource": {"globex", "Acme", acctest.NoOp, "acme"},
		"unknown in the provider block":  {tftypes.UnknownValue, nil, acctest.NoOp, "acme"},
		"unknown in the resource":        {nil, tftypes.UnknownValue, acctest.Replace, tftypes.UnknownValue},
		"removed from both":              {nil, nil, acctest.NoOp, "acme"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pools := cloud.provider(t, acctest.Values{"organization": test.provider}).Resource(poolType)
			change, diagnostics := pools.Plan(t.Context(), pool, acctest.Values{"name": "runners", "organization": test.resource})
			expectNone(t, diagnostics)
			if got := acctest.Attributes(change.Planned.Value)["organization"]; change.Action != test.action || got != test.want {
				t.Errorf("the plan is %s with organization %v, want %s with %v", change.Action, got, test.action, test.want)
			}
		})
	}
	// The organization is known, although the access token is not.
	pools := cloud.provider(t, acctest.Values{"organization": "globex", "access_token": tftypes.UnknownValue}).Resource(poolType)
	change, diagnostics := pools.Plan(t.Context(), pool, acctest.Values{"name": "runners"})
	expectNone(t, diagnostics)
	if change.Action != acctest.Replace {
		t.Errorf("the plan without an access token is %s, want %s", change.Action, acctest.Replace)
	}
}

// TestOrganization_defaults covers the defaults that decide where new agent pools go and leave existing ones alone.
func TestOrganization_defaults(t *testing.T) {
	for name, setDefault := range map[string]func(*testing.T, pulumiCloud, string){
		"environment": func(t *testing.T, _ pulumiCloud, organization string) {
			t.Helper()
			t.Setenv("PULUMI_DEFAULT_ORGANIZATION", organization)
		},
		"Pulumi CLI": func(t *testing.T, cloud pulumiCloud, organization string) {
			t.Helper()
			home := t.TempDir()
			t.Setenv("PULUMI_HOME", home)
			content := fmt.Sprintf(`{"backends":{%q:{"defaultOrg":%q}}}`, cloud.url, organization)
			mustDo(t, os.WriteFile(filepath.Join(home, "config.json"), []byte(content), 0o600))
		},
		"API": func(_ *testing.T, cloud pulumiCloud, organization string) { cloud.SetDefaultOrganization(organization) },
	} {
		t.Run(name, func(t *testing.T) {
			cloud := startPulumiCloud(t, emulator.Options{})
			cloud.SetDefaultOrganization("")
			create := func(want string) acctest.Object {
				t.Helper()
				pools := cloud.provider(t, nil).Resource(poolType)
				change, diagnostics := pools.Plan(t.Context(), pools.Absent(), acctest.Values{"name": "runners"})
				expectNone(t, diagnostics)
				if got := acctest.Attributes(change.Planned.Value)["organization"]; got != want {
					t.Errorf("the planned organization is %v, want %s", got, want)
				}
				pool, diagnostics := pools.ApplyChange(t.Context(), change)
				expectNone(t, diagnostics)
				return pool
			}
			setDefault(t, cloud, "acme")
			pool := create("acme")
			setDefault(t, cloud, "globex")
			create("globex")

			pools := cloud.provider(t, nil).Resource(poolType)
			cloud.ResetRequests()
			change, diagnostics := pools.Plan(t.Context(), pool, acctest.Values{"name": "runners"})
			expectNone(t, diagnostics)
			if change.Action != acctest.NoOp {
				t.Errorf("the plan of an existing agent pool is %s", change.Action)
			}
			cloud.expectRequests(t)
		})
	}
}

func TestOrganization_missing(t *testing.T) {
	t.Parallel()
	for _, mode := range []emulator.Mode{
		emulator.ModeDefaultOrganizationEmpty, emulator.ModeDefaultOrganization400, emulator.ModeDefaultOrganization404,
	} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			cloud := startPulumiCloud(t, emulator.Options{Modes: []emulator.Mode{mode}})
			pools := cloud.provider(t, nil).Resource(poolType)
			const summary, reason = "Missing organization", "has no default organization for the user of the access token"
			const advice = "Set organization in this block or in the provider block"
			_, diagnostics := pools.Plan(t.Context(), pools.Absent(), acctest.Values{"name": "runners"})
			expectError(t, diagnostics, summary, reason, advice, "PULUMI_DEFAULT_ORGANIZATION")
			_, diagnostics = pools.Import(t.Context(), missingID)
			expectError(t, diagnostics, summary, reason)
		})
	}
}

func TestOrganization_unknown(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.provider(t, acctest.Values{"organization": tftypes.UnknownValue}).Resource(poolType)
	change, diagnostics := pools.Plan(t.Context(), pools.Absent(), acctest.Values{"name": "runners"})
	expectNone(t, diagnostics)
	if got := acctest.Attributes(change.Planned.Value)["organization"]; got != tftypes.UnknownValue {
		t.Errorf("the planned organization is %v", got)
	}
	_, diagnostics = pools.Import(t.Context(), missingID)
	expectError(t, diagnostics, "Organization is not known yet", "during plan")
	cloud.expectRequests(t)
}

func TestOrganization_notFound(t *testing.T) {
	cloud := startPulumiCloud(t, emulator.Options{})
	const summary = "Organization not found"
	t.Run("configured", func(t *testing.T) {
		pools := cloud.provider(t, acctest.Values{"organization": "initech"}).Resource(poolType)
		_, diagnostics := pools.Apply(t.Context(), pools.Absent(), acctest.Values{"name": "runners"})
		expectError(t, diagnostics, summary, `"initech" from organization in the provider block does not exist`, "access_token")
	})
	t.Run("default", func(t *testing.T) {
		t.Setenv("PULUMI_DEFAULT_ORGANIZATION", "initech")
		pools := cloud.provider(t, nil).Resource(poolType)
		_, diagnostics := pools.Apply(t.Context(), pools.Absent(), acctest.Values{"name": "runners"})
		expectError(t, diagnostics, summary, `"initech" from PULUMI_DEFAULT_ORGANIZATION does not exist`)
	})
}
