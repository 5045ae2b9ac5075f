package provider_test

import (
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const examplesDir = "../../examples"

var (
	sourcePattern          = regexp.MustCompile(`(?m)^ *source +?= "([a-z]+/[a-z]+)"`)
	requiredVersionPattern = regexp.MustCompile(`required_version = ">= ([0-9.]+)"`)
)

// startExamplesCloud starts an emulator with what the examples require: two stacks, and two runners in every
// agent pool.
func startExamplesCloud(t *testing.T) oidcCloud {
	t.Helper()
	cloud := startOIDCCloud(t, nil)
	for _, stack := range []string{"production", "staging"} {
		mustDo(t, cloud.CreateStack("acme", emulator.Stack{Project: "shop", Name: stack}))
	}
	cloud.intercept(http.MethodGet, func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		if id := path.Base(r.URL.Path); uuidPattern.MatchString(id) {
			for _, hostname := range []string{"runner-1", "runner-2"} {
				_ = cloud.ConnectAgent("acme", id, emulator.Agent{Hostname: hostname}) // The agent pool may be gone.
			}
		}
		api.ServeHTTP(w, r)
	})
	return cloud
}

// exampleWorkspace returns a workspace with the files of an example, after "init".
func exampleWorkspace(t *testing.T, cloud oidcCloud, example string) *acctest.Workspace {
	t.Helper()
	w := acctest.NewTestWorkspace(t, "PULUMI_BACKEND_URL="+cloud.url, "PULUMI_ACCESS_TOKEN="+accessToken,
		"TFC_WORKLOAD_IDENTITY_TOKEN="+cloud.idToken(nil))
	executable, err := os.Executable()
	mustDo(t, err)
	mustDo(t, w.InstallProvider(providerVersion, executable))
	mustDo(t, os.CopyFS(w.Dir, os.DirFS(filepath.Join(examplesDir, example))))
	imports, err := filepath.Glob(filepath.Join(w.Dir, "import-*"))
	mustDo(t, err)
	for _, file := range imports {
		mustDo(t, os.Remove(file))
	}
	for _, required := range requiredVersionPattern.FindAllStringSubmatch(configuration(t, example), -1) {
		skipUnlessCLI(t, w, required[1])
	}
	w.MustRun(t, "init")
	return w
}

// configuration returns the contents of the .tf files of an example.
func configuration(t *testing.T, example string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(examplesDir, example, "*.tf"))
	mustDo(t, err)
	var text strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		mustDo(t, err)
		text.Write(content)
	}
	return text.String()
}

func attributesOf(t *testing.T, w *acctest.Workspace, address string) map[string]any {
	t.Helper()
	state, err := w.State(t.Context())
	mustDo(t, err)
	i := slices.IndexFunc(state.RootModule.Resources, func(r *tfjson.StateResource) bool { return r.Address == address })
	if i < 0 {
		t.Fatalf("%s is not in the state", address)
	}
	return state.RootModule.Resources[i].AttributeValues
}

func TestAccExamples(t *testing.T) {
	t.Parallel()
	examples := make(map[string]bool)
	mustDo(t, fs.WalkDir(os.DirFS(examplesDir), ".", func(name string, _ fs.DirEntry, err error) error {
		if name == "modules" {
			return fs.SkipDir
		}
		if path.Ext(name) == ".tf" {
			examples[path.Dir(name)] = true
		}
		return err
	}))
	for example := range examples {
		t.Run(example, func(t *testing.T) {
			t.Parallel()
			for _, source := range sourcePattern.FindAllStringSubmatch(configuration(t, example), -1) {
				if source[1] != acctest.Source {
					t.Skipf("requires the provider %s", source[1])
				}
			}
			cloud := startExamplesCloud(t)
			shared := cloud.mustCreate(t, "acme", "shared", "")
			w := exampleWorkspace(t, cloud, example)
			w.MustRun(t, "apply", "-auto-approve")
			w.MustRun(t, "plan", "-detailed-exitcode")
			imports, err := filepath.Glob(filepath.Join(examplesDir, example, "import*"))
			mustDo(t, err)
			for _, file := range imports {
				t.Run(filepath.Base(file), func(t *testing.T) { testImportExample(t, w, file) })
			}
			w.MustRun(t, "destroy", "-auto-approve")
			pools := cloud.AgentPools("acme")
			// The example adopts the agent pool.
			if example == "import-existing-pools" && len(pools) == 0 {
				return
			}
			if len(pools) != 1 || pools[0].ID != shared.ID || pools[0].IsDefault {
				t.Errorf("agent pools after destroy: %+v", pools)
			}
		})
	}
}

// testImportExample removes the resource from the state, imports it as the example says, and expects the same state.
func testImportExample(t *testing.T, w *acctest.Workspace, file string) {
	t.Helper()
	form := filepath.Base(file)
	if form == "import-by-identity.tf" {
		skipUnlessCLI(t, w, "1.12.0")
	}
	address := filepath.Base(filepath.Dir(file)) + ".example"
	before := attributesOf(t, w, address)
	content, err := os.ReadFile(file)
	mustDo(t, err)
	text := string(content)
	if id, ok := before["id"].(string); ok {
		text = uuidPattern.ReplaceAllString(text, id)
	}
	expectSame := func() {
		t.Helper()
		before, after := maps.Clone(before), attributesOf(t, w, address)
		delete(before, "token") // An import does not return it.
		delete(after, "token")
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("attributes (-before the import +after):\n%s", diff)
		}
	}
	if form != "import.sh" {
		w.MustRun(t, "state", "rm", address)
		mustDo(t, w.Write(form, text))
		w.MustRun(t, "apply", "-auto-approve")
		expectSame()
		mustDo(t, os.Remove(filepath.Join(w.Dir, form)))
		return
	}
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 4 && fields[0] == "terraform" && fields[2] == address {
			w.MustRun(t, "state", "rm", address)
			w.MustRun(t, fields[1:]...)
			expectSame()
		} else if len(fields) > 0 && fields[0] != "#" {
			t.Errorf("not an import of %s: %s", address, line)
		}
	}
}

func TestAccExamples_rotation(t *testing.T) {
	t.Parallel()
	for example, writes := range map[string][]string{
		"rotation-in-place": {http.MethodDelete, http.MethodPost},
		// The new agent pool exists, has a runner and both stacks before the old one is deleted.
		"rotation-without-downtime": {http.MethodPost, http.MethodPost, http.MethodPost, http.MethodPost, http.MethodDelete},
	} {
		t.Run(example, func(t *testing.T) {
			t.Parallel()
			cloud := startExamplesCloud(t)
			w := exampleWorkspace(t, cloud, example)
			w.MustRun(t, "apply", "-auto-approve")
			before := cloud.onlyPool(t)
			cloud.ResetRequests()
			w.MustRun(t, "apply", "-auto-approve", "-var=token_version=2")
			cloud.expectWrites(t, writes...)
			if after := cloud.onlyPool(t); after.ID == before.ID {
				t.Error("the agent pool was not replaced")
			}
		})
	}
}

func TestExamples_encryptedTokenScript(t *testing.T) {
	t.Parallel()
	script, err := filepath.Abs(filepath.Join(examplesDir, "encrypted-token", "with-agent-token.sh"))
	mustDo(t, err)
	dir := t.TempDir()
	// It prints its arguments instead of a token.
	mustDo(t, os.WriteFile(filepath.Join(dir, "age"), []byte("#!/bin/sh\necho \"$*\"\n"), 0o700)) //nolint:gosec // It runs.
	command := exec.CommandContext(t.Context(), "sh", script, "sh", "-c", `printf %s "$PULUMI_AGENT_TOKEN"`)
	command.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "AGENT_TOKEN_IDENTITY=key", "AGENT_TOKEN_FILE=token.age"}
	output, err := command.Output()
	mustDo(t, err)
	if want := "--decrypt --identity key token.age"; string(output) != want {
		t.Errorf("the command got the output of age %s, want that of age %s", output, want)
	}
}

func TestAccExamples_modules(t *testing.T) {
	t.Parallel()
	modules, err := fs.Glob(os.DirFS(examplesDir), "modules/*")
	mustDo(t, err)
	for _, module := range modules {
		t.Run(path.Base(module), func(t *testing.T) {
			t.Parallel()
			cloud := startExamplesCloud(t)
			w := exampleWorkspace(t, cloud, module)
			skipUnlessCLI(t, w, "1.8.0") // Mocked providers require Terraform 1.7 or OpenTofu 1.8.
			w.MustRun(t, "test")
			if len(cloud.Requests()) == 0 || len(cloud.AgentPools("acme")) > 0 {
				t.Errorf("%d requests, and agent pools %+v are left", len(cloud.Requests()), cloud.AgentPools("acme"))
			}
		})
	}
}

func TestAccExamples_formatted(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Abs(examplesDir)
	mustDo(t, err)
	acctest.NewTestWorkspace(t).MustRun(t, "fmt", "-check", "-recursive", examples)
}
