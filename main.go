// Command terraform-provider-pulumicloud is the Terraform and OpenTofu provider for agent pools of Pulumi Cloud.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

// version and commit are set by the linker flags of a release.
var (
	version = "dev"
	commit  string
)

func main() {
	debug := flag.Bool("debug", false, "wait for Terraform instead of being started by it, and print TF_REATTACH_PROVIDERS")
	flag.Parse()
	// net/http logs unsolicited responses, which may contain the token of an agent pool.
	log.SetOutput(io.Discard)

	if err := provider.Serve(release(), *debug); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// release returns the version, with the commit as build metadata if it is known.
func release() string {
	if commit == "" {
		return version
	}
	return version + "+" + commit
}
