package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const project = "terraform-provider-pulumicloud"

// platforms are all that Terraform has and Go can build for.
var platforms = []string{
	"darwin_amd64", "darwin_arm64",
	"freebsd_386", "freebsd_amd64", "freebsd_arm", "freebsd_arm64",
	"linux_386", "linux_amd64", "linux_arm", "linux_arm64",
	"windows_386", "windows_amd64", "windows_arm64",
}

// release is what goreleaser writes of itself into metadata.json.
type release struct {
	dir string
	// manifest is the file that goreleaser publishes as the manifest: it has its name in the release only there.
	manifest string
	Version  string `json:"version"`
	Commit   string `json:"commit"`
}

func openRelease(dir, manifest string) (release, error) {
	r := release{dir: dir, manifest: manifest}
	content, err := os.ReadFile(r.path("metadata.json"))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(content, &r); err != nil {
		return r, fmt.Errorf("metadata.json: %w", err)
	}
	if r.Version == "" || len(r.Commit) < shortCommit {
		return r, errors.New("metadata.json names no version or no commit")
	}
	return r, nil
}

func (r release) path(name string) string { return filepath.Join(r.dir, name) }

// file is the name of a file of the release.
func (r release) file(suffix string) string { return project + "_" + r.Version + "_" + suffix }

// binary is the name by which the CLI finds the provider in an archive.
func (r release) binary(platform string) string {
	name := project + "_v" + r.Version
	if strings.HasPrefix(platform, "windows_") {
		name += ".exe"
	}
	return name
}

// check returns all that is wrong.
func (r release) check() error {
	errs := []error{r.checkChecksums(), r.checkManifest()}
	for _, platform := range platforms {
		if err := r.checkArchive(platform); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.file(platform+".zip"), err))
		}
	}
	return errors.Join(errs...)
}

// checkChecksums holds the list against the files that a release has, and against their content.
func (r release) checkChecksums() error {
	list, err := r.checksums()
	if err != nil {
		return err
	}
	want := []string{r.file("manifest.json")}
	for _, platform := range platforms {
		want = append(want, r.file(platform+".zip"), r.file(platform+".cdx.json"))
	}
	slices.Sort(want)
	var errs []error
	for _, name := range want {
		if _, ok := list[name]; !ok {
			errs = append(errs, fmt.Errorf("%s is not in the list of checksums", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(list)) {
		if _, ok := slices.BinarySearch(want, name); !ok {
			errs = append(errs, fmt.Errorf("%s is no file of a release", name))
			continue
		}
		content, err := r.content(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != list[name] {
			errs = append(errs, fmt.Errorf("%s has the checksum %x, not %s", name, sum, list[name]))
		}
	}
	return errors.Join(errs...)
}

// checksums returns the digest of each file in the list.
func (r release) checksums() (map[string]string, error) {
	content, err := os.ReadFile(r.path(r.file("SHA256SUMS")))
	if err != nil {
		return nil, err
	}
	list := make(map[string]string)
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		digest, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok {
			return nil, fmt.Errorf("%q is no line of a list of checksums", lines.Text())
		}
		list[name] = digest
	}
	return list, lines.Err()
}

// content returns what is published under the name.
func (r release) content(name string) ([]byte, error) {
	if name == r.file("manifest.json") {
		return os.ReadFile(r.manifest)
	}
	return os.ReadFile(r.path(name))
}

func (r release) checkManifest() error {
	content, err := r.content(r.file("manifest.json"))
	if err != nil {
		return err
	}
	var manifest struct {
		Version  int `json:"version"`
		Metadata struct {
			ProtocolVersions []string `json:"protocol_versions"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(content, &manifest); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if manifest.Version != 1 || !slices.Equal(manifest.Metadata.ProtocolVersions, []string{"6.0"}) {
		return fmt.Errorf("manifest: got version %d and protocols %v, want 1 and [6.0]",
			manifest.Version, manifest.Metadata.ProtocolVersions)
	}
	return nil
}

// checkArchive expects the provider and its license, and nothing else.
func (r release) checkArchive(platform string) error {
	content, err := os.ReadFile(r.path(r.file(platform + ".zip")))
	if err != nil {
		return err
	}
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return err
	}
	files := make(map[string]*zip.File)
	for _, file := range archive.File {
		files[file.Name] = file
	}
	want := []string{"LICENSE", r.binary(platform)}
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		return fmt.Errorf("holds %v, want %v", got, want)
	}
	binary := files[r.binary(platform)]
	if mode := binary.Mode().Perm(); mode != 0o755 {
		return fmt.Errorf("%s has the mode %v", binary.Name, mode)
	}
	info, err := readBuildInfo(binary)
	if err != nil {
		return fmt.Errorf("%s: %w", binary.Name, err)
	}
	return r.checkBuild(info, platform)
}

func readBuildInfo(binary *zip.File) (*buildinfo.BuildInfo, error) {
	reader, err := binary.Open()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	content, err := io.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	return buildinfo.Read(bytes.NewReader(content))
}

// checkBuild looks at what the Go linker wrote into a binary of its build.
func (r release) checkBuild(info *buildinfo.BuildInfo, platform string) error {
	settings := make(map[string]string)
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	goos, goarch, _ := strings.Cut(platform, "_")
	var errs []error
	for _, want := range [][2]string{
		{"GOOS", goos},
		{"GOARCH", goarch},
		{"CGO_ENABLED", "0"},
		{"-trimpath", "true"},
		{"vcs.revision", r.Commit},
	} {
		if got := settings[want[0]]; got != want[1] {
			errs = append(errs, fmt.Errorf("built with %s=%s, want %s", want[0], got, want[1]))
		}
	}
	return errors.Join(errs...)
}
