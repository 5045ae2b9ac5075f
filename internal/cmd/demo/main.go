// Command demo applies a configuration to an emulated Pulumi Cloud with a real Terraform or OpenTofu. Run it in the root
// of the repository:
//
//	go run ./internal/cmd/demo
//
// It requires no account, and sends requests to loopback only. It fails if a result is not the expected one.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/signal"
	"syscall"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func main() {
	// The end of a pipe or of the terminal must not leave files behind.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) (err error) {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	cli := flags.String("cli", "", "`path` or name of Terraform or OpenTofu (default terraform or else tofu)")
	keep := flags.Bool("keep", false, "apply the example at the end, and keep the emulator running")
	if err := flags.Parse(args); err != nil {
		return err
	}
	path, err := acctest.FindCLI(*cli)
	if err != nil {
		return err
	}
	root, err := os.MkdirTemp("", "pulumicloud-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	token := "pul-" + rand.Text()
	cloud, err := emulator.New(emulator.Options{AccessToken: token})
	if err != nil {
		return err
	}
	server := httptest.NewServer(cloud)
	defer server.Close()
	w, err := acctest.NewWorkspace(root, path,
		"PULUMI_BACKEND_URL="+server.URL, "PULUMI_ACCESS_TOKEN="+token, "PULUMI_DEFAULT_ORGANIZATION="+organization)
	if err != nil {
		return err
	}
	d := &demo{Workspace: w, cloud: cloud, stdout: stdout}
	d.printf("This demo applies %s to an emulated Pulumi Cloud.\n"+
		"$ marks a command, and > a request that Pulumi Cloud received.\n", example)
	for _, step := range d.steps(ctx) {
		if err := d.run(ctx, step); err != nil {
			return err
		}
	}
	if *keep {
		return d.keep(ctx)
	}
	return nil
}
