package provider_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

const accessToken = "pul-0123456789abcdef0123456789abcdef01234567"

// TestMain keeps whoever runs the tests out of them: their credentials, their default organization, their Pulumi Cloud.
func TestMain(m *testing.M) {
	if isProviderProcess() {
		if err := serveAsProcess(); err != nil {
			panic(err)
		}
		return
	}
	nobodys := map[string]string{
		"PULUMI_HOME": "/nonexistent", "PULUMI_CREDENTIALS_PATH": "", "PULUMI_DEFAULT_ORGANIZATION": "",
		"TFC_WORKLOAD_IDENTITY_TOKEN": "", "ACTIONS_ID_TOKEN_REQUEST_URL": "", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "",
	}
	if liveOrganization() == "" {
		nobodys["PULUMI_ACCESS_TOKEN"], nobodys["PULUMI_BACKEND_URL"] = "", ""
	}
	for name, value := range nobodys {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	resource.AddTestSweepers("pulumicloud_agent_pool", &resource.Sweeper{Name: "pulumicloud_agent_pool", F: sweepAgentPools})
	resource.TestMain(m)
}

// pulumiCloud is an emulator that listens for one test.
type pulumiCloud struct {
	*emulator.Server

	url string
}

// startPulumiCloud starts an emulator. Its organizations are acme, the user's default, and globex, unless the options
// say otherwise.
func startPulumiCloud(t *testing.T, options emulator.Options) pulumiCloud {
	t.Helper()
	options.AccessToken = accessToken
	if options.Organizations == nil {
		options.Organizations = []string{"acme", "globex"}
	}
	server, err := emulator.New(options)
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	return pulumiCloud{Server: server, url: listener.URL}
}

// config returns a provider block for this emulator, with further arguments, followed by the rest of a configuration.
func (c pulumiCloud) config(arguments, rest string) string {
	return fmt.Sprintf(`
provider "pulumicloud" {
  api_url      = %q
  access_token = %q
  %s
}
%s`, c.url, accessToken, arguments, rest)
}

// factories serve the provider from within the test, with retries that do not keep it waiting.
func factories(options ...provider.Option) map[string]func() (tfprotov6.ProviderServer, error) {
	options = append([]provider.Option{impatient}, options...)
	return map[string]func() (tfprotov6.ProviderServer, error){
		"pulumicloud": func() (tfprotov6.ProviderServer, error) { return provider.NewServer("test", options...)(), nil },
	}
}

// impatient makes retries follow each other without keeping a test waiting.
func impatient(config *cloud.Config) {
	config.RetryWaitMin, config.RetryWaitMax = time.Millisecond, 2*time.Millisecond
}
