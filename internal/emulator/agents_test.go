package emulator_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// poolStatus returns what the list says of the only pool.
func poolStatus(t *testing.T, api *api) (status string, lastSeen float64) {
	t.Helper()
	list := api.succeed(t, http.MethodGet, pools, nil, http.StatusOK)
	item := list["agentPools"].([]any)[0].(map[string]any)
	return item["status"].(string), item["lastSeen"].(float64)
}

func TestAgentsComeAndGo(t *testing.T) {
	clock := newClock()
	api := newAPI(t, emulator.Options{Now: clock.Now})
	pool, _ := mustCreate(t, api.Server, "one")
	agents := "/emulator/orgs/acme/agent-pools/" + pool.ID + "/agents"
	connected := float64(clock.Now().Unix())

	want := map[string]any{
		"version": "2.0.1", "platform": "linux", "hostname": "host a", "ip": "10.0.0.1", "pid": "17",
		"lastSeen": connected, "status": "online",
	}
	got := api.succeed(t, http.MethodPost, agents, map[string]any{
		"version": "2.0.1", "platform": "linux", "hostname": "host a", "ip": "10.0.0.1", "pid": "17",
	}, http.StatusOK)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("connect (-want +got):\n%s", diff)
	}
	detail := api.succeed(t, http.MethodGet, pools+"/"+pool.ID, nil, http.StatusOK)
	if diff := cmp.Diff([]any{want}, detail["agents"]); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
	if status, lastSeen := poolStatus(t, api); status != "online" || lastSeen != connected {
		t.Errorf("pool is %s, seen %v; want online, %v", status, lastSeen, connected)
	}

	// A second one without a platform, which is then absent.
	api.succeed(t, http.MethodPost, agents, map[string]any{"hostname": "b"}, http.StatusOK)
	detail = api.succeed(t, http.MethodGet, pools+"/"+pool.ID, nil, http.StatusOK)
	if _, ok := detail["agents"].([]any)[1].(map[string]any)["platform"]; ok {
		t.Error("an agent without a platform has the field")
	}

	clock.advance(time.Minute)
	disconnected := float64(clock.Now().Unix())
	api.succeed(t, http.MethodDelete, agents+"/host%20a", nil, http.StatusNoContent)
	if status, _ := poolStatus(t, api); status != "online" {
		t.Errorf("pool is %s while an agent is online", status)
	}
	refused(t, api.send(t, http.MethodDelete, agents+"/host%20a", nil), http.StatusNotFound)
	api.succeed(t, http.MethodDelete, agents+"/b", nil, http.StatusNoContent)
	if status, lastSeen := poolStatus(t, api); status != "offline" || lastSeen != disconnected {
		t.Errorf("pool is %s, seen %v; want offline, %v", status, lastSeen, disconnected)
	}

	clock.advance(time.Hour - time.Second)
	detail = api.succeed(t, http.MethodGet, pools+"/"+pool.ID, nil, http.StatusOK)
	want["status"], want["lastSeen"] = "offline", disconnected
	if diff := cmp.Diff(want, detail["agents"].([]any)[0]); diff != "" {
		t.Errorf("agent offline for less than an hour (-want +got):\n%s", diff)
	}
	clock.advance(time.Second)
	detail = api.succeed(t, http.MethodGet, pools+"/"+pool.ID, nil, http.StatusOK)
	if diff := cmp.Diff([]any{}, detail["agents"]); diff != "" {
		t.Errorf("agents offline for an hour (-want +got):\n%s", diff)
	}
	if _, lastSeen := poolStatus(t, api); lastSeen != disconnected {
		t.Errorf("the pool's lastSeen %v went with its agents, want %v", lastSeen, disconnected)
	}
}

func TestAgentReconnects(t *testing.T) {
	clock := newClock()
	api := newAPI(t, emulator.Options{Now: clock.Now})
	pool, _ := mustCreate(t, api.Server, "one")
	for _, agent := range []emulator.Agent{
		{Hostname: "a", PID: "1", Version: "1"}, {Hostname: "a", PID: "2"}, {Hostname: "a", PID: "1", Version: "2"},
	} {
		if err := api.ConnectAgent("acme", pool.ID, agent); err != nil {
			t.Fatal(err)
		}
	}
	want := []emulator.Agent{
		{Hostname: "a", PID: "2", Online: true, LastSeen: clock.Now()},
		{Hostname: "a", PID: "1", Version: "2", Online: true, LastSeen: clock.Now()},
	}
	if diff := cmp.Diff(want, api.AgentPools("acme")[0].Agents); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
	if err := api.DisconnectAgent("acme", pool.ID, "a"); err != nil {
		t.Fatal(err)
	}
	if api.AgentPools("acme")[0].Online {
		t.Error("the pool is online although its host's agents were all disconnected")
	}
}

func TestAgentRefusals(t *testing.T) {
	api := newAPI(t, emulator.Options{})
	pool, _ := mustCreate(t, api.Server, "one")
	agents := "/emulator/orgs/acme/agent-pools/" + pool.ID + "/agents"

	refused(t, api.send(t, http.MethodPost, agents, map[string]any{"version": "1"}), http.StatusBadRequest)
	refused(t, api.send(t, http.MethodPost, agents, map[string]any{"hostname": "a", "pid": 1}), http.StatusBadRequest)
	unknown := "/emulator/orgs/acme/agent-pools/none/agents"
	refused(t, api.send(t, http.MethodPost, unknown, map[string]any{"hostname": "a"}), http.StatusNotFound)
	request := api.request(t, http.MethodPost, agents, map[string]any{"hostname": "a"})
	request.Header.Del("Authorization")
	refused(t, api.do(t, request), http.StatusUnauthorized)

	if code := errorCode(t, api.ConnectAgent("acme", pool.ID, emulator.Agent{})); code != http.StatusBadRequest {
		t.Errorf("an agent without a host name: code %d, want 400", code)
	}
	if code := errorCode(t, api.DisconnectAgent("globex", pool.ID, "a")); code != http.StatusNotFound {
		t.Errorf("an agent of an unknown organization: code %d, want 404", code)
	}
}
