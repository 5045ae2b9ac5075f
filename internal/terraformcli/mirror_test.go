package terraformcli_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli"
)

func TestFillMirror(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("built", []byte("the provider"), 0o700); err != nil { //nolint:gosec // It is a program.
		t.Fatal(err)
	}
	if err := terraformcli.FillMirror("mirror", "acme/cloud", "1.2.3", "built"); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join("acme", "cloud", "1.2.3", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-cloud_v1.2.3"+executable)
	for _, registry := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		if content, err := os.ReadFile(filepath.Join("mirror", registry, name)); string(content) != "the provider" {
			t.Errorf("%s: got %q, %v", registry, content, err)
		}
	}
}

// TestInstallFromMirror leaves what a CLI makes of the configurations to those tests that run one.
func TestInstallFromMirror(t *testing.T) {
	mirror := filepath.Join("a mirror", "it's")
	all, one := terraformcli.InstallFromMirror(mirror), terraformcli.InstallOneFromMirror(mirror, "acme/cloud")
	for name, configuration := range map[string]string{"all": all, "one": one} {
		if !strings.Contains(configuration, `"a mirror/it's"`) {
			t.Errorf("%s: the mirror is not in\n%s", name, configuration)
		}
	}
	if strings.Contains(all, "direct") {
		t.Errorf("the registries are asked as well:\n%s", all)
	}
	for _, want := range []string{`include = ["acme/cloud"]`, `exclude = ["acme/cloud"]`} {
		if !strings.Contains(one, want) {
			t.Errorf("%s is not in\n%s", want, one)
		}
	}
}
