package provider_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

// isProviderProcess reports whether a CLI has started this test program as the provider.
func isProviderProcess() bool {
	return strings.HasPrefix(filepath.Base(os.Args[0]), "terraform-provider-")
}

// serveAsProcess does what the provider's main function does, with retries that do not keep the tests waiting.
func serveAsProcess() error { return provider.Serve("0.0.1", false, impatient) }

// newWorkspace returns a workspace in which a CLI installs and starts this test program as the provider.
func newWorkspace(t *testing.T, config string, env ...string) *acctest.Workspace {
	t.Helper()
	w := acctest.NewTestWorkspace(t, env...)
	executable, err := os.Executable()
	mustDo(t, err, w.InstallProvider("0.0.1", executable), w.Write("main.tf", config), w.Write("terraform.tf", `
terraform {
  required_providers {
    pulumicloud = {
      source = "`+acctest.Source+`"
    }
  }
}
`))
	return w
}

// cliVersion returns the product, "Terraform" or "OpenTofu", and the version of the CLI to test with.
func cliVersion(t *testing.T) (string, *version.Version) {
	t.Helper()
	command := exec.CommandContext(t.Context(), acctest.RequireCLI(t), "version")
	command.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1")
	output, err := command.Output()
	mustDo(t, err)
	line, _, _ := strings.Cut(string(output), "\n")
	product, number, _ := strings.Cut(line, " v")
	found, err := version.NewVersion(number)
	mustDo(t, err)
	return product, found.Core()
}

// skipUnlessTerraform skips the test unless the CLI to test with is Terraform of at least the minimum version.
func skipUnlessTerraform(t *testing.T, minimum *version.Version) {
	t.Helper()
	if product, found := cliVersion(t); product != "Terraform" || found.LessThan(minimum) {
		t.Skipf("requires Terraform %s or later, and the CLI is %s %s", minimum, product, found)
	}
}

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
	// OpenTofu looks for providers in its own registry, so terraform-plugin-testing must offer this one there.
	if strings.HasPrefix(filepath.Base(os.Getenv("TF_ACC_TERRAFORM_PATH")), "tofu") {
		nobodys["TF_ACC_PROVIDER_HOST"], nobodys["TF_ACC_PROVIDER_NAMESPACE"] = "registry.opentofu.org", "hashicorp"
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
