package emulator_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestRequestsThatBreakTheDescription(t *testing.T) {
	api := newAPI(t, emulator.Options{})
	pool, _ := mustCreate(t, api.Server, "one")
	detail := pools + "/" + pool.ID

	tests := []struct {
		name, method, path string
		body               any
		// reason is what the refusal must mention.
		reason string
	}{
		{"create without a body", http.MethodPost, pools, nil, "body"},
		{"create with an empty name", http.MethodPost, pools, `{"name":"","description":""}`, "name"},
		{"create without a name", http.MethodPost, pools, `{"description":""}`, "name"},
		{"create without a description", http.MethodPost, pools, `{"name":"x"}`, "description"},
		{"create with a null description", http.MethodPost, pools, `{"name":"x","description":null}`, "description"},
		{"create with a number", http.MethodPost, pools, `{"name":7,"description":""}`, "name"},
		{"create with an unknown field", http.MethodPost, pools, `{"name":"x","description":"","org":"y"}`, "org"},
		{"create with another case", http.MethodPost, pools, `{"Name":"x","description":""}`, "Name"},
		{"create with half a body", http.MethodPost, pools, `{"name":"x","descr`, "decode"},
		{"create with two bodies", http.MethodPost, pools, `{"name":"x","description":""}{}`, "decode"},
		{"create with an array", http.MethodPost, pools, `[]`, "object"},
		{
			"create with a huge body", http.MethodPost, pools,
			`{"name":"` + strings.Repeat("x", 1<<20) + `","description":""}`, "larger",
		},
		{"update with an empty name", http.MethodPatch, detail, `{"name":""}`, "name"},
		{"update with a null", http.MethodPatch, detail, `{"name":null}`, "name"},
		{"update with an unknown field", http.MethodPatch, detail, `{"status":"online"}`, "status"},
		{"update without a body", http.MethodPatch, detail, nil, "body"},
		{"delete with an odd force", http.MethodDelete, detail + "?force=yes", nil, "force"},
		{"delete with a body", http.MethodDelete, detail, `{}`, "body"},
		{"list with a body", http.MethodGet, pools, `{}`, "body"},
		{"organization without a setting", http.MethodPatch, "/api/orgs/acme", `{}`, "setDefaultAgentPoolID"},
		{
			"organization with null", http.MethodPatch, "/api/orgs/acme", `{"setDefaultAgentPoolID":null}`,
			"setDefaultAgentPoolID",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			message := refused(t, api.send(t, test.method, test.path, test.body), http.StatusBadRequest)
			if !strings.Contains(message, test.reason) {
				t.Errorf("message %q does not mention %q", message, test.reason)
			}
		})
	}
	t.Run("list with a chunked body", func(t *testing.T) {
		request := api.request(t, http.MethodGet, pools, `{}`)
		request.ContentLength = -1
		refused(t, api.do(t, request), http.StatusBadRequest)
	})
	if got := api.AgentPools("acme"); len(got) != 1 || got[0].Name != "one" {
		t.Errorf("a refused request took effect: %v", got)
	}
}

func TestRequestsWithoutTheirHeaders(t *testing.T) {
	api := newAPI(t, emulator.Options{})
	tests := []struct{ header, value string }{
		{"Accept", ""},
		{"Accept", "*/*"},
		{"Accept", "application/json"},
		{"Accept", "application/vnd.pulumi+8"},
		{"Content-Type", ""},
		{"Content-Type", "text/plain"},
		{"X-Pulumi-Source", ""},
		{"X-Pulumi-Source", "cli"},
		{"User-Agent", ""},
		{"User-Agent", "Go-http-client/1.1"},
	}
	for _, test := range tests {
		t.Run(test.header+" "+test.value, func(t *testing.T) {
			request := api.request(t, http.MethodPost, pools, map[string]any{"name": "x", "description": ""})
			// An empty value keeps net/http from sending its own User-Agent.
			request.Header.Set(test.header, test.value)
			message := refused(t, api.do(t, request), http.StatusBadRequest)
			if !strings.Contains(message, test.header) {
				t.Errorf("message %q does not name the header", message)
			}
		})
	}
	if got := api.AgentPools("acme"); len(got) != 0 {
		t.Errorf("a refused request took effect: %v", got)
	}

	for _, accept := range []string{"application/vnd.pulumi+9; q=0.9, */*", "text/html,Application/vnd.pulumi+9"} {
		request := api.request(t, http.MethodGet, pools, nil)
		request.Header.Set("Accept", accept)
		if response := api.do(t, request); response.StatusCode != http.StatusOK {
			t.Errorf("Accept %q: status %d, want 200", accept, response.StatusCode)
		}
	}
}

func TestAnswersThatBreakTheDescription(t *testing.T) {
	for _, skip := range []bool{false, true} {
		// A pool that was created before 1970 has a timestamp that the API does not know.
		clock := func() time.Time { return time.Unix(-1, 0) }
		api := newAPI(t, emulator.Options{Now: clock, SkipResponseValidation: skip})
		mustCreate(t, api.Server, "one")
		response := api.send(t, http.MethodGet, pools, nil)
		if skip {
			if response.StatusCode != http.StatusOK {
				t.Errorf("unchecked: status %d, want 200", response.StatusCode)
			}
			continue
		}
		if message := refused(t, response, http.StatusInternalServerError); !strings.Contains(message, "created") {
			t.Errorf("message %q does not name the field", message)
		}
	}
}
