package acctest

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// FindCLI returns the absolute path of a CLI. The name is a path or a name on PATH. If it is empty, TF_ACC_TERRAFORM_PATH
// names the CLI, or else it is terraform or tofu on PATH.
func FindCLI(name string) (string, error) {
	names := []string{"terraform", "tofu"}
	if name = cmp.Or(name, os.Getenv("TF_ACC_TERRAFORM_PATH")); name != "" {
		names = []string{name}
	}
	var errs []error
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			return filepath.Abs(path)
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("neither Terraform nor OpenTofu was found: %w", errors.Join(errs...))
}

// RequireCLI returns the path of the CLI to test with. It skips the test unless TF_ACC is set and there is a CLI.
func RequireCLI(tb testing.TB) string {
	tb.Helper()
	if os.Getenv("TF_ACC") == "" {
		tb.Skip("TF_ACC is not set, which tests that run Terraform or OpenTofu require")
	}
	path, err := FindCLI("")
	if err != nil {
		tb.Skip(err)
	}
	return path
}
