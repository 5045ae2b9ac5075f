package emulator_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestAgentPools_milliseconds(t *testing.T) {
	clock := newClock()
	a := newAPI(t, emulator.Options{Now: clock.Now, Milliseconds: true})
	pool, _ := mustCreate(t, a.Server, "one")
	mustDo(t, a.ConnectAgent("acme", pool.ID, emulator.Agent{Hostname: "host-1"}))
	now := float64(clock.Now().UnixMilli())
	clock.advance(time.Hour)
	mustDo(t, a.SetStackPool("acme", "shop", "dev", pool.ID))
	_, err := a.StartDeployment("acme", "shop", "dev")
	mustDo(t, err)
	item := a.succeed(t, http.MethodGet, poolsPath, nil)["agentPools"].([]any)[0].(map[string]any)
	detail := a.succeed(t, http.MethodGet, poolsPath+"/"+pool.ID, nil)
	agent := detail["agents"].([]any)[0].(map[string]any)
	want := []any{now, now, now + 3600000, now, now}
	got := []any{item["created"], item["lastSeen"], item["lastDeployment"], detail["created"], agent["lastSeen"]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
}

func TestAgentPools_absentFields(t *testing.T) {
	a := newAPI(t, emulator.Options{})
	created := a.succeed(t, http.MethodPost, poolsPath, `{"name":"one"}`)
	path := poolsPath + "/" + created["id"].(string)
	a.succeed(t, http.MethodPatch, path, `{"description":"changed"}`)
	got := a.succeed(t, http.MethodPatch, path, `{"name":"uno"}`)
	if diff := cmp.Diff(map[string]any{"name": "uno", "description": "changed"}, got); diff != "" {
		t.Errorf("update (-want +got):\n%s", diff)
	}
	list := a.succeed(t, http.MethodGet, poolsPath, nil)
	item := list["agentPools"].([]any)[0].(map[string]any)
	if _, ok := item["lastDeployment"]; ok || item["lastSeen"] != 0.0 {
		t.Errorf("pool %v, want no lastDeployment and 0 for lastSeen", item)
	}
	if _, ok := list["defaultAgentPoolID"]; ok {
		t.Error("the list has a default pool although there is none")
	}
}

func TestAgentPools_namesAndOrder(t *testing.T) {
	a := newAPI(t, emulator.Options{Organizations: []string{"acme", "globex"}})
	var ids []string
	for _, name := range []string{"c", "a", "d", "b"} {
		pool, _ := mustCreate(t, a.Server, name)
		ids = append(ids, pool.ID)
	}
	// A name is unique in its organization, and free when its pool has been renamed or deleted.
	a.send(t, http.MethodPatch, poolsPath+"/"+ids[1], `{"name":"c"}`).message(t, http.StatusConflict)
	a.succeed(t, http.MethodPatch, poolsPath+"/"+ids[1], `{"name":"a"}`)
	a.succeed(t, http.MethodPost, "/api/orgs/globex/agent-pools", `{"name":"c"}`)
	a.succeed(t, http.MethodPatch, poolsPath+"/"+ids[0], `{"name":"z"}`)
	mustDo(t, a.DeleteAgentPool("acme", ids[2]))
	mustCreate(t, a.Server, "d")
	mustCreate(t, a.Server, "c")
	var names []string
	for _, pool := range a.AgentPools("acme") {
		names = append(names, pool.Name)
	}
	if want := []string{"z", "a", "b", "d", "c"}; !slices.Equal(names, want) {
		t.Errorf("names %v, want %v in order of creation", names, want)
	}
}

func TestAgentPools_defaultIsDeleted(t *testing.T) {
	a := newAPI(t, emulator.Options{})
	pool, _ := mustCreate(t, a.Server, "one")
	mustDo(t, a.SetDefaultAgentPool("acme", pool.ID))
	if !a.AgentPools("acme")[0].IsDefault {
		t.Error("the pool is not the default")
	}
	a.send(t, http.MethodDelete, poolsPath+"/"+pool.ID, nil)
	if _, ok := a.succeed(t, http.MethodGet, poolsPath, nil)["defaultAgentPoolID"]; ok {
		t.Error("a deleted pool is the default")
	}
	wantCode(t, a.SetDefaultAgentPool("acme", pool.ID), http.StatusBadRequest)
	wantCode(t, a.SetDefaultAgentPool("globex", ""), http.StatusNotFound)
}

func TestAgentPools_direct(t *testing.T) {
	a := newAPI(t, emulator.Options{})
	pool, token := mustCreate(t, a.Server, "one")
	mustCreate(t, a.Server, "two")
	matches := []bool{
		a.TokenMatches("acme", pool.ID, token), a.TokenMatches("acme", pool.ID, "x"), a.TokenMatches("acme", "none", token),
	}
	if !slices.Equal(matches, []bool{true, false, false}) {
		t.Errorf("the token, a different token and an unknown pool match: %v", matches)
	}
	create := func(org, name string) error {
		_, _, err := a.CreateAgentPool(org, name, "")
		return err
	}
	name, empty, description := "two", "", "changed"
	wantCode(t, create("acme", ""), http.StatusBadRequest)
	wantCode(t, create("acme", "one"), http.StatusConflict)
	wantCode(t, create("globex", "one"), http.StatusNotFound)
	wantCode(t, a.UpdateAgentPool("acme", pool.ID, &empty, nil), http.StatusBadRequest)
	wantCode(t, a.UpdateAgentPool("acme", pool.ID, &name, nil), http.StatusConflict)
	wantCode(t, a.UpdateAgentPool("acme", "none", &name, nil), http.StatusNotFound)
	wantCode(t, a.DeleteAgentPool("acme", "none"), http.StatusNotFound)
	wantCode(t, a.SetStackPool("acme", "shop", "dev", "none"), http.StatusBadRequest)
	mustDo(t, a.UpdateAgentPool("acme", pool.ID, nil, &description))
	if got := a.AgentPools("acme")[0]; got.Name != "one" || got.Description != "changed" {
		t.Errorf("pool %+v, want one, changed", got)
	}
	if a.AgentPools("globex") != nil || len(a.Requests()) != 0 {
		t.Error("an unknown organization has pools, or methods are in the request log")
	}
}

func TestAgents(t *testing.T) {
	clock := newClock()
	a := newAPI(t, emulator.Options{Now: clock.Now})
	pool, _ := mustCreate(t, a.Server, "one")
	path := "/emulator/orgs/acme/agent-pools/" + pool.ID + "/agents"
	agents := func() (statuses []string) {
		for _, agent := range a.succeed(t, http.MethodGet, poolsPath+"/"+pool.ID, nil)["agents"].([]any) {
			fields := agent.(map[string]any)
			statuses = append(statuses, fields["hostname"].(string)+" "+fields["pid"].(string)+" "+fields["status"].(string))
		}
		return statuses
	}
	a.succeed(t, http.MethodPost, path, `{"hostname":"host-1","pid":"1"}`)
	a.succeed(t, http.MethodPost, path, `{"hostname":"host-1","pid":"2"}`)
	a.succeed(t, http.MethodPost, path, `{"hostname":"host-2","pid":"1","version":"1","platform":"linux","ip":"::1"}`)
	// An agent that connects again replaces itself.
	got := a.succeed(t, http.MethodPost, path, `{"hostname":"host-1","pid":"1"}`)
	if got["lastSeen"] != float64(clock.Now().Unix()) || got["platform"] != "" {
		t.Errorf("agent %v, want a lastSeen of now and an empty platform", got)
	}
	if got := a.send(t, http.MethodDelete, path+"/host-1", nil); got.status != http.StatusNoContent {
		t.Errorf("disconnect: status %d, want 204", got.status)
	}
	if diff := cmp.Diff([]string{"host-1 2 offline", "host-2 1 online", "host-1 1 offline"}, agents()); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
	if a.AgentPools("acme")[0].Status != emulator.StatusOnline {
		t.Error("the pool is offline although an agent is online")
	}
	clock.advance(time.Minute)
	mustDo(t, a.DisconnectAgent("acme", pool.ID, "host-2"))
	if got := a.AgentPools("acme")[0]; got.Status != emulator.StatusOffline || got.LastSeen != clock.Now().Unix() {
		t.Errorf("status %s, last seen %d, want offline and now", got.Status, got.LastSeen)
	}

	a.send(t, http.MethodDelete, path+"/host-1", nil).message(t, http.StatusNotFound)
	a.send(t, http.MethodPost, path, `{"hostname":""}`).message(t, http.StatusBadRequest)
	wantCode(t, a.ConnectAgent("acme", "none", emulator.Agent{Hostname: "x"}), http.StatusNotFound)
	wantCode(t, a.ConnectAgent("acme", pool.ID, emulator.Agent{}), http.StatusBadRequest)
	wantCode(t, a.DisconnectAgent("acme", "none", "x"), http.StatusNotFound)
}

func TestDefaultOrganization(t *testing.T) {
	a := newAPI(t, emulator.Options{Organizations: []string{"acme", "globex"}})
	const path = "/api/user/organizations/default"
	if got := a.succeed(t, http.MethodGet, path, nil); got["GitHubLogin"] != "acme" {
		t.Errorf("default organization %v, want the first of the options", got["GitHubLogin"])
	}
	mustDo(t, a.SetModes(emulator.ModeDefaultOrganizationEmpty))
	if got := a.succeed(t, http.MethodGet, path, nil); got["GitHubLogin"] != "" {
		t.Errorf("default organization %v, want an empty one", got["GitHubLogin"])
	}
	mustDo(t, a.SetModes(emulator.ModeDefaultOrganization400))
	a.send(t, http.MethodGet, path, nil).message(t, http.StatusBadRequest)
	mustDo(t, a.SetModes(emulator.ModeDefaultOrganization404))
	a.send(t, http.MethodGet, path, nil).message(t, http.StatusNotFound)
	mustDo(t, a.SetModes())
	a.SetDefaultOrganization("")
	a.send(t, http.MethodGet, path, nil).message(t, http.StatusBadRequest)
}

func TestModes_samlLogin(t *testing.T) {
	a := newAPI(t, emulator.Options{Modes: []emulator.Mode{emulator.ModeSAMLLogin}})
	got := a.send(t, http.MethodGet, poolsPath, nil)
	got.message(t, http.StatusUnauthorized)
	want := []any{map[string]any{"resource": "organization", "attribute": "acme", "errorType": "saml_login_required"}}
	if diff := cmp.Diff(want, decode(t, got.body)["errors"]); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	for _, path := range []string{"/api/user", "/emulator/orgs/acme/agent-pools/none/agents"} {
		if got := a.send(t, http.MethodGet, path, nil); got.status == http.StatusUnauthorized {
			t.Errorf("%s: status 401, want the mode to concern the API of organizations only", path)
		}
	}
}
