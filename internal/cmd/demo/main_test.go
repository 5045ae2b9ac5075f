package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
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

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-cli", cli, "-keep"}, writer)
		ended <- errors.Join(err, writer.CloseWithError(err))
	}()
	var output, commands string
	for lines := bufio.NewScanner(reader); lines.Scan(); {
		line := lines.Text()
		output += line + "\n"
		if command, ok := strings.CutPrefix(line, "    "); ok {
			commands += command + "\n"
		}
		if strings.Contains(line, "Ctrl-C") {
			commands = "set -e\n" + strings.TrimSuffix(commands, "\n") + " -detailed-exitcode"
			if printed, err := exec.CommandContext(t.Context(), "sh", "-c", commands).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", commands, err, printed)
			}
			cancel()
		}
	}
	if err := <-ended; err != nil || !strings.Contains(output, "Ctrl-C") {
		t.Fatalf("the demo ended with %v:\n%s", err, output)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
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
