package emulator_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const pools = "/api/orgs/acme/agent-pools"

func TestAgentPoolLifecycle(t *testing.T) {
	clock := newClock()
	api := newAPI(t, emulator.Options{Now: clock.Now})
	created := float64(clock.Now().Unix())

	answer := api.succeed(t, http.MethodPost, pools, map[string]any{"name": "one", "description": "first"}, http.StatusOK)
	id, _ := answer["id"].(string)
	token, _ := answer["tokenValue"].(string)
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("id %q is not a UUID", id)
	}
	if !regexp.MustCompile(`^pul-[0-9a-f]{40}$`).MatchString(token) {
		t.Error("the token is not pul- and 40 hex digits")
	}
	if len(answer) != 2 {
		t.Errorf("a creation is answered with %d fields, want 2", len(answer))
	}
	if !api.TokenMatches("acme", id, token) {
		t.Error("the token does not match the pool's hash")
	}
	if api.TokenMatches("acme", id, token+"0") || api.TokenMatches("acme", "no-pool", token) {
		t.Error("a wrong token or pool matches")
	}

	clock.advance(time.Minute)
	want := map[string]any{
		"created": created, "id": id, "name": "one", "description": "first", "agents": []any{},
	}
	if diff := cmp.Diff(want, api.succeed(t, http.MethodGet, pools+"/"+id, nil, http.StatusOK)); diff != "" {
		t.Errorf("detail (-want +got):\n%s", diff)
	}
	want = map[string]any{"agentPools": []any{map[string]any{
		"created": created, "id": id, "name": "one", "description": "first",
		"lastSeen": 0.0, "status": "offline", "isDefault": false,
	}}}
	if diff := cmp.Diff(want, api.succeed(t, http.MethodGet, pools, nil, http.StatusOK)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}

	steps := []struct {
		body map[string]any
		want map[string]any
	}{
		{map[string]any{"name": "two"}, map[string]any{"name": "two", "description": "first"}},
		{map[string]any{"description": "second"}, map[string]any{"name": "two", "description": "second"}},
		{map[string]any{"description": ""}, map[string]any{"name": "two", "description": ""}},
		{map[string]any{"name": "two"}, map[string]any{"name": "two", "description": ""}},
		{map[string]any{}, map[string]any{"name": "two", "description": ""}},
	}
	for _, step := range steps {
		got := api.succeed(t, http.MethodPatch, pools+"/"+id, step.body, http.StatusOK)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("update %v (-want +got):\n%s", step.body, diff)
		}
	}
	if !api.TokenMatches("acme", id, token) {
		t.Error("an update changed the token")
	}

	response := api.send(t, http.MethodDelete, pools+"/"+id, nil)
	if response.StatusCode != http.StatusNoContent || len(readBody(t, response)) != 0 {
		t.Errorf("delete: status %d, want 204 without a body", response.StatusCode)
	}
	refused(t, api.send(t, http.MethodGet, pools+"/"+id, nil), http.StatusNotFound)
	if got := api.AgentPools("acme"); len(got) != 0 {
		t.Errorf("pools after delete: %v", got)
	}
}

func TestAgentPoolTimestamps(t *testing.T) {
	clock := newClock()
	seen, deployed := clock.Now(), clock.Now().Add(time.Hour)
	for _, milliseconds := range []bool{false, true} {
		api := newAPI(t, emulator.Options{Now: clock.Now, Milliseconds: milliseconds})
		pool, _ := mustCreate(t, api.Server, "one")
		if err := api.ConnectAgent("acme", pool.ID, emulator.Agent{Hostname: "runner"}); err != nil {
			t.Fatal(err)
		}
		if err := api.SetLastDeployment("acme", pool.ID, deployed); err != nil {
			t.Fatal(err)
		}
		unit := 1.0
		if milliseconds {
			unit = 1000
		}
		list := api.succeed(t, http.MethodGet, pools, nil, http.StatusOK)
		item := list["agentPools"].([]any)[0].(map[string]any)
		detail := api.succeed(t, http.MethodGet, pools+"/"+pool.ID, nil, http.StatusOK)
		agent := detail["agents"].([]any)[0].(map[string]any)
		got := []any{
			item["created"], item["lastSeen"], item["lastDeployment"], detail["created"], agent["lastSeen"],
		}
		at := float64(seen.Unix()) * unit
		if diff := cmp.Diff([]any{at, at, float64(deployed.Unix()) * unit, at, at}, got); diff != "" {
			t.Errorf("milliseconds %t (-want +got):\n%s", milliseconds, diff)
		}
	}
}

func TestAgentPoolNamesAreUnique(t *testing.T) {
	api := newAPI(t, emulator.Options{Organizations: []string{"acme", "globex"}})
	one, _ := mustCreate(t, api.Server, "one")
	two, _ := mustCreate(t, api.Server, "two")

	refused(t, api.send(t, http.MethodPost, pools, map[string]any{"name": "one", "description": ""}), http.StatusConflict)
	refused(t, api.send(t, http.MethodPatch, pools+"/"+two.ID, map[string]any{"name": "one"}), http.StatusConflict)
	api.succeed(t, http.MethodPatch, pools+"/"+one.ID, map[string]any{"name": "one"}, http.StatusOK)

	elsewhere := "/api/orgs/globex/agent-pools"
	api.succeed(t, http.MethodPost, elsewhere, map[string]any{"name": "one", "description": ""}, http.StatusOK)

	// A name is free again once its pool was renamed or deleted.
	api.succeed(t, http.MethodPatch, pools+"/"+one.ID, map[string]any{"name": "uno"}, http.StatusOK)
	api.succeed(t, http.MethodPatch, pools+"/"+two.ID, map[string]any{"name": "one"}, http.StatusOK)
	api.succeed(t, http.MethodDelete, pools+"/"+one.ID, nil, http.StatusNoContent)
	api.succeed(t, http.MethodPost, pools, map[string]any{"name": "uno", "description": ""}, http.StatusOK)

	var names []string
	for _, pool := range api.AgentPools("acme") {
		names = append(names, pool.Name)
	}
	if want := []string{"one", "uno"}; !slices.Equal(names, want) {
		t.Errorf("names %v, want %v", names, want)
	}
}

func TestAgentPoolListIsInOrderOfCreation(t *testing.T) {
	api := newAPI(t, emulator.Options{})
	for _, name := range []string{"c", "a", "d", "b"} {
		mustCreate(t, api.Server, name)
	}
	all := api.AgentPools("acme")
	name := "z"
	if err := api.UpdateAgentPool("acme", all[1].ID, &name, nil); err != nil {
		t.Fatal(err)
	}
	if err := api.DeleteAgentPool("acme", all[2].ID); err != nil {
		t.Fatal(err)
	}
	mustCreate(t, api.Server, "e")

	list := api.succeed(t, http.MethodGet, pools, nil, http.StatusOK)
	var names []string
	for _, item := range list["agentPools"].([]any) {
		names = append(names, item.(map[string]any)["name"].(string))
	}
	if want := []string{"c", "z", "b", "e"}; !slices.Equal(names, want) {
		t.Errorf("names %v, want %v", names, want)
	}
}

func TestAgentPoolInUse(t *testing.T) {
	api := newAPI(t, emulator.Options{})
	used, _ := mustCreate(t, api.Server, "used")
	other, _ := mustCreate(t, api.Server, "other")
	const first = "/api/stacks/acme/shop/dev/deployments/settings"
	const second = "/api/stacks/acme/shop/prod/deployments/settings"
	for path, id := range map[string]string{first: used.ID, second: other.ID} {
		got := api.succeed(t, http.MethodPost, path, map[string]any{"agentPoolID": id}, http.StatusOK)
		if got["agentPoolID"] != id {
			t.Errorf("settings %v, want pool %s", got, id)
		}
	}

	for _, query := range []string{"", "?force=false"} {
		message := refused(t, api.send(t, http.MethodDelete, pools+"/"+used.ID+query, nil), http.StatusBadRequest)
		if !strings.Contains(message, `"used"`) {
			t.Errorf("message %q does not name the pool", message)
		}
	}
	api.succeed(t, http.MethodDelete, pools+"/"+used.ID+"?force=true", nil, http.StatusNoContent)

	if got := api.succeed(t, http.MethodGet, first, nil, http.StatusOK); got["agentPoolID"] != "" {
		t.Errorf("settings after a forced delete: %v, want no pool", got)
	}
	if got := api.succeed(t, http.MethodGet, second, nil, http.StatusOK); got["agentPoolID"] != other.ID {
		t.Errorf("settings of a stack with another pool: %v, want %s", got, other.ID)
	}

	// A stack that no longer uses the pool does not keep it.
	api.succeed(t, http.MethodPost, second, map[string]any{"agentPoolID": ""}, http.StatusOK)
	api.succeed(t, http.MethodDelete, pools+"/"+other.ID, nil, http.StatusNoContent)
}

func TestAgentPoolDirectAccess(t *testing.T) {
	api := newAPI(t, emulator.Options{})
	pool, token := mustCreate(t, api.Server, "one")
	mustCreate(t, api.Server, "two")
	if !api.TokenMatches("acme", pool.ID, token) {
		t.Error("the token does not match")
	}
	name, empty, description := "two", "", "changed"

	refusals := []struct {
		call string
		err  error
		code int
	}{
		{"create without a name", create(api.Server, "acme", ""), http.StatusBadRequest},
		{"create a taken name", create(api.Server, "acme", "one"), http.StatusConflict},
		{"create elsewhere", create(api.Server, "globex", "one"), http.StatusNotFound},
		{"update to no name", api.UpdateAgentPool("acme", pool.ID, &empty, nil), http.StatusBadRequest},
		{"update to a taken name", api.UpdateAgentPool("acme", pool.ID, &name, nil), http.StatusConflict},
		{"update an unknown pool", api.UpdateAgentPool("acme", "none", &name, nil), http.StatusNotFound},
		{"delete an unknown pool", api.DeleteAgentPool("acme", "none"), http.StatusNotFound},
		{"an unknown pool's deployment", api.SetLastDeployment("acme", "none", time.Time{}), http.StatusNotFound},
	}
	for _, refusal := range refusals {
		if code := errorCode(t, refusal.err); code != refusal.code {
			t.Errorf("%s: code %d, want %d", refusal.call, code, refusal.code)
		}
	}

	if err := api.UpdateAgentPool("acme", pool.ID, nil, &description); err != nil {
		t.Fatal(err)
	}
	if got := api.AgentPools("acme")[0]; got.Name != "one" || got.Description != "changed" {
		t.Errorf("pool %+v, want one, changed", got)
	}
	if api.AgentPools("globex") != nil {
		t.Error("an unknown organization has pools")
	}
	if requests := api.Requests(); len(requests) != 0 {
		t.Errorf("direct access is in the request log: %v", requests)
	}
}

func create(server *emulator.Server, org, name string) error {
	_, _, err := server.CreateAgentPool(org, name, "")
	return err
}
