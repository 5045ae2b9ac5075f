package provider_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/acctest"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// acceptancePrefix begins the name of every pool that the TestAccLive tests make, and the sweeper deletes no other.
const acceptancePrefix = "tf-acc-test-"

// liveOrganization is the real organization to run the TestAccLive tests in, with the access token from the environment;
// empty to run them in an emulated one.
func liveOrganization() string { return os.Getenv("PULUMI_TEST_ORGANIZATION") }

// acceptance is what the TestAccLive tests run against: they say nothing that is true of the emulator alone.
type acceptance struct {
	organization string
	client       *cloud.Client
	provider     string
}

func newAcceptance(t *testing.T) acceptance {
	t.Helper()
	if organization := liveOrganization(); organization != "" {
		client, err := liveClient()
		if err != nil {
			t.Fatal(err)
		}
		return acceptance{organization, client, fmt.Sprintf("provider \"pulumicloud\" {\n  organization = %q\n}\n", organization)}
	}
	pulumi := startPulumiCloud(t, emulator.Options{})
	base, err := cloud.ParseBaseURL(pulumi.url)
	if err != nil {
		t.Fatal(err)
	}
	client := cloud.New(cloud.Config{BaseURL: base, AccessToken: accessToken, UserAgent: "acceptance-test"})
	return acceptance{"acme", client, pulumi.config(`organization = "acme"`, "")}
}

func liveClient() (*cloud.Client, error) {
	settings, err := cloud.ResolveSettings(cloud.Overrides{}, cloud.ProcessEnvironment())
	if err != nil {
		return nil, err
	}
	return cloud.New(cloud.Config{
		BaseURL: settings.BaseURL, AccessToken: settings.AccessToken, MaxRetries: cloud.DefaultMaxRetries,
		UserAgent: "acceptance-test",
	}), nil
}

// sweepAgentPools deletes the pools that interrupted TestAccLive tests left behind.
func sweepAgentPools(string) error {
	organization := liveOrganization()
	if organization == "" {
		return errors.New("PULUMI_TEST_ORGANIZATION does not say where")
	}
	client, err := liveClient()
	if err != nil {
		return err
	}
	return deleteAcceptancePools(context.Background(), client, organization)
}

func deleteAcceptancePools(ctx context.Context, client *cloud.Client, organization string) error {
	list, err := client.AgentPools(ctx, organization)
	if err != nil {
		return err
	}
	for _, pool := range list.Pools {
		if !strings.HasPrefix(pool.Name, acceptancePrefix) {
			continue
		}
		hclog.L().Info("deleting agent pool", "name", pool.Name, "id", pool.ID)
		if deleteErr := client.DeleteAgentPool(ctx, organization, pool.ID, true); deleteErr != nil {
			err = errors.Join(err, deleteErr)
		}
	}
	return err
}

func (a acceptance) pool(name, description string) string {
	return a.provider + fmt.Sprintf(`
resource "pulumicloud_agent_pool" "test" {
  name        = %q
  description = %q
}
`, name, description)
}

// destroyed checks that the organization has none of the test's pools any more.
func (a acceptance) destroyed(t *testing.T, name string) resource.TestCheckFunc {
	t.Helper()
	return func(*terraform.State) error {
		list, err := a.client.AgentPools(t.Context(), a.organization)
		if err != nil {
			return err
		}
		for _, pool := range list.Pools {
			if strings.HasPrefix(pool.Name, name) {
				return fmt.Errorf("agent pool %s (%s) is still there", pool.Name, pool.ID)
			}
		}
		return nil
	}
}

func TestAccLiveAgentPool(t *testing.T) {
	t.Parallel()
	const address = "pulumicloud_agent_pool.test"
	target, name := newAcceptance(t), acctest.RandomWithPrefix(acceptancePrefix+"pool")
	sameID, sameToken := statecheck.CompareValue(compare.ValuesSame()), statecheck.CompareValue(compare.ValuesSame())
	is := func(attribute string, value knownvalue.Check) statecheck.StateCheck {
		return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
	}
	unplanned := resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             target.destroyed(t, name),
		Steps: []resource.TestStep{
			{
				Config:           target.pool(name, "made by a test"),
				ConfigPlanChecks: unplanned,
				ConfigStateChecks: []statecheck.StateCheck{
					is("name", knownvalue.StringExact(name)),
					is("description", knownvalue.StringExact("made by a test")),
					is("organization", knownvalue.StringExact(target.organization)),
					is("token", knownvalue.StringRegexp(regexp.MustCompile(`^pul-[0-9a-f]{40}$`))),
					sameID.AddStateValue(address, tfjsonpath.New("id")),
					sameToken.AddStateValue(address, tfjsonpath.New("token")),
				},
			},
			{
				Config:           target.pool(name+"-renamed", ""),
				ConfigPlanChecks: unplanned,
				ConfigStateChecks: []statecheck.StateCheck{
					is("name", knownvalue.StringExact(name+"-renamed")),
					is("description", knownvalue.StringExact("")),
					sameID.AddStateValue(address, tfjsonpath.New("id")),
					sameToken.AddStateValue(address, tfjsonpath.New("token")),
				},
			},
			{
				ResourceName:            address,
				ImportState:             true,
				ImportStateId:           target.organization + "/" + name + "-renamed",
				ImportStateVerify:       true,
				ImportStateVerifyIgnore: []string{"token"},
			},
		},
	})
}

func TestAccLiveAgentPool_nameIsTaken(t *testing.T) {
	t.Parallel()
	target, name := newAcceptance(t), acctest.RandomWithPrefix(acceptancePrefix+"taken")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             target.destroyed(t, name),
		Steps: []resource.TestStep{{
			Config: target.pool(name, "") + fmt.Sprintf(`
resource "pulumicloud_agent_pool" "same" {
  name       = %q
  depends_on = [pulumicloud_agent_pool.test]
}`, name),
			ExpectError: regexp.MustCompile(`(?s)Agent pool exists already.*terraform import`),
		}},
	})
}

func TestAccLiveAgentPool_disappears(t *testing.T) {
	t.Parallel()
	target, name := newAcceptance(t), acctest.RandomWithPrefix(acceptancePrefix+"gone")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             target.destroyed(t, name),
		Steps: []resource.TestStep{{
			Config: target.pool(name, ""),
			Check: func(state *terraform.State) error {
				id := state.RootModule().Resources["pulumicloud_agent_pool.test"].Primary.ID
				return target.client.DeleteAgentPool(t.Context(), target.organization, id, false)
			},
			ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{
				plancheck.ExpectResourceAction("pulumicloud_agent_pool.test", plancheck.ResourceActionCreate),
			}},
			ExpectNonEmptyPlan: true,
		}},
	})
}

func TestAccLiveAgentPool_dataSources(t *testing.T) {
	t.Parallel()
	target, name := newAcceptance(t), acctest.RandomWithPrefix(acceptancePrefix+"data")
	same := statecheck.CompareValue(compare.ValuesSame())
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             target.destroyed(t, name),
		Steps: []resource.TestStep{{
			Config: target.pool(name, "to be found") + `
data "pulumicloud_agent_pool" "by_id" {
  id = pulumicloud_agent_pool.test.id
}

data "pulumicloud_agent_pool" "by_name" {
  name       = pulumicloud_agent_pool.test.name
  depends_on = [pulumicloud_agent_pool.test]
}

data "pulumicloud_agent_pools" "all" {
  name_regex = "^${pulumicloud_agent_pool.test.name}$"
  depends_on = [pulumicloud_agent_pool.test]
}`,
			ConfigStateChecks: []statecheck.StateCheck{
				same.AddStateValue("pulumicloud_agent_pool.test", tfjsonpath.New("id")),
				same.AddStateValue("data.pulumicloud_agent_pool.by_name", tfjsonpath.New("id")),
				same.AddStateValue("data.pulumicloud_agent_pools.all", tfjsonpath.New("ids").AtSliceIndex(0)),
				statecheck.ExpectKnownValue("data.pulumicloud_agent_pool.by_id", tfjsonpath.New("status"),
					knownvalue.StringExact("offline")),
				statecheck.ExpectKnownValue("data.pulumicloud_agent_pool.by_id", tfjsonpath.New("agents"),
					knownvalue.ListSizeExact(0)),
				statecheck.ExpectKnownValue("data.pulumicloud_agent_pools.all", tfjsonpath.New("agent_pools"),
					knownvalue.ListSizeExact(1)),
			},
		}},
	})
}

func TestSweeperDeletesAcceptancePoolsAlone(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	for _, name := range []string{acceptancePrefix + "a", "production", acceptancePrefix + "b"} {
		if _, _, err := pulumi.CreateAgentPool("acme", name, ""); err != nil {
			t.Fatal(err)
		}
	}
	base, err := cloud.ParseBaseURL(pulumi.url)
	if err != nil {
		t.Fatal(err)
	}
	client := cloud.New(cloud.Config{BaseURL: base, AccessToken: accessToken, UserAgent: "acceptance-test"})
	if err := deleteAcceptancePools(t.Context(), client, "acme"); err != nil {
		t.Fatal(err)
	}
	if pools := pulumi.AgentPools("acme"); len(pools) != 1 || pools[0].Name != "production" {
		t.Errorf("left: %+v", pools)
	}
}
