// Package terraformcli is what all that runs Terraform or OpenTofu here has in common: how one is found, which of the
// user's environment it gets, and how it is made to install the provider from a mirror.
package terraformcli

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Find returns the absolute path of the CLI that the user names, or of terraform or else tofu on PATH where the name is
// empty. An error says what is missing.
func Find(name string) (string, error) {
	names := []string{name}
	if name == "" {
		names = []string{"terraform", "tofu"}
	}
	var errs []error
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			return filepath.Abs(path)
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("no Terraform or OpenTofu: %w", errors.Join(errs...))
}
