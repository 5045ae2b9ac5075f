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
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	tfjson "github.com/hashicorp/terraform-json"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator/oidctest"
)

const (
	examplesDirectory = "../../examples"
	// modulesDirectory is the one of examples that are no configuration by themselves.
	modulesDirectory = "modules"
)

// TestAccExamples runs the examples as somebody would who pastes them: with the CLI, and a provider that the CLI installs and
// starts. It is built once for all of them.
func TestAccExamples(t *testing.T) {
	t.Parallel()
	cli := newExamplesCLI(t)
	t.Run("apply", cli.testApply)
	t.Run("rotate", cli.testRotate)
	t.Run("encrypted token", cli.testEncryptedToken)
	t.Run("modules", cli.testModules)
}

// examplesCLI runs examples with the provider that was built for them.
type examplesCLI struct{ binary string }

func newExamplesCLI(t *testing.T) examplesCLI {
	t.Helper()
	acctest.RequireCLI(t) // Without a CLI there is nothing to build for.
	binary, err := acctest.Build(t.Context(), t.TempDir(), ".", "-buildvcs=false")
	mustDo(t, err)
	return examplesCLI{binary}
}

// testApply runs every example in an organization acme in which there is a pool named shared.
func (c examplesCLI) testApply(t *testing.T) {
	t.Parallel()
	importForms := importExamples(t)
	for _, directory := range exampleDirectories(t) {
		t.Run(filepath.ToSlash(directory), func(t *testing.T) {
			t.Parallel()
			if others := otherProviders(t, directory); len(others) > 0 {
				t.Skipf("needs providers that are not here: %s", strings.Join(others, ", "))
			}
			pulumi := startExamplesCloud(t)
			shared, _, err := pulumi.CreateAgentPool("acme", "shared", "")
			if err != nil {
				t.Fatal(err)
			}
			if err := pulumi.ConnectAgent("acme", shared.ID, emulator.Agent{Hostname: "runner-1", PID: "1"}); err != nil {
				t.Fatal(err)
			}
			workspace := c.workspace(t, pulumi, directory)
			workspace.apply(t)
			if parent, resourceType := filepath.Split(directory); parent == "resources"+string(filepath.Separator) {
				for _, form := range importForms[resourceType] {
					t.Run(form, func(t *testing.T) { workspace.tryImport(t, form) })
				}
			}
			adopted := workspace.manages(t, shared.ID)
			workspace.MustRun(t, "destroy", "-auto-approve")
			pools := pulumi.AgentPools("acme")
			switch {
			case adopted && len(pools) != 0:
				t.Errorf("after destroy there is %+v, although the pool from before was imported", pools)
			case !adopted && (len(pools) != 1 || pools[0].ID != shared.ID || pools[0].IsDefault):
				t.Errorf("after destroy there is %+v, not just the pool from before", pools)
			}
		})
	}
}

// testRotate changes what the examples of rotation rotate by.
func (c examplesCLI) testRotate(t *testing.T) {
	t.Parallel()
	for example, writes := range map[string][]string{
		"rotation-in-place": {"DELETE", "POST"},
		// The new pool is there, and the organization's default, before the old one goes.
		"rotation-without-downtime": {"POST", "PATCH", "DELETE"},
	} {
		t.Run(example, func(t *testing.T) {
			t.Parallel()
			pulumi := startExamplesCloud(t)
			workspace := c.workspace(t, pulumi, example)
			workspace.apply(t)
			before := pulumi.AgentPools("acme")
			pulumi.ResetRequests()
			workspace.MustRun(t, "apply", "-auto-approve", "-var=token_month=2026-12")
			expectWrites(t, pulumi.pulumiCloud, writes...)
			if after := pulumi.AgentPools("acme"); len(after) != 1 || after[0].ID == before[0].ID {
				t.Errorf("after rotation there is %+v, not just another pool", after)
			}
		})
	}
}

// testEncryptedToken starts what stands for a runner with the example's script.
func (c examplesCLI) testEncryptedToken(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"sh", "age"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the example's script needs %s: %v", tool, err)
		}
	}
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	pulumi := startExamplesCloud(t)
	workspace := c.workspace(t, pulumi, "encrypted-token")
	workspace.MustRun(t, "apply", "-auto-approve", fmt.Sprintf("-var=token_recipients=[%q]", key.Recipient()))
	pool := workspace.attributes(t, "pulumicloud_agent_pool.example")
	encrypted, _ := pool["encrypted_token"].(string)
	for name, content := range map[string]string{"token.age": encrypted, "key.txt": key.String()} {
		mustDo(t, workspace.Write(name, content))
	}
	runner := exec.CommandContext(t.Context(), "sh", "with-agent-token.sh", "sh", "-c", `printf %s "$PULUMI_AGENT_TOKEN"`)
	runner.Dir = workspace.Dir
	runner.Env = []string{
		"PATH=" + os.Getenv("PATH"), "AGENT_TOKEN_IDENTITY=key.txt", "AGENT_TOKEN_FILE=token.age",
	}
	token, err := runner.Output()
	if err != nil {
		t.Fatal(err)
	}
	if id, _ := pool["id"].(string); !pulumi.TokenMatches("acme", id, string(token)) {
		t.Error("the runner's token is not the pool's")
	}
}

// testModules runs the tests that come with the modules.
func (c examplesCLI) testModules(t *testing.T) {
	t.Parallel()
	modules, err := fs.Glob(os.DirFS(examplesDirectory), path.Join(modulesDirectory, "*"))
	if err != nil || len(modules) == 0 {
		t.Fatalf("modules: %v (%v)", modules, err)
	}
	for _, module := range modules {
		t.Run(path.Base(module), func(t *testing.T) {
			t.Parallel()
			pulumi := startExamplesCloud(t)
			workspace := c.workspace(t, pulumi, filepath.FromSlash(module))
			skipUnless(t, ">= 1.8") // OpenTofu mocks providers from 1.8 on, Terraform from 1.7 on.
			if _, err := workspace.Run(t.Context(), "test"); err != nil {
				t.Error(err)
			}
			if len(pulumi.Requests()) == 0 {
				t.Error("no test has reached the emulator")
			}
			if left := pulumi.AgentPools("acme"); len(left) > 0 {
				t.Errorf("the tests leave %+v", left)
			}
		})
	}
}

// TestAccExamplesFormat covers all examples, also those that can't be run here.
func TestAccExamplesFormat(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Abs(examplesDirectory)
	mustDo(t, err)
	if output, err := acctest.NewTestWorkspace(t).Run(t.Context(), "fmt", "-check", "-recursive", examples); err != nil {
		t.Errorf("not formatted, run \"make fmt\": %s", output)
	}
}

// startExamplesCloud starts an emulator that exchanges a pipeline's ID tokens, for the examples that have nothing else.
func startExamplesCloud(t *testing.T) examplesCloud {
	t.Helper()
	issuer := oidctest.NewIssuer(t)
	return examplesCloud{issuer: issuer, pulumiCloud: startPulumiCloud(t, emulator.Options{
		TrustPolicies: []emulator.TrustPolicy{{
			Organization: "acme", Issuer: issuer.URL, Subject: "pipeline", AllowAdmin: true,
			TokenTypes: []emulator.TokenType{emulator.TokenTypeOrganization},
		}},
	})}
}

type examplesCloud struct {
	pulumiCloud

	issuer *oidctest.Issuer
}

// credentials returns the environment variable that the examples authenticate with, and its value.
func (c examplesCloud) credentials(keyless bool) (name, value string) {
	if keyless {
		return "TFC_WORKLOAD_IDENTITY_TOKEN", c.issuer.Token(map[string]any{"aud": "urn:pulumi:org:acme", "sub": "pipeline"})
	}
	return "PULUMI_ACCESS_TOKEN", accessToken
}

// exampleDirectories returns the directories below examples/ that have configuration in them.
func exampleDirectories(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	err := fs.WalkDir(os.DirFS(examplesDirectory), ".", func(name string, _ fs.DirEntry, err error) error {
		if name == modulesDirectory {
			return fs.SkipDir
		}
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

// isConfiguration tells the files of an example from those that show how to import it.
func isConfiguration(file string) bool {
	return filepath.Ext(file) == ".tf" && !strings.HasPrefix(filepath.Base(file), "import-")
}

// configurationBlocks returns the blocks of a kind in an example.
func configurationBlocks(t *testing.T, directory, kind string, labels ...string) hcl.Blocks {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(examplesDirectory, directory, "*.tf"))
	if err != nil {
		t.Fatal(err)
	}
	parser := hclparse.NewParser()
	var found hcl.Blocks
	for _, file := range files {
		if !isConfiguration(file) {
			continue
		}
		parsed, diagnostics := parser.ParseHCLFile(file)
		if diagnostics.HasErrors() {
			t.Fatal(diagnostics)
		}
		found = append(found, blocks(parsed.Body, kind, labels...)...)
	}
	return found
}

func blocks(body hcl.Body, kind string, labels ...string) hcl.Blocks {
	content, _, _ := body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: kind, LabelNames: labels}}})
	return content.Blocks
}

func argument(block *hcl.Block, name string) *hcl.Attribute {
	content, _, _ := block.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: name}}})
	return content.Attributes[name]
}

// otherProviders returns what an example requires besides this provider.
func otherProviders(t *testing.T, directory string) []string {
	t.Helper()
	var others []string
	for _, terraform := range configurationBlocks(t, directory, "terraform") {
		for _, required := range blocks(terraform.Body, "required_providers") {
			attributes, diagnostics := required.Body.JustAttributes()
			if diagnostics.HasErrors() {
				t.Fatal(diagnostics)
			}
			others = append(others, slices.Collect(maps.Keys(attributes))...)
		}
	}
	return slices.DeleteFunc(others, func(name string) bool { return name == "pulumicloud" })
}

// isKeyless tells whether an example has its provider exchange an ID token.
func isKeyless(t *testing.T, directory string) bool {
	t.Helper()
	return slices.ContainsFunc(configurationBlocks(t, directory, "provider", "name"), func(block *hcl.Block) bool {
		return argument(block, "oidc") != nil
	})
}

// skipUnless skips where the CLI's version is not among those required.
func skipUnless(t *testing.T, required string) {
	t.Helper()
	constraint, err := version.NewConstraint(required)
	mustDo(t, err)
	if product, found := cliVersion(t); !constraint.Check(found) {
		t.Skipf("requires version %s, and the CLI is %s %s", required, product, found)
	}
}

// exampleWorkspace is a copy of an example, in which the CLI works.
type exampleWorkspace struct {
	*acctest.Workspace

	example string
}

func (c examplesCLI) workspace(t *testing.T, pulumi examplesCloud, example string) exampleWorkspace {
	t.Helper()
	credential, value := pulumi.credentials(isKeyless(t, example))
	w := acctest.NewTestWorkspace(t, "PULUMI_BACKEND_URL="+pulumi.url, credential+"="+value)
	// The version is one that the examples accept.
	mustDo(t, os.CopyFS(w.Dir, os.DirFS(filepath.Join(examplesDirectory, example))), w.InstallProvider("0.1.0", c.binary))
	imports, err := filepath.Glob(filepath.Join(w.Dir, "import-*"))
	mustDo(t, err)
	for _, file := range imports {
		mustDo(t, os.Remove(file))
	}
	for _, terraform := range configurationBlocks(t, example, "terraform") {
		if required := argument(terraform, "required_version"); required != nil {
			value, diagnostics := required.Expr.Value(nil)
			if diagnostics.HasErrors() {
				t.Fatal(diagnostics)
			}
			skipUnless(t, value.AsString())
		}
	}
	w.MustRun(t, "init")
	return exampleWorkspace{w, example}
}

// apply applies what is there and expects that nothing is left to do then.
func (w exampleWorkspace) apply(t *testing.T) {
	t.Helper()
	w.MustRun(t, "apply", "-auto-approve")
	if _, err := w.Run(t.Context(), "plan", "-detailed-exitcode"); err != nil {
		t.Errorf("the plan after apply is not empty: %v", err)
	}
}

// exampleID is the id in the import examples.
var exampleID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// tryImport takes the example's resource out of the state and back in, as the import example says.
func (w exampleWorkspace) tryImport(t *testing.T, form string) {
	t.Helper()
	if form == "import-by-identity.tf" {
		skipUnless(t, ">= 1.12")
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
	w.MustRun(t, "state", "rm", address)
	mustDo(t, w.Write(form, string(text)))
	w.apply(t)
	w.expectAttributes(t, address, before)
	mustDo(t, os.Remove(filepath.Join(w.Dir, form)))
}

func (w exampleWorkspace) importByCommand(t *testing.T, address string, command []string) {
	t.Helper()
	if len(command) != 4 || command[0] != "terraform" || command[1] != "import" || command[2] != address {
		t.Fatalf("not an import of %s: %s", address, strings.Join(command, " "))
	}
	w.MustRun(t, "state", "rm", address)
	w.MustRun(t, "import", address, command[3])
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

// manages tells whether a pool is in the state.
func (w exampleWorkspace) manages(t *testing.T, id string) bool {
	t.Helper()
	state, err := w.State(t.Context())
	mustDo(t, err)
	return slices.ContainsFunc(state.RootModule.Resources, func(resource *tfjson.StateResource) bool {
		return resource.Type == "pulumicloud_agent_pool" && resource.Mode == tfjson.ManagedResourceMode &&
			resource.AttributeValues["id"] == id
	})
}

// attributes returns what the state says of a resource.
func (w exampleWorkspace) attributes(t *testing.T, address string) map[string]any {
	t.Helper()
	state, err := w.State(t.Context())
	mustDo(t, err)
	for _, resource := range state.RootModule.Resources {
		if resource.Address == address {
			return resource.AttributeValues
		}
	}
	t.Fatalf("%s is not in the state", address)
	return nil
}
