package acctest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
)

// Source is the provider's source address without a host, which each CLI looks up in its own registry.
const Source = "pulumicloud/pulumicloud"

// registries are the hosts in which Terraform and OpenTofu look up a source address without a host. The mirror contains
// both for each CLI, which can read a state that the other CLI wrote.
var registries = [...]string{"registry.terraform.io", "registry.opentofu.org"}

// FindCLI returns the absolute path of a CLI. The name is a path or a name on PATH. If it is empty, TF_ACC_TERRAFORM_PATH
// names the CLI, or else it is terraform or tofu on PATH.
func FindCLI(name string) (string, error) {
	names := []string{"terraform", "tofu"}
	if name = cmp.Or(name, os.Getenv("TF_ACC_TERRAFORM_PATH")); name != "" {
		names = []string{name}
	}
	var errs []error
	for _, name := range names {
		found, err := exec.LookPath(name)
		if err == nil {
			return filepath.Abs(found)
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("neither Terraform nor OpenTofu was found: %w", errors.Join(errs...))
}

// RequireCLI returns the path of the CLI to test with. It skips the test unless TF_ACC is set and there is a CLI.
func RequireCLI(tb testing.TB) string {
	tb.Helper()
	if os.Getenv("TF_ACC") == "" {
		tb.Skip("TF_ACC is not set, which tests that run Terraform or OpenTofu require")
	}
	cli, err := FindCLI("")
	if err != nil {
		tb.Skip(err)
	}
	return cli
}

// Workspace is a folder in which a CLI runs. The environment of this process does not reach the CLI, apart from PATH.
type Workspace struct {
	CLI string
	// Root holds everything that the workspace needs, and Dir in it the configuration.
	Root, Dir string
	Env       []string
}

// NewWorkspace fills an existing folder, which the caller removes. The CLI is a path, and env adds to its environment.
func NewWorkspace(root, cli string, env ...string) (*Workspace, error) {
	w := &Workspace{CLI: cli, Root: root, Dir: filepath.Join(root, "configuration")}
	w.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.path("home"), "TMPDIR=" + w.path("tmp"), "PULUMI_HOME=" + w.path("home"),
		"TF_CLI_CONFIG_FILE=" + w.path("cli.tfrc"), "TF_CLI_ARGS=-no-color", "TF_INPUT=0", "TF_IN_AUTOMATION=1",
		"CHECKPOINT_DISABLE=1",
	}, env...)
	for _, dir := range []string{w.Dir, w.path("home"), w.path("tmp")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *Workspace) path(name string) string { return filepath.Join(w.Root, name) }

// Write writes a file of the configuration.
func (w *Workspace) Write(name, content string) error {
	return os.WriteFile(filepath.Join(w.Dir, name), []byte(content), 0o600)
}

// InstallProvider offers a version of the provider to "init", from a mirror. The file is an executable, which must stay
// where it is, or the archive of a release.
func (w *Workspace) InstallProvider(version, file string) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	name := filepath.Base(file)
	if filepath.Ext(name) != ".zip" {
		name = filepath.Join(version, runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-"+path.Base(Source)+"_v"+version)
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
	}
	for _, host := range registries {
		target := filepath.Join(w.path("mirror"), host, filepath.FromSlash(Source), name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o700), linkOrCopy(file, target)); err != nil {
			return err
		}
	}
	config := fmt.Sprintf(`provider_installation {
  filesystem_mirror {
    path    = %[1]q
    include = [%[2]q, %[3]q]
  }
  direct {
    exclude = [%[2]q, %[3]q]
  }
}
`, filepath.ToSlash(w.path("mirror")), registries[0]+"/"+Source, registries[1]+"/"+Source)
	return os.WriteFile(w.path("cli.tfrc"), []byte(config), 0o600)
}

// linkOrCopy copies where symbolic links require a privilege, as on Windows.
func linkOrCopy(file, target string) error {
	if os.Symlink(file, target) == nil {
		return nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(target, content, 0o700) //nolint:gosec // It may be an executable.
}

// Command returns a command of the CLI. It leads a process group, which Cancel and the end of ctx kill.
func (w *Workspace) Command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, w.CLI, args...)
	command.Dir, command.Env = w.Dir, w.Env
	ownProcessGroup(command)
	return command
}

// Run runs a command of the CLI and returns everything that it printed, which is also in the error.
func (w *Workspace) Run(ctx context.Context, args ...string) (string, error) {
	output, err := w.Command(ctx, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", filepath.Base(w.CLI), strings.Join(args, " "), err, output)
	}
	return string(output), err
}

// State runs "show -json". The values are nil if the state is empty.
func (w *Workspace) State(ctx context.Context) (*tfjson.StateValues, error) {
	var state tfjson.State
	output, err := w.Command(ctx, "show", "-json").Output()
	if err == nil {
		err = json.Unmarshal(output, &state)
	}
	if err != nil {
		return nil, fmt.Errorf("show -json: %w", err)
	}
	return state.Values, nil
}

// Build builds a package of this module, such as "." for the provider, into a folder, and returns the executable.
func Build(ctx context.Context, dir, pkg string, flags ...string) (string, error) {
	pkg = path.Join("github.com/pulumicloud/terraform-provider-pulumicloud", pkg)
	executable := filepath.Join(dir, path.Base(pkg))
	command := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", executable}, flags...), pkg)...)
	command.Env = append(os.Environ(), "GOTMPDIR="+dir) // An interrupted build leaves files.
	ownProcessGroup(command)
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, output)
	}
	return executable, nil
}

// NewTestWorkspace returns a workspace for the CLI to test with. It skips the test as [RequireCLI] does.
func NewTestWorkspace(tb testing.TB, env ...string) *Workspace {
	tb.Helper()
	// A provider with the race detector would sleep for a second at the end of each process.
	env = append(env, "GORACE=atexit_sleep_ms=0")
	w, err := NewWorkspace(tb.TempDir(), RequireCLI(tb), env...)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// MustRun is [Workspace.Run] in a test that an error ends.
func (w *Workspace) MustRun(tb testing.TB, args ...string) string {
	tb.Helper()
	output, err := w.Run(tb.Context(), args...)
	if err != nil {
		tb.Fatal(err)
	}
	return output
}
