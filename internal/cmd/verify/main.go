// Command verify checks a release that goreleaser left in a directory: that it has what the Terraform registry expects
// under the names that it expects, that each archive holds the provider for its platform, built from the release's
// commit, and that the checksums are right. With each CLI that is named it then installs the provider from its archive
// and applies a configuration to an emulated Pulumi Cloud:
//
//	go run ./internal/cmd/verify -dist dist terraform tofu
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	dist := flags.String("dist", "dist", "`directory` of the release")
	manifest := flags.String("manifest", "terraform-registry-manifest.json", "`file` that is published as the manifest")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := openRelease(*dist, *manifest)
	if err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s: the archives of %d platforms are in order\n", r.Version, len(platforms))
	for _, cli := range flags.Args() {
		if err != nil {
			break
		}
		err = installWith(ctx, r, cli, stdout)
	}
	return err
}

func installWith(ctx context.Context, r release, cli string, stdout io.Writer) error {
	path, err := terraformcli.Find(cli)
	if err != nil {
		return err
	}
	version, err := install(ctx, r, path)
	if err != nil {
		return fmt.Errorf("%s: %w", cli, err)
	}
	_, err = fmt.Fprintf(stdout, "%s: %s %s installs, applies and destroys with it\n", r.Version, filepath.Base(path), version)
	return err
}
