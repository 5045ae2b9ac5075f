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

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/protocoltest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

const poolType = "pulumicloud_agent_pool"

// core speaks the plugin protocol to the provider in the place of Terraform's, for what no command line can be made to
// do, and for what it does not show.
type core struct {
	server   tfprotov6.ProviderServer
	schemas  *tfprotov6.GetProviderSchemaResponse
	provider tftypes.Object
	// typeName is the resource's, which is an agent pool unless said otherwise.
	typeName string
	pool     tftypes.Object
	identity tftypes.Object
	// withoutIdentity leaves identities out of requests, as Terraform does before 1.12.
	withoutIdentity bool
}

// newCore returns a core with a provider that is configured for the emulator, with further arguments.
func newCore(t *testing.T, pulumi pulumiCloud, arguments attributes, options ...provider.Option) *core {
	t.Helper()
	c := newUnconfiguredCore(t, options...)
	config := attributes{"api_url": pulumi.url, "access_token": accessToken}
	maps.Copy(config, arguments)
	expectNoError(t, c.configure(t, config))
	return c
}

func newUnconfiguredCore(t *testing.T, options ...provider.Option) *core {
	t.Helper()
	server, err := factories(options...)["pulumicloud"]()
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	c := &core{server: server, schemas: schemas, provider: schemas.Provider.ValueType().(tftypes.Object)}
	return c.of(t, poolType)
}

// of returns a core that works on resources of another type, with the same provider.
func (c *core) of(t *testing.T, typeName string) *core {
	t.Helper()
	identities, err := c.server.GetResourceIdentitySchemas(t.Context(), &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		t.Fatal(err)
	}
	other := *c
	other.typeName = typeName
	other.pool = c.schemas.ResourceSchemas[typeName].ValueType().(tftypes.Object)
	other.identity = identities.IdentitySchemas[typeName].ValueType().(tftypes.Object)
	return &other
}

func (c *core) configure(t *testing.T, arguments attributes) []*tfprotov6.Diagnostic {
	t.Helper()
	resp, err := c.server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{
		TerraformVersion: "1.11.4", Config: encode(t, object(c.provider, arguments)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Diagnostics
}

// instance is what a state holds of a resource.
type instance struct {
	values   tftypes.Value
	private  []byte
	identity *tfprotov6.ResourceIdentityData
}

// absent is a resource that the state does not hold.
func (c *core) absent() instance { return instance{values: tftypes.NewValue(c.pool, nil)} }

func (i instance) exists() bool { return !i.values.IsNull() }

// text is an attribute's value, empty for null.
func (i instance) text(t *testing.T, name string) string {
	t.Helper()
	return text(t, i.values, name)
}

func text(t *testing.T, object tftypes.Value, name string) string {
	t.Helper()
	values, err := protocoltest.Attributes(object)
	if err != nil {
		t.Fatal(err)
	}
	var value *string
	if err := values[name].As(&value); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if value == nil {
		return ""
	}
	return *value
}

func (c *core) identityOf(t *testing.T, i instance) (organization, id string) {
	t.Helper()
	if i.identity == nil {
		t.Fatal("there is no identity")
	}
	value, err := i.identity.IdentityData.Unmarshal(c.identity)
	if err != nil {
		t.Fatal(err)
	}
	return text(t, value, "organization"), text(t, value, "id")
}

// request is an instance as a request carries it.
func (c *core) request(i instance) instance {
	if c.withoutIdentity {
		i.identity = nil
	}
	return i
}

func (c *core) validate(t *testing.T, config attributes) []*tfprotov6.Diagnostic {
	t.Helper()
	resp, err := c.server.ValidateResourceConfig(t.Context(), &tfprotov6.ValidateResourceConfigRequest{
		TypeName: c.typeName, Config: encode(t, object(c.pool, config)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Diagnostics
}

// plan returns what is planned of a configuration.
func (c *core) plan(t *testing.T, prior instance, config attributes) *tfprotov6.PlanResourceChangeResponse {
	t.Helper()
	prior = c.request(prior)
	configured := object(c.pool, config)
	proposed, err := protocoltest.ProposedNewState(c.schemas.ResourceSchemas[c.typeName], prior.values, configured)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.server.PlanResourceChange(t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName:         c.typeName,
		PriorState:       encode(t, prior.values),
		ProposedNewState: encode(t, proposed),
		Config:           encode(t, configured),
		PriorPrivate:     prior.private,
		PriorIdentity:    prior.identity,
	})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// apply plans a configuration and applies the plan.
func (c *core) apply(
	ctx context.Context, t *testing.T, prior instance, config attributes,
) (instance, []*tfprotov6.Diagnostic) {
	t.Helper()
	plan := c.plan(t, prior, config)
	expectNoError(t, plan.Diagnostics)
	if len(plan.RequiresReplace) > 0 {
		t.Fatalf("the change needs a replacement because of %v", plan.RequiresReplace)
	}
	req := &tfprotov6.ApplyResourceChangeRequest{
		TypeName:       c.typeName,
		PriorState:     encode(t, prior.values),
		PlannedState:   plan.PlannedState,
		Config:         encode(t, object(c.pool, config)),
		PlannedPrivate: plan.PlannedPrivate,
	}
	if !c.withoutIdentity {
		req.PlannedIdentity = plan.PlannedIdentity
	}
	return c.change(ctx, t, req)
}

func (c *core) destroy(t *testing.T, prior instance) (instance, []*tfprotov6.Diagnostic) {
	t.Helper()
	nothing := encode(t, c.absent().values)
	return c.change(t.Context(), t, &tfprotov6.ApplyResourceChangeRequest{
		TypeName:        c.typeName,
		PriorState:      encode(t, prior.values),
		PlannedState:    nothing,
		Config:          nothing,
		PlannedPrivate:  prior.private,
		PlannedIdentity: c.request(prior).identity,
	})
}

func (c *core) change(
	ctx context.Context, t *testing.T, req *tfprotov6.ApplyResourceChangeRequest,
) (instance, []*tfprotov6.Diagnostic) {
	t.Helper()
	resp, err := c.server.ApplyResourceChange(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	return instance{decode(t, c.pool, resp.NewState), resp.Private, resp.NewIdentity}, resp.Diagnostics
}

func (c *core) refresh(t *testing.T, prior instance) (instance, []*tfprotov6.Diagnostic) {
	t.Helper()
	prior = c.request(prior)
	resp, err := c.server.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{
		TypeName: c.typeName, CurrentState: encode(t, prior.values), Private: prior.private, CurrentIdentity: prior.identity,
	})
	if err != nil {
		t.Fatal(err)
	}
	return instance{decode(t, c.pool, resp.NewState), resp.Private, resp.NewIdentity}, resp.Diagnostics
}

// importPool imports by id or, if that is empty, by identity. The instance is not refreshed yet.
func (c *core) importPool(t *testing.T, id string, identity attributes) (instance, []*tfprotov6.Diagnostic) {
	t.Helper()
	req := &tfprotov6.ImportResourceStateRequest{TypeName: c.typeName, ID: id}
	if id == "" {
		req.Identity = &tfprotov6.ResourceIdentityData{IdentityData: encode(t, object(c.identity, identity))}
	}
	resp, err := c.server.ImportResourceState(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.ImportedResources) == 0 {
		return c.absent(), resp.Diagnostics
	}
	imported := resp.ImportedResources[0]
	return instance{decode(t, c.pool, imported.State), imported.Private, imported.Identity}, resp.Diagnostics
}

// mustApply is apply where it has to succeed.
func (c *core) mustApply(t *testing.T, prior instance, config attributes) instance {
	t.Helper()
	applied, diagnostics := c.apply(t.Context(), t, prior, config)
	expectNoError(t, diagnostics)
	return applied
}

// mustRefresh is refresh where it has to succeed.
func (c *core) mustRefresh(t *testing.T, prior instance) instance {
	t.Helper()
	refreshed, diagnostics := c.refresh(t, prior)
	expectNoError(t, diagnostics)
	return refreshed
}

func object(typ tftypes.Object, values attributes) tftypes.Value {
	return protocoltest.Object(typ, values)
}

func encode(t *testing.T, value tftypes.Value) *tfprotov6.DynamicValue {
	t.Helper()
	encoded, err := protocoltest.Encode(value)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func decode(t *testing.T, typ tftypes.Type, encoded *tfprotov6.DynamicValue) tftypes.Value {
	t.Helper()
	value, err := protocoltest.Decode(typ, encoded)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func expectNoError(t *testing.T, diagnostics []*tfprotov6.Diagnostic) {
	t.Helper()
	for _, d := range diagnostics {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			t.Fatalf("%s: %s", d.Summary, d.Detail)
		}
	}
}

// expectError expects exactly one error, with that title and texts in its detail.
func expectError(t *testing.T, diagnostics []*tfprotov6.Diagnostic, title string, texts ...string) {
	t.Helper()
	expectOne(t, diagnostics, tfprotov6.DiagnosticSeverityError, title, texts...)
}

// expectWarning expects exactly one warning, with that title and texts in its detail.
func expectWarning(t *testing.T, diagnostics []*tfprotov6.Diagnostic, title string, texts ...string) {
	t.Helper()
	expectOne(t, diagnostics, tfprotov6.DiagnosticSeverityWarning, title, texts...)
}

func expectOne(
	t *testing.T, diagnostics []*tfprotov6.Diagnostic, severity tfprotov6.DiagnosticSeverity, title string, texts ...string,
) {
	t.Helper()
	var found []*tfprotov6.Diagnostic
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

	pool := c.mustApply(t, c.absent(), attributes{"name": "runners"})
	id, token := pool.text(t, "id"), pool.text(t, "token")
	if !pulumi.TokenMatches("acme", id, token) {
		t.Fatal("the token is not the pool's")
	}
	expectSame := func(i instance) {
		t.Helper()
		if i.text(t, "id") != id || i.text(t, "token") != token {
			t.Error("the id or the token has changed")
		}
	}
	for range 2 {
		pool = c.mustRefresh(t, pool)
		expectSame(pool)
	}
	plan := c.plan(t, pool, attributes{"name": "renamed"})
	expectNoError(t, plan.Diagnostics)
	expectSame(instance{values: decode(t, c.pool, plan.PlannedState)})
	pool = c.mustApply(t, pool, attributes{"name": "renamed"})
	expectSame(pool)
	pool = c.mustApply(t, pool, attributes{"name": "renamed", "force_destroy": true})
	expectSame(pool)
	expectSame(c.mustRefresh(t, pool))

	stop := pulumi.intercept(http.MethodPatch, answer(http.StatusInternalServerError, jsonType, pulumiError(500, "out of order")))
	failed, diagnostics := c.apply(t.Context(), t, pool, attributes{"name": "again"})
	expectError(t, diagnostics, "Pulumi Cloud failed")
	expectSame(failed)
	if got := failed.text(t, "name"); got != "renamed" {
		t.Errorf("after a failed rename the state has the name %q", got)
	}
	stop()
	expectSame(c.mustRefresh(t, failed))
}

func TestAgentPool_identityIsSetWithAndWithoutAPriorOne(t *testing.T) {
	t.Parallel()
	for _, withoutIdentity := range []bool{false, true} {
		t.Run(fmt.Sprintf("without identity %t", withoutIdentity), func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{})
			c := newCore(t, pulumi, attributes{"organization": "acme"})
			c.withoutIdentity = withoutIdentity

			pool := c.mustApply(t, c.absent(), attributes{"name": "runners"})
			expectIdentity := func(of instance) {
				t.Helper()
				organization, id := c.identityOf(t, of)
				if organization != "acme" || id != pool.text(t, "id") {
					t.Errorf("identity %s/%s, want acme/%s", organization, id, pool.text(t, "id"))
				}
			}
			expectIdentity(pool)
			expectIdentity(c.mustRefresh(t, pool))
			expectIdentity(c.mustApply(t, pool, attributes{"name": "renamed"}))
			expectIdentity(c.mustApply(t, pool, attributes{"name": "runners", "force_destroy": true}))
			imported, diagnostics := c.importPool(t, "acme/"+pool.text(t, "id"), nil)
			expectNoError(t, diagnostics)
			expectIdentity(imported)
			expectIdentity(c.mustRefresh(t, imported))

			stop := pulumi.intercept("", answer(http.StatusForbidden, jsonType, pulumiError(403, "no")))
			kept, diagnostics := c.apply(t.Context(), t, pool, attributes{"name": "again"})
			expectError(t, diagnostics, "Permission denied")
			expectIdentity(kept)
			kept, diagnostics = c.refresh(t, pool)
			expectError(t, diagnostics, "Permission denied")
			expectIdentity(kept)
			stop()

			if err := pulumi.DeleteAgentPool("acme", pool.text(t, "id")); err != nil {
				t.Fatal(err)
			}
			// In another walk, which knows nothing of the failure, and much later: no read waits for the pool to appear.
			c = newCore(t, pulumi, attributes{"organization": "acme"})
			c.withoutIdentity = withoutIdentity
			pool.private = nil
			gone := c.mustRefresh(t, pool)
			if gone.exists() {
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
	pools := make([]instance, count)
	diagnostics := make([][]*tfprotov6.Diagnostic, count)
	var group sync.WaitGroup
	for i := range count {
		config := attributes{"name": fmt.Sprintf("runners-%d", i)}
		plan := c.plan(t, c.absent(), config)
		expectNoError(t, plan.Diagnostics)
		req := &tfprotov6.ApplyResourceChangeRequest{
			TypeName: poolType, PriorState: encode(t, c.absent().values), PlannedState: plan.PlannedState,
			Config: encode(t, object(c.pool, config)), PlannedPrivate: plan.PlannedPrivate,
		}
		group.Go(func() {
			resp, err := c.server.ApplyResourceChange(t.Context(), req)
			if err != nil {
				t.Error(err)
				return
			}
			value, err := resp.NewState.Unmarshal(c.pool)
			if err != nil {
				t.Error(err)
				return
			}
			pools[i], diagnostics[i] = instance{value, resp.Private, resp.NewIdentity}, resp.Diagnostics
		})
	}
	group.Wait()
	if t.Failed() {
		return
	}
	for i, pool := range pools {
		expectNoError(t, diagnostics[i])
		if !pulumi.TokenMatches("acme", pool.text(t, "id"), pool.text(t, "token")) {
			t.Errorf("pool %d has another's token", i)
		}
	}
	expectRequests(t, pulumi, slices.Repeat([]string{"POST /api/orgs/acme/agent-pools"}, count)...)
}

// stop cancels all that is under way, as the CLI does when it is interrupted.
func (c *core) stop(t *testing.T) {
	t.Helper()
	resp, err := c.server.StopProvider(t.Context(), &tfprotov6.StopProviderRequest{})
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
			c.stop(t)
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
		pool, diagnostics := c.apply(t.Context(), t, c.absent(), attributes{"name": "runners"})
		stop()
		made := pulumi.onlyPool(t, "acme")
		expectError(t, diagnostics, "Agent pool created, but its token was lost", made.ID, "tainted", "next apply replaces it")
		if pool.text(t, "id") != made.ID || pool.text(t, "token") != "" {
			t.Errorf("the state does not hold the pool that was made, without a token")
		}
		if organization, id := c.identityOf(t, pool); organization != "acme" || id != made.ID {
			t.Errorf("identity %s/%s, want acme/%s", organization, id, made.ID)
		}
	})
	t.Run("the pool was not made", func(t *testing.T) {
		t.Parallel()
		pulumi := startPulumiCloud(t, emulator.Options{})
		c := newCore(t, pulumi, attributes{"organization": "acme"})
		pulumi.intercept(http.MethodPost, func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
			c.stop(t)
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
		pool, diagnostics := c.apply(t.Context(), t, c.absent(), attributes{"name": "runners"})
		expectError(t, diagnostics, "Agent pool may have been created", `"runners"`, `"acme"`, "Run this again")
		if pool.exists() {
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
		pool, diagnostics := c.apply(ctx, t, c.absent(), attributes{"name": "runners"})
		expectError(t, diagnostics, "Interrupted", `create agent pool "runners"`)
		if pool.exists() {
			t.Error("the state holds a pool that nobody asked for")
		}
		expectRequests(t, pulumi)
	})
}

func TestAgentPool_interruptedReadAndUpdateKeepTheState(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	c := newCore(t, pulumi, attributes{"organization": "acme"})
	pool := c.mustApply(t, c.absent(), attributes{"name": "runners"})
	pulumi.intercept("", func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		c.stop(t)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
	read, diagnostics := c.refresh(t, pool)
	expectError(t, diagnostics, "Interrupted")
	updated, diagnostics := c.apply(t.Context(), t, pool, attributes{"name": "renamed"})
	expectError(t, diagnostics, "Interrupted")
	deleted, diagnostics := c.destroy(t, pool)
	expectError(t, diagnostics, "Interrupted")
	for operation, kept := range map[string]instance{"read": read, "update": updated, "delete": deleted} {
		if !kept.values.Equal(pool.values) {
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
	pool, diagnostics := c.apply(t.Context(), t, c.absent(), attributes{"name": "runners"})
	expectNoError(t, diagnostics)
	expectWarning(t, diagnostics, "Warning from Pulumi Cloud", warning)
	_, diagnostics = c.refresh(t, pool)
	expectWarning(t, diagnostics, "Warning from Pulumi Cloud", warning)
	pool, diagnostics = c.apply(t.Context(), t, pool, attributes{"name": "renamed"})
	expectWarning(t, diagnostics, "Warning from Pulumi Cloud", warning)
	_, diagnostics = c.apply(t.Context(), t, c.absent(), attributes{"name": "renamed"})
	expectError(t, diagnostics, "Agent pool exists already")
	expectWarning(t, diagnostics, "Warning from Pulumi Cloud", warning)
	_, diagnostics = c.destroy(t, pool)
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
			diagnostics := c.validate(t, test.config)
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
	pool := func() instance {
		c := newCore(t, pulumi, attributes{"organization": "acme"})
		return c.mustApply(t, c.absent(), attributes{"name": "runners"})
	}()
	pulumi.ResetRequests()
	c := newCore(t, pulumi, attributes{"access_token": tftypes.UnknownValue})

	plan := c.plan(t, c.absent(), attributes{"name": "others"})
	expectNoError(t, plan.Diagnostics)
	plan = c.plan(t, pool, attributes{"name": "renamed"})
	expectNoError(t, plan.Diagnostics)
	if len(plan.RequiresReplace) > 0 {
		t.Error("a pool is to be replaced because the provider's configuration is not known yet")
	}
	refreshed, diagnostics := c.refresh(t, pool)
	expectNoError(t, diagnostics)
	expectWarning(t, diagnostics, "Provider configuration is not known yet", "was not refreshed", "access_token")
	if !refreshed.values.Equal(pool.values) {
		t.Error("the state has changed without a request")
	}
	_, diagnostics = c.importPool(t, "acme/"+pool.text(t, "id"), nil)
	expectError(t, diagnostics, "Provider configuration is not known yet", "access_token", "-target")
	kept, diagnostics := c.destroy(t, pool)
	expectError(t, diagnostics, "Provider configuration is not known yet")
	if !kept.exists() {
		t.Error("a pool that was not deleted is gone from the state")
	}
	expectRequests(t, pulumi)
}
