package provider_test

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const (
	agentPoolsType = "pulumicloud_agent_pools"

	id1 = "11111111-1111-4111-8111-111111111111"
	id2 = "22222222-2222-4222-8222-222222222222"
)

// noon is when everything happens in an emulator that is started with its clock.
var noon = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// dataSourceProvider is a provider that is configured for an emulator, with acme as the default organization.
func dataSourceProvider(t *testing.T, pulumi pulumiCloud) *acctest.Provider {
	t.Helper()
	p := serveProvider(t)
	mustConfigure(t, p, attributes{
		"api_url": pulumi.url, "access_token": accessToken, "organization": "acme", "max_retries": 0,
	})
	return p
}

func mustDo(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAccAgentPoolsDataSource(t *testing.T) {
	t.Parallel()
	for unit, milliseconds := range map[string]bool{"seconds": false, "milliseconds": true} {
		t.Run(unit, func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{Milliseconds: milliseconds, Now: atNoon})
			busy := pulumi.mustCreate(t, "acme", "zebra", "")
			idle := pulumi.mustCreate(t, "acme", "ant", "in the data centre")
			pulumi.mustCreate(t, "globex", "another organization's", "")
			mustDo(t,
				pulumi.ConnectAgent("acme", busy.ID, emulator.Agent{Hostname: "host", PID: "1"}),
				pulumi.SetLastDeployment("acme", busy.ID, noon.Add(-time.Hour)),
				pulumi.SetDefaultAgentPool("acme", busy.ID),
			)

			const address = "data.pulumicloud_agent_pools.all"
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: factories(),
				Steps: []resource.TestStep{{
					Config: pulumi.config("", `data "pulumicloud_agent_pools" "all" {}`),
					ConfigStateChecks: []statecheck.StateCheck{
						statecheck.ExpectKnownValue(address, tfjsonpath.New("organization"), knownvalue.StringExact("acme")),
						statecheck.ExpectKnownValue(address, tfjsonpath.New("default_agent_pool_id"), knownvalue.StringExact(busy.ID)),
						statecheck.ExpectKnownValue(address, tfjsonpath.New("ids"), knownvalue.ListExact([]knownvalue.Check{
							knownvalue.StringExact(idle.ID), knownvalue.StringExact(busy.ID),
						})),
						statecheck.ExpectKnownValue(address, tfjsonpath.New("agent_pools"), knownvalue.ListExact([]knownvalue.Check{
							knownvalue.ObjectExact(map[string]knownvalue.Check{
								"id":                 knownvalue.StringExact(idle.ID),
								"name":               knownvalue.StringExact("ant"),
								"description":        knownvalue.StringExact("in the data centre"),
								"status":             knownvalue.StringExact("offline"),
								"is_default":         knownvalue.Bool(false),
								"created_at":         knownvalue.StringExact("2026-03-01T12:00:00Z"),
								"last_seen_at":       knownvalue.Null(),
								"last_deployment_at": knownvalue.Null(),
							}),
							knownvalue.ObjectExact(map[string]knownvalue.Check{
								"id":                 knownvalue.StringExact(busy.ID),
								"name":               knownvalue.StringExact("zebra"),
								"description":        knownvalue.StringExact(""),
								"status":             knownvalue.StringExact("online"),
								"is_default":         knownvalue.Bool(true),
								"created_at":         knownvalue.StringExact("2026-03-01T12:00:00Z"),
								"last_seen_at":       knownvalue.StringExact("2026-03-01T12:00:00Z"),
								"last_deployment_at": knownvalue.StringExact("2026-03-01T11:00:00Z"),
							}),
						})),
					},
				}},
			})
		})
	}
}

func TestAgentPoolsDataSource_filters(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	for _, name := range []string{"staging-eu", "production-us", "production-eu"} {
		pulumi.mustCreate(t, "acme", name, "")
	}
	for _, pool := range pulumi.AgentPools("acme") {
		if pool.Name == "production-eu" {
			mustDo(t,
				pulumi.ConnectAgent("acme", pool.ID, emulator.Agent{Hostname: "host"}),
				pulumi.SetDefaultAgentPool("acme", pool.ID),
			)
		}
	}
	p := dataSourceProvider(t, pulumi)
	for name, test := range map[string]struct {
		filters attributes
		want    []string
	}{
		"none":                 {nil, []string{"production-eu", "production-us", "staging-eu"}},
		"part of a name":       {attributes{"name_regex": "eu"}, []string{"production-eu", "staging-eu"}},
		"whole name":           {attributes{"name_regex": "^production-us$"}, []string{"production-us"}},
		"no such name":         {attributes{"name_regex": "^eu"}, []string{}},
		"empty expression":     {attributes{"name_regex": ""}, []string{"production-eu", "production-us", "staging-eu"}},
		"online":               {attributes{"status": "online"}, []string{"production-eu"}},
		"offline":              {attributes{"status": "offline"}, []string{"production-us", "staging-eu"}},
		"both filters":         {attributes{"name_regex": "^production", "status": "offline"}, []string{"production-us"}},
		"both filters, nobody": {attributes{"name_regex": "^staging", "status": "online"}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state, diagnostics := p.ReadDataSource(t.Context(), agentPoolsType, test.filters)
			if len(diagnostics) > 0 {
				t.Fatal(diagnosticsText(diagnostics))
			}
			names, ids := []string{}, []any{}
			for _, pool := range state["agent_pools"].([]any) {
				pool := pool.(map[string]any)
				names, ids = append(names, pool["name"].(string)), append(ids, pool["id"])
			}
			if diff := cmp.Diff(test.want, names); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(ids, state["ids"]); diff != "" {
				t.Errorf("ids (-of the pools +got):\n%s", diff)
			}
			if state["default_agent_pool_id"] == nil {
				t.Error("the default pool depends on the filters")
			}
		})
	}
	if n := pulumi.count(listRequest); n > 1 {
		t.Errorf("%d lists, want one for all data sources", n)
	}
}

func TestAgentPoolsDataSource_organizationWithoutPools(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	state, diagnostics := dataSourceProvider(t, pulumi).ReadDataSource(t.Context(), agentPoolsType, nil)
	if len(diagnostics) > 0 {
		t.Fatal(diagnosticsText(diagnostics))
	}
	want := map[string]any{
		"organization": "acme", "name_regex": nil, "status": nil,
		"agent_pools": []any{}, "ids": []any{}, "default_agent_pool_id": nil,
	}
	if diff := cmp.Diff(want, state); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

func TestAgentPoolsDataSource_unknownOrganization(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	p := dataSourceProvider(t, pulumi)
	_, diagnostics := p.ReadDataSource(t.Context(), agentPoolsType, attributes{"organization": "initech"})
	expectDiagnostic(t, diagnostics, diagnosticWanted{
		summary: "Organization not found", detail: []string{`"initech"`, "list the agent pools"},
	})
}

func TestAccAgentPoolsDataSource_refusedWhilePlanning(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	p := dataSourceProvider(t, pulumi)
	for name, test := range map[string]struct {
		arguments attributes
		want      diagnosticWanted
	}{
		"regex": {
			attributes{"name_regex": "("},
			diagnosticWanted{summary: "Invalid regular expression", attribute: "name_regex", detail: []string{"missing closing )"}},
		},
		"status": {
			attributes{"status": "asleep"},
			diagnosticWanted{summary: "Invalid Attribute Value Match", attribute: "status", detail: []string{"online", "offline"}},
		},
		"organization": {
			attributes{"organization": ""}, diagnosticWanted{summary: "Empty name", attribute: "organization"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, diagnostics := p.ReadDataSource(t.Context(), agentPoolsType, test.arguments)
			expectDiagnostic(t, diagnostics, test.want)
		})
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{{
			Config:      pulumi.config("", `data "pulumicloud_agent_pools" "all" { name_regex = "(" }`),
			PlanOnly:    true,
			ExpectError: regexp.MustCompile("Invalid regular expression"),
		}},
	})
	if requests := pulumi.requested(); len(requests) > 0 {
		t.Errorf("requests in spite of the errors: %v", requests)
	}
}

// listOf is an answer to the list with these pools.
func listOf(pools ...string) string {
	body := `{"agentPools":[`
	for i, pool := range pools {
		if i > 0 {
			body += ","
		}
		body += pool
	}
	return body + "]}"
}

func TestAgentPoolsDataSource_brokenAnswers(t *testing.T) {
	t.Parallel()
	unexpected := func(details ...string) diagnosticWanted {
		return diagnosticWanted{summary: "Unexpected answer of Pulumi Cloud", detail: details}
	}
	foreign := diagnosticWanted{summary: "Not an answer of Pulumi Cloud", detail: []string{"api_url", "proxy"}}
	const good = `{"id":"` + id1 + `","name":"good"}`
	for name, test := range map[string]struct {
		status    int
		mediaType string
		body      string
		want      diagnosticWanted
	}{
		"no list":             {200, jsonType, `{}`, unexpected(`"agentPools" is missing`)},
		"null for a list":     {200, jsonType, `{"agentPools":null}`, unexpected(`"agentPools" is missing`)},
		"object for a list":   {200, jsonType, `{"agentPools":{}}`, unexpected(`"agentPools"`, "object")},
		"number for a pool":   {200, jsonType, listOf(good, `5`), unexpected(`"agentPools[1]"`, "number")},
		"id missing":          {200, jsonType, listOf(good, `{"name":"x"}`), unexpected(`"agentPools[1].id" is missing`)},
		"id empty":            {200, jsonType, listOf(`{"id":"","name":"x"}`), unexpected(`"agentPools[0].id" is missing`)},
		"id a number":         {200, jsonType, listOf(good, `{"id":5,"name":"x"}`), unexpected(`"agentPools[1].id"`, "number")},
		"id with an escape":   {200, jsonType, listOf(`{"id":"\u001b[2J","name":"x"}`), unexpected(`"agentPools[0].id"`)},
		"name missing":        {200, jsonType, listOf(`{"id":"` + id1 + `"}`), unexpected(`"agentPools[0].name" is missing`)},
		"name a list":         {200, jsonType, listOf(`{"id":"` + id1 + `","name":[]}`), unexpected(`"agentPools[0].name"`, "array")},
		"time a text":         {200, jsonType, listOf(`{"id":"x","name":"x","created":"now"}`), unexpected(`created"`, "string")},
		"default id a number": {200, jsonType, `{"agentPools":[],"defaultAgentPoolID":1}`, unexpected(`"defaultAgentPoolID"`)},
		"cut off":             {200, jsonType, `{"agentPools":[`, unexpected("not whole JSON")},
		"nothing":             {200, jsonType, ``, unexpected("not whole JSON", "0 bytes")},
		"more than JSON":      {200, jsonType, listOf() + "{}", unexpected("after its JSON")},
		"web page":            {200, htmlType, `<html>sign in</html>`, unexpected("not whole JSON", "text/html")},
		"error page":          {502, htmlType, `<html>bad gateway</html>`, foreign},
		"unknown route":       {404, textType, "404 page not found", foreign},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{})
			pulumi.intercept(http.MethodGet, answer(test.status, test.mediaType, test.body))
			_, diagnostics := dataSourceProvider(t, pulumi).ReadDataSource(t.Context(), agentPoolsType, nil)
			expectDiagnostic(t, diagnostics, test.want)
		})
	}
}

// What is odd, but not wrong in a way that matters, is passed on or left out.
func TestAgentPoolsDataSource_oddAnswers(t *testing.T) {
	t.Parallel()
	pool := func(id, name string, change ...func(map[string]any)) map[string]any {
		element := map[string]any{
			"id": id, "name": name, "description": "", "status": "offline", "is_default": false,
			"created_at": nil, "last_seen_at": nil, "last_deployment_at": nil,
		}
		for _, change := range change {
			change(element)
		}
		return element
	}
	set := func(name string, value any) func(map[string]any) {
		return func(element map[string]any) { element[name] = value }
	}
	entry := func(id, name, rest string) string {
		return fmt.Sprintf(`{"id":%q,"name":%q,"status":"offline"%s}`, id, name, rest)
	}
	for name, test := range map[string]struct {
		filters attributes
		body    string
		want    []any
	}{
		"id twice": {
			nil, listOf(entry(id1, "b", ""), entry(id1, "a", "")), []any{pool(id1, "a"), pool(id1, "b")},
		},
		"name twice": {
			nil, listOf(entry(id2, "a", ""), entry(id1, "a", "")), []any{pool(id1, "a"), pool(id2, "a")},
		},
		"unheard-of status": {
			nil, listOf(entry(id1, "a", `,"status":"draining"`)), []any{pool(id1, "a", set("status", "draining"))},
		},
		"unheard-of status, filtered": {
			attributes{"status": "offline"},
			listOf(entry(id1, "a", `,"status":"draining"`), entry(id2, "b", "")),
			[]any{pool(id2, "b")},
		},
		"no status": {
			nil, listOf(`{"id":"` + id1 + `","name":"a"}`), []any{pool(id1, "a", set("status", ""))},
		},
		"fields of a later version": {
			nil, listOf(entry(id1, "a", `,"region":{"code":"eu"},"labels":["x"]`)), []any{pool(id1, "a")},
		},
		"nulls": {
			nil, listOf(entry(id1, "a", `,"description":null,"created":null,"lastSeen":null,"isDefault":null`)),
			[]any{pool(id1, "a")},
		},
		"negative times": {
			nil, listOf(entry(id1, "a", `,"created":-1,"lastSeen":-100000000000,"lastDeployment":0`)), []any{pool(id1, "a")},
		},
		"absurd times": {
			nil, listOf(entry(id1, "a", `,"created":9223372036854775807,"lastSeen":1e300,"lastDeployment":253402300800000`)),
			[]any{pool(id1, "a")},
		},
		"last second that is not a millisecond": {
			nil, listOf(entry(id1, "a", `,"created":99999999999,"lastSeen":100000000000,"lastDeployment":1772366400.9`)),
			[]any{pool(
				id1, "a", set("created_at", "5138-11-16T09:46:39Z"), set("last_seen_at", "1973-03-03T09:46:40Z"),
				set("last_deployment_at", "2026-03-01T12:00:00Z"),
			)},
		},
		"escapes in texts": {
			nil, listOf(entry(id1, "a", `,"description":"\u001b[31mred\u0000"`)),
			[]any{pool(id1, "a", set("description", "\x1b[31mred\x00"))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{})
			pulumi.intercept(http.MethodGet, answer(http.StatusOK, jsonType, test.body))
			state, diagnostics := dataSourceProvider(t, pulumi).ReadDataSource(t.Context(), agentPoolsType, test.filters)
			if len(diagnostics) > 0 {
				t.Fatal(diagnosticsText(diagnostics))
			}
			if diff := cmp.Diff(test.want, state["agent_pools"]); diff != "" {
				t.Errorf("agent_pools (-want +got):\n%s", diff)
			}
		})
	}
}

// The apply lists the pools before the new one exists, and must not answer from that list afterwards.
func TestAccAgentPoolsDataSource_seesWhatTheSameApplyCreates(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{{
			Config: pulumi.config(`organization = "acme"`, `
resource "terraform_data" "first" {}

data "pulumicloud_agent_pools" "before" {
  depends_on = [terraform_data.first]
}

resource "pulumicloud_agent_pool" "test" {
  name        = "runners"
  description = "one more than ${length(data.pulumicloud_agent_pools.before.ids)}"

  lifecycle {
    ignore_changes = [description]
  }
}

data "pulumicloud_agent_pools" "after" {
  depends_on = [pulumicloud_agent_pool.test]
}

data "pulumicloud_agent_pool" "after" {
  id         = pulumicloud_agent_pool.test.id
  depends_on = [data.pulumicloud_agent_pools.before]
}`),
			Check: resource.ComposeAggregateTestCheckFunc(
				resource.TestCheckResourceAttr("pulumicloud_agent_pool.test", "description", "one more than 0"),
				resource.TestCheckResourceAttr("data.pulumicloud_agent_pools.after", "agent_pools.#", "1"),
				resource.TestCheckResourceAttrPair(
					"data.pulumicloud_agent_pools.after", "ids.0", "pulumicloud_agent_pool.test", "id"),
				resource.TestCheckResourceAttr("data.pulumicloud_agent_pool.after", "name", "runners"),
			),
		}},
	})
}

func TestAccAgentPoolsDataSource_sharesTheListOfTheWalk(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	workspace := newWorkspace(t, `
provider "pulumicloud" {
  organization = "acme"
}

resource "pulumicloud_agent_pool" "test" {
  count = 5
  name  = "runners-${count.index}"
}

data "pulumicloud_agent_pools" "all" {}

data "pulumicloud_agent_pools" "offline" {
  status = "offline"
}

data "pulumicloud_agent_pool" "by_id" {
  id = pulumicloud_agent_pool.test[0].id
}

data "pulumicloud_agent_pool" "by_name" {
  name = pulumicloud_agent_pool.test[1].name
}`, "PULUMI_BACKEND_URL="+pulumi.url, "PULUMI_ACCESS_TOKEN="+accessToken)
	workspace.MustRun(t, "init")
	workspace.MustRun(t, "apply", "-auto-approve")
	pulumi.ResetRequests()
	workspace.MustRun(t, "plan")
	expectRequests(t, pulumi, listRequest, getRequest, getRequest)
}
