package provider_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

var noon = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func TestAgentPoolDataSource(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	clock.now.Store(&noon)
	cloud := startPulumiCloud(t, emulator.Options{Now: func() time.Time { return *clock.now.Load() }})
	cloud.mustCreate(t, "globex", "runners", "of a different organization")
	pool := cloud.mustCreate(t, "acme", "runners", "in the data center")
	mustDo(t, cloud.SetDefaultAgentPool("acme", pool.ID))
	mustDo(t, cloud.ConnectAgent("acme", pool.ID, emulator.Agent{
		Hostname: "runner-1", IP: "10.0.0.1", PID: "17", Platform: "linux/amd64", Version: "v1.0.0",
	}))
	clock.advance(time.Minute)
	mustDo(t, cloud.ConnectAgent("acme", pool.ID, emulator.Agent{Hostname: "runner-2", PID: "18"}))
	mustDo(t, cloud.DisconnectAgent("acme", pool.ID, "runner-1"))
	clock.advance(time.Minute)
	mustDo(t, cloud.SetStackPool("acme", "web", "production", pool.ID))
	_, err := cloud.StartDeployment("acme", "web", "production")
	mustDo(t, err)
	p := cloud.provider(t, acctest.Values{"organization": "globex"})
	cloud.ResetRequests()
	for key, value := range map[string]string{"id": pool.ID, "name": "runners"} {
		state, diagnostics := p.ReadDataSource(t.Context(), poolType, acctest.Values{"organization": "acme", key: value})
		expectNone(t, diagnostics)
		if diff := cmp.Diff(map[string]any{
			"organization": "acme", "id": pool.ID, "name": "runners", "description": "in the data center",
			"status": "online", "is_default": true, "created_at": "2026-03-01T12:00:00Z",
			"last_seen_at": "2026-03-01T12:01:00Z", "last_deployment_at": "2026-03-01T12:02:00Z",
			"agents": []any{map[string]any{
				"hostname": "runner-1", "ip": "10.0.0.1", "pid": "17", "platform": "linux/amd64", "version": "v1.0.0",
				"status": "offline", "last_seen_at": "2026-03-01T12:01:00Z",
			}, map[string]any{
				"hostname": "runner-2", "ip": "", "pid": "18", "platform": nil, "version": "", "status": "online",
				"last_seen_at": "2026-03-01T12:01:00Z",
			}},
		}, state); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", key, diff)
		}
	}
	cloud.expectRequests(t, listRequest, getRequest, getRequest)
}

func TestAgentPoolDataSource_notFound(t *testing.T) {
	cloud := startPulumiCloud(t, emulator.Options{})
	pool := cloud.mustCreate(t, "acme", "runners-production", "")
	cloud.mustCreate(t, "acme", "unrelated", "")
	p := cloud.provider(t, acctest.Values{"organization": "acme"})
	similar := fmt.Sprintf("Similar agent pools: %q (%s).", "runners-production", pool.ID)
	almost := pool.ID[:len(pool.ID)-2] + "xx"
	for name, test := range map[string]struct {
		config acctest.Values
		texts  []string
	}{
		"typo":                   {acctest.Values{"name": "runners-prodution"}, []string{`named "runners-prodution"`, similar}},
		"capitals":               {acctest.Values{"name": "RUNNERS-PRODUCTION"}, []string{similar}},
		"part of a name":         {acctest.Values{"name": "production"}, []string{similar}},
		"no similar name":        {acctest.Values{"name": "xyz"}, []string{"None of its agent pools has a similar name or ID."}},
		"typo in the ID":         {acctest.Values{"id": almost}, []string{`with the ID "` + almost + `"`, similar}},
		"name instead of the ID": {acctest.Values{"id": "runners-production"}, []string{similar}},
		"path instead of the ID": {acctest.Values{"id": "../../user"}, []string{`with the ID "../../user"`}},
		"no agent pools":         {acctest.Values{"name": "x", "organization": "globex"}, []string{`"globex"`, "no agent pools"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, diagnostics := p.ReadDataSource(t.Context(), poolType, test.config)
			expectError(t, diagnostics, "Agent pool not found", test.texts...)
		})
	}
	// A different provider block, which is a different process, may have created the agent pool since.
	pool = cloud.mustCreate(t, "acme", "new", "")
	state, diagnostics := p.ReadDataSource(t.Context(), poolType, acctest.Values{"name": "new"})
	expectNone(t, diagnostics)
	if state["id"] != pool.ID {
		t.Errorf("got ID %v, want %s", state["id"], pool.ID)
	}
}

func TestAgentPoolDataSource_validation(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	for summary, config := range map[string]acctest.Values{
		"Missing Attribute Configuration": nil,
		"Invalid Attribute Combination":   {"id": missingID, "name": "runners"},
		"Invalid value":                   {"name": ""},
		"Token in the wrong argument":     {"name": accessToken},
	} {
		_, diagnostics := p.ReadDataSource(t.Context(), poolType, config)
		expectError(t, diagnostics, summary)
	}
}
