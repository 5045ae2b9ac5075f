// Package clients_test runs other clients of Pulumi Cloud against the emulator, together with the provider.
package clients_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

// TestPulumiCLI_configuresProvider runs the Pulumi CLI, and then the provider with the files that the CLI wrote.
func TestPulumiCLI_configuresProvider(t *testing.T) {
	token := emulator.NewAccessToken()
	cli := newPulumiCLI(t)
	api, err := emulator.New(emulator.Options{AccessToken: token, Organizations: []string{"acme", "globex"}})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(api)
	t.Cleanup(listener.Close)

	cli.token = token
	cli.run(t, "login", listener.URL)
	cli.token = "" // The credentials file has it now.
	expect(t, "user", cli.run(t, "whoami"), "emulator\n")
	expect(t, "default organization", cli.run(t, "org", "get-default"), "acme\n")
	cli.run(t, "org", "set-default", "globex")
	expect(t, "default organization", cli.run(t, "org", "get-default"), "globex\n")
	cli.run(t, "stack", "init", "dev")
	expect(t, "settings of a new stack", cli.settings(t), map[string]any{})
	cli.run(t, "deployment", "settings", "edit", "--git-url=https://example.com/shop.git", "--env=LEVEL=info")
	want := cli.settings(t)

	for _, name := range []string{
		"PULUMI_ACCESS_TOKEN", "PULUMI_API", "PULUMI_BACKEND_URL", "PULUMI_CREDENTIALS_PATH", "PULUMI_DEFAULT_ORGANIZATION",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("PULUMI_HOME", cli.home)
	p := acctest.NewProvider(t.Context(), provider.NewServer("test"))
	check(t, p.Configure(t.Context(), nil))
	pools := p.Resource("pulumicloud_agent_pool")
	pool, diagnostics := pools.Apply(t.Context(), pools.Absent(), acctest.Values{"name": "runners"})
	check(t, diagnostics)
	found, diagnostics := p.ReadDataSource(t.Context(), "pulumicloud_agent_pool", acctest.Values{"name": "runners"})
	check(t, diagnostics)
	expect(t, "organization", found["organization"], any("globex"))
	expect(t, "ID", found["id"], any(pool.Text("id")))
	assignments := p.Resource("pulumicloud_stack_agent_pool")
	assignment, diagnostics := assignments.Apply(t.Context(), assignments.Absent(), acctest.Values{
		"project": "shop", "stack": "dev", "agent_pool_id": pool.Text("id"),
	})
	check(t, diagnostics)

	want["runner"], want["version"] = map[string]any{"pool": pool.Text("id")}, 2.0
	expect(t, "settings with an agent pool", cli.settings(t), want)
	cli.run(t, "deployment", "settings", "edit", "--env=LEVEL=debug")
	expect(t, "agent pool after an edit", cli.settings(t)["runner"], want["runner"])
	cli.run(t, "deployment", "settings", "edit", "--runner-pool=")
	assignment, diagnostics = assignments.Read(t.Context(), assignment)
	check(t, diagnostics)
	expect(t, "agent pool that the CLI cleared", assignment.Text("agent_pool_id"), "")
}

// pulumiCLI runs a Pulumi CLI in a project, without the files and the environment variables of the user.
type pulumiCLI struct{ executable, home, project, token string }

func newPulumiCLI(t *testing.T) *pulumiCLI {
	t.Helper()
	cli := &pulumiCLI{executable: os.Getenv("PULUMI_CLI"), home: t.TempDir(), project: t.TempDir()}
	if cli.executable == "" {
		t.Skip("PULUMI_CLI does not name a Pulumi CLI, which make test-clients builds")
	}
	file := filepath.Join(cli.project, "Pulumi.yaml")
	if err := os.WriteFile(file, []byte("{name: shop, runtime: yaml}"), 0o600); err != nil {
		t.Fatal(err)
	}
	return cli
}

func (c *pulumiCLI) run(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), c.executable, append(args, "--non-interactive")...)
	command.Dir, command.Stderr = c.project, t.Output()
	command.Env = []string{
		"HOME=" + c.home, "PULUMI_HOME=" + c.home, "PULUMI_ACCESS_TOKEN=" + c.token,
		"PULUMI_EXPERIMENTAL=1", "PULUMI_SKIP_UPDATE_CHECK=1",
	}
	output, err := command.Output()
	if err != nil {
		t.Fatalf("pulumi %v: %v\n%s", args, err, output)
	}
	return string(output)
}

func (c *pulumiCLI) settings(t *testing.T) map[string]any {
	t.Helper()
	var settings map[string]any
	output := c.run(t, "deployment", "settings", "get", "--output=json")
	if err := json.Unmarshal([]byte(output), &settings); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return settings
}

func check(t *testing.T, diagnostics acctest.Diagnostics) {
	t.Helper()
	if diagnostics.HasError() {
		t.Fatal(diagnostics)
	}
}

func expect[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
