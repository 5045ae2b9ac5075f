// Command install builds the provider into a local mirror, and prints how Terraform and OpenTofu use it.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
)

// version satisfies the version constraints of the examples.
const version = "0.1.0"

func main() {
	if err := install(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func install(ctx context.Context) error {
	root, err := filepath.Abs(filepath.Join(".tools", "install"))
	if err != nil {
		return err
	}
	// A previous build may be in use, and the mirror links to it.
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return err
	}
	executable, err := acctest.Build(ctx, root, ".", "-ldflags=-X main.version="+version)
	if err != nil {
		return err
	}
	w := &acctest.Workspace{Root: root}
	if err := w.InstallProvider(version, executable); err != nil {
		return err
	}
	_, err = fmt.Printf("export TF_CLI_CONFIG_FILE=%s\n", filepath.Join(root, "cli.tfrc"))
	return err
}
