package emulator_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestDefaultOrganization(t *testing.T) {
	api := newAPI(t, emulator.Options{Organizations: []string{"globex", "acme"}})
	const path = "/api/user/organizations/default"

	want := map[string]any{"GitHubLogin": "globex", "Messages": []any{}}
	if diff := cmp.Diff(want, api.succeed(t, http.MethodGet, path, nil, http.StatusOK)); diff != "" {
		t.Errorf("default organization (-want +got):\n%s", diff)
	}
	api.SetDefaultOrganization("acme")
	if got := api.succeed(t, http.MethodGet, path, nil, http.StatusOK); got["GitHubLogin"] != "acme" {
		t.Errorf("default organization %v, want acme", got["GitHubLogin"])
	}
	api.SetDefaultOrganization("")
	refused(t, api.send(t, http.MethodGet, path, nil), http.StatusBadRequest)
}

func TestDefaultAgentPool(t *testing.T) {
	api := newAPI(t, emulator.Options{})
	one, _ := mustCreate(t, api.Server, "one")
	two, _ := mustCreate(t, api.Server, "two")
	set := func(id string) {
		t.Helper()
		api.succeed(t, http.MethodPatch, "/api/orgs/acme", map[string]any{"setDefaultAgentPoolID": id}, http.StatusOK)
	}
	// wantDefault holds the list and the direct view against the id of the pool that should be the default.
	wantDefault := func(id any) {
		t.Helper()
		list := api.succeed(t, http.MethodGet, pools, nil, http.StatusOK)
		if list["defaultAgentPoolID"] != id {
			t.Errorf("default pool %v, want %v", list["defaultAgentPoolID"], id)
		}
		for i, item := range list["agentPools"].([]any) {
			pool := item.(map[string]any)
			want := pool["id"] == id
			if pool["isDefault"] != want || api.AgentPools("acme")[i].IsDefault != want {
				t.Errorf("pool %v is the default: %v, want %t", pool["name"], pool["isDefault"], want)
			}
		}
	}

	wantDefault(nil)
	set(one.ID)
	wantDefault(one.ID)
	set(two.ID)
	wantDefault(two.ID)
	refused(t, api.send(t, http.MethodPatch, "/api/orgs/acme", map[string]any{"setDefaultAgentPoolID": "none"}),
		http.StatusBadRequest)
	wantDefault(two.ID)
	set("")
	wantDefault(nil)

	set(one.ID)
	api.succeed(t, http.MethodDelete, pools+"/"+two.ID, nil, http.StatusNoContent)
	wantDefault(one.ID)
	api.succeed(t, http.MethodDelete, pools+"/"+one.ID, nil, http.StatusNoContent)
	wantDefault(nil)
}
