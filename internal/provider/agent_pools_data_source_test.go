package provider_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const poolsType = "pulumicloud_agent_pools"

func TestAgentPoolsDataSource(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{Now: func() time.Time { return noon }})
	zebra := cloud.mustCreate(t, "acme", "zebra", "")
	ant := cloud.mustCreate(t, "acme", "ant", "in the data center")
	cloud.mustCreate(t, "globex", "of a different organization", "")
	mustDo(t, cloud.ConnectAgent("acme", zebra.ID, emulator.Agent{Hostname: "runner-1", PID: "1"}))
	mustDo(t, cloud.SetStackPool("acme", "web", "production", zebra.ID))
	_, err := cloud.StartDeployment("acme", "web", "production")
	mustDo(t, err)
	mustDo(t, cloud.SetDefaultAgentPool("acme", zebra.ID))
	state, diagnostics := cloud.provider(t, nil).ReadDataSource(t.Context(), poolsType, nil)
	expectNone(t, diagnostics)
	if diff := cmp.Diff(map[string]any{
		"organization": "acme", "name_regex": nil, "status": nil,
		"default_agent_pool_id": zebra.ID, "ids": []any{ant.ID, zebra.ID},
		"agent_pools": []any{
			map[string]any{
				"id": ant.ID, "name": "ant", "description": "in the data center", "status": "offline", "is_default": false,
				"created_at": "2026-03-01T12:00:00Z", "last_seen_at": nil, "last_deployment_at": nil,
			},
			map[string]any{
				"id": zebra.ID, "name": "zebra", "description": "", "status": "online", "is_default": true,
				"created_at": "2026-03-01T12:00:00Z", "last_seen_at": "2026-03-01T12:00:00Z",
				"last_deployment_at": "2026-03-01T12:00:00Z",
			},
		},
	}, state); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

func TestAgentPoolsDataSource_filters(t *testing.T) {
	cloud := startPulumiCloud(t, emulator.Options{})
	for _, name := range []string{"staging-eu", "production-us", "production-eu"} {
		pool := cloud.mustCreate(t, "acme", name, "")
		if name == "production-eu" {
			mustDo(t, cloud.ConnectAgent("acme", pool.ID, emulator.Agent{Hostname: "runner-1"}))
		}
	}
	p := cloud.provider(t, acctest.Values{"organization": "acme"})
	for name, test := range map[string]struct {
		config acctest.Values
		want   []string
	}{
		"part of a name":   {acctest.Values{"name_regex": "eu"}, []string{"production-eu", "staging-eu"}},
		"whole name":       {acctest.Values{"name_regex": "^production-us$"}, []string{"production-us"}},
		"empty expression": {acctest.Values{"name_regex": ""}, []string{"production-eu", "production-us", "staging-eu"}},
		"online":           {acctest.Values{"status": "online"}, []string{"production-eu"}},
		"both":             {acctest.Values{"name_regex": "^production", "status": "offline"}, []string{"production-us"}},
		"no match":         {acctest.Values{"name_regex": "^eu"}, nil},
		"no agent pools":   {acctest.Values{"organization": "globex"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			state, diagnostics := p.ReadDataSource(t.Context(), poolsType, test.config)
			expectNone(t, diagnostics)
			if state["ids"] == nil {
				t.Error("ids is null")
			}
			var names []string
			for _, pool := range state["agent_pools"].([]any) {
				names = append(names, pool.(map[string]any)["name"].(string))
			}
			if diff := cmp.Diff(test.want, names); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
	if n := len(cloud.Requests()); n != 2 {
		t.Errorf("%d requests, want one list for each organization", n)
	}
}

func TestAgentPoolsDataSource_validation(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	_, diagnostics := p.ReadDataSource(t.Context(), poolsType, acctest.Values{"name_regex": "("})
	expectError(t, diagnostics, "Invalid regular expression", "name_regex", "missing closing )")
	_, diagnostics = p.ReadDataSource(t.Context(), poolsType, acctest.Values{"status": "asleep"})
	expectError(t, diagnostics, "Invalid Attribute Value Match", "status", "online")
}
