// Command unshared is the provider without the list that reads share, so that each read is a request of its own.
package main

import (
	"os"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

func main() {
	unshared := func(config *cloud.Config) { config.ListMaxAge = 0 }
	if err := provider.Serve("unshared", false, unshared); err != nil {
		hclog.Default().Error("the provider stopped", "error", err)
		os.Exit(1)
	}
}
