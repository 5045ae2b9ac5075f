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
	"github.com/hashicorp/terraform-plugin-testing/helper/acctest"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// livePrefix starts the names of all agent pools of TestAccLive. The sweeper deletes no others.
const livePrefix = "tf-acc-test-"

// liveOrganization returns the organization in which TestAccLive runs, with the access token from the environment. If
// it is empty, the test runs against an emulator.
func liveOrganization() string { return os.Getenv("PULUMI_TEST_ORGANIZATION") }

func liveClient(overrides credentials.Overrides) (*pulumiapi.Client, error) {
	found, err := credentials.Resolve(overrides, credentials.ProcessEnvironment())
	if err != nil {
		return nil, err
	}
	config := pulumiapi.DefaultConfig()
	config.BaseURL, config.AccessToken, config.UserAgent = found.BaseURL, found.AccessToken, "acceptance-test"
	return pulumiapi.New(config), nil
}

// sweepAgentPools deletes the agent pools that interrupted tests left.
func sweepAgentPools(string) error {
	organization := liveOrganization()
	if organization == "" {
		return errors.New("PULUMI_TEST_ORGANIZATION is not set")
	}
	client, err := liveClient(credentials.Overrides{})
	if err != nil {
		return err
	}
	return deletePools(context.Background(), client, organization, livePrefix)
}

func deletePools(ctx context.Context, client *pulumiapi.Client, organization, prefix string) error {
	list, err := client.RefreshAgentPools(ctx, organization)
	if err != nil {
		return err
	}
	for _, pool := range list.Pools {
		if strings.HasPrefix(pool.Name, prefix) {
			hclog.L().Info("deleting agent pool", "name", pool.Name, "id", pool.ID)
			err = errors.Join(err, client.DeleteAgentPool(ctx, organization, pool.ID, true))
		}
	}
	return err
}

// TestAccLive checks nothing that only the emulator does.
func TestAccLive(t *testing.T) {
	t.Parallel()
	organization, overrides := liveOrganization(), credentials.Overrides{}
	env := []string{
		"PULUMI_ACCESS_TOKEN=" + os.Getenv("PULUMI_ACCESS_TOKEN"), "PULUMI_BACKEND_URL=" + os.Getenv("PULUMI_BACKEND_URL"),
	}
	if organization == "" {
		cloud := startPulumiCloud(t, emulator.Options{})
		organization, overrides = "acme", credentials.Overrides{APIURL: cloud.url, AccessToken: accessToken}
		env = []string{"PULUMI_ACCESS_TOKEN=" + accessToken, "PULUMI_BACKEND_URL=" + cloud.url}
	}
	client, err := liveClient(overrides)
	mustDo(t, err)
	prefix := acctest.RandomWithPrefix(livePrefix)
	w := newWorkspace(t, "", env...)
	t.Cleanup(func() {
		if err := deletePools(context.Background(), client, organization, prefix); err != nil {
			t.Error(err)
		}
	})
	configure := func(name, description, rest string) {
		t.Helper()
		mustDo(t, w.Write("main.tf", fmt.Sprintf(`
provider "pulumicloud" {
  organization = %q
}

resource "pulumicloud_agent_pool" "test" {
  name        = %q
  description = %q
}
%s`, organization, name, description, rest)))
	}

	first, renamed := prefix+"-first", prefix+"-renamed"
	configure(first, "created by a test", "")
	w.MustRun(t, "apply", "-auto-approve")
	w.MustRun(t, "plan", "-detailed-exitcode")
	created := statePools(t, w)[first]
	if !regexp.MustCompile(`^pul-[0-9a-f]{40}$`).MatchString(fmt.Sprint(created["token"])) {
		t.Error("the token does not have the expected form")
	}
	id := fmt.Sprint(created["id"])

	configure(renamed, "", `
data "pulumicloud_agent_pool" "test" {
  name = pulumicloud_agent_pool.test.name
}

data "pulumicloud_agent_pools" "test" {
  name_regex = "^${pulumicloud_agent_pool.test.name}$"
  depends_on = [pulumicloud_agent_pool.test]
}

locals {
  found = [data.pulumicloud_agent_pool.test, one(data.pulumicloud_agent_pools.test.agent_pools)]
}

output "found" {
  value = join(" ", local.found[*].id, local.found[*].status)
}`)
	w.MustRun(t, "apply", "-auto-approve")
	w.MustRun(t, "plan", "-detailed-exitcode")
	if pool := statePools(t, w)[renamed]; pool["id"] != id || pool["token"] != created["token"] || pool["description"] != "" {
		t.Errorf("the state has agent pool %v with description %q, or a different token", pool["id"], pool["description"])
	}
	if got, want := w.MustRun(t, "output", "found"), id+" "+id+" offline offline"; !strings.Contains(got, want) {
		t.Errorf("data sources: %s, want %q", got, want)
	}

	w.MustRun(t, "state", "rm", poolType+".test")
	_, err = w.Run(t.Context(), "apply", "-auto-approve")
	if err == nil || !message("Agent pool already exists", "terraform import").MatchString(err.Error()) {
		t.Errorf("apply: %v", err)
	}
	w.MustRun(t, "import", poolType+".test", organization+"/"+renamed)
	w.MustRun(t, "plan", "-detailed-exitcode")

	mustDo(t, client.DeleteAgentPool(t.Context(), organization, id, false))
	if output := w.MustRun(t, "plan"); !strings.Contains(output, "1 to add, 0 to change, 0 to destroy") {
		t.Errorf("plan: %s", output)
	}
	w.MustRun(t, "apply", "-auto-approve")
	w.MustRun(t, "destroy", "-auto-approve")
	if list, err := client.RefreshAgentPools(t.Context(), organization); err != nil || len(list.ByName(renamed)) > 0 {
		t.Errorf("the agent pool is left: %v", err)
	}
}

func TestSweepAgentPools(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	for _, name := range []string{livePrefix + "a", "production", livePrefix + "b"} {
		cloud.mustCreate(t, "acme", name, "")
	}
	client, err := liveClient(credentials.Overrides{APIURL: cloud.url, AccessToken: accessToken})
	mustDo(t, err)
	mustDo(t, deletePools(t.Context(), client, "acme", livePrefix))
	if pool := cloud.onlyPool(t); pool.Name != "production" {
		t.Errorf("agent pool %q is left", pool.Name)
	}
}
