package provider_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-version"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli/terraformclitest"
)

const (
	providerSource  = "pulumicloud/pulumicloud"
	providerVersion = "0.0.1"
	providerProcess = "terraform-provider-pulumicloud_v" + providerVersion
)

// isProviderProcess tells that a CLI has started this test program as the provider's binary.
func isProviderProcess() bool {
	return strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == providerProcess
}

// serveAsProcess does what the provider's main function does, with retries that do not keep the tests waiting.
func serveAsProcess() error {
	return provider.Serve(providerVersion, false, impatient)
}

// workspace is a folder in which the real CLI runs the provider as a process of its own, after an "init" that finds it
// in a mirror. Nothing of the environment of the tests reaches them.
type workspace struct {
	dir string
	cli string
	env []string
}

func newWorkspace(t *testing.T, config string, env ...string) workspace {
	t.Helper()
	w := workspace{dir: t.TempDir(), cli: terraformclitest.UnderTest(t)}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	mirror := filepath.Join(w.dir, "mirror")
	if err := terraformcli.FillMirror(mirror, providerSource, providerVersion, executable); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(w.dir, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write(t, "cli.tfrc", "disable_checkpoint = true\n"+terraformcli.InstallFromMirror(mirror))
	w.write(t, "terraform.tf", `
terraform {
  required_providers {
    pulumicloud = {
      source = "`+providerSource+`"
    }
  }
}
`)
	w.write(t, "main.tf", config)
	w.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TMPDIR=" + filepath.Join(w.dir, "tmp"),
		"TF_CLI_CONFIG_FILE=" + filepath.Join(w.dir, "cli.tfrc"), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1",
	}, env...)
	return w
}

func (w workspace) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// command returns the CLI to be run. It is killed if the test ends before.
func (w workspace) command(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), w.cli, append(arguments, "-no-color")...)
	command.Dir, command.Env = w.dir, w.env
	return command
}

// run runs the CLI and returns its exit status and all that it printed.
func (w workspace) run(t *testing.T, arguments ...string) (int, string) {
	t.Helper()
	command := w.command(t, arguments...)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil && command.ProcessState == nil {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), output.String()
}

// mustRun is run, and returns what was printed, for commands that have to succeed.
func (w workspace) mustRun(t *testing.T, arguments ...string) string {
	t.Helper()
	status, output := w.run(t, arguments...)
	if status != 0 {
		t.Fatalf("%s: exit status %d\n%s", strings.Join(arguments, " "), status, output)
	}
	return output
}

// skipUnlessTerraform skips the test unless the CLI under test is Terraform of at least the minimum version.
func skipUnlessTerraform(t *testing.T, minimum *version.Version) {
	t.Helper()
	command := exec.CommandContext(t.Context(), terraformclitest.UnderTest(t), "version")
	command.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1")
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	name, text, _ := strings.Cut(strings.SplitN(string(output), "\n", 2)[0], " v")
	found, err := version.NewVersion(text)
	if err != nil {
		t.Fatal(err)
	}
	if name != "Terraform" || found.Core().LessThan(minimum) {
		t.Skipf("requires Terraform %s or later, and the CLI is %s %s", minimum, name, found)
	}
}
