package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli/terraformclitest"
)

// runAsCLI is the environment variable that makes the test binary be a CLI that fails.
const runAsCLI = "DEMO_TEST_RUN_AS_CLI"

func TestMain(m *testing.M) {
	if os.Getenv(runAsCLI) != "" {
		fmt.Fprintln(os.Stderr, "the reason")
		os.Exit(3)
	}
	os.Exit(m.Run())
}

// temporary makes a directory the one for temporary files, and checks in the end that nothing is left in it.
func temporary(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("TMPDIR does not choose the directory of temporary files on Windows")
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Cleanup(func() {
		left, err := os.ReadDir(dir)
		if err != nil {
			t.Error(err)
		}
		if len(left) > 0 {
			t.Errorf("%d files or directories are left, the first is %s", len(left), left[0].Name())
		}
	})
	return dir
}

var tokens = regexp.MustCompile(`pul-[0-9A-Za-z]{8}`)

func TestAccDemo(t *testing.T) {
	cli := terraformclitest.UnderTest(t)
	temporary(t)
	// What the user has set must not matter.
	t.Setenv("PULUMI_DEFAULT_ORGANIZATION", "another")
	t.Setenv("PULUMI_ACCESS_TOKEN", "another")
	t.Setenv("TF_DATA_DIR", "another")
	t.Setenv("TF_PLUGIN_CACHE_DIR", "another")
	t.Setenv("TF_VAR_teams", "{}")
	t.Setenv("TF_CLI_ARGS", "-another")

	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), []string{"-cli", cli, "-log-level", "trace"}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s%s", err, &stdout, &stderr)
	}
	for _, step := range (&demo{}).steps() {
		if !strings.Contains(stdout.String(), step.proves) {
			t.Errorf("the output lacks the step %q", step.name)
		}
	}
	if tokens.MatchString(stdout.String() + stderr.String()) {
		t.Error("the output or the log holds a token")
	}
}

func TestAccDemoKeep(t *testing.T) {
	path := terraformclitest.UnderTest(t)
	root := temporary(t)
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), []string{"-cli", path, "-keep"}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s%s", err, &stdout, &stderr)
	}
	kill := regexp.MustCompile(`(?m)^ +kill (\d+)$`).FindStringSubmatch(stdout.String())
	if kill == nil {
		t.Fatalf("the output does not say how to stop the emulator:\n%s", &stdout)
	}
	pid, err := strconv.Atoi(kill[1])
	if err != nil {
		t.Fatal(err)
	}
	emulator, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := emulator.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if state, err := emulator.Wait(); err != nil || !state.Success() {
			t.Errorf("the emulator ended with %v (%v)", state, err)
		}
		left, err := filepath.Glob(filepath.Join(root, "pulumicloud-demo-*"))
		if err != nil || len(left) != 1 {
			t.Fatalf("the workspaces are %q (%v), want one", left, err)
		}
		if err := os.RemoveAll(left[0]); err != nil {
			t.Error(err)
		}
	})

	workspaces, err := filepath.Glob(filepath.Join(root, "pulumicloud-demo-*"))
	if err != nil || len(workspaces) != 1 {
		t.Fatalf("the workspaces are %q (%v), want one", workspaces, err)
	}
	w := workspace{workspaces[0]}
	environment := w.environment("", "")
	script, err := os.ReadFile(w.environmentFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, export := range regexp.MustCompile(`(?m)^export (\w+)='(.*)'$`).FindAllStringSubmatch(string(script), -1) {
		environment[export[1]] = export[2]
	}
	c, err := newCLI(path, w.configurationDir(), w.path("plan"), environment, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	empty, err := c.planIsEmpty(t.Context())
	if err != nil || !empty {
		t.Errorf("the plan is empty: %t (%v)\n%s", empty, err, &c.transcript)
	}
	state, err := c.state(t.Context())
	if err != nil || len(state.pools) != 2 {
		t.Errorf("the state holds %d pools (%v), want 2", len(state.pools), err)
	}
	if tokens.MatchString(stdout.String() + stderr.String()) {
		t.Error("the output or the log holds a token")
	}
}

func TestAccDemoInterrupted(t *testing.T) {
	cli := terraformclitest.UnderTest(t)
	for _, step := range []string{"build", "apply"} {
		t.Run(step, func(t *testing.T) {
			temporary(t)
			ctx, cancel := context.WithCancel(t.Context())
			stdout := writerFunc(func(p []byte) (int, error) {
				if bytes.HasPrefix(p, []byte(step)) {
					cancel()
				}
				return len(p), nil
			})
			var stderr bytes.Buffer
			if err := run(ctx, []string{"-cli", cli}, stdout, &stderr); !errors.Is(err, context.Canceled) {
				t.Errorf("it ended with %v, want context.Canceled\n%s", err, &stderr)
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestBrokenCLI(t *testing.T) {
	temporary(t)
	t.Setenv(runAsCLI, "1")
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), []string{"-cli", os.Args[0]}, &stdout, &stderr)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("it ended with %v, want what the CLI ended with and said", err)
	}
}

func TestRefusals(t *testing.T) {
	temporary(t)
	for _, args := range [][]string{
		{"-no-such-flag"},
		{"argument"},
		{"-log-level", "loud"},
		{"-cli", filepath.Join(t.TempDir(), "none")},
	} {
		var stdout, stderr bytes.Buffer
		if err := run(t.Context(), args, &stdout, &stderr); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
	var usage bytes.Buffer
	if err := run(t.Context(), []string{"-help"}, &bytes.Buffer{}, &usage); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-help: %v, want flag.ErrHelp", err)
	}
	for _, name := range []string{"-cli", "-keep", "-log-level"} {
		if !strings.Contains(usage.String(), name) {
			t.Errorf("the usage lacks %s", name)
		}
	}
}

func TestFailedStep(t *testing.T) {
	d := newTestDemo(t)
	var stdout, stderr bytes.Buffer
	d.stdout, d.stderr = &stdout, &stderr
	err := d.runStep(t.Context(), step{"a step", "what it proves", func(context.Context) error {
		d.cli.transcript.WriteString("what the CLI printed")
		return errors.New("the reason")
	}})
	if err == nil || err.Error() != "a step: the reason" {
		t.Errorf("it ended with %v, want the step's name and the reason", err)
	}
	if !strings.Contains(stdout.String(), "FAILED") || strings.Contains(stdout.String(), "what it proves") {
		t.Errorf("the output claims %q", &stdout)
	}
	if !strings.Contains(stderr.String(), "what the CLI printed") {
		t.Error("what the CLI printed is not shown")
	}
}

func TestExpectWrites(t *testing.T) {
	d := newTestDemo(t)
	if err := d.expectWrites(); err != nil {
		t.Error(err)
	}
	if _, err := d.stackPool(t.Context(), "POST", `{"agentPoolID":"none"}`); err == nil {
		t.Error("the settings name a pool that does not exist")
	}
	made := write{method: "POST", path: "/api/stacks/acme/website/production/deployments/settings", status: 400}
	if err := d.expectWrites(made); err != nil {
		t.Error(err)
	}
	for _, want := range [][]write{nil, {made, made}, {{method: "POST", path: made.path, status: 200}}} {
		if err := d.expectWrites(want...); err == nil {
			t.Errorf("%v: no error", want)
		}
	}
}

func TestExpectPools(t *testing.T) {
	d := newTestDemo(t)
	pool, _, err := d.cloud.CreateAgentPool(organization, "one", "first")
	if err != nil {
		t.Fatal(err)
	}
	held := agentPool{ID: pool.ID, Name: "one", Description: "first", Token: "its token", ForceDestroy: true}
	if err := d.expectTeams(state{pools: map[string]agentPool{network: held}}, network); err != nil {
		t.Error(err)
	}
	renamed := held
	renamed.Name = "two"
	for _, pools := range []map[string]agentPool{nil, {network: renamed}, {network: held, payments: {ID: "another"}}} {
		err := d.expectPools(state{pools: pools})
		if err == nil {
			t.Errorf("%d pools: no error", len(pools))
		} else if strings.Contains(err.Error(), held.Token) {
			t.Error("the error holds a token")
		}
	}
}

func newTestDemo(t *testing.T) *demo {
	t.Helper()
	w, err := newWorkspace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.remove(); err != nil {
			t.Error(err)
		}
	})
	d, err := newDemo(t.Context(), w, os.Args[0], hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestEnvironmentFile(t *testing.T) {
	t.Setenv("TF_WORKSPACE", "another")
	t.Setenv("PULUMI_ACCESS_TOKEN", "another")
	t.Setenv("HOME", "/home/somebody")
	w := workspace{filepath.Join(t.TempDir(), "it's")}
	if err := os.Mkdir(w.root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := w.writeEnvironmentFile("http://127.0.0.1:1", "secret"); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(w.environmentFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"unset TF_WORKSPACE\n", "export PULUMI_BACKEND_URL='http://127.0.0.1:1'\n", "export PULUMI_ACCESS_TOKEN='secret'\n",
		`/it'\''s/cli.tfrc'`,
	} {
		if !strings.Contains(string(script), want) {
			t.Errorf("the script lacks %q", want)
		}
	}
	environment := w.environment("http://127.0.0.1:1", "secret")
	if environment["HOME"] != "/home/somebody" || environment["PULUMI_ACCESS_TOKEN"] != "secret" {
		t.Error("the environment lacks the user's home or the demo's token")
	}
	if _, ok := environment["TF_WORKSPACE"]; ok {
		t.Error("the environment holds the user's TF_WORKSPACE")
	}
}
