// Command terraform-provider-pulumicloud is the Terraform and OpenTofu provider for Pulumi Cloud's agent pools.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

// version and commit are set by the release's linker flags.
var (
	version = "dev"
	commit  string
)

func main() {
	debug := flag.Bool("debug", false, "serve for a debugger: print the TF_REATTACH_PROVIDERS value to run Terraform with")
	flag.Parse()
	// net/http prints to it what a server sends unasked: of an answer sent twice all, a pool's token included.
	log.SetOutput(io.Discard)

	if err := provider.Serve(release(), *debug); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// release is the version, with the commit as semantic versioning's build metadata where it is known.
func release() string {
	if commit == "" {
		return version
	}
	return version + "+" + commit
}
