package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli"
)

const (
	module = "github.com/pulumicloud/terraform-provider-pulumicloud"
	// providerSource is the source address in the example, by which each CLI means its own registry.
	providerSource = "pulumicloud/pulumicloud"
	// providerVersion is one that the example's constraint accepts. No release has build metadata.
	providerVersion = "0.1.0+demo"
	example         = "examples/team-pools"
)

// workspace is a directory that holds all that the demo writes: the provider's mirror, the CLI's configuration, and a
// copy of the example with its state.
type workspace struct {
	root string
}

// newWorkspace returns a workspace that has to be removed, unless there is an error.
func newWorkspace() (w workspace, err error) {
	root, err := os.MkdirTemp("", "pulumicloud-demo-")
	if err != nil {
		return workspace{}, err
	}
	w = workspace{root}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.remove())
		}
	}()
	if err := os.Mkdir(w.configurationDir(), 0o700); err != nil {
		return w, err
	}
	return w, os.WriteFile(w.cliConfigFile(), []byte(terraformcli.InstallOneFromMirror(w.mirror(), providerSource)), 0o600)
}

func (w workspace) remove() error { return os.RemoveAll(w.root) }

func (w workspace) path(elements ...string) string {
	return filepath.Join(append([]string{w.root}, elements...)...)
}

// configurationDir is where the CLI works.
func (w workspace) configurationDir() string { return w.path("team-pools") }

func (w workspace) cliConfigFile() string { return w.path("cli.tfrc") }

func (w workspace) mirror() string { return w.path("mirror") }

// build fills the mirror and copies the example. What the go command prints is in the error.
func (w workspace) build(ctx context.Context) error {
	source, err := w.goCommand(ctx, "list", "-f", "{{.Dir}}", module)
	if err != nil {
		return err
	}
	if err := w.copyExample(filepath.Join(strings.TrimSpace(source), filepath.FromSlash(example))); err != nil {
		return err
	}

	binary := w.path("bin", executable("terraform-provider-pulumicloud"))
	if _, err := w.goCommand(ctx, "build", "-o", binary, "-ldflags", "-X main.version="+providerVersion, module); err != nil {
		return err
	}
	return terraformcli.FillMirror(w.mirror(), providerSource, providerVersion, binary)
}

// copyExample leaves out what a user's own runs in the directory have left there.
func (w workspace) copyExample(source string) error {
	files, err := filepath.Glob(filepath.Join(source, "*.tf"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no configuration in %s: %w", source, fs.ErrNotExist)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		copied := filepath.Join(w.configurationDir(), filepath.Base(file))
		if err := os.WriteFile(copied, content, 0o600); err != nil { //nolint:gosec // The files are this module's.
			return err
		}
	}
	return nil
}

// team is an element of the example's variable.
type team struct {
	Name         string `json:"name"`
	Description  string `json:"description,omitempty"`
	ForceDestroy bool   `json:"force_destroy,omitempty"`
}

func (w workspace) variablesFile() string {
	return filepath.Join(w.configurationDir(), "terraform.tfvars.json")
}

// setTeams overrides the example's default.
func (w workspace) setTeams(teams map[string]team) error {
	content, err := json.MarshalIndent(map[string]any{"teams": teams}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(w.variablesFile(), content, 0o600)
}

// variables lead the CLI to the mirror, and the provider to the emulator.
func (w workspace) variables(backendURL, accessToken string) map[string]string {
	return map[string]string{
		"CHECKPOINT_DISABLE":          "1",
		"TF_CLI_CONFIG_FILE":          w.cliConfigFile(),
		"PULUMI_HOME":                 w.path("pulumi"),
		"PULUMI_BACKEND_URL":          backendURL,
		"PULUMI_ACCESS_TOKEN":         accessToken,
		"PULUMI_DEFAULT_ORGANIZATION": organization,
	}
}

func (w workspace) environment(backendURL, accessToken string) map[string]string {
	return terraformcli.Environment(w.variables(backendURL, accessToken))
}

func (w workspace) environmentFile() string { return w.path("environment.sh") }

// writeEnvironmentFile writes a script that makes a shell's environment the same.
func (w workspace) writeEnvironmentFile(backendURL, accessToken string) error {
	var script strings.Builder
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); terraformcli.Foreign(name) {
			fmt.Fprintf(&script, "unset %s\n", name)
		}
	}
	variables := w.variables(backendURL, accessToken)
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		fmt.Fprintf(&script, "export %s=%s\n", name, shellQuote(variables[name]))
	}
	return os.WriteFile(w.environmentFile(), []byte(script.String()), 0o600)
}

// shellQuote makes a word of a POSIX shell.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// goCommand returns what the go command prints. An interrupted one leaves its temporary files to the workspace.
func (w workspace) goCommand(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, "go", args...)
	command.Env = append(os.Environ(), "GOTMPDIR="+w.root, "TMPDIR="+w.root)
	command.Stdout, command.Stderr = &stdout, &stderr
	cancelWithChildren(command)
	err := command.Run()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("go %s: %w\n%s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), err
}

func executable(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}
