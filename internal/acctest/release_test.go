package acctest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// TestAccRelease_installs installs the archive that goreleaser left in dist/, and applies and destroys a configuration.
func TestAccRelease_installs(t *testing.T) {
	const dist, name = "../../dist", "terraform-provider-pulumicloud"
	content, err := os.ReadFile(filepath.Join(dist, "metadata.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("dist/ has no release: run \"make release-snapshot\"")
	}
	if err != nil {
		t.Fatal(err)
	}
	var release struct{ Version, Commit string }
	if err := json.Unmarshal(content, &release); err != nil {
		t.Fatal(err)
	}

	const accessToken = "pul-0123456789abcdef0123456789abcdef01234567"
	cloud, err := emulator.New(emulator.Options{AccessToken: accessToken})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	w := acctest.NewTestWorkspace(t, "PULUMI_BACKEND_URL="+server.URL, "PULUMI_ACCESS_TOKEN="+accessToken)
	archive := fmt.Sprintf("%s_%s_%s_%s.zip", name, release.Version, runtime.GOOS, runtime.GOARCH)
	if err := w.InstallProvider(release.Version, filepath.Join(dist, archive)); err != nil {
		t.Fatal(err)
	}
	// The CLI installs a prerelease, such as a snapshot, only if the exact version is required.
	if err := w.Write("main.tf", fmt.Sprintf(`
terraform {
  required_providers {
    pulumicloud = {
      source  = %q
      version = "= %s"
    }
  }
}

resource "pulumicloud_agent_pool" "test" {
  name = "release"
}
`, acctest.Source, release.Version)); err != nil {
		t.Fatal(err)
	}
	w.MustRun(t, "init")
	w.MustRun(t, "apply", "-auto-approve")
	w.MustRun(t, "plan", "-detailed-exitcode")
	w.MustRun(t, "destroy", "-auto-approve")

	requests := cloud.Requests()
	if len(requests) == 0 {
		t.Error("the provider made no request")
	}
	want := fmt.Sprintf("%s/%s+%.12s ", name, release.Version, release.Commit)
	for _, request := range requests {
		if got := request.Header.Get("User-Agent"); !strings.HasPrefix(got, want) {
			t.Errorf("User-Agent %q does not start with %q", got, want)
		}
	}
}
