package emulator_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestDeploymentSettings(t *testing.T) {
	api := newAPI(t, emulator.Options{})
	pool, _ := mustCreate(t, api.Server, "one")
	const path = "/api/stacks/acme/shop/dev/deployments/settings"

	refused(t, api.send(t, http.MethodGet, path, nil), http.StatusNotFound)
	refused(t, api.send(t, http.MethodPost, path, map[string]any{"agentPoolID": "none"}), http.StatusBadRequest)
	refused(t, api.send(t, http.MethodPost, path, map[string]any{"agentPoolID": 1}), http.StatusBadRequest)
	refused(t, api.send(t, http.MethodGet, path, nil), http.StatusNotFound)

	steps := []struct {
		body map[string]any
		want string
	}{
		{map[string]any{"agentPoolID": pool.ID}, pool.ID},
		// Pulumi Cloud's other settings are accepted, and a pool that is left out stays.
		{map[string]any{"sourceContext": map[string]any{"git": map[string]any{"branch": "main"}}}, pool.ID},
		{map[string]any{"agentPoolID": ""}, ""},
	}
	for _, step := range steps {
		api.succeed(t, http.MethodPost, path, step.body, http.StatusOK)
		got := api.succeed(t, http.MethodGet, path, nil, http.StatusOK)
		if diff := cmp.Diff(map[string]any{"agentPoolID": step.want}, got); diff != "" {
			t.Errorf("settings after %v (-want +got):\n%s", step.body, diff)
		}
	}

	if err := api.SetStackPool("acme", "shop", "dev", pool.ID); err != nil {
		t.Fatal(err)
	}
	refused(t, api.send(t, http.MethodDelete, pools+"/"+pool.ID, nil), http.StatusBadRequest)
	if code := errorCode(t, api.SetStackPool("acme", "shop", "dev", "none")); code != http.StatusBadRequest {
		t.Errorf("an unknown pool: code %d, want 400", code)
	}
}
