// Package terraformclitest names the Terraform or OpenTofu that tests run.
package terraformclitest

import (
	"os"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli"
)

// UnderTest returns the absolute path of the CLI that TF_ACC_TERRAFORM_PATH names, by its path or its name on PATH. It
// skips the test where TF_ACC or TF_ACC_TERRAFORM_PATH is not set, and fails it where there is no such CLI: whoever names
// one wants the test to run.
func UnderTest(tb testing.TB) string {
	tb.Helper()
	const variable = "TF_ACC_TERRAFORM_PATH"
	for _, needed := range []string{"TF_ACC", variable} {
		if os.Getenv(needed) == "" {
			tb.Skipf("%s is not set: TF_ACC and %s have to be for tests that run a CLI", needed, variable)
		}
	}
	cli, err := terraformcli.Find(os.Getenv(variable))
	if err != nil {
		tb.Fatalf("%s: %v", variable, err)
	}
	return cli
}
