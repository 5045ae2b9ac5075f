package provider_test

import (
	"os"
	"reflect"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// TestAccState_exchangedBetweenCLIs writes a state with the CLI under test, changes it with the CLI in TEST_OTHER_CLI,
// and destroys it with the first one. Neither may plan a change that is not configured, or lose a token.
func TestAccState_exchangedBetweenCLIs(t *testing.T) {
	t.Parallel()
	acctest.RequireCLI(t)
	other := os.Getenv("TEST_OTHER_CLI")
	if other == "" {
		t.Skip("TEST_OTHER_CLI is not set")
	}
	cloud := startPulumiCloud(t, emulator.Options{})
	config := func(description string) string {
		return cloud.config(`organization = "acme"`, `
resource "pulumicloud_agent_pool" "test" {
  name_prefix     = "runners-"
  description     = "`+description+`"
  rotate_triggers = { month = "2026-11" }
}

resource "pulumicloud_agent_pool" "encrypted" {
  name             = "encrypted"
  token_recipients = ["`+ageRecipient+`"]
}

resource "pulumicloud_organization_default_agent_pool" "test" {
  agent_pool_id = pulumicloud_agent_pool.test.id
}
`)
	}
	w := newWorkspace(t, config("written"))
	w.MustRun(t, "apply", "-auto-approve")
	written := tokens(t, w)

	first := w.CLI
	w.CLI = other
	cloud.expectNoChanges(t, w)
	mustDo(t, w.Write("main.tf", config("changed")))
	cloud.ResetRequests()
	w.MustRun(t, "apply", "-auto-approve")
	cloud.expectWrites(t, "PATCH")

	w.CLI = first
	cloud.expectNoChanges(t, w)
	if !reflect.DeepEqual(tokens(t, w), written) {
		t.Error("a token has changed")
	}
	w.MustRun(t, "destroy", "-auto-approve")
	mustDo(t, cloud.checkDestroy(nil))
}

// expectNoChanges applies first, because Terraform 1.5 may plan an update that only changes how the state marks
// sensitive values.
func (c pulumiCloud) expectNoChanges(t *testing.T, w *acctest.Workspace) {
	t.Helper()
	w.MustRun(t, "init")
	c.ResetRequests()
	w.MustRun(t, "apply", "-auto-approve")
	c.expectWrites(t)
	w.MustRun(t, "plan", "-detailed-exitcode")
}

// tokens returns both forms of the tokens in the state, by ID.
func tokens(t *testing.T, w *acctest.Workspace) map[any][2]any {
	t.Helper()
	tokens := map[any][2]any{}
	for _, pool := range statePools(t, w) {
		tokens[pool["id"]] = [2]any{pool["token"], pool["encrypted_token"]}
	}
	return tokens
}
