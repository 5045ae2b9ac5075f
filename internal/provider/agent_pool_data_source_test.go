package provider_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestAccAgentPoolDataSource(t *testing.T) {
	t.Parallel()
	for unit, milliseconds := range map[string]bool{"seconds": false, "milliseconds": true} {
		t.Run(unit, func(t *testing.T) {
			t.Parallel()
			var minutes atomic.Int64 // that have passed since noon
			pulumi := startPulumiCloud(t, emulator.Options{
				Milliseconds: milliseconds,
				Now:          func() time.Time { return noon.Add(time.Duration(minutes.Load()) * time.Minute) },
			})
			pool := pulumi.mustCreate(t, "acme", "runners", "in the data centre")
			pulumi.mustCreate(t, "acme", "unused", "")
			mustDo(t,
				pulumi.SetDefaultAgentPool("acme", pool.ID),
				pulumi.SetLastDeployment("acme", pool.ID, noon.Add(-time.Hour)),
				pulumi.ConnectAgent("acme", pool.ID, emulator.Agent{Hostname: "away", IP: "10.0.0.1", PID: "17", Version: "v1.0.0"}),
			)
			minutes.Add(1)
			mustDo(t, pulumi.DisconnectAgent("acme", pool.ID, "away"))
			minutes.Add(1)
			mustDo(t, pulumi.ConnectAgent("acme", pool.ID, emulator.Agent{
				Hostname: "here", IP: "10.0.0.2", PID: "4711", Platform: "linux/amd64", Version: "v2.0.0",
			}))

			checks := func(address string) []statecheck.StateCheck {
				want := map[string]knownvalue.Check{
					"organization":       knownvalue.StringExact("acme"),
					"id":                 knownvalue.StringExact(pool.ID),
					"name":               knownvalue.StringExact("runners"),
					"description":        knownvalue.StringExact("in the data centre"),
					"status":             knownvalue.StringExact("online"),
					"is_default":         knownvalue.Bool(true),
					"created_at":         knownvalue.StringExact("2026-03-01T12:00:00Z"),
					"last_seen_at":       knownvalue.StringExact("2026-03-01T12:02:00Z"),
					"last_deployment_at": knownvalue.StringExact("2026-03-01T11:00:00Z"),
					"agents": knownvalue.ListExact([]knownvalue.Check{
						knownvalue.ObjectExact(map[string]knownvalue.Check{
							"hostname":     knownvalue.StringExact("away"),
							"ip":           knownvalue.StringExact("10.0.0.1"),
							"pid":          knownvalue.StringExact("17"),
							"platform":     knownvalue.Null(),
							"version":      knownvalue.StringExact("v1.0.0"),
							"status":       knownvalue.StringExact("offline"),
							"last_seen_at": knownvalue.StringExact("2026-03-01T12:01:00Z"),
						}),
						knownvalue.ObjectExact(map[string]knownvalue.Check{
							"hostname":     knownvalue.StringExact("here"),
							"ip":           knownvalue.StringExact("10.0.0.2"),
							"pid":          knownvalue.StringExact("4711"),
							"platform":     knownvalue.StringExact("linux/amd64"),
							"version":      knownvalue.StringExact("v2.0.0"),
							"status":       knownvalue.StringExact("online"),
							"last_seen_at": knownvalue.StringExact("2026-03-01T12:02:00Z"),
						}),
					}),
				}
				var checks []statecheck.StateCheck
				for name, check := range want {
					checks = append(checks, statecheck.ExpectKnownValue(address, attribute(name), check))
				}
				return checks
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: factories(),
				Steps: []resource.TestStep{{
					Config: pulumi.config("", fmt.Sprintf(`
data "pulumicloud_agent_pool" "by_id" {
  id = %q
}

data "pulumicloud_agent_pool" "by_name" {
  name = "runners"
}`, pool.ID)),
					ConfigStateChecks: append(
						checks("data.pulumicloud_agent_pool.by_id"), checks("data.pulumicloud_agent_pool.by_name")...),
				}},
			})
		})
	}
}

func TestAgentPoolDataSource_ofAnotherOrganization(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pulumi.mustCreate(t, "acme", "runners", "acme's")
	pulumi.mustCreate(t, "globex", "runners", "globex's")
	p := dataSourceProvider(t, pulumi)
	state, diagnostics := p.ReadDataSource(t.Context(), poolType, attributes{"organization": "globex", "name": "runners"})
	if len(diagnostics) > 0 {
		t.Fatal(diagnosticsText(diagnostics))
	}
	if state["description"] != "globex's" || state["organization"] != "globex" {
		t.Errorf("read %v", state)
	}
	expectRequests(t, pulumi, "GET /api/orgs/globex/agent-pools", "GET /api/orgs/globex/agent-pools/{id}")
}

func TestAgentPoolDataSource_neverSeen(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{Now: atNoon})
	pool := pulumi.mustCreate(t, "acme", "runners", "")
	state, diagnostics := dataSourceProvider(t, pulumi).ReadDataSource(t.Context(), poolType, attributes{"id": pool.ID})
	if len(diagnostics) > 0 {
		t.Fatal(diagnosticsText(diagnostics))
	}
	want := map[string]any{
		"organization": "acme", "id": pool.ID, "name": "runners", "description": "", "status": "offline", "is_default": false,
		"created_at": "2026-03-01T12:00:00Z", "last_seen_at": nil, "last_deployment_at": nil, "agents": []any{},
	}
	if diff := cmp.Diff(want, state); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

func TestAccAgentPoolDataSource_exactlyOneKey(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	refused := func(arguments string, pattern string) resource.TestStep {
		return resource.TestStep{
			Config:      pulumi.config("", "data \"pulumicloud_agent_pool\" \"test\" {\n"+arguments+"\n}"),
			PlanOnly:    true,
			ExpectError: regexp.MustCompile(pattern),
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			refused("", `(?s)Missing Attribute Configuration.*Exactly one.*\[id,name\]`),
			refused("id = \""+id1+"\"\nname = \"runners\"", `(?s)Invalid Attribute Combination.*Exactly one.*\[id,name\]`),
			refused(`name = ""`, "Empty name"),
			refused(`name = " runners"`, "White space around a name"),
			refused(`id = ""`, "Empty name"),
		},
	})
	if requests := pulumi.requested(); len(requests) > 0 {
		t.Errorf("requests in spite of the errors: %v", requests)
	}
}

func TestAgentPoolDataSource_notFound(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	runners := pulumi.mustCreate(t, "acme", "runners-production", "")
	pulumi.mustCreate(t, "acme", "unrelated", "")
	p := dataSourceProvider(t, pulumi)
	// almost is the id with another last digit.
	almost := runners.ID[:len(runners.ID)-1] + map[bool]string{true: "1", false: "0"}[strings.HasSuffix(runners.ID, "0")]
	near := fmt.Sprintf("Similar: %q (%s).", "runners-production", runners.ID)
	for name, test := range map[string]struct {
		key    attributes
		detail []string
	}{
		"name with a typing error": {
			attributes{"name": "runners-prodution"}, []string{`Organization "acme" has no agent pool named "runners-prodution"`, near},
		},
		"name in capitals":  {attributes{"name": "RUNNERS-PRODUCTION"}, []string{near}},
		"part of a name":    {attributes{"name": "production"}, []string{near}},
		"nothing like it":   {attributes{"name": "xyz"}, []string{"None of its 2 agent pools has a similar name."}},
		"id almost":         {attributes{"id": almost}, []string{`has no agent pool with the id "` + almost + `"`, near}},
		"name for an id":    {attributes{"id": "runners-production"}, []string{near}},
		"no pools anywhere": {attributes{"name": "runners", "organization": "globex"}, []string{"no agent pools at all"}},
		"path for an id":    {attributes{"id": "../../user"}, []string{`has no agent pool with the id "../../user"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, diagnostics := p.ReadDataSource(t.Context(), poolType, test.key)
			expectDiagnostic(t, diagnostics, diagnosticWanted{summary: "Agent pool not found", detail: test.detail})
		})
	}
}

func TestAgentPoolDataSource_deletedBetweenListAndDetail(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pool := pulumi.mustCreate(t, "acme", "runners", "")
	pulumi.intercept(http.MethodGet, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.HasSuffix(r.URL.Path, pool.ID) {
			if err := pulumi.DeleteAgentPool("acme", pool.ID); err != nil {
				t.Error(err)
			}
		}
		next.ServeHTTP(w, r)
	})
	_, diagnostics := dataSourceProvider(t, pulumi).ReadDataSource(t.Context(), poolType, attributes{"name": "runners"})
	expectDiagnostic(t, diagnostics, diagnosticWanted{
		summary: "Agent pool not found", detail: []string{`read agent pool "runners" (` + pool.ID + ")", "deleted outside Terraform"},
	})
}

// pools is for intercept: it answers the list and the detail of one organization.
func pools(list, detail string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		body := list
		if !strings.HasSuffix(r.URL.Path, "/agent-pools") {
			body = detail
		}
		answer(http.StatusOK, jsonType, body)(w, r, next)
	}
}

func TestAgentPoolDataSource_brokenAnswers(t *testing.T) {
	t.Parallel()
	const good = `{"id":"` + id1 + `","name":"runners","status":"online"}`
	agents := func(agents string) string { return `{"id":"` + id1 + `","name":"runners","agents":` + agents + `}` }
	unexpected := func(details ...string) diagnosticWanted {
		return diagnosticWanted{summary: "Unexpected answer of Pulumi Cloud", detail: details}
	}
	for name, test := range map[string]struct {
		key          attributes
		list, detail string
		want         diagnosticWanted
	}{
		"name twice": {
			attributes{"name": "runners"},
			listOf(good, strings.Replace(good, id1, id2, 1)), "{}",
			diagnosticWanted{summary: "Agent pool's name is ambiguous", detail: []string{"2 agent pools", "Use the id"}},
		},
		"id missing": {attributes{"id": id1}, listOf(good), `{"name":"runners"}`, unexpected(`"id" is missing`)},
		"another's id": {
			attributes{"id": id1}, listOf(good), `{"id":"` + id2 + `","name":"x"}`, unexpected(`"id" is another pool's`),
		},
		"name missing":   {attributes{"id": id1}, listOf(good), `{"id":"` + id1 + `"}`, unexpected(`"name" is missing`)},
		"no list":        {attributes{"id": id1}, listOf(good), agents(`{}`), unexpected(`"agents"`, "object")},
		"text for agent": {attributes{"id": id1}, listOf(good), agents(`[{"pid":"1"},"x"]`), unexpected(`"agents[1]"`, "string")},
		"pid a number":   {attributes{"id": id1}, listOf(good), agents(`[{"pid":1}]`), unexpected(`"agents[0].pid"`, "number")},
		"time a text":    {attributes{"id": id1}, listOf(good), agents(`[{"lastSeen":"now"}]`), unexpected(`agents[0]`, "string")},
		"cut off":        {attributes{"id": id1}, listOf(good), `{"id":`, unexpected("not whole JSON")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{})
			pulumi.intercept(http.MethodGet, pools(test.list, test.detail))
			_, diagnostics := dataSourceProvider(t, pulumi).ReadDataSource(t.Context(), poolType, test.key)
			expectDiagnostic(t, diagnostics, test.want)
		})
	}
}

func TestAgentPoolDataSource_oddAgents(t *testing.T) {
	t.Parallel()
	agent := func(change attributes) map[string]any {
		element := map[string]any{
			"hostname": "", "ip": "", "pid": "", "platform": nil, "version": "", "status": "", "last_seen_at": nil,
		}
		maps.Copy(element, change)
		return element
	}
	for name, test := range map[string]struct {
		agents string
		want   []any
	}{
		"none":          {`null`, []any{}},
		"empty":         {`[{}]`, []any{agent(nil)}},
		"nulls":         {`[{"hostname":null,"pid":null,"platform":null,"lastSeen":null}]`, []any{agent(nil)}},
		"status":        {`[{"status":"draining"}]`, []any{agent(attributes{"status": "draining"})}},
		"negative time": {`[{"lastSeen":-5}]`, []any{agent(nil)}},
		"absurd time":   {`[{"lastSeen":9e99}]`, []any{agent(nil)}},
		"twice": {
			`[{"hostname":"b","region":"eu"},{"hostname":"a"},{"hostname":"b"}]`,
			[]any{agent(attributes{"hostname": "b"}), agent(attributes{"hostname": "a"}), agent(attributes{"hostname": "b"})},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{})
			pulumi.intercept(http.MethodGet, pools(
				listOf(`{"id":"`+id1+`","name":"runners"}`), `{"id":"`+id1+`","name":"runners","agents":`+test.agents+`}`))
			state, diagnostics := dataSourceProvider(t, pulumi).ReadDataSource(t.Context(), poolType, attributes{"id": id1})
			if len(diagnostics) > 0 {
				t.Fatal(diagnosticsText(diagnostics))
			}
			if diff := cmp.Diff(test.want, state["agents"]); diff != "" {
				t.Errorf("agents (-want +got):\n%s", diff)
			}
		})
	}
}
