package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
)

// TestAccDemo runs the demo, and then does what it says at the end.
func TestAccDemo(t *testing.T) {
	cli := acctest.RequireCLI(t)
	if runtime.GOOS == "windows" {
		t.Skip("the demo prints commands for a POSIX shell")
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	// The user's settings must not matter.
	t.Setenv("PULUMI_ACCESS_TOKEN", "user's")
	t.Setenv("TF_CLI_ARGS", "-users")
	t.Chdir("../../..")

	var stdout bytes.Buffer
	if err := run(t.Context(), []string{"-cli", cli, "-keep"}, &stdout); err != nil {
		t.Fatalf("%v\n%s", err, &stdout)
	}
	output := stdout.String()
	kill := regexp.MustCompile(`(?m)^ +kill (\d+)$`).FindStringSubmatch(output)
	script := regexp.MustCompile(`(?m)^ +(\. .*)\n +(.* plan)$`).FindStringSubmatch(output)
	remove := regexp.MustCompile(`(?m)^ +(rm -r .*)$`).FindStringSubmatch(output)
	if kill == nil || script == nil || remove == nil {
		t.Fatalf("the demo does not say how to continue and clean up:\n%s", output)
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
			t.Errorf("the emulator ended with %v, %v", state, err)
		}
	})
	for _, command := range []string{
		script[1] + " && " + script[2] + " -detailed-exitcode",
		remove[1] + " && rmdir '" + temp + "'",
	} {
		if printed, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command, err, printed)
		}
	}
	if regexp.MustCompile(`pul-[0-9A-Za-z]{8}`).MatchString(output) {
		t.Error("the demo prints a token")
	}
}

func TestRun_errors(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	if err := run(t.Context(), []string{"-help"}, &bytes.Buffer{}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-help: got %v", err)
	}
	missing := filepath.Join(temp, "terraform")
	if err := run(t.Context(), []string{"-cli", missing}, &bytes.Buffer{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing CLI: got %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, []string{"-cli", self}, &bytes.Buffer{}); err == nil {
		t.Error("an interrupted demo does not fail")
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

func TestExcerpt(t *testing.T) {
	got := excerpt(`
  # pulumicloud_agent_pool.team["network"] will be created
Plan: 1 to add, 0 to change, 0 to destroy.
pulumicloud_agent_pool.team["network"]: Creating...
pulumicloud_agent_pool.team["network"]: Creation complete after 0s [id=1]

Error: Agent pool in use

  with pulumicloud_agent_pool.team["network"],
`)
	want := strings.Join([]string{
		"  Plan: 1 to add, 0 to change, 0 to destroy.",
		`  pulumicloud_agent_pool.team["network"]: Creation complete after 0s [id=1]`,
		"  Error: Agent pool in use",
		`  with pulumicloud_agent_pool.team["network"],`, "",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
