package provider_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const (
	stackPoolType = "pulumicloud_stack_agent_pool"

	getSettingsRequest   = "GET /api/stacks/acme/web/dev/deployments/settings"
	patchSettingsRequest = "POST /api/stacks/acme/web/dev/deployments/settings"
)

// startStackCloud starts an emulator with the agent pools "one" and "two" and the stack acme/web/dev.
func startStackCloud(t *testing.T) (cloud pulumiCloud, one, two emulator.AgentPool) {
	t.Helper()
	cloud = startPulumiCloud(t, emulator.Options{})
	mustDo(t, cloud.CreateStack("acme", emulator.Stack{Project: "web", Name: "dev"}))
	return cloud, cloud.mustCreate(t, "acme", "one", ""), cloud.mustCreate(t, "acme", "two", "")
}

// assignments returns the resource type of a provider that is configured for acme.
func (c pulumiCloud) assignments(t *testing.T) *acctest.Resource {
	t.Helper()
	return c.provider(t, acctest.Values{"organization": "acme"}).Resource(stackPoolType)
}

func assignment(id any) acctest.Values {
	return acctest.Values{"project": "web", "stack": "dev", "agent_pool_id": id}
}

// deploymentSettings sends a request for the deployment settings of acme/web/dev and returns them.
func (c pulumiCloud) deploymentSettings(t *testing.T, method, body string) map[string]any {
	t.Helper()
	_, path, _ := strings.Cut(getSettingsRequest, " ")
	req, recorder := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)), httptest.NewRecorder()
	req.Header.Set("Authorization", "token "+accessToken)
	req.Header.Set("Content-Type", jsonType)
	c.ServeHTTP(recorder, req)
	var settings map[string]any
	mustDo(t, json.NewDecoder(recorder.Body).Decode(&settings))
	delete(settings, "version")
	return settings
}

func TestStackAgentPool_changesOneField(t *testing.T) {
	t.Parallel()
	cloud, one, two := startStackCloud(t)
	other := cloud.deploymentSettings(t, http.MethodPost, `{"operationContext":{"preRunCommands":["make"]},"tag":"latest"}`)
	expectChange := func(id any, requests ...string) {
		t.Helper()
		body := cloud.Requests()[len(requests)-1].Body
		cloud.expectRequests(t, requests...)
		var sent map[string]any
		mustDo(t, json.Unmarshal([]byte(body), &sent))
		if diff := cmp.Diff(map[string]any{"agentPoolID": id}, sent); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
		settings := cloud.deploymentSettings(t, http.MethodGet, "")
		if settings["agentPoolID"] != id {
			t.Errorf("agent pool %v, want %v", settings["agentPoolID"], id)
		}
		delete(settings, "agentPoolID")
		if diff := cmp.Diff(other, settings); diff != "" {
			t.Errorf("other deployment settings (-want +got):\n%s", diff)
		}
		cloud.ResetRequests()
	}
	r := cloud.assignments(t)
	cloud.ResetRequests()
	assigned := r.MustApply(t, r.Absent(), assignment(one.ID))
	expectChange(one.ID, listRequest, patchSettingsRequest)
	assigned = r.MustApply(t, assigned, assignment(two.ID))
	expectChange(two.ID, patchSettingsRequest)
	_, diagnostics := r.Destroy(t.Context(), assigned)
	expectNone(t, diagnostics)
	expectChange(nil, getSettingsRequest, patchSettingsRequest)
}

func TestStackAgentPool_read(t *testing.T) {
	t.Parallel()
	cloud, one, two := startStackCloud(t)
	r := cloud.assignments(t)
	assigned := r.MustApply(t, r.Absent(), assignment(one.ID))
	expectAction := func(state acctest.Object, want acctest.Action) {
		t.Helper()
		change, diagnostics := r.Plan(t.Context(), state, assignment(strings.ToUpper(one.ID)))
		expectNone(t, diagnostics)
		if change.Action != want {
			t.Errorf("plan after the refresh: %s, want %s", change.Action, want)
		}
	}
	cloud.ResetRequests()
	expectAction(r.MustRead(t, assigned), acctest.NoOp)
	cloud.expectRequests(t, getSettingsRequest)

	mustDo(t, cloud.SetStackPool("acme", "web", "dev", two.ID))
	changed, diagnostics := r.Read(t.Context(), assigned)
	expectWarning(t, diagnostics, "Agent pool was changed outside of this resource", `stack "acme/web/dev" is now `+two.ID)
	if got := acctest.Attributes(changed.Value)["agent_pool_id"]; got != nil {
		t.Errorf("read agent pool %v, want null", got)
	}
	expectAction(changed, acctest.Update)
	// The settings no longer have the agent pool of this state, before the refresh or after it.
	cloud.ResetRequests()
	_, diagnostics = r.Destroy(t.Context(), assigned)
	expectNone(t, diagnostics)
	_, diagnostics = r.Destroy(t.Context(), changed)
	expectNone(t, diagnostics)
	cloud.expectRequests(t, getSettingsRequest, getSettingsRequest)

	mustDo(t, cloud.SetStackPool("acme", "web", "dev", ""))
	unassigned, diagnostics := r.Read(t.Context(), assigned)
	expectWarning(t, diagnostics, "Agent pool was changed outside of this resource", `stack "acme/web/dev" is not set any more`)
	if got := acctest.Attributes(unassigned.Value)["agent_pool_id"]; got != nil {
		t.Errorf("read agent pool %v, want null", got)
	}
	expectAction(unassigned, acctest.Update)
	cloud.ResetRequests()
	_, diagnostics = r.Destroy(t.Context(), unassigned)
	expectNone(t, diagnostics)
	cloud.expectRequests(t, getSettingsRequest)

	cloud.intercept(http.MethodGet, func(w http.ResponseWriter, req *http.Request, api http.Handler) {
		if strings.Contains(req.URL.Path, "/stacks/") {
			api = http.NotFoundHandler() // It responds in plain text.
		}
		api.ServeHTTP(w, req)
	})
	_, diagnostics = r.Read(t.Context(), assigned)
	expectError(t, diagnostics, "Response not from Pulumi Cloud", `read the agent pool of stack "acme/web/dev"`)
}

// What a different user assigns belongs to this resource only after an apply, or after an import.
func TestStackAgentPool_ownership(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		imported, taken bool // whether an apply takes over what the other user assigned
		failure         int  // status of that apply, or 0
		cleared         bool
	}{
		"assigned, then changed":        {false, false, 0, false},
		"imported, then changed":        {true, false, 0, false},
		"assigned, changed, taken over": {false, true, 0, true},
		"imported, changed, taken over": {true, true, 0, true},
		"assigned, changed, refused":    {false, true, http.StatusForbidden, false},
		"imported, changed, refused":    {true, true, http.StatusForbidden, false},
		"assigned, changed, ambiguous":  {false, true, http.StatusInternalServerError, true},
		"imported, changed, ambiguous":  {true, true, http.StatusInternalServerError, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud, one, two := startStackCloud(t)
			r := cloud.assignments(t)
			mustDo(t, cloud.SetStackPool("acme", "web", "dev", one.ID))
			object := r.Absent()
			if test.imported {
				object, _ = r.Import(t.Context(), "acme/web/dev")
				object = r.MustRead(t, object)
			} else {
				object = r.MustApply(t, object, assignment(one.ID))
			}
			mustDo(t, cloud.SetStackPool("acme", "web", "dev", two.ID))
			object = r.MustRead(t, object)
			if test.taken {
				if test.failure != 0 {
					stop := cloud.intercept(http.MethodPost, respondError(test.failure, "no"))
					object, _ = r.Apply(t.Context(), object, assignment(two.ID))
					stop()
				} else {
					object = r.MustApply(t, object, assignment(two.ID))
				}
				object = r.MustRead(t, object)
			}
			cloud.ResetRequests()
			_, _ = r.Destroy(t.Context(), object)
			if cleared := slices.Contains(cloud.requested(), patchSettingsRequest); cleared != test.cleared {
				t.Errorf("cleared: %t, want %t", cleared, test.cleared)
			}
		})
	}
}

// With create_before_destroy, the old object is destroyed after the new one has assigned the same agent pool.
func TestStackAgentPool_createBeforeDestroy(t *testing.T) {
	t.Parallel()
	organizations := []string{"acme", "ACME"} // The provider takes them for the same organization.
	for _, organization := range organizations {
		cloud := startPulumiCloud(t, emulator.Options{Organizations: organizations})
		mustDo(t, cloud.CreateStack("acme", emulator.Stack{Project: "web", Name: "dev"}))
		if organization != "acme" {
			mustDo(t, cloud.CreateStack(organization, emulator.Stack{Project: "web", Name: "dev"}))
		}
		old := cloud.mustCreate(t, "acme", "old", "")
		deposed := cloud.assignments(t).MustApply(t, cloud.assignments(t).Absent(), assignment(old.ID))
		one, two := cloud.mustCreate(t, organization, "one", ""), cloud.mustCreate(t, organization, "two", "")
		r := cloud.provider(t, acctest.Values{"organization": organization}).Resource(stackPoolType)
		created := r.MustApply(t, r.Absent(), assignment(two.ID))
		created = r.MustApply(t, created, assignment(one.ID))
		cloud.ResetRequests()
		_, diagnostics := r.Destroy(t.Context(), deposed)
		expectNone(t, diagnostics)
		cloud.expectRequests(t)
		_, diagnostics = r.Destroy(t.Context(), created)
		expectNone(t, diagnostics)
		cloud.expectWrites(t, http.MethodPost)
	}
}

func TestStackAgentPool_gone(t *testing.T) {
	t.Parallel()
	cloud, one, _ := startStackCloud(t)
	r := cloud.assignments(t)
	assigned := r.MustApply(t, r.Absent(), assignment(one.ID))
	cloud.intercept("", func(w http.ResponseWriter, req *http.Request, api http.Handler) {
		if strings.Contains(req.URL.Path, "/stacks/") {
			respondError(http.StatusNotFound, "no such stack")(w, req, api)
			return
		}
		api.ServeHTTP(w, req)
	})
	gone, diagnostics := r.Read(t.Context(), assigned)
	expectWarning(t, diagnostics, "Stack no longer exists", `"acme/web/dev"`)
	if gone.Exists() || r.IdentityOf(gone)["stack"] != "dev" {
		t.Errorf("state %s, identity %v, want no state and an identity", gone.Value, r.IdentityOf(gone))
	}
	_, diagnostics = r.Destroy(t.Context(), assigned)
	expectNone(t, diagnostics)
	_, diagnostics = r.Apply(t.Context(), r.Absent(), assignment(one.ID))
	expectError(t, diagnostics, "Stack not found", `"acme/web/dev"`, "Create the stack, or check the names")
	_, diagnostics = r.Import(t.Context(), "acme/web/dev")
	expectError(t, diagnostics, "Stack not found", `read the agent pool of stack "acme/web/dev"`, "has no deployment settings")
}

func TestStackAgentPool_errors(t *testing.T) {
	cloud, one, two := startStackCloud(t)
	r := cloud.assignments(t)
	assigned := r.MustApply(t, r.Absent(), assignment(one.ID))
	for name, test := range map[string]struct {
		status        int
		message       string
		summary, text string
	}{
		"Terraform stack": {http.StatusBadRequest, "Terraform stacks", "Request rejected", "If the stack runs Terraform"},
		"edition":         {http.StatusPaymentRequired, "subscription", "Feature not available", `organization "acme"`},
		"permission":      {http.StatusForbidden, "no", "Permission denied", "stack_deployment_settings:write"},
	} {
		t.Run(name, func(t *testing.T) {
			defer cloud.intercept(http.MethodPost, respondError(test.status, test.message))()
			kept, diagnostics := r.Apply(t.Context(), assigned, assignment(two.ID))
			expectError(t, diagnostics, test.summary, `set the agent pool of stack "acme/web/dev"`, test.text, test.message)
			if kept.Text("agent_pool_id") != one.ID || r.IdentityOf(kept)["stack"] != "dev" {
				t.Errorf("state %s, identity %v, want both unchanged", kept.Value, r.IdentityOf(kept))
			}
			kept, diagnostics = r.Destroy(t.Context(), assigned)
			expectError(t, diagnostics, test.summary)
			if !kept.Exists() {
				t.Error("the assignment left the state after an error")
			}
		})
	}
	// A create or an update that may have taken effect is cleared, with or without a refresh.
	stop := cloud.intercept(http.MethodPost, respondError(http.StatusInternalServerError, "no"))
	kept, diagnostics := r.Apply(t.Context(), assigned, assignment(two.ID))
	expectError(t, diagnostics, "Pulumi Cloud server error", "An attempt may have taken effect.", "a destroy clears it")
	created, _ := r.Apply(t.Context(), r.Absent(), assignment(two.ID))
	stop()
	mustDo(t, cloud.SetStackPool("acme", "web", "dev", ""))
	changed := r.MustRead(t, assigned) // It has a null agent_pool_id.
	stop = cloud.intercept(http.MethodPost, respondError(http.StatusInternalServerError, "no"))
	changed, _ = r.Apply(t.Context(), changed, assignment(two.ID))
	stop()
	if kept.Text("agent_pool_id") != one.ID || !created.Tainted {
		t.Errorf("state after the update %s, and after the create %s, tainted: %t", kept.Value, created.Value, created.Tainted)
	}
	for _, object := range []acctest.Object{kept, created, changed} {
		for _, refresh := range []bool{false, true} {
			mustDo(t, cloud.SetStackPool("acme", "web", "dev", two.ID))
			if refresh {
				object = r.MustRead(t, object)
			}
			cloud.ResetRequests()
			_, diagnostics = cloud.assignments(t).Destroy(t.Context(), object)
			expectNone(t, diagnostics)
			cloud.expectWrites(t, http.MethodPost)
		}
	}
	mustDo(t, cloud.DeleteAgentPool("acme", two.ID)) // After the plan.
	_, diagnostics = r.Apply(t.Context(), assigned, assignment(two.ID))
	expectError(t, diagnostics, "Agent pool not found", two.ID)
}

func TestStackAgentPool_import(t *testing.T) {
	t.Parallel()
	cloud, one, _ := startStackCloud(t)
	mustDo(t, cloud.SetStackPool("acme", "web", "dev", one.ID))
	r := cloud.assignments(t)
	identity := acctest.Values{"organization": "acme", "project": "web", "stack": "dev"}
	imports := make(map[string]acctest.Object)
	for _, id := range []string{"acme/web/dev", "web/dev"} {
		object, diagnostics := r.Import(t.Context(), id)
		expectNone(t, diagnostics)
		imports[id] = object
	}
	for _, identity := range []acctest.Values{identity, {"project": "web", "stack": "dev"}} {
		object, diagnostics := r.ImportByIdentity(t.Context(), identity)
		expectNone(t, diagnostics)
		imports[fmt.Sprint(identity)] = object
	}
	for name, object := range imports {
		object = r.MustRead(t, object)
		if got := object.Text("agent_pool_id"); got != one.ID {
			t.Errorf("%s: imported agent pool %q, want %q", name, got, one.ID)
		}
		if diff := cmp.Diff(map[string]any(identity), r.IdentityOf(object)); diff != "" {
			t.Errorf("%s: identity (-want +got):\n%s", name, diff)
		}
	}
	mustDo(t, cloud.SetStackPool("acme", "web", "dev", ""))
	_, diagnostics := r.Import(t.Context(), "acme/web/dev")
	expectError(t, diagnostics, "Nothing to import", `agent pool of stack "acme/web/dev" is not set`)
	for _, id := range []string{"", "dev", "/dev", "web/", "/web/dev", "acme/web/dev/4", "acme/web/..", "web/" + accessToken} {
		_, diagnostics = r.Import(t.Context(), id)
		expectError(t, diagnostics, "Invalid import ID", "ORGANIZATION/PROJECT/STACK")
	}
	_, diagnostics = r.Import(t.Context(), accessToken+"/web/dev")
	expectError(t, diagnostics, "Token in the wrong argument", `AttributeName("organization")`)
}

func TestStackAgentPool_validation(t *testing.T) {
	t.Parallel()
	r := newProvider(t).Resource(stackPoolType)
	expectError(t, r.ValidateConfig(t.Context(), assignment("runners")), "Invalid agent pool ID", `"runners"`, "data source")
	expectError(t, r.ValidateConfig(t.Context(), assignment(accessToken)), "Token in the wrong argument", "agent_pool_id")
	config := assignment(missingID)
	config["stack"] = "web/dev"
	expectError(t, r.ValidateConfig(t.Context(), config), "Invalid name", "slashes")
}

// One apply creates the new agent pool, moves the stack and deletes the old agent pool, without force_destroy.
func TestAccStackAgentPool_rotation(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	mustDo(t, cloud.CreateStack("acme", emulator.Stack{Project: "web", Name: "dev"}))
	config := func(month string) string {
		return cloud.config(`organization = "acme"`, fmt.Sprintf(`
resource "pulumicloud_agent_pool" "test" {
  name_prefix     = "runners-"
  rotate_triggers = { month = %q }

  lifecycle {
    create_before_destroy = true
  }
}

resource "pulumicloud_stack_agent_pool" "test" {
  project       = "web"
  stack         = "dev"
  agent_pool_id = pulumicloud_agent_pool.test.id
}`, month))
	}
	expectWrites := func(methods ...string) resource.TestCheckFunc {
		return func(*terraform.State) error {
			cloud.expectWrites(t, methods...)
			return nil
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             cloud.checkDestroy,
		Steps: []resource.TestStep{
			{Config: config("2026-11"), Check: expectWrites(http.MethodPost, http.MethodPost)},
			{Config: config("2026-12"), Check: expectWrites(http.MethodPost, http.MethodPost, http.MethodDelete)},
			{
				ResourceName: stackPoolType + ".test", ImportState: true, ImportStateId: "web/dev", ImportStateVerify: true,
				ImportStateVerifyIdentifierAttribute: "stack",
			},
		},
	})
}
