package emulator_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestOpenAPI_invalidRequest(t *testing.T) {
	a := newAPI(t, emulator.Options{})
	pool, _ := mustCreate(t, a.Server, "one")
	path := poolsPath + "/" + pool.ID
	agents := "/emulator/orgs/acme/agent-pools/" + pool.ID + "/agents"
	for name, test := range map[string]struct {
		method, path, body string
		reason             string // a part of the message
	}{
		"no body":              {http.MethodPost, poolsPath, "", "body"},
		"empty name":           {http.MethodPost, poolsPath, `{"name":""}`, "name"},
		"no name":              {http.MethodPost, poolsPath, `{"description":""}`, "name"},
		"name in capitals":     {http.MethodPost, poolsPath, `{"Name":"x"}`, "name"},
		"null description":     {http.MethodPost, poolsPath, `{"name":"x","description":null}`, "description"},
		"number for name":      {http.MethodPost, poolsPath, `{"name":7}`, "name"},
		"half a body":          {http.MethodPost, poolsPath, `{"name":"x","descr`, "decode"},
		"array":                {http.MethodPost, poolsPath, `[]`, "object"},
		"update with null":     {http.MethodPatch, path, `{"name":null}`, "name"},
		"invalid force":        {http.MethodDelete, path + "?force=yes", "", "force"},
		"number for default":   {http.MethodPatch, "/api/orgs/acme", `{"setDefaultAgentPoolID":1}`, "setDefaultAgentPoolID"},
		"invalid page":         {http.MethodGet, "/api/orgs/acme/deployments?page=0", "", "page"},
		"agent without a host": {http.MethodPost, agents, `{}`, "hostname"},
	} {
		t.Run(name, func(t *testing.T) {
			got := a.send(t, test.method, test.path, test.body)
			if message := got.message(t, http.StatusBadRequest); !strings.Contains(message, test.reason) {
				t.Errorf("message %q does not mention %q", message, test.reason)
			}
		})
	}
	if got := a.AgentPools("acme"); len(got) != 1 || got[0].Name != "one" {
		t.Errorf("pools %v, want no effect of an invalid request", got)
	}
}

func TestOpenAPI_invalidResponse(t *testing.T) {
	// The description has no times before 1970.
	now := func() time.Time { return time.Unix(-1, 0) }
	a := newAPI(t, emulator.Options{Now: now})
	mustCreate(t, a.Server, "one")
	if message := a.send(t, http.MethodGet, poolsPath, nil).message(t, 500); !strings.Contains(message, "created") {
		t.Errorf("message %q does not name the field", message)
	}
	a = newAPI(t, emulator.Options{Now: now, SkipResponseValidation: true})
	mustCreate(t, a.Server, "one")
	a.succeed(t, http.MethodGet, poolsPath, nil)
}

func BenchmarkListAgentPools(b *testing.B) {
	for name, skip := range map[string]bool{"validated": false, "skipped": true} {
		b.Run(name, func(b *testing.B) {
			a := newAPI(b, emulator.Options{SkipResponseValidation: skip, NoRequestLog: true})
			for range 1000 {
				mustCreate(b, a.Server, b.Name()+time.Now().String())
			}
			for b.Loop() {
				if got := a.send(b, http.MethodGet, poolsPath, nil); got.status != http.StatusOK {
					b.Fatalf("status %d, want 200", got.status)
				}
			}
		})
	}
}
