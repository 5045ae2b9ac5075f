package provider_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const examplesDirectory = "../../examples"

// TestExamples runs every example as somebody would who pastes it: with the CLI, a provider that the CLI installs and
// starts, and an organization acme in which there is a pool named shared.
func TestExamples(t *testing.T) {
	t.Parallel()
	cli := newExamplesCLI(t)
	importForms := importExamples(t)
	for _, directory := range exampleDirectories(t) {
		t.Run(filepath.ToSlash(directory), func(t *testing.T) {
			t.Parallel()
			if others := otherProviders(t, directory); len(others) > 0 {
				t.Skipf("needs providers that are not here: %s", strings.Join(others, ", "))
			}
			pulumi := startPulumiCloud(t, emulator.Options{})
			shared, _, err := pulumi.CreateAgentPool("acme", "shared", "")
			if err != nil {
				t.Fatal(err)
			}
			if err := pulumi.ConnectAgent("acme", shared.ID, emulator.Agent{Hostname: "runner-1", PID: "1"}); err != nil {
				t.Fatal(err)
			}
			workspace := cli.workspace(t, pulumi, directory)
			workspace.apply(t)
			if parent, resourceType := filepath.Split(directory); parent == "resources"+string(filepath.Separator) {
				for _, form := range importForms[resourceType] {
					t.Run(form, func(t *testing.T) { workspace.tryImport(t, form) })
				}
			}
			if err := workspace.Destroy(t.Context()); err != nil {
				t.Fatal(err)
			}
			if pools := pulumi.AgentPools("acme"); len(pools) != 1 || pools[0].ID != shared.ID || pools[0].IsDefault {
				t.Errorf("after destroy there is %+v, not just the pool from before", pools)
			}
		})
	}
}

// TestExamplesFormat covers all examples, also those that can't be run here.
func TestExamplesFormat(t *testing.T) {
	t.Parallel()
	cli := newCLI(t, examplesDirectory, map[string]string{"TF_CLI_CONFIG_FILE": os.DevNull})
	formatted, files, err := cli.FormatCheck(t.Context(), tfexec.Recursive(true))
	if err != nil {
		t.Fatal(err)
	}
	if !formatted {
		t.Errorf("not formatted, run \"make fmt\": %s", strings.Join(files, ", "))
	}
}

// exampleDirectories returns the directories below examples/ that have configuration in them.
func exampleDirectories(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	err := fs.WalkDir(os.DirFS(examplesDirectory), ".", func(name string, _ fs.DirEntry, err error) error {
		if path.Ext(name) == ".tf" {
			found[filepath.FromSlash(path.Dir(name))] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(found))
}

// configurationFiles returns the files of an example but those that show how to import it.
func configurationFiles(t *testing.T, directory string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(examplesDirectory, directory, "*.tf"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(files, func(file string) bool { return strings.HasPrefix(filepath.Base(file), "import-") })
}

// otherProviders returns what an example requires besides this provider.
func otherProviders(t *testing.T, directory string) []string {
	t.Helper()
	parser := hclparse.NewParser()
	var others []string
	for _, file := range configurationFiles(t, directory) {
		parsed, diagnostics := parser.ParseHCLFile(file)
		if diagnostics.HasErrors() {
			t.Fatal(diagnostics)
		}
		for _, terraform := range blocks(parsed.Body, "terraform") {
			for _, required := range blocks(terraform.Body, "required_providers") {
				attributes, diagnostics := required.Body.JustAttributes()
				if diagnostics.HasErrors() {
					t.Fatal(diagnostics)
				}
				others = append(others, slices.Collect(maps.Keys(attributes))...)
			}
		}
	}
	return slices.DeleteFunc(others, func(name string) bool { return name == "pulumicloud" })
}

func blocks(body hcl.Body, kind string) hcl.Blocks {
	content, _, _ := body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: kind}}})
	return content.Blocks
}

// newCLI returns the CLI under test, working in a directory, with no environment but this.
func newCLI(t *testing.T, directory string, environment map[string]string) *tfexec.Terraform {
	t.Helper()
	executable := os.Getenv("TF_ACC_TERRAFORM_PATH")
	if os.Getenv("TF_ACC") == "" || executable == "" {
		t.Skip("TF_ACC and TF_ACC_TERRAFORM_PATH have to be set for tests that run the CLI")
	}
	cli, err := tfexec.NewTerraform(directory, executable)
	if err != nil {
		t.Fatal(err)
	}
	if err := cli.SetEnv(environment); err != nil {
		t.Fatal(err)
	}
	return cli
}

// examplesCLI is a CLI that finds the provider, and no other, in a mirror.
type examplesCLI struct{ configFile string }

func newExamplesCLI(t *testing.T) examplesCLI {
	t.Helper()
	newCLI(t, t.TempDir(), nil) // Without a CLI there is nothing to build for.
	mirror := t.TempDir()
	registry := filepath.Join(mirror, "registry.terraform.io")
	target := filepath.Join(registry, "pulumicloud", "pulumicloud", "0.1.0", runtime.GOOS+"_"+runtime.GOARCH)
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", target+string(filepath.Separator), "../..")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the provider: %v\n%s", err, output)
	}
	// OpenTofu takes the short source address for one in its own registry.
	if err := os.CopyFS(filepath.Join(mirror, "registry.opentofu.org"), os.DirFS(registry)); err != nil {
		t.Fatal(err)
	}
	configFile := filepath.Join(t.TempDir(), "cli.tfrc")
	config := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)
	if err := os.WriteFile(configFile, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return examplesCLI{configFile}
}

// exampleWorkspace is a copy of an example, in which the CLI works.
type exampleWorkspace struct {
	*tfexec.Terraform

	files   *os.Root
	example string
}

func (c examplesCLI) workspace(t *testing.T, pulumi pulumiCloud, example string) exampleWorkspace {
	t.Helper()
	directory := t.TempDir()
	files, err := os.OpenRoot(directory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	for _, file := range configurationFiles(t, example) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := files.WriteFile(filepath.Base(file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cli := newCLI(t, directory, map[string]string{
		"TF_CLI_CONFIG_FILE":  c.configFile,
		"PULUMI_BACKEND_URL":  pulumi.url,
		"PULUMI_ACCESS_TOKEN": accessToken,
		"PULUMI_HOME":         directory,
	})
	if err := cli.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	return exampleWorkspace{cli, files, example}
}

// apply applies what is there and expects that nothing is left to do then.
func (w exampleWorkspace) apply(t *testing.T) {
	t.Helper()
	if err := w.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := w.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if left {
		t.Error("the plan after apply is not empty")
	}
}

// exampleID is the id in the import examples.
var exampleID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// tryImport takes the example's resource out of the state and back in, as the import example says.
func (w exampleWorkspace) tryImport(t *testing.T, form string) {
	t.Helper()
	if form == "import-by-identity.tf" {
		w.skipWithoutIdentity(t)
	}
	text, err := os.ReadFile(filepath.Join(examplesDirectory, w.example, form))
	if err != nil {
		t.Fatal(err)
	}
	address := filepath.Base(w.example) + ".example"
	before := w.attributes(t, address)
	if id, ok := before["id"].(string); ok {
		text = exampleID.ReplaceAll(text, []byte(id))
	}
	if filepath.Ext(form) == ".sh" {
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) > 0 && fields[0] != "#" {
				w.importByCommand(t, address, fields)
				w.expectAttributes(t, address, before)
			}
		}
		return
	}
	if err := w.StateRm(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	if err := w.files.WriteFile(form, text, 0o600); err != nil {
		t.Fatal(err)
	}
	w.apply(t)
	w.expectAttributes(t, address, before)
	if err := w.files.Remove(form); err != nil {
		t.Fatal(err)
	}
}

func (w exampleWorkspace) importByCommand(t *testing.T, address string, command []string) {
	t.Helper()
	if len(command) != 4 || command[0] != "terraform" || command[1] != "import" || command[2] != address {
		t.Fatalf("not an import of %s: %s", address, strings.Join(command, " "))
	}
	if err := w.StateRm(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	if err := w.Import(t.Context(), address, command[3]); err != nil {
		t.Fatal(err)
	}
}

// skipWithoutIdentity skips where import blocks have no identity.
func (w exampleWorkspace) skipWithoutIdentity(t *testing.T) {
	t.Helper()
	found, _, err := w.Version(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if found.Core().LessThan(version.Must(version.NewVersion("1.12.0"))) {
		t.Skipf("%s has no import by identity, which came with 1.12", found)
	}
}

// expectAttributes expects the state to say what it said before, but for the token, which no import brings.
func (w exampleWorkspace) expectAttributes(t *testing.T, address string, before map[string]any) {
	t.Helper()
	before, after := maps.Clone(before), w.attributes(t, address)
	delete(before, "token")
	delete(after, "token")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the import changed %s:\n%s", address, diff)
	}
}

// attributes returns what the state says of a resource.
func (w exampleWorkspace) attributes(t *testing.T, address string) map[string]any {
	t.Helper()
	state, err := w.Show(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range state.Values.RootModule.Resources {
		if resource.Address == address {
			return resource.AttributeValues
		}
	}
	t.Fatalf("%s is not in the state", address)
	return nil
}
