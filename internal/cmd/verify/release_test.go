package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// newRelease returns a release without a file.
func newRelease(t *testing.T) release {
	t.Helper()
	return release{
		dir:      t.TempDir(),
		manifest: filepath.Join("..", "..", "..", "terraform-registry-manifest.json"),
		Version:  "1.2.3",
		Commit:   commit,
	}
}

func (r release) write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(r.path(name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// expect fails the test unless the error is nil for "", or else has the text in it.
func expect(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got the error %q, want none", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got the error %v, want %q in it", err, want)
	}
}

func TestOpenRelease(t *testing.T) {
	for name, test := range map[string]struct {
		metadata string
		want     string
	}{
		"whole":      {`{"version":"1.2.3","commit":"` + commit + `"}`, ""},
		"no version": {`{"commit":"` + commit + `"}`, "no version or no commit"},
		"no commit":  {`{"version":"1.2.3"}`, "no version or no commit"},
		"no JSON":    {`version: 1.2.3`, "metadata.json: invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelease(t)
			r.write(t, "metadata.json", []byte(test.metadata))
			got, err := openRelease(r.dir, r.manifest)
			expect(t, err, test.want)
			if err == nil && got != r {
				t.Errorf("got %+v, want %+v", got, r)
			}
		})
	}
}

func TestCheckChecksums(t *testing.T) {
	for name, test := range map[string]struct {
		change func(r release, list map[string]string) error
		want   string
	}{
		"whole": {func(release, map[string]string) error { return nil }, ""},
		"a platform is missing": {
			func(r release, list map[string]string) error {
				delete(list, r.file("linux_arm64.zip"))
				return nil
			},
			"terraform-provider-pulumicloud_1.2.3_linux_arm64.zip is not in the list",
		},
		"the manifest is missing": {
			func(r release, list map[string]string) error {
				delete(list, r.file("manifest.json"))
				return nil
			},
			"terraform-provider-pulumicloud_1.2.3_manifest.json is not in the list",
		},
		"a file too many": {
			func(_ release, list map[string]string) error {
				list["notes.md"] = ""
				return nil
			},
			"notes.md is no file of a release",
		},
		"changed after it was listed": {
			func(r release, _ map[string]string) error {
				return os.WriteFile(r.path(r.file("darwin_arm64.zip")), []byte("other"), 0o600)
			},
			"terraform-provider-pulumicloud_1.2.3_darwin_arm64.zip has the checksum",
		},
		"gone after it was listed": {
			func(r release, _ map[string]string) error { return os.Remove(r.path(r.file("linux_386.cdx.json"))) },
			"terraform-provider-pulumicloud_1.2.3_linux_386.cdx.json: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelease(t)
			manifest, err := os.ReadFile(r.manifest)
			if err != nil {
				t.Fatal(err)
			}
			list := map[string]string{r.file("manifest.json"): fmt.Sprintf("%x", sha256.Sum256(manifest))}
			for _, platform := range platforms {
				for _, suffix := range []string{".zip", ".cdx.json"} {
					file := r.file(platform + suffix)
					r.write(t, file, []byte(file))
					list[file] = fmt.Sprintf("%x", sha256.Sum256([]byte(file)))
				}
			}
			if err := test.change(r, list); err != nil {
				t.Fatal(err)
			}
			var lines bytes.Buffer
			for _, file := range slices.Sorted(maps.Keys(list)) {
				fmt.Fprintf(&lines, "%s  %s\n", list[file], file)
			}
			r.write(t, r.file("SHA256SUMS"), lines.Bytes())
			expect(t, r.checkChecksums(), test.want)
		})
	}
}

func TestCheckManifest(t *testing.T) {
	for name, test := range map[string]struct {
		manifest string
		want     string
	}{
		"protocol 6.0":          {`{"version":1,"metadata":{"protocol_versions":["6.0"]}}`, ""},
		"another protocol":      {`{"version":1,"metadata":{"protocol_versions":["5.0"]}}`, "protocols [5.0]"},
		"another version of it": {`{"version":2,"metadata":{"protocol_versions":["6.0"]}}`, "version 2"},
		"no JSON":               {``, "unexpected end of JSON input"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelease(t)
			r.write(t, "manifest", []byte(test.manifest))
			r.manifest = r.path("manifest")
			expect(t, r.checkManifest(), test.want)
		})
	}
}

func TestCheckArchive(t *testing.T) {
	const license = "LICENSE"
	for name, test := range map[string]struct {
		platform string
		files    map[string]fs.FileMode
		want     string
	}{
		"another version's binary": {
			"linux_amd64",
			map[string]fs.FileMode{license: 0o644, project + "_v1.2.2": 0o755},
			"holds [LICENSE terraform-provider-pulumicloud_v1.2.2]",
		},
		"no extension on Windows": {
			"windows_amd64",
			map[string]fs.FileMode{license: 0o644, project + "_v1.2.3": 0o755},
			"want [LICENSE terraform-provider-pulumicloud_v1.2.3.exe]",
		},
		"a file too many": {
			"linux_amd64",
			map[string]fs.FileMode{license: 0o644, project + "_v1.2.3": 0o755, "README.md": 0o644},
			"README.md",
		},
		"not executable": {
			"linux_amd64",
			map[string]fs.FileMode{license: 0o644, project + "_v1.2.3": 0o644},
			"has the mode -rw-r--r--",
		},
		"not built by Go": {
			"linux_amd64",
			map[string]fs.FileMode{license: 0o644, project + "_v1.2.3": 0o755},
			"unrecognized file format",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelease(t)
			var content bytes.Buffer
			archive := zip.NewWriter(&content)
			for name, mode := range test.files {
				header := &zip.FileHeader{Name: name}
				header.SetMode(mode)
				file, err := archive.CreateHeader(header)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := file.Write([]byte("#!/bin/sh\nexit 0\n")); err != nil {
					t.Fatal(err)
				}
			}
			if err := archive.Close(); err != nil {
				t.Fatal(err)
			}
			r.write(t, r.file(test.platform+".zip"), content.Bytes())
			expect(t, r.checkArchive(test.platform), test.want)
		})
	}
}

func TestCheckBuild(t *testing.T) {
	settings := map[string]string{
		"GOOS": "freebsd", "GOARCH": "arm", "CGO_ENABLED": "0", "-trimpath": "true", "vcs.revision": commit,
	}
	for name, test := range map[string]struct {
		key, value string
		want       string
	}{
		"as it should be":         {"GOARM", "6", ""},
		"for another system":      {"GOOS", "linux", "built with GOOS=linux, want freebsd"},
		"for another processor":   {"GOARCH", "arm64", "built with GOARCH=arm64, want arm"},
		"linked with C":           {"CGO_ENABLED", "1", "built with CGO_ENABLED=1, want 0"},
		"with paths":              {"-trimpath", "", "built with -trimpath=, want true"},
		"from another commit":     {"vcs.revision", "f00", "built with vcs.revision=f00, want " + commit},
		"without version control": {"vcs.revision", "", "built with vcs.revision=, want " + commit},
	} {
		t.Run(name, func(t *testing.T) {
			settings := maps.Clone(settings)
			settings[test.key] = test.value
			var info buildinfo.BuildInfo
			for key, value := range settings {
				info.Settings = append(info.Settings, debug.BuildSetting{Key: key, Value: value})
			}
			expect(t, newRelease(t).checkBuild(&info, "freebsd_arm"), test.want)
		})
	}
}
