package provider_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/querycheck"
	"github.com/hashicorp/terraform-plugin-testing/querycheck/queryfilter"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// listedPool is a result of a list: a pool, or what was said instead.
type listedPool struct {
	name             string
	organization, id string
	resource         *tftypes.Value
	diagnostics      acctest.Diagnostics
}

// list runs a list block to its end.
func list(t *testing.T, c *acctest.Resource, config attributes, limit int64, includeResource bool) []listedPool {
	t.Helper()
	var listed []listedPool
	for _, result := range c.List(t.Context(), config, limit, includeResource) {
		pool := listedPool{name: result.DisplayName, diagnostics: result.Diagnostics}
		pool.organization, pool.id = identityOf(c, result.Object)
		if result.Object.Exists() {
			pool.resource = &result.Object.Value
		}
		listed = append(listed, pool)
	}
	return listed
}

func names(listed []listedPool) []string {
	var names []string
	for _, pool := range listed {
		names = append(names, pool.name)
	}
	return names
}

func TestAgentPoolList(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	for _, name := range []string{"web-2", "batch", "web-1"} {
		pulumi.mustCreate(t, "acme", name, "")
	}
	described := pulumi.mustCreate(t, "acme", "arm", "Graviton builders")
	mustDo(t, pulumi.ConnectAgent("acme", described.ID, emulator.Agent{Hostname: "builder"}))
	elsewhere := pulumi.mustCreate(t, "globex", "theirs", "")
	for name, test := range map[string]struct {
		config attributes
		limit  int64
		want   []string
	}{
		"all":                  {nil, 0, []string{"arm (Graviton builders)", "batch", "web-1", "web-2"}},
		"another organization": {attributes{"organization": "globex"}, 100, []string{"theirs"}},
		"by name":              {attributes{"name_regex": "^web-"}, 100, []string{"web-1", "web-2"}},
		"online":               {attributes{"status": "online"}, 100, []string{"arm (Graviton builders)"}},
		"both filters":         {attributes{"status": "offline", "name_regex": "a"}, 100, []string{"batch"}},
		"none":                 {attributes{"name_regex": "nothing"}, 100, nil},
		"two":                  {nil, 2, []string{"arm (Graviton builders)", "batch"}},
		"all there are":        {nil, 4, []string{"arm (Graviton builders)", "batch", "web-1", "web-2"}},
		"one of two":           {attributes{"name_regex": "web"}, 1, []string{"web-1"}},
	} {
		for _, includeResource := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, with resources %t", name, includeResource), func(t *testing.T) {
				t.Parallel()
				c := newCore(t, pulumi, attributes{"organization": "acme"})
				listed := list(t, c, test.config, test.limit, includeResource)
				if got := names(listed); !slices.Equal(got, test.want) {
					t.Errorf("listed %q, want %q", got, test.want)
				}
				for _, pool := range listed {
					if len(pool.diagnostics) > 0 {
						t.Error(diagnosticsText(pool.diagnostics))
					}
					if (pool.resource != nil) != includeResource {
						t.Errorf("%s comes with its resource: %t", pool.name, pool.resource != nil)
					}
				}
			})
		}
	}
	t.Run("what is listed of a pool", func(t *testing.T) {
		t.Parallel()
		c := newCore(t, pulumi, nil)
		listed := list(t, c, attributes{"organization": "globex"}, 100, true)
		if len(listed) != 1 || listed[0].organization != "globex" || listed[0].id != elsewhere.ID {
			t.Fatalf("listed %+v, want %s", listed, elsewhere.ID)
		}
		// What the list says is what an import of the same pool finds.
		imported, diagnostics := c.Import(t.Context(), "globex/"+elsewhere.ID)
		expectNoError(t, diagnostics)
		if read := c.MustRead(t, imported); !read.Value.Equal(*listed[0].resource) {
			t.Errorf("listed %s, imported %s", listed[0].resource, read.Value)
		}
	})
}

func TestAgentPoolList_requests(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	for i := range 250 {
		pulumi.mustCreate(t, "acme", fmt.Sprintf("runners-%03d", i), "")
	}
	c := newCore(t, pulumi, attributes{"organization": "acme"})
	for _, limit := range []int64{1, 100, 1000} {
		if got, want := len(list(t, c, nil, limit, true)), int(min(limit, 250)); got != want {
			t.Errorf("%d pools, want %d", got, want)
		}
	}
	expectRequests(t, pulumi, listRequest)
}

// A consumer that has enough gets no more, be it of warnings (of the first list) or of pools.
func TestAgentPoolList_stoppedEarly(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	for _, name := range []string{"one", "two", "three"} {
		pulumi.mustCreate(t, "acme", name, "")
	}
	pulumi.intercept("", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		w.Header().Set("X-Pulumi-Warning", "look here")
		next.ServeHTTP(w, r)
	})
	c := newCore(t, pulumi, attributes{"organization": "acme"})
	for stop := 1; stop <= 3; stop++ {
		stream, err := c.Server.(tfprotov6.ListResourceServer).ListResource(t.Context(), &tfprotov6.ListResourceRequest{
			TypeName: poolType, Config: blockValue(t, c.Schemas.ListResourceSchemas[poolType], nil),
		})
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for range stream.Results {
			seen++
			if seen == stop {
				break
			}
		}
		if seen != stop {
			t.Errorf("%d results, want %d", seen, stop)
		}
	}
}

// Terraform sees no diagnostics but those that come as results.
func TestAgentPoolList_failures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reply func(http.ResponseWriter, *http.Request, http.Handler)
		title string
		texts []string
	}{
		"500 for ever": {
			answer(http.StatusInternalServerError, jsonType, pulumiError(500, "out of order")), "Pulumi Cloud failed",
			[]string{"attempts: 3"},
		},
		"HTML": {answer(http.StatusForbidden, htmlType, "<h1>Sign in</h1>"), "Not an answer of Pulumi Cloud", []string{"proxy"}},
		"200 in HTML": {
			answer(http.StatusOK, htmlType, "<h1>Sign in</h1>"), "Unexpected answer of Pulumi Cloud", nil,
		},
		"403": {answer(http.StatusForbidden, jsonType, pulumiError(403, "no")), "Permission denied", []string{"agent_pool:read"}},
		"404": {answer(http.StatusNotFound, jsonType, pulumiError(404, "no")), "Organization not found", []string{`"acme"`}},
		"cut off": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", jsonType)
			w.Header().Set("Content-Length", "1000")
			_, _ = fmt.Fprintf(w, `{"agentPools":[{"id":%q,"name":"runners"},`, unknownPoolID)
		}, "Pulumi Cloud can't be reached", nil},
		"a pool without a name": {
			answer(http.StatusOK, jsonType, fmt.Sprintf(`{"agentPools":[{"id":%q,"name":"runners"},{"id":"2"}]}`, unknownPoolID)),
			"Unexpected answer of Pulumi Cloud",
			[]string{"agentPools[1].name"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{})
			pulumi.intercept("", test.reply)
			c := newCore(t, pulumi, attributes{"organization": "acme"}, fewRetries)
			listed := list(t, c, nil, 100, true)
			if len(listed) != 1 || listed[0].name != "" || listed[0].id != "" {
				t.Fatalf("%d results, want an error alone", len(listed))
			}
			expectError(t, listed[0].diagnostics, test.title,
				append(test.texts, `Could not list the agent pools of organization "acme".`)...)
		})
	}
}

func TestAgentPoolList_warnings(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pulumi.mustCreate(t, "acme", "runners", "")
	pulumi.intercept("", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		w.Header().Set("X-Pulumi-Warning", "This API version is deprecated.")
		next.ServeHTTP(w, r)
	})
	c := newCore(t, pulumi, attributes{"organization": "acme"})
	listed := list(t, c, nil, 1, true)
	if len(listed) != 2 || listed[1].name != "runners" {
		t.Fatalf("listed %q, want a warning and the pool", names(listed))
	}
	expectNoError(t, listed[0].diagnostics)
	expectWarning(t, listed[0].diagnostics, "Warning from Pulumi Cloud", "deprecated")
}

func TestAgentPoolList_notConfigured(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	for name, c := range map[string]*acctest.Resource{
		"not configured":   newUnconfiguredCore(t),
		"not known yet":    newCore(t, pulumi, attributes{"access_token": tftypes.UnknownValue}),
		"no organization":  newCore(t, pulumi, attributes{"organization": tftypes.UnknownValue}),
		"no default of it": nil,
	} {
		title := "Provider configuration is not known yet"
		switch name {
		case "not configured":
			title = "Provider is not configured"
		case "no organization":
			title = "Organization is not known yet"
		case "no default of it":
			pulumi.SetDefaultOrganization("")
			c, title = newCore(t, pulumi, nil), "No organization"
		}
		listed := list(t, c, nil, 100, false)
		if len(listed) != 1 {
			t.Fatalf("%s: %d results, want an error alone", name, len(listed))
		}
		expectError(t, listed[0].diagnostics, title)
	}
	if n := pulumi.count(listRequest); n > 0 {
		t.Errorf("%d lists", n)
	}
}

func TestAgentPoolList_validation(t *testing.T) {
	t.Parallel()
	c := newUnconfiguredCore(t)
	for name, test := range map[string]struct {
		config attributes
		text   string
	}{
		"everything":          {attributes{"organization": "acme", "name_regex": "a|b", "status": "offline"}, ""},
		"unknown values":      {attributes{"organization": tftypes.UnknownValue, "name_regex": tftypes.UnknownValue}, ""},
		"an expression of no": {attributes{"name_regex": "("}, "name_regex"},
		"another status":      {attributes{"status": "idle"}, "status"},
		"no organization":     {attributes{"organization": ""}, "Empty name"},
	} {
		resp, err := c.Server.(tfprotov6.ListResourceServer).ValidateListResourceConfig(t.Context(),
			&tfprotov6.ValidateListResourceConfigRequest{
				TypeName: poolType, Config: blockValue(t, c.Schemas.ListResourceSchemas[poolType], test.config),
			})
		if err != nil {
			t.Fatal(err)
		}
		said := diagnosticsText(resp.Diagnostics)
		if (said != "") != (test.text != "") || !strings.Contains(said, test.text) {
			t.Errorf("%s: %s", name, said)
		}
	}
}

func TestAccAgentPoolList_throughTheCLI(t *testing.T) {
	t.Parallel()
	skipUnlessTerraform(t, tfversion.Version1_14_0)
	pulumi := startPulumiCloud(t, emulator.Options{})
	described := pulumi.mustCreate(t, "acme", "web-1", "Front end")
	pulumi.mustCreate(t, "acme", "web-2", "")
	pulumi.mustCreate(t, "acme", "batch", "")
	query := func(label, arguments, config string) string {
		return fmt.Sprintf(`
list "pulumicloud_agent_pool" %q {
  provider = pulumicloud
  %s
  config {
    %s
  }
}
`, label, arguments, config)
	}
	const all, web, one = poolType + ".all", poolType + ".web", poolType + ".one"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			{Config: pulumi.config(`organization = "acme"`, "")},
			{
				Query: true,
				Config: query("all", "", "") + query("one", "limit = 1", "") +
					query("web", "include_resource = true", `name_regex = "^web-"`),
				QueryResultChecks: []querycheck.QueryResultCheck{
					querycheck.ExpectLength(all, 3),
					querycheck.ExpectLength(one, 1),
					querycheck.ExpectLength(web, 2),
					querycheck.ExpectIdentity(all, map[string]knownvalue.Check{
						"organization": knownvalue.StringExact("acme"), "id": knownvalue.StringExact(described.ID),
					}),
					querycheck.ExpectResourceDisplayName(one, nil, knownvalue.StringExact("batch")),
					querycheck.ExpectResourceKnownValues(web,
						queryfilter.ByDisplayName(knownvalue.StringExact("web-1 (Front end)")),
						[]querycheck.KnownValueCheck{
							{Path: attribute("id"), KnownValue: knownvalue.StringExact(described.ID)},
							{Path: attribute("name"), KnownValue: knownvalue.StringExact("web-1")},
							{Path: attribute("description"), KnownValue: knownvalue.StringExact("Front end")},
							{Path: attribute("token"), KnownValue: knownvalue.Null()},
						}),
				},
			},
			{
				PreConfig: func() {
					pulumi.intercept(http.MethodGet, answer(http.StatusForbidden, jsonType, pulumiError(403, "not for you")))
				},
				Query:       true,
				Config:      query("all", "", ""),
				ExpectError: regexp.MustCompile(`Permission denied`),
			},
		},
	})
}

// What a query generates can be imported, and then has nothing left to change.
func TestAccAgentPoolList_generatedConfiguration(t *testing.T) {
	t.Parallel()
	skipUnlessTerraform(t, tfversion.Version1_14_0)
	pulumi := startPulumiCloud(t, emulator.Options{})
	pulumi.mustCreate(t, "acme", "web", "Front end")
	pulumi.mustCreate(t, "acme", "batch", "")
	w := newWorkspace(t, pulumi.config(`organization = "acme"`, ""))
	mustDo(t, w.Write("pools.tfquery.hcl", "list \"pulumicloud_agent_pool\" \"all\" {\n  provider = pulumicloud\n}\n"))
	w.MustRun(t, "init")
	pulumi.ResetRequests()
	if output := w.MustRun(t, "query", "-generate-config-out=generated.tf"); !strings.Contains(output, "web (Front end)") {
		t.Errorf("the query shows:\n%s", output)
	}
	expectRequests(t, pulumi, listRequest)
	if _, err := os.Stat(filepath.Join(w.Dir, "generated.tf")); err != nil {
		t.Fatal(err)
	}
	output := w.MustRun(t, "plan")
	if !strings.Contains(output, "2 to import, 0 to add, 0 to change, 0 to destroy") {
		generated, _ := os.ReadFile(filepath.Join(w.Dir, "generated.tf"))
		t.Errorf("the plan is:\n%s\nof:\n%s", output, generated)
	}
	w.MustRun(t, "apply", "-auto-approve")
	w.MustRun(t, "plan", "-detailed-exitcode")
	pulumi.intercept(http.MethodGet, answer(http.StatusForbidden, jsonType, pulumiError(403, "not for you")))
	if output, err := w.Run(t.Context(), "query"); err == nil || !strings.Contains(output, "Permission denied") {
		t.Errorf("query does not report that permission was denied:\n%s", output)
	}
}
