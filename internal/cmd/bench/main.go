// Command bench measures the provider with a real Terraform or OpenTofu and an emulated Pulumi Cloud, beside its limit:
//
//	go run ./internal/cmd/bench
//
// The limit is the provider with reads that are answered from memory and writes that are a bare request each
// (reference/); beside it runs the provider with a request for each read (unshared/). The runs of the three alternate,
// so that whatever else the machine does meets all of them. The figures are printed as Markdown, and written with a
// chart of the time of plans to a directory. It reaches nothing but loopback; no figure makes it fail.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "bench: interrupted")
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

const usage = `Usage: bench [flags]

Without -full it measures what there are targets for: plans of 1 to 1,000 agent pools at 50 ms, and of 1,000 at other
latencies and parallelisms; applies and destroys of 1 and 1,000; and the memory of a plan of 5,000. That takes about
half an hour on two cores. With -full it measures all commands at all numbers of pools, latencies and parallelisms,
which takes hours. Interrupted, it prints the scenarios that were measured to their end, and writes no files.

`

type configuration struct {
	cliPath, outputDir string
	runs, maxPools     int
	full, long         bool
}

func parseConfiguration(args []string, stderr io.Writer) (configuration, hclog.Level, error) {
	var c configuration
	var logLevel string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	// Mistakes are returned, and printed once.
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.cliPath, "cli", "", "`path` of Terraform or OpenTofu, or its name on PATH (default terraform, else tofu)")
	flags.StringVar(&c.outputDir, "o", "", "`directory` for "+reportFile+" and "+chartFile+" (default the module's .github)")
	flags.IntVar(&c.runs, "runs", 5, "how often each figure is measured; what is shown is the median")
	flags.IntVar(&c.maxPools, "max-pools", 0, "leave out what takes more than `n` agent pools, for a quick look (default no limit)")
	flags.BoolVar(&c.full, "full", false, "measure every combination")
	flags.BoolVar(&c.long, "long", false, "also every command at 5,000 agent pools")
	flags.StringVar(&logLevel, "log-level", "info", "trace, debug, info, warn, error or off")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			_, _ = io.WriteString(stderr, usage)
			flags.SetOutput(stderr)
			flags.PrintDefaults()
		}
		return c, hclog.NoLevel, err
	}
	if flags.NArg() > 0 {
		return c, hclog.NoLevel, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if c.runs < 1 {
		return c, hclog.NoLevel, errors.New("-runs must be at least 1")
	}
	level := hclog.LevelFromString(logLevel)
	if level == hclog.NoLevel {
		return c, hclog.NoLevel, fmt.Errorf("unknown log level %q", logLevel)
	}
	return c, level, nil
}

// run prints the report on stdout, and the progress on stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	c, level, err := parseConfiguration(args, stderr)
	if err != nil {
		return err
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: "bench", Level: level, Output: stderr})
	if c.cliPath, err = terraformcli.Find(c.cliPath); err != nil {
		return err
	}
	started := time.Now()

	logger.Info("building")
	w, err := newWorkspace(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.remove()) }()
	if c.outputDir == "" {
		c.outputDir = filepath.Join(w.source, ".github")
	}

	r := report{runs: c.runs}
	if r.machine, err = describeMachine(ctx, w, c.cliPath); err != nil {
		return err
	}
	b := bench{workspace: w, cliPath: c.cliPath, runs: c.runs, logger: logger}
	if r.rows, err = b.measure(ctx, matrix(c)); err != nil {
		_, writeErr := io.WriteString(stdout, table(r.commands()))
		return errors.Join(err, writeErr)
	}
	if r.start, err = measureStart(ctx, w, logger); err != nil {
		return err
	}
	if r.sizes, err = w.sizes(); err != nil {
		return err
	}
	logger.Info("measuring the client by itself")
	r.clientBenchmarks, err = goCommand(ctx, w.source, "test", "-run=^$", "-bench=.", "-benchmem", "./internal/cloud")
	if err != nil {
		return err
	}
	logger.Info("done", "took", time.Since(started).Round(time.Second))

	markdown := r.markdown()
	if _, err := io.WriteString(stdout, markdown); err != nil {
		return err
	}
	if err := os.MkdirAll(c.outputDir, 0o755); err != nil { //nolint:gosec // A directory of the repository.
		return err
	}
	return errors.Join(
		writeFile(filepath.Join(c.outputDir, reportFile), []byte(markdown)),
		r.writeChart(ctx, w, filepath.Join(c.outputDir, chartFile)),
	)
}

const (
	reportFile = "benchmark.md"
	chartFile  = "plan-time.svg"
)

func writeFile(name string, content []byte) error {
	return os.WriteFile(name, content, 0o644) //nolint:gosec // A file of the repository.
}

// goCommand runs the go command in a directory and returns what it prints.
func goCommand(ctx context.Context, dir string, args ...string) (string, error) {
	return goCommandReading(ctx, dir, nil, args...)
}

func goCommandReading(ctx context.Context, dir string, stdin []byte, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	err := command.Run()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s%s", args[0], err, &stdout, &stderr)
	}
	return stdout.String(), nil
}
