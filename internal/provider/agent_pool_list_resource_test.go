package provider_test

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func names(listed []acctest.Listed) []string {
	var names []string
	for _, result := range listed {
		names = append(names, result.DisplayName)
	}
	return names
}

func TestListAgentPools(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	for _, name := range []string{"web-2", "batch", "web-1"} {
		cloud.mustCreate(t, "acme", name, "")
	}
	arm := cloud.mustCreate(t, "acme", "arm", "Graviton builders")
	mustDo(t, cloud.ConnectAgent("acme", arm.ID, emulator.Agent{Hostname: "builder"}))
	cloud.mustCreate(t, "globex", "theirs", "")
	const described = "arm (Graviton builders)"
	for name, test := range map[string]struct {
		config acctest.Values
		limit  int64
		want   []string
	}{
		"all":                    {nil, 0, []string{described, "batch", "web-1", "web-2"}},
		"different organization": {acctest.Values{"organization": "globex"}, 100, []string{"theirs"}},
		"name":                   {acctest.Values{"name_regex": "^web-"}, 100, []string{"web-1", "web-2"}},
		"status":                 {acctest.Values{"status": "online"}, 100, []string{described}},
		"both filters":           {acctest.Values{"status": "offline", "name_regex": "a"}, 100, []string{"batch"}},
		"none":                   {acctest.Values{"name_regex": "nothing"}, 100, nil},
		"limit":                  {nil, 2, []string{described, "batch"}},
		"filter and limit":       {acctest.Values{"name_regex": "web"}, 1, []string{"web-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pools := cloud.acme(t)
			for _, includeResource := range []bool{false, true} {
				listed := pools.List(t.Context(), test.config, test.limit, includeResource)
				if got := names(listed); !slices.Equal(got, test.want) {
					t.Errorf("listed %q, want %q", got, test.want)
				}
				for _, result := range listed {
					expectNone(t, result.Diagnostics)
					if result.Object.Exists() != includeResource {
						t.Errorf("%s has a resource: %t", result.DisplayName, result.Object.Exists())
					}
				}
			}
		})
	}
}

func TestListAgentPools_sameAsImport(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pool := cloud.mustCreate(t, "globex", "runners", "created in the console")
	pools := cloud.provider(t, nil).Resource(poolType)
	listed := pools.List(t.Context(), acctest.Values{"organization": "globex"}, 100, true)
	imported, _ := pools.Import(t.Context(), "globex/"+pool.ID)
	read := pools.MustRead(t, imported)
	if len(listed) != 1 || !read.Value.Equal(listed[0].Object.Value) ||
		!reflect.DeepEqual(pools.IdentityOf(listed[0].Object), pools.IdentityOf(read)) {
		t.Errorf("listed %v, imported %s", listed, read.Value)
	}
}

func TestListAgentPools_stoppedEarly(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	for _, name := range []string{"one", "two", "three"} {
		cloud.mustCreate(t, "acme", name, "")
	}
	cloud.intercept("", warn("deprecated"))
	for stop := 1; stop <= 3; stop++ {
		pools := cloud.acme(t)
		config := acctest.Values{}.Object(pools.Schemas.ListResourceSchemas[poolType].ValueType())
		encoded, err := tfprotov6.NewDynamicValue(config.Type(), config)
		mustDo(t, err)
		stream, err := pools.Server.(tfprotov6.ListResourceServer).ListResource(t.Context(),
			&tfprotov6.ListResourceRequest{TypeName: poolType, Config: &encoded})
		mustDo(t, err)
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

// Terraform prints display names as they are.
func TestListAgentPools_displayName(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	cloud.mustCreate(t, "acme", "Läufer \x1b[31m", "two\nlines\u202e")
	listed := cloud.acme(t).List(t.Context(), nil, 100, false)
	if got, want := names(listed), []string{"Läufer \ufffd[31m (two\ufffdlines\ufffd)"}; !slices.Equal(got, want) {
		t.Errorf("display names %q, want %q", got, want)
	}
}

// Terraform shows only diagnostics that are results.
func TestListAgentPools_error(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	cloud.intercept("", respondError(http.StatusNotFound, "no"))
	listed := cloud.acme(t).List(t.Context(), nil, 100, true)
	if len(listed) != 1 || listed[0].DisplayName != "" || listed[0].Object.Identity != nil {
		t.Fatalf("%d results, want only an error", len(listed))
	}
	expectError(t, listed[0].Diagnostics, "Organization not found", `Could not list the agent pools in organization "acme".`)
}

func TestListAgentPools_warnings(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	cloud.mustCreate(t, "acme", "runners", "")
	cloud.intercept("", warn("This API version is deprecated."))
	listed := cloud.acme(t).List(t.Context(), nil, 1, true)
	if got, want := names(listed), []string{"", "runners"}; !slices.Equal(got, want) {
		t.Fatalf("listed %q, want a warning and the agent pool", got)
	}
	expectWarning(t, listed[0].Diagnostics, "Warning from Pulumi Cloud", "deprecated")
}

func TestListAgentPools_notConfigured(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	cloud.SetDefaultOrganization("")
	for summary, p := range map[string]*acctest.Provider{
		"Provider not configured":                 newProvider(t),
		"Provider configuration is not known yet": cloud.provider(t, acctest.Values{"access_token": tftypes.UnknownValue}),
		"Organization is not known yet":           cloud.provider(t, acctest.Values{"organization": tftypes.UnknownValue}),
		"Missing access token":                    cloud.provider(t, acctest.Values{"access_token": nil}),
		"Missing organization":                    cloud.provider(t, nil),
	} {
		listed := p.Resource(poolType).List(t.Context(), nil, 100, false)
		if len(listed) != 1 {
			t.Fatalf("%s: %d results, want only an error", summary, len(listed))
		}
		expectError(t, listed[0].Diagnostics, summary)
	}
	cloud.expectRequests(t, defaultOrganizationRequest)
}

// TestAccListAgentPools plans to import what a query generates.
func TestAccListAgentPools(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	cloud.mustCreate(t, "acme", "web", "Front end")
	cloud.mustCreate(t, "acme", "batch", "")
	w := newWorkspace(t, cloud.config(`organization = "acme"`, ""))
	if output, err := w.Run(t.Context(), "query", "-help"); err != nil || !strings.Contains(output, "query [options]") {
		t.Skip("the CLI has no command query")
	}
	mustDo(t, w.Write("pools.tfquery.hcl", `
list "pulumicloud_agent_pool" "all" {
  provider = pulumicloud
}`))
	output := w.MustRun(t, "query", "-generate-config-out=generated.tf")
	if !strings.Contains(output, "web (Front end)") || !strings.Contains(output, "batch") {
		t.Errorf("query: %s", output)
	}
	cloud.expectRequests(t, listRequest)
	if output := w.MustRun(t, "plan"); !strings.Contains(output, "2 to import, 0 to add, 0 to change, 0 to destroy") {
		t.Errorf("plan: %s", output)
	}
	cloud.intercept(http.MethodGet, respondError(http.StatusForbidden, "not for you"))
	if _, err := w.Run(t.Context(), "query"); err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("query: %v", err)
	}
}
