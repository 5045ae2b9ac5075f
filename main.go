// Command terraform-provider-pulumicloud is the Terraform and OpenTofu provider for Pulumi Cloud's agent pools.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

// version is set by the release's linker flags.
var version = "dev"

func main() {
	debug := flag.Bool("debug", false, "serve for a debugger: print the TF_REATTACH_PROVIDERS value to run Terraform with")
	flag.Parse()
	// net/http prints to it what a server sends unasked: of an answer sent twice all, a pool's token included.
	log.SetOutput(io.Discard)

	err := providerserver.Serve(context.Background(), provider.New(version), providerserver.ServeOpts{
		Address:         "registry.terraform.io/pulumicloud/pulumicloud",
		Debug:           *debug,
		ProtocolVersion: 6,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
