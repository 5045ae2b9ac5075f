package acctest_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
)

func TestFindCLI(t *testing.T) {
	for name, test := range map[string]struct {
		onPath                   []string
		argument, variable, want string
	}{
		"terraform before tofu": {[]string{"terraform", "tofu"}, "", "", "terraform"},
		"tofu":                  {[]string{"tofu"}, "", "", "tofu"},
		"variable":              {[]string{"terraform", "tofu"}, "", "tofu", "tofu"},
		"argument":              {[]string{"terraform", "tofu"}, "terraform", "tofu", "terraform"},
		"none":                  {nil, "", "", ""},
		"none of that name":     {[]string{"terraform"}, "tofu", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir, suffix := t.TempDir(), ""
			if runtime.GOOS == "windows" {
				suffix = ".exe"
			}
			t.Setenv("PATH", dir)
			t.Setenv("TF_ACC_TERRAFORM_PATH", test.variable)
			for _, program := range test.onPath {
				//nolint:gosec // It is an executable.
				if err := os.WriteFile(filepath.Join(dir, program+suffix), nil, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			want := ""
			if test.want != "" {
				want = filepath.Join(dir, test.want+suffix)
			}
			if got, err := acctest.FindCLI(test.argument); got != want || (err == nil) != (want != "") {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}

func TestWorkspace_environment(t *testing.T) {
	t.Setenv("TF_WORKSPACE", "user's")
	t.Setenv("PULUMI_ACCESS_TOKEN", "user's")
	w, err := acctest.NewWorkspace(t.TempDir(), "terraform", "PULUMI_BACKEND_URL=http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(w.Env, "PULUMI_BACKEND_URL=http://127.0.0.1:1") {
		t.Error("the variable of the workspace is missing")
	}
	for _, variable := range w.Env {
		if strings.Contains(variable, "user's") {
			t.Errorf("%s is the user's", variable)
		}
	}
}

func TestWorkspace_mirror(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	w, err := acctest.NewWorkspace(root, "terraform")
	if err != nil {
		t.Fatal(err)
	}
	executable, archive := filepath.Join(dir, "built"), filepath.Join(dir, "terraform-provider-pulumicloud_1.2.4_plan9_arm.zip")
	for _, file := range []string{executable, archive} {
		if err := os.WriteFile(file, []byte("provider"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := w.InstallProvider("1.2.3", file); err != nil {
			t.Fatal(err)
		}
	}
	unpacked := filepath.Join("1.2.3", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-pulumicloud_v1.2.3")
	if runtime.GOOS == "windows" {
		unpacked += ".exe"
	}
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		for _, name := range []string{unpacked, filepath.Base(archive)} {
			content, err := os.ReadFile(filepath.Join(root, "mirror", host, "pulumicloud", "pulumicloud", name))
			if err != nil || string(content) != "provider" {
				t.Errorf("%s: %q, %v", name, content, err)
			}
		}
	}
}
