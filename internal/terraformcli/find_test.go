package terraformcli_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli"
)

// executable is the end of a program's name.
var executable = map[bool]string{true: ".exe"}[runtime.GOOS == "windows"]

func TestFind(t *testing.T) {
	for name, test := range map[string]struct {
		onPath      []string
		named, want string
	}{
		"terraform before tofu": {[]string{"terraform", "tofu"}, "", "terraform"},
		"tofu":                  {[]string{"tofu"}, "", "tofu"},
		"the one that is named": {[]string{"terraform", "tofu"}, "tofu", "tofu"},
		"none":                  {nil, "", ""},
		"none of that name":     {[]string{"terraform"}, "tofu", ""},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			t.Setenv("PATH", directory)
			for _, program := range test.onPath {
				path := filepath.Join(directory, program+executable)
				if err := os.WriteFile(path, nil, 0o700); err != nil { //nolint:gosec // It is a program.
					t.Fatal(err)
				}
			}
			want := ""
			if test.want != "" {
				want = filepath.Join(directory, test.want+executable)
			}
			found, err := terraformcli.Find(test.named)
			if found != want || (err == nil) != (want != "") {
				t.Errorf("got %q, %v, want %q", found, err, want)
			}
		})
	}
}

func TestFind_path(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(self))
	relative := "." + string(filepath.Separator) + filepath.Base(self)
	if found, err := terraformcli.Find(relative); err != nil || !filepath.IsAbs(found) {
		t.Errorf("got %q, %v, want an absolute path", found, err)
	}
}
