// Command provider is the provider that the benchmarks run. When it ends, it writes its memory statistics to a file in the
// working directory. Only Linux has them.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

func main() {
	err := provider.Serve("benchmark", false)
	if status, readErr := os.ReadFile("/proc/self/status"); readErr == nil {
		name := fmt.Sprintf("%d.status", os.Getpid())
		err = errors.Join(err, os.WriteFile(name, status, 0o600)) //nolint:gosec // The name is a number.
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
