package provider_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// statePools returns the attributes of the agent pools in the state, by name. Tainted ones are left out.
func statePools(t *testing.T, w *acctest.Workspace) map[string]map[string]any {
	t.Helper()
	state, err := w.State(t.Context())
	mustDo(t, err)
	pools := map[string]map[string]any{}
	if state == nil {
		return pools
	}
	for _, resource := range state.RootModule.Resources {
		if name, ok := resource.AttributeValues["name"].(string); ok && resource.Type == poolType && !resource.Tainted {
			pools[name] = resource.AttributeValues
		}
	}
	return pools
}

// expectTokens expects this number of agent pools in the state, each with its token.
func (c pulumiCloud) expectTokens(t *testing.T, w *acctest.Workspace, count int) {
	t.Helper()
	pools := statePools(t, w)
	if len(pools) != count {
		t.Errorf("%d agent pools in the state, want %d", len(pools), count)
	}
	for name, pool := range pools {
		if !c.TokenMatches(fmt.Sprint(pool["organization"]), fmt.Sprint(pool["id"]), fmt.Sprint(pool["token"])) {
			t.Errorf("the state does not have the token of agent pool %q", name)
		}
	}
}

func TestAccAgentPool_requests(t *testing.T) {
	t.Parallel()
	const count = 100
	cloud := startPulumiCloud(t, emulator.Options{})
	w := newWorkspace(t, cloud.config(`organization = "acme"`, fmt.Sprintf(`
resource "pulumicloud_agent_pool" "test" {
  count = %d
  name  = "runners-${count.index}"
}`, count)))
	w.MustRun(t, "plan", "-out=plan")
	cloud.expectRequests(t, listRequest)
	w.MustRun(t, "apply", "plan")
	cloud.expectRequests(t, append([]string{listRequest}, slices.Repeat([]string{createRequest}, count)...)...)
	cloud.expectTokens(t, w, count)
	w.MustRun(t, "plan", "-detailed-exitcode")
	cloud.expectRequests(t, listRequest)
	w.MustRun(t, "destroy", "-auto-approve")
	cloud.expectRequests(t, append([]string{listRequest}, slices.Repeat([]string{deleteRequest}, count)...)...)
}

// Values of resources and of the provider block can depend on resources that do not exist yet.
func TestAccAgentPool_unknownValues(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	w := newWorkspace(t, fmt.Sprintf(`
resource "terraform_data" "value" {
  for_each = toset([%[1]q, "globex", "runners", "none"])
  input    = each.key
}

provider "pulumicloud" {
  api_url      = %[2]q
  access_token = terraform_data.value[%[1]q].output
  organization = terraform_data.value["globex"].output
}

provider "pulumicloud" {
  alias        = "known"
  api_url      = %[2]q
  access_token = %[1]q
}

resource "pulumicloud_agent_pool" "unknown_provider" {
  name = "builders"
}

resource "pulumicloud_agent_pool" "unknown_values" {
  provider         = pulumicloud.known
  organization     = terraform_data.value["globex"].output
  name             = terraform_data.value["runners"].output
  description      = terraform_data.value["runners"].output
  token_recipients = terraform_data.value["none"].output == "none" ? null : [terraform_data.value["none"].output]
}`, accessToken, cloud.url))
	w.MustRun(t, "plan")
	cloud.expectRequests(t)
	w.MustRun(t, "apply", "-auto-approve")
	cloud.expectTokens(t, w, 2)
	if pools := cloud.AgentPools("globex"); len(pools) != 2 {
		t.Errorf("organization globex has %d agent pools, want 2", len(pools))
	}
	w.MustRun(t, "plan", "-detailed-exitcode")
}

func TestAccAgentPool_lostCreateIsReplaced(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	stop := cloud.intercept(http.MethodPost, loseResponse)
	w := newWorkspace(t, cloud.config(`organization = "acme"`, `
resource "pulumicloud_agent_pool" "test" {
  name = "runners"
}`))
	_, err := w.Run(t.Context(), "apply", "-auto-approve")
	if err == nil || !message("Agent pool created without its token", "terraform untaint").MatchString(err.Error()) {
		t.Errorf("apply: %v", err)
	}
	stop()
	cloud.ResetRequests()
	w.MustRun(t, "apply", "-auto-approve")
	cloud.expectWrites(t, http.MethodDelete, http.MethodPost)
	cloud.expectTokens(t, w, 1)
}

// Each provider block is a process, whose list may be from before a write of a different one.
func TestAccAgentPool_providerAlias(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	w := newWorkspace(t, cloud.config(`organization = "acme"`, fmt.Sprintf(`
provider "pulumicloud" {
  alias        = "reader"
  api_url      = %q
  access_token = %q
  organization = "acme"
}

resource "terraform_data" "apply" {}

data "pulumicloud_agent_pools" "before" {
  provider   = pulumicloud.reader
  depends_on = [terraform_data.apply]
}

resource "pulumicloud_agent_pool" "test" {
  name       = "runners"
  depends_on = [data.pulumicloud_agent_pools.before]
}

data "pulumicloud_agent_pool" "after" {
  provider   = pulumicloud.reader
  name       = "runners"
  depends_on = [pulumicloud_agent_pool.test]
}`, cloud.url, accessToken)))
	w.MustRun(t, "apply", "-auto-approve")
}

// An apply creates the new agent pool, sets it as the default, and deletes the old one, in this order.
func TestAccAgentPool_createBeforeDestroy(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	const config = `
resource "pulumicloud_agent_pool" "test" {
  name_prefix     = "runners-"
  rotate_triggers = { month = "2026-11" }
  lifecycle {
    create_before_destroy = true
  }
}

resource "pulumicloud_organization_default_agent_pool" "test" {
  agent_pool_id = pulumicloud_agent_pool.test.id
}`
	w := newWorkspace(t, cloud.config(`organization = "acme"`, config))
	w.MustRun(t, "apply", "-auto-approve")
	mustDo(t, w.Write("main.tf", cloud.config(`organization = "acme"`, strings.ReplaceAll(config, "2026-11", "2026-12"))))
	cloud.ResetRequests()
	w.MustRun(t, "apply", "-auto-approve")
	cloud.expectWrites(t, http.MethodPost, http.MethodPatch, http.MethodDelete)
	cloud.expectTokens(t, w, 1)
}
