package provider_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const importedWithoutToken = "Agent pool imported without its token"

func TestImportAgentPool_forms(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	for _, name := range []string{
		"runners", "the / runners", "/leading", "trailing/", "Läufer 走者", "50% ?&#", "..", "trailing space ", "not-an-id/0123",
	} {
		pool := cloud.mustCreate(t, "acme", name, "created in the console")
		for form, id := range map[string]string{
			"organization and ID":         "acme/" + pool.ID,
			"ID":                          pool.ID,
			"organization and name":       "acme/" + name,
			"organization, name and ID":   "acme/" + name + "/" + pool.ID,
			"organization and upper case": "acme/" + strings.ToUpper(pool.ID),
			"upper case":                  strings.ToUpper(pool.ID),
		} {
			t.Run(name+" by "+form, func(t *testing.T) {
				t.Parallel()
				pools := cloud.provider(t, nil).Resource(poolType)
				imported, diagnostics := pools.Import(t.Context(), id)
				expectWarning(t, diagnostics, importedWithoutToken, pool.ID, "token is null", "replace the agent pool")
				want := map[string]any{"organization": "acme", "id": pool.ID}
				if got := pools.IdentityOf(imported); diagnostics.HasError() || !reflect.DeepEqual(got, want) {
					t.Errorf("identity %v, want %v: %s", got, want, diagnostics)
				}
				read := pools.MustRead(t, imported)
				change, diagnostics := pools.Plan(t.Context(), read,
					acctest.Values{"name": name, "description": "created in the console"})
				expectNone(t, diagnostics)
				if change.Action != acctest.NoOp || read.Text("token") != "" {
					t.Errorf("the plan after the import is %s with the token %q", change.Action, read.Text("token"))
				}
			})
		}
	}
}

func TestImportAgentPool_requests(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pool := cloud.mustCreate(t, "acme", "runners", "")
	for id, want := range map[string][]string{
		"acme/" + pool.ID:           {listRequest},
		"acme/runners":              {listRequest},
		"acme/runners/" + pool.ID:   {listRequest},
		pool.ID:                     {defaultOrganizationRequest, listRequest},
		"acme/" + missingID:         {listRequest, getRequest},
		"acme/created-by-a-process": {listRequest, listRequest},
	} {
		pools := cloud.provider(t, nil).Resource(poolType)
		cloud.ResetRequests()
		if imported, diagnostics := pools.Import(t.Context(), id); !diagnostics.HasError() {
			pools.MustRead(t, imported)
		}
		cloud.expectRequests(t, want...)
	}
}

func TestImportAgentPool_invalid(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	runners := cloud.mustCreate(t, "acme", "linux-runners", "")
	cloud.mustCreate(t, "acme", "something else entirely", "")
	pools := cloud.provider(t, nil).Resource(poolType)
	const invalid, notFound = "Invalid import ID", "Agent pool not found"
	for name, test := range map[string]struct {
		id, summary string
		texts       []string
	}{
		"empty":           {"", invalid, []string{`""`, "ORGANIZATION/POOL_ID"}},
		"name":            {"runners", invalid, []string{`"runners"`, "ORGANIZATION/POOL_ID", "ORGANIZATION/NAME"}},
		"no organization": {"/" + runners.ID, invalid, nil},
		"nothing after /": {"acme/", invalid, nil},
		"slash":           {"/", invalid, nil},
		"token":           {accessToken, invalid, []string{"contains a token"}},
		"token as name":   {"acme/" + accessToken, invalid, nil},
		"URL":             {"https://app.pulumi.com/acme/settings/agent-pools/" + runners.ID, invalid, nil},
		"truncated ID":    {runners.ID[:35], invalid, nil},
		"ID in braces":    {"{" + runners.ID + "}", invalid, nil},
		"similar name":    {"acme/linux-runner", notFound, []string{`"linux-runner"`, `"linux-runners" (` + runners.ID + ")"}},
		"different case":  {"acme/Linux-Runners", notFound, []string{`"linux-runners"`}},
		"unknown name":    {"acme/zzz", notFound, []string{"None of its agent pools has a similar name"}},
		"unknown ID":      {"acme/" + missingID, notFound, []string{missingID, `"acme"`}},
		"no agent pools":  {"globex/runners", notFound, []string{`"globex"`, "no agent pools"}},
		"name of a different agent pool": {
			"acme/runners/" + runners.ID, "Import ID is contradictory", []string{`"linux-runners"`, `"runners"`, runners.ID},
		},
		"unknown organization": {"initech/runners", "Organization not found", []string{`"initech"`}},
		"dot segment":          {"../runners", "Invalid value", []string{"organization"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, diagnostics := pools.Import(t.Context(), test.id)
			expectError(t, diagnostics, test.summary, test.texts...)
			if len(diagnostics) > 1 {
				t.Errorf("more than an error: %s", diagnostics)
			}
		})
	}
}

func TestImportAgentPool_identity(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	inAcme := cloud.mustCreate(t, "acme", "runners", "")
	inGlobex := cloud.mustCreate(t, "globex", "runners", "")
	pools := cloud.acme(t)
	for name, test := range map[string]struct {
		identity         acctest.Values
		organization, id string
	}{
		"organization and ID": {acctest.Values{"organization": "globex", "id": inGlobex.ID}, "globex", inGlobex.ID},
		"ID":                  {acctest.Values{"id": inAcme.ID}, "acme", inAcme.ID},
		"ID in upper case":    {acctest.Values{"id": strings.ToUpper(inAcme.ID)}, "acme", inAcme.ID},
		"empty organization":  {acctest.Values{"organization": "", "id": inAcme.ID}, "acme", inAcme.ID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			imported, diagnostics := pools.ImportByIdentity(t.Context(), test.identity)
			expectWarning(t, diagnostics, importedWithoutToken)
			want := map[string]any{"organization": test.organization, "id": test.id}
			if got := pools.IdentityOf(imported); !reflect.DeepEqual(got, want) {
				t.Errorf("identity %v, want %v", got, want)
			}
			if got := pools.MustRead(t, imported).Text("name"); got != "runners" {
				t.Errorf("the name is %q", got)
			}
		})
	}
	for name, identity := range map[string]acctest.Values{
		"no ID":      {"organization": "acme"},
		"empty ID":   {"id": ""},
		"name":       {"id": "runners"},
		"path":       {"id": "../../stacks"},
		"unknown ID": {"id": tftypes.UnknownValue},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, diagnostics := pools.ImportByIdentity(t.Context(), identity)
			expectError(t, diagnostics, "Invalid agent pool ID", "UUID")
		})
	}
}

func TestAccImportAgentPool(t *testing.T) {
	t.Parallel()
	for name, forms := range map[string][]string{
		"ID":       {`id = "acme/ID"`, `id = "ID"`, `id = "acme/NAME"`, `id = "acme/NAME/ID"`},
		"identity": {`identity = { organization = "acme", id = "ID" }`, `identity = { id = "ID" }`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := startPulumiCloud(t, emulator.Options{})
			var config strings.Builder
			for i, form := range forms {
				pool := cloud.mustCreate(t, "acme", fmt.Sprintf("runners / %d", i), "")
				fmt.Fprintf(&config, `
import {
  to = pulumicloud_agent_pool.test%[1]d
  %[2]s
}

resource "pulumicloud_agent_pool" "test%[1]d" {
  name = %[3]q
}
`, i, strings.NewReplacer("NAME", pool.Name, "ID", pool.ID).Replace(form), pool.Name)
			}
			w := newWorkspace(t, cloud.config(`organization = "acme"`, ""))
			if name == "identity" {
				skipUnlessCLI(t, w, "1.12.0")
			}
			mustDo(t, w.Write("import.tf", config.String()))
			want := fmt.Sprintf("%d to import, 0 to add, 0 to change, 0 to destroy", len(forms))
			if output := w.MustRun(t, "plan"); !strings.Contains(output, want) {
				t.Errorf("plan: %s", output)
			}
			cloud.expectRequests(t, listRequest)
			w.MustRun(t, "apply", "-auto-approve")
			w.MustRun(t, "plan", "-detailed-exitcode")
		})
	}
}

// skipUnlessCLI skips the test if the CLI under test is older than the version.
func skipUnlessCLI(t *testing.T, w *acctest.Workspace, minimum string) {
	t.Helper()
	var found struct {
		Version string `json:"terraform_version"`
	}
	output, err := w.Command(t.Context(), "version", "-json").Output()
	mustDo(t, err)
	mustDo(t, json.Unmarshal(output, &found))
	if version.Must(version.NewVersion(found.Version)).Core().LessThan(version.Must(version.NewVersion(minimum))) {
		t.Skipf("requires version %s, and the CLI has version %s", minimum, found.Version)
	}
}
