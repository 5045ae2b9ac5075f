package terraformclitest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli/terraformclitest"
)

// outcome records how a test ends that asks for the CLI. Of a test it can do nothing else.
type outcome struct {
	testing.TB

	cli, skipped, failed string
}

func (*outcome) Helper() {}

func (o *outcome) Skipf(format string, arguments ...any) {
	o.skipped = fmt.Sprintf(format, arguments...)
	runtime.Goexit()
}

func (o *outcome) Fatalf(format string, arguments ...any) {
	o.failed = fmt.Sprintf(format, arguments...)
	runtime.Goexit()
}

func TestUnderTest(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "terraform")
	for name, test := range map[string]struct {
		acceptance, path          string
		wantCLI, skipped, failure string
	}{
		"the CLI":                      {"1", self, self, "", ""},
		"no acceptance tests":          {"", self, "", "TF_ACC is not set", ""},
		"no CLI":                       {"1", "", "", "TF_ACC_TERRAFORM_PATH is not set", ""},
		"a path that leads nowhere":    {"1", missing, "", "", missing},
		"that, and no such tests":      {"", missing, "", "TF_ACC is not set", ""},
		"something that is no program": {"1", filepath.Dir(missing), "", "", filepath.Dir(missing)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TF_ACC", test.acceptance)
			t.Setenv("TF_ACC_TERRAFORM_PATH", test.path)
			var got outcome
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				got.cli = terraformclitest.UnderTest(&got)
			}()
			<-ended
			if got.cli != test.wantCLI {
				t.Errorf("got %q, want %q", got.cli, test.wantCLI)
			}
			for what, reason := range map[string]struct{ got, want string }{
				"skipped": {got.skipped, test.skipped}, "failed": {got.failed, test.failure},
			} {
				if (reason.got != "") != (reason.want != "") || !strings.Contains(reason.got, reason.want) {
					t.Errorf("%s because of %q, want %q", what, reason.got, reason.want)
				}
			}
		})
	}
}
