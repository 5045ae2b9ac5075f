// Command demo applies a configuration to an emulated Pulumi Cloud with a real Terraform or OpenTofu, from "init" to
// "destroy", and checks at each step what the CLI, the state and the emulator's request log say:
//
//	go run ./internal/cmd/demo
//
// It installs the provider, built from this module, from a mirror, as a user installs a published one. It needs no
// account, reaches nothing but loopback, leaves nothing behind, and ends with 1 if a step differs from what it expects.
// With -keep the configuration stays applied, to an emulator that goes on in the background.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli"
)

func main() {
	// A closed pipe or terminal must not end the demo before it has cleaned up.
	ctx, stop := signal.NotifyContext(context.Background(),
		os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "demo: interrupted")
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run reports the steps on stdout. Stderr gets the log, and what the CLI printed if a step fails.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	var (
		cliPath, logLevel string
		keep              bool
	)
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	// Mistakes are returned, and printed once.
	flags.SetOutput(io.Discard)
	flags.StringVar(&cliPath, "cli", "", "`path` of Terraform or OpenTofu, or its name on PATH (default terraform, else tofu)")
	flags.BoolVar(&keep, "keep", false, "leave the configuration applied and the emulator running")
	flags.StringVar(&logLevel, "log-level", "warn", "trace, debug, info, warn, error or off")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(stderr)
			flags.Usage()
		}
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	level := hclog.LevelFromString(logLevel)
	if level == hclog.NoLevel {
		return fmt.Errorf("unknown log level %q", logLevel)
	}
	if cliPath, err = terraformcli.Find(cliPath); err != nil {
		return err
	}

	w, err := newWorkspace()
	if err != nil {
		return err
	}
	kept := false
	defer func() {
		if !kept {
			err = errors.Join(err, w.remove())
		}
	}()
	d, err := newDemo(ctx, w, cliPath, hclog.New(&hclog.LoggerOptions{Name: "demo", Level: level, Output: stderr}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()

	d.stdout, d.stderr = stdout, stderr
	if err := d.prove(ctx); err != nil {
		return err
	}
	if keep {
		err := d.keep(ctx)
		kept = err == nil
		return err
	}
	return nil
}
