package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const (
	defaultPoolType   = "pulumicloud_organization_default_agent_pool"
	setDefaultRequest = "PATCH /api/orgs/acme"
)

func TestAccOrganizationDefaultAgentPool(t *testing.T) {
	t.Parallel()
	const address = defaultPoolType + ".test"
	cloud := startPulumiCloud(t, emulator.Options{})
	step := func(pool string, action plancheck.ResourceActionType) resource.TestStep {
		return resource.TestStep{
			Config: cloud.config(`organization = "acme"`, fmt.Sprintf(`
resource "pulumicloud_agent_pool" "one" {
  name = "one"
}

resource "pulumicloud_agent_pool" "two" {
  name = "two"
}

resource %q "test" {
  agent_pool_id = pulumicloud_agent_pool.%s.id
}`, defaultPoolType, pool)),
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)},
			},
			Check: func(*terraform.State) error {
				for _, p := range cloud.AgentPools("acme") {
					if p.IsDefault != (p.Name == pool) {
						return fmt.Errorf("agent pool %q: default is %t", p.Name, p.IsDefault)
					}
				}
				return nil
			},
		}
	}
	drift := step("two", plancheck.ResourceActionUpdate)
	drift.PreConfig = func() { mustDo(t, cloud.SetDefaultAgentPool("acme", "")) }
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy: resource.ComposeTestCheckFunc(cloud.checkDestroy, func(*terraform.State) error {
			// The default is cleared before its agent pool is deleted.
			if requests := cloud.requested(); requests[len(requests)-1] != deleteRequest {
				return fmt.Errorf("requests %q, want a delete at the end", requests)
			}
			return nil
		}),
		Steps: []resource.TestStep{
			step("one", plancheck.ResourceActionCreate), step("two", plancheck.ResourceActionUpdate), drift,
			{
				ResourceName: address, ImportState: true, ImportStateId: "acme", ImportStateVerify: true,
				ImportStateVerifyIdentifierAttribute: "organization",
			},
		},
	})
}

func TestOrganizationDefaultAgentPool_requests(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	settings := pools.Resource(defaultPoolType)
	one := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "one"})
	two := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "two"})
	setting := settings.MustApply(t, settings.Absent(), acctest.Values{"agent_pool_id": one.Text("id")})
	cloud.ResetRequests()
	pools.MustRead(t, one)
	settings.MustRead(t, setting)
	cloud.expectRequests(t, listRequest)
	// The write invalidates the list.
	setting = settings.MustApply(t, setting, acctest.Values{"agent_pool_id": two.Text("id")})
	if got := settings.MustRead(t, setting).Text("agent_pool_id"); got != two.Text("id") {
		t.Errorf("read %s, want %s", got, two.Text("id"))
	}
	cloud.expectRequests(t, setDefaultRequest, listRequest)
	// An ID in capitals is the same ID.
	change, diagnostics := settings.Plan(t.Context(), setting, acctest.Values{"agent_pool_id": strings.ToUpper(two.Text("id"))})
	expectNone(t, diagnostics)
	if change.Action != acctest.NoOp {
		t.Errorf("an ID in capitals: %s, want %s", change.Action, acctest.NoOp)
	}
	// Another configuration or user may have changed the default since.
	mustDo(t, cloud.SetDefaultAgentPool("acme", one.Text("id")))
	_, diagnostics = settings.Destroy(t.Context(), setting)
	expectNone(t, diagnostics)
	cloud.expectRequests(t, listRequest)
	_, diagnostics = settings.Destroy(t.Context(), settings.MustRead(t, setting))
	expectNone(t, diagnostics)
	cloud.expectWrites(t)
}

func TestOrganizationDefaultAgentPool_errorsKeepStateAndIdentity(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	one, two := cloud.mustCreate(t, "acme", "one", ""), cloud.mustCreate(t, "acme", "two", "")
	p := cloud.provider(t, acctest.Values{"organization": "acme"})
	p.OmitIdentity = true
	settings := p.Resource(defaultPoolType)
	setting := settings.MustApply(t, settings.Absent(), acctest.Values{"agent_pool_id": one.ID})

	stop := cloud.intercept(http.MethodPatch, respondError(http.StatusForbidden, "no"))
	updated, diagnostics := settings.Apply(t.Context(), setting, acctest.Values{"agent_pool_id": two.ID})
	expectError(t, diagnostics, "Permission denied", "organization:update", `set the default agent pool of organization "acme"`)
	_, diagnostics = settings.Destroy(t.Context(), setting)
	expectError(t, diagnostics, "Permission denied", "organization:update")
	stop()
	mustDo(t, cloud.SetDefaultAgentPool("acme", ""))
	p = cloud.provider(t, acctest.Values{"organization": "acme"})
	p.OmitIdentity = true
	reset, diagnostics := p.Resource(defaultPoolType).Read(t.Context(), setting)
	expectWarning(t, diagnostics, "Agent pool was changed outside of this resource", `organization "acme" is not set any more`)
	if updated.Text("agent_pool_id") != one.ID || !reset.Exists() || reset.Text("agent_pool_id") != "" {
		t.Errorf("state after the failed update %s, and with the Pulumi-hosted pool %s", updated.Value, reset.Value)
	}
	for name, object := range map[string]acctest.Object{"created": setting, "updated": updated, "reset": reset} {
		if got := settings.IdentityOf(object)["organization"]; got != "acme" {
			t.Errorf("%s: identity has organization %v, want acme", name, got)
		}
	}
}

func TestOrganizationDefaultAgentPool_import(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pool := cloud.mustCreate(t, "globex", "runners", "")
	mustDo(t, cloud.SetDefaultAgentPool("globex", pool.ID))
	settings := cloud.provider(t, nil).Resource(defaultPoolType)
	imported, diagnostics := settings.ImportByIdentity(t.Context(), acctest.Values{"organization": "globex"})
	expectNone(t, diagnostics)
	if got := settings.MustRead(t, imported).Text("agent_pool_id"); got != pool.ID {
		t.Errorf("imported %q, want %q", got, pool.ID)
	}
	cloud.expectRequests(t, "GET /api/orgs/globex/agent-pools") // The import and the read share it.
	_, diagnostics = settings.Import(t.Context(), "acme")
	expectError(t, diagnostics, "Nothing to import", `default agent pool of organization "acme" is not set`)
	for id, text := range map[string]string{
		"": `""`, "acme/runners": `"acme/runners"`, accessToken: "contains a token",
	} {
		_, diagnostics = settings.Import(t.Context(), id)
		expectError(t, diagnostics, "Invalid import ID", "name of the organization", text)
	}
	settings = cloud.provider(t, acctest.Values{"access_token": tftypes.UnknownValue}).Resource(defaultPoolType)
	_, diagnostics = settings.Import(t.Context(), "acme")
	expectError(t, diagnostics, "Provider configuration is not known yet", "access_token")
	_, diagnostics = settings.Read(t.Context(), imported)
	expectWarning(t, diagnostics, "Provider configuration is not known yet",
		`The default agent pool of organization "globex" was not refreshed.`)
}
