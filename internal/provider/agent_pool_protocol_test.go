package provider_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

const poolType = "pulumicloud_agent_pool"

// attributes are the arguments of a block.
type attributes = acctest.Values

// newCore returns the agent pools of a provider that is configured for the emulator, with further arguments.
func newCore(t *testing.T, pulumi pulumiCloud, arguments attributes, options ...provider.Option) *acctest.Resource {
	t.Helper()
	c := newUnconfiguredCore(t, options...)
	config := attributes{"api_url": pulumi.url, "access_token": accessToken}
	maps.Copy(config, arguments)
	expectNoError(t, c.Configure(t.Context(), config))
	return c
}

func newUnconfiguredCore(t *testing.T, options ...provider.Option) *acctest.Resource {
	t.Helper()
	newServer := provider.NewServer("test", append([]provider.Option{impatient}, options...)...)
	return acctest.NewProvider(t.Context(), newServer).Resource(poolType)
}

func identityOf(c *acctest.Resource, o acctest.Object) (organization, id string) {
	identity := c.IdentityOf(o)
	organization, _ = identity["organization"].(string)
	id, _ = identity["id"].(string)
	return organization, id
}

func expectNoError(t *testing.T, diagnostics acctest.Diagnostics) {
	t.Helper()
	for _, d := range diagnostics {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			t.Fatalf("%s: %s", d.Summary, d.Detail)
		}
	}
}

// expectError expects exactly one error, with that title and texts in its detail.
func expectError(t *testing.T, diagnostics acctest.Diagnostics, title string, texts ...string) {
	t.Helper()
	expectOne(t, diagnostics, tfprotov6.DiagnosticSeverityError, title, texts...)
}

// expectWarning expects exactly one warning, with that title and texts in its detail.
func expectWarning(t *testing.T, diagnostics acctest.Diagnostics, title string, texts ...string) {
	t.Helper()
	expectOne(t, diagnostics, tfprotov6.DiagnosticSeverityWarning, title, texts...)
}

func expectOne(
	t *testing.T, diagnostics acctest.Diagnostics, severity tfprotov6.DiagnosticSeverity, title string, texts ...string,
) {
	t.Helper()
	var found acctest.Diagnostics
	for _, d := range diagnostics {
		if d.Severity == severity {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d diagnostics of severity %s, want 1: %s", len(found), severity, diagnosticsText(diagnostics))
	}
	if found[0].Summary != title {
		t.Errorf("title %q, want %q", found[0].Summary, title)
	}
	for _, text := range texts {
		if !strings.Contains(found[0].Detail, text) {
			t.Errorf("%q is not in the detail:\n%s", text, found[0].Detail)
		}
	}
}

func TestAgentPool_tokenSurvivesRefreshAndUpdate(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	c := newCore(t, pulumi, attributes{"organization": "acme"})

	pool := c.MustApply(t, c.Absent(), attributes{"name": "runners"})
	id, token := pool.Text("id"), pool.Text("token")
	if !pulumi.TokenMatches("acme", id, token) {
		t.Fatal("the token is not the pool's")
	}
	expectSame := func(i acctest.Object) {
		t.Helper()
		if i.Text("id") != id || i.Text("token") != token {
			t.Error("the id or the token has changed")
		}
	}
	for range 2 {
		pool = c.MustRead(t, pool)
		expectSame(pool)
	}
	plan, diagnostics := c.Plan(t.Context(), pool, attributes{"name": "renamed"})
	expectNoError(t, diagnostics)
	expectSame(acctest.Object{Value: plan.Planned})
	pool = c.MustApply(t, pool, attributes{"name": "renamed"})
	expectSame(pool)
	pool = c.MustApply(t, pool, attributes{"name": "renamed", "force_destroy": true})
	expectSame(pool)
	expectSame(c.MustRead(t, pool))

	stop := pulumi.intercept(http.MethodPatch, answer(http.StatusInternalServerError, jsonType, pulumiError(500, "out of order")))
	failed, diagnostics := c.Apply(t.Context(), pool, attributes{"name": "again"})
	expectError(t, diagnostics, "Pulumi Cloud failed")
	expectSame(failed)
	if got := failed.Text("name"); got != "renamed" {
		t.Errorf("after a failed rename the state has the name %q", got)
	}
	stop()
	expectSame(c.MustRead(t, failed))
}

func TestAgentPool_identityIsSetWithAndWithoutAPriorOne(t *testing.T) {
	t.Parallel()
	for _, withoutIdentity := range []bool{false, true} {
		t.Run(fmt.Sprintf("without identity %t", withoutIdentity), func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{})
			c := newCore(t, pulumi, attributes{"organization": "acme"})
			c.OmitIdentity = withoutIdentity

			pool := c.MustApply(t, c.Absent(), attributes{"name": "runners"})
			expectIdentity := func(of acctest.Object) {
				t.Helper()
				organization, id := identityOf(c, of)
				if organization != "acme" || id != pool.Text("id") {
					t.Errorf("identity %s/%s, want acme/%s", organization, id, pool.Text("id"))
				}
			}
			expectIdentity(pool)
			expectIdentity(c.MustRead(t, pool))
			expectIdentity(c.MustApply(t, pool, attributes{"name": "renamed"}))
			expectIdentity(c.MustApply(t, pool, attributes{"name": "runners", "force_destroy": true}))
			imported, diagnostics := c.Import(t.Context(), "acme/"+pool.Text("id"))
			expectNoError(t, diagnostics)
			expectIdentity(imported)
			expectIdentity(c.MustRead(t, imported))

			stop := pulumi.intercept("", answer(http.StatusForbidden, jsonType, pulumiError(403, "no")))
			kept, diagnostics := c.Apply(t.Context(), pool, attributes{"name": "again"})
			expectError(t, diagnostics, "Permission denied")
			expectIdentity(kept)
			kept, diagnostics = c.Read(t.Context(), pool)
			expectError(t, diagnostics, "Permission denied")
			expectIdentity(kept)
			stop()

			if err := pulumi.DeleteAgentPool("acme", pool.Text("id")); err != nil {
				t.Fatal(err)
			}
			// In another walk, which knows nothing of the failure, and much later: no read waits for the pool to appear.
			c = newCore(t, pulumi, attributes{"organization": "acme"})
			c.OmitIdentity = withoutIdentity
			pool.Private = nil
			gone := c.MustRead(t, pool)
			if gone.Exists() {
				t.Error("the pool is gone and still in the state")
			}
			expectIdentity(gone)
		})
	}
}

func TestAgentPool_fiftyConcurrentCreates(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	c := newCore(t, pulumi, attributes{"organization": "acme"})
	const count = 50
	pools := make([]acctest.Object, count)
	diagnostics := make([]acctest.Diagnostics, count)
	var group sync.WaitGroup
	for i := range count {
		config := attributes{"name": fmt.Sprintf("runners-%d", i)}
		plan, planned := c.Plan(t.Context(), c.Absent(), config)
		expectNoError(t, planned)
		group.Go(func() { pools[i], diagnostics[i] = c.ApplyChange(t.Context(), plan) })
	}
	group.Wait()
	for i, pool := range pools {
		expectNoError(t, diagnostics[i])
		if !pulumi.TokenMatches("acme", pool.Text("id"), pool.Text("token")) {
			t.Errorf("pool %d has another's token", i)
		}
	}
	expectRequests(t, pulumi, slices.Repeat([]string{"POST /api/orgs/acme/agent-pools"}, count)...)
}

// stopProvider cancels all that is under way, as the CLI does when it is interrupted.
func stopProvider(t *testing.T, c *acctest.Resource) {
	t.Helper()
	resp, err := c.Server.StopProvider(t.Context(), &tfprotov6.StopProviderRequest{})
	if err != nil || resp.Error != "" {
		t.Errorf("%v %s", err, resp.Error)
	}
}

func TestAgentPool_interruptedCreate(t *testing.T) {
	t.Parallel()
	t.Run("the pool was made", func(t *testing.T) {
		t.Parallel()
		pulumi := startPulumiCloud(t, emulator.Options{})
		c := newCore(t, pulumi, attributes{"organization": "acme"})
		stop := pulumi.intercept(http.MethodPost, func(_ http.ResponseWriter, r *http.Request, next http.Handler) {
			next.ServeHTTP(httptest.NewRecorder(), r)
			stopProvider(t, c)
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
		pool, diagnostics := c.Apply(t.Context(), c.Absent(), attributes{"name": "runners"})
		stop()
		made := pulumi.onlyPool(t, "acme")
		expectError(t, diagnostics, "Agent pool created, but its token was lost", made.ID, "tainted", "next apply replaces it")
		if pool.Text("id") != made.ID || pool.Text("token") != "" {
			t.Errorf("the state does not hold the pool that was made, without a token")
		}
		if organization, id := identityOf(c, pool); organization != "acme" || id != made.ID {
			t.Errorf("identity %s/%s, want acme/%s", organization, id, made.ID)
		}
	})
	t.Run("the pool was not made", func(t *testing.T) {
		t.Parallel()
		pulumi := startPulumiCloud(t, emulator.Options{})
		c := newCore(t, pulumi, attributes{"organization": "acme"})
		pulumi.intercept(http.MethodPost, func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
			stopProvider(t, c)
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
		pool, diagnostics := c.Apply(t.Context(), c.Absent(), attributes{"name": "runners"})
		expectError(t, diagnostics, "Agent pool may have been created", `"runners"`, `"acme"`, "Run this again")
		if pool.Exists() {
			t.Error("the state holds a pool that nobody has seen")
		}
		if posts := pulumi.count(createRequest); posts != 1 {
			t.Errorf("%d POSTs of an interrupted create, want 1", posts)
		}
	})
	t.Run("before it was sent", func(t *testing.T) {
		t.Parallel()
		pulumi := startPulumiCloud(t, emulator.Options{})
		c := newCore(t, pulumi, attributes{"organization": "acme"})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		pool, diagnostics := c.Apply(ctx, c.Absent(), attributes{"name": "runners"})
		expectError(t, diagnostics, "Interrupted", `create agent pool "runners"`)
		if pool.Exists() {
			t.Error("the state holds a pool that nobody asked for")
		}
		expectRequests(t, pulumi)
	})
}

func TestAgentPool_interruptedReadAndUpdateKeepTheState(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	c := newCore(t, pulumi, attributes{"organization": "acme"})
	pool := c.MustApply(t, c.Absent(), attributes{"name": "runners"})
	pulumi.intercept("", func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		stopProvider(t, c)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
	read, diagnostics := c.Read(t.Context(), pool)
	expectError(t, diagnostics, "Interrupted")
	updated, diagnostics := c.Apply(t.Context(), pool, attributes{"name": "renamed"})
	expectError(t, diagnostics, "Interrupted")
	deleted, diagnostics := c.Destroy(t.Context(), pool)
	expectError(t, diagnostics, "Interrupted")
	for operation, kept := range map[string]acctest.Object{"read": read, "update": updated, "delete": deleted} {
		if !kept.Value.Equal(pool.Value) {
			t.Errorf("the state after an interrupted %s is another", operation)
		}
	}
}

func TestAgentPool_warningsOfPulumiCloudArePassedOn(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	c := newCore(t, pulumi, attributes{"organization": "acme"})
	const warning = "This API version is deprecated."
	pulumi.intercept("", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		w.Header().Set("X-Pulumi-Warning", warning)
		next.ServeHTTP(w, r)
	})
	pool, diagnostics := c.Apply(t.Context(), c.Absent(), attributes{"name": "runners"})
	expectNoError(t, diagnostics)
	expectWarning(t, diagnostics, "Warning from Pulumi Cloud", warning)
	_, diagnostics = c.Read(t.Context(), pool)
	expectWarning(t, diagnostics, "Warning from Pulumi Cloud", warning)
	pool, diagnostics = c.Apply(t.Context(), pool, attributes{"name": "renamed"})
	expectWarning(t, diagnostics, "Warning from Pulumi Cloud", warning)
	_, diagnostics = c.Apply(t.Context(), c.Absent(), attributes{"name": "renamed"})
	expectError(t, diagnostics, "Agent pool exists already")
	expectWarning(t, diagnostics, "Warning from Pulumi Cloud", warning)
	_, diagnostics = c.Destroy(t.Context(), pool)
	expectWarning(t, diagnostics, "Warning from Pulumi Cloud", warning)
}

func TestAgentPool_validation(t *testing.T) {
	t.Parallel()
	c := newUnconfiguredCore(t)
	for name, test := range map[string]struct {
		config attributes
		title  string
	}{
		"empty name":                    {attributes{"name": ""}, "Empty name"},
		"leading white space":           {attributes{"name": " runners"}, "White space around a name"},
		"trailing white space":          {attributes{"name": "runners "}, "White space around a name"},
		"trailing no-break space":       {attributes{"name": "runners\u00a0"}, "White space around a name"},
		"trailing line break":           {attributes{"name": "runners\n"}, "White space around a name"},
		"line break":                    {attributes{"name": "run\nners"}, "Control character in a name"},
		"escape":                        {attributes{"name": "run\x1bners"}, "Control character in a name"},
		"empty organization":            {attributes{"name": "runners", "organization": ""}, "Empty name"},
		"organization with white space": {attributes{"name": "runners", "organization": "acme "}, "White space around a name"},
		"unknown name":                  {attributes{"name": tftypes.UnknownValue}, ""},
		"unknown organization":          {attributes{"name": "runners", "organization": tftypes.UnknownValue}, ""},
		"inner spaces and slashes":      {attributes{"name": "the / runners"}, ""},
		"other scripts":                 {attributes{"name": "Läufer 走者 🏃"}, ""},
		"everything":                    {attributes{"name": "r", "description": "", "force_destroy": true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			diagnostics := c.ValidateConfig(t.Context(), test.config)
			if test.title == "" {
				expectNoError(t, diagnostics)
				return
			}
			expectError(t, diagnostics, test.title)
		})
	}
}

func TestAgentPool_providerNotConfiguredYet(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pool := func() acctest.Object {
		c := newCore(t, pulumi, attributes{"organization": "acme"})
		return c.MustApply(t, c.Absent(), attributes{"name": "runners"})
	}()
	pulumi.ResetRequests()
	c := newCore(t, pulumi, attributes{"access_token": tftypes.UnknownValue})

	_, diagnostics := c.Plan(t.Context(), c.Absent(), attributes{"name": "others"})
	expectNoError(t, diagnostics)
	plan, diagnostics := c.Plan(t.Context(), pool, attributes{"name": "renamed"})
	expectNoError(t, diagnostics)
	if len(plan.RequiresReplace) > 0 {
		t.Error("a pool is to be replaced because the provider's configuration is not known yet")
	}
	refreshed, diagnostics := c.Read(t.Context(), pool)
	expectNoError(t, diagnostics)
	expectWarning(t, diagnostics, "Provider configuration is not known yet", "was not refreshed", "access_token")
	if !refreshed.Value.Equal(pool.Value) {
		t.Error("the state has changed without a request")
	}
	_, diagnostics = c.Import(t.Context(), "acme/"+pool.Text("id"))
	expectError(t, diagnostics, "Provider configuration is not known yet", "access_token", "-target")
	kept, diagnostics := c.Destroy(t.Context(), pool)
	expectError(t, diagnostics, "Provider configuration is not known yet")
	if !kept.Exists() {
		t.Error("a pool that was not deleted is gone from the state")
	}
	expectRequests(t, pulumi)
}
