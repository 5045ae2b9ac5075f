package provider_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const (
	// address is that of the pool under test.
	address = "pulumicloud_agent_pool.test"

	jsonType, htmlType, textType = "application/json", "text/html; charset=utf-8", "text/plain; charset=utf-8"

	listRequest   = "GET /api/orgs/acme/agent-pools"
	createRequest = "POST /api/orgs/acme/agent-pools"
	getRequest    = "GET /api/orgs/acme/agent-pools/{id}"
	updateRequest = "PATCH /api/orgs/acme/agent-pools/{id}"
	deleteRequest = "DELETE /api/orgs/acme/agent-pools/{id}"
)

// poolBlock is the pool under test with these arguments.
func poolBlock(arguments string) string {
	return fmt.Sprintf("resource \"pulumicloud_agent_pool\" \"test\" {\n%s\n}\n", arguments)
}

// inAcme is a configuration whose provider names the organization acme, with the pool under test.
func (c pulumiCloud) inAcme(arguments string) string {
	return c.config(`organization = "acme"`, poolBlock(arguments))
}

// onlyPool returns the pool of an organization that must have no other.
func (c pulumiCloud) onlyPool(t *testing.T, organization string) emulator.AgentPool {
	t.Helper()
	pools := c.AgentPools(organization)
	if len(pools) != 1 {
		t.Fatalf("organization %s has %d agent pools, want 1", organization, len(pools))
	}
	return pools[0]
}

// mustCreate creates a pool that Terraform does not know.
func (c pulumiCloud) mustCreate(t *testing.T, organization, name, description string) emulator.AgentPool {
	t.Helper()
	pool, _, err := c.CreateAgentPool(organization, name, description)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// intercept lets handle answer the requests with that method, or all if it is empty, until stop is called.
func (c pulumiCloud) intercept(
	method string, handle func(w http.ResponseWriter, r *http.Request, next http.Handler),
) (stop func()) {
	var stopped atomic.Bool
	c.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if stopped.Load() || method != "" && r.Method != method {
				next.ServeHTTP(w, r)
				return
			}
			handle(w, r, next)
		})
	})
	return func() { stopped.Store(true) }
}

// answer is for intercept: it answers in the API's stead.
func answer(status int, contentType, body string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// loseAnswer is for intercept: the request takes effect, and the connection breaks before the answer.
func loseAnswer(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// record returns the response of a handler instead of sending it.
func record(next http.Handler, w http.ResponseWriter, r *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	maps.Copy(recorder.Header(), w.Header())
	next.ServeHTTP(recorder, r)
	return recorder
}

// pulumiError is the body of Pulumi Cloud's own errors.
func pulumiError(status int, message string) string {
	return fmt.Sprintf(`{"code":%d,"message":"%s: %s"}`, status, http.StatusText(status), message)
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// requested returns the requests so far, with the ids of pools left out, and forgets them.
func (c pulumiCloud) requested() []string {
	requests := make([]string, 0)
	for _, request := range c.Requests() {
		line := request.Method + " " + uuid.ReplaceAllString(request.Path, "{id}")
		if len(request.Query) > 0 {
			line += "?" + request.Query.Encode()
		}
		requests = append(requests, line)
	}
	c.ResetRequests()
	return requests
}

func expectRequests(t *testing.T, pulumi pulumiCloud, want ...string) {
	t.Helper()
	if err := pulumi.expect(want...).check(); err != nil {
		t.Error(err)
	}
}

// requestCheck is a check, of a plan or a state, that expects these requests and no others since the last one.
type requestCheck struct {
	pulumi pulumiCloud
	want   []string
}

func (c pulumiCloud) expect(want ...string) requestCheck { return requestCheck{c, want} }

func (c requestCheck) check() error {
	if got := c.pulumi.requested(); !slices.Equal(got, c.want) {
		return fmt.Errorf("requests:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
	}
	return nil
}

func (c requestCheck) CheckPlan(_ context.Context, _ plancheck.CheckPlanRequest, resp *plancheck.CheckPlanResponse) {
	resp.Error = c.check()
}

func (c requestCheck) CheckState(
	_ context.Context, _ statecheck.CheckStateRequest, resp *statecheck.CheckStateResponse,
) {
	resp.Error = c.check()
}

// stateCheck checks the pool under test as the state has it.
type stateCheck func(values map[string]any) error

func (c stateCheck) CheckState(
	_ context.Context, req statecheck.CheckStateRequest, resp *statecheck.CheckStateResponse,
) {
	if req.State.Values == nil {
		resp.Error = errors.New("the state is empty")
		return
	}
	pool, err := resourceOf(req.State.Values.RootModule, address)
	if err == nil {
		err = c(pool.AttributeValues)
	}
	resp.Error = err
}

// priorStateCheck checks the pool under test as the plan finds it.
type priorStateCheck func(*tfjson.StateResource) error

func (c priorStateCheck) CheckPlan(
	_ context.Context, req plancheck.CheckPlanRequest, resp *plancheck.CheckPlanResponse,
) {
	pool, err := resourceOf(req.Plan.PriorState.Values.RootModule, address)
	if err == nil {
		err = c(pool)
	}
	resp.Error = err
}

func resourceOf(module *tfjson.StateModule, address string) (*tfjson.StateResource, error) {
	for _, candidate := range module.Resources {
		if candidate.Address == address {
			return candidate, nil
		}
	}
	return nil, fmt.Errorf("%s is not in the state", address)
}

// hasToken checks that the state holds the pool's own token.
func (c pulumiCloud) hasToken() stateCheck {
	return func(values map[string]any) error {
		organization, _ := values["organization"].(string)
		id, _ := values["id"].(string)
		token, _ := values["token"].(string)
		if !c.TokenMatches(organization, id, token) {
			return fmt.Errorf("the token in the state is not that of pool %s in organization %s", id, organization)
		}
		return nil
	}
}

func attribute(name string) tfjsonpath.Path { return tfjsonpath.New(name) }

func has(name, value string) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, attribute(name), knownvalue.StringExact(value))
}

func preApply(checks ...plancheck.PlanCheck) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: checks}
}

func action(action plancheck.ResourceActionType) plancheck.PlanCheck {
	return plancheck.ExpectResourceAction(address, action)
}

// message matches these texts in this order, however the CLI breaks and frames their lines.
func message(texts ...string) *regexp.Regexp {
	patterns := make([]string, len(texts))
	for i, text := range texts {
		words := strings.Fields(text)
		for j, word := range words {
			words[j] = regexp.QuoteMeta(word)
		}
		patterns[i] = strings.Join(words, `[\s│]+`)
	}
	return regexp.MustCompile("(?s)" + strings.Join(patterns, ".*"))
}

func TestAccAgentPool_lifecycle(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	sameID, sameToken := statecheck.CompareValue(compare.ValuesSame()), statecheck.CompareValue(compare.ValuesSame())
	same := func(checks ...statecheck.StateCheck) []statecheck.StateCheck {
		return append(checks, pulumi.hasToken(),
			sameID.AddStateValue(address, attribute("id")), sameToken.AddStateValue(address, attribute("token")))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			{
				Config: pulumi.inAcme(`name = "runners"`),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						action(plancheck.ResourceActionCreate),
						plancheck.ExpectUnknownValue(address, attribute("id")),
						plancheck.ExpectUnknownValue(address, attribute("token")),
						plancheck.ExpectSensitiveValue(address, attribute("token")),
						plancheck.ExpectKnownValue(address, attribute("organization"), knownvalue.StringExact("acme")),
						pulumi.expect(),
					},
					PostApplyPreRefresh:  []plancheck.PlanCheck{plancheck.ExpectEmptyPlan(), pulumi.expect()},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan(), pulumi.expect(listRequest)},
				},
				ConfigStateChecks: same(
					pulumi.expect(createRequest),
					has("organization", "acme"), has("name", "runners"), has("description", ""),
					statecheck.ExpectKnownValue(address, attribute("force_destroy"), knownvalue.Bool(false)),
				),
			},
			{
				Config: pulumi.inAcme(`name = "renamed"`),
				ConfigPlanChecks: preApply(
					action(plancheck.ResourceActionUpdate),
					plancheck.ExpectKnownValue(address, attribute("id"), knownvalue.NotNull()),
					plancheck.ExpectKnownValue(address, attribute("token"), knownvalue.NotNull()),
					pulumi.expect(listRequest),
				),
				ConfigStateChecks: same(pulumi.expect(updateRequest), has("name", "renamed")),
			},
			{
				PreConfig:         pulumi.ResetRequests,
				Config:            pulumi.inAcme("name = \"both\"\ndescription = \"at once\""),
				ConfigPlanChecks:  preApply(action(plancheck.ResourceActionUpdate), pulumi.expect(listRequest)),
				ConfigStateChecks: same(pulumi.expect(updateRequest), has("name", "both"), has("description", "at once")),
			},
			{
				PreConfig:         pulumi.ResetRequests,
				Config:            pulumi.inAcme("name = \"both\"\ndescription = \"at once\""),
				Destroy:           true,
				ConfigPlanChecks:  preApply(action(plancheck.ResourceActionDestroy), pulumi.expect(listRequest)),
				ConfigStateChecks: []statecheck.StateCheck{pulumi.expect(deleteRequest)},
			},
		},
	})
	if pools := pulumi.AgentPools("acme"); len(pools) > 0 {
		t.Errorf("%d agent pools are left", len(pools))
	}
}

func TestAgentPool_updateSendsOnlyWhatChanges(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	c := newCore(t, pulumi, attributes{"organization": "acme"})
	pool := c.MustApply(t, c.Absent(), attributes{"name": "runners", "description": "first"})
	for _, change := range []struct {
		config attributes
		body   string
	}{
		{attributes{"name": "renamed", "description": "first"}, `{"name":"renamed"}`},
		{attributes{"name": "renamed", "description": "second"}, `{"description":"second"}`},
		{attributes{"name": "renamed"}, `{"description":""}`},
		{attributes{"name": "runners", "description": "third"}, `{"name":"runners","description":"third"}`},
		{attributes{"name": "runners", "description": ""}, `{"description":""}`},
	} {
		pulumi.ResetRequests()
		pool = c.MustApply(t, pool, change.config)
		requests := pulumi.Requests()
		if len(requests) != 1 || requests[0].Method != http.MethodPatch || requests[0].Body != change.body {
			t.Errorf("%v: requests %+v, want one PATCH of %s", change.config, requests, change.body)
		}
	}
}

func TestAccAgentPool_descriptionUnsetAndEmptyAreTheSame(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	const unset = `name = "runners"`
	const empty = unset + "\n" + `description = ""`
	const set = unset + "\n" + `description = "in the data centre"`
	step := func(arguments, description string, want plancheck.ResourceActionType) resource.TestStep {
		return resource.TestStep{
			Config:            pulumi.inAcme(arguments),
			ConfigPlanChecks:  preApply(action(want)),
			ConfigStateChecks: []statecheck.StateCheck{has("description", description)},
		}
	}
	const create, update, noOp = plancheck.ResourceActionCreate, plancheck.ResourceActionUpdate, plancheck.ResourceActionNoop
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			step(unset, "", create),
			step(empty, "", noOp),
			step(unset, "", noOp),
			step(set, "in the data centre", update),
			step(unset, "", update),
			step(set, "in the data centre", update),
			step(empty, "", update),
			step(unset+"\ndescription = null", "", noOp),
		},
	})
}

func TestAccAgentPool_driftIsShownAndRepaired(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	config := pulumi.inAcme("name = \"runners\"\ndescription = \"ours\"")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					name, description := "theirs", "changed in the console"
					if err := pulumi.UpdateAgentPool("acme", pulumi.onlyPool(t, "acme").ID, &name, &description); err != nil {
						t.Fatal(err)
					}
					pulumi.ResetRequests()
				},
				Config: config,
				ConfigPlanChecks: preApply(
					action(plancheck.ResourceActionUpdate),
					priorStateCheck(func(pool *tfjson.StateResource) error {
						if pool.AttributeValues["name"] != "theirs" || pool.AttributeValues["description"] != "changed in the console" {
							return fmt.Errorf("the refreshed state has the name %v and the description %v",
								pool.AttributeValues["name"], pool.AttributeValues["description"])
						}
						return nil
					}),
					pulumi.expect(listRequest),
				),
				ConfigStateChecks: []statecheck.StateCheck{
					pulumi.expect(updateRequest), has("name", "runners"), has("description", "ours"), pulumi.hasToken(),
				},
			},
		},
	})
}

func TestAccAgentPool_goneAtRefreshIsPlannedForCreation(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	pulumi := startPulumiCloud(t, emulator.Options{})
	config := pulumi.inAcme(`name = "runners"`)
	newID := statecheck.CompareValue(compare.ValuesDiffer())
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(clock.option),
		Steps: []resource.TestStep{
			{
				Config:            config,
				ConfigStateChecks: []statecheck.StateCheck{newID.AddStateValue(address, attribute("id"))},
			},
			{
				PreConfig: func() {
					clock.advance(2 * time.Minute)
					if err := pulumi.DeleteAgentPool("acme", pulumi.onlyPool(t, "acme").ID); err != nil {
						t.Fatal(err)
					}
					pulumi.ResetRequests()
				},
				Config:           config,
				ConfigPlanChecks: preApply(action(plancheck.ResourceActionCreate), pulumi.expect(listRequest, getRequest)),
				ConfigStateChecks: []statecheck.StateCheck{
					pulumi.expect(createRequest), pulumi.hasToken(), newID.AddStateValue(address, attribute("id")),
				},
			},
		},
	})
}

func TestAccAgentPool_goneAtDeleteIsSuccess(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			{Config: pulumi.inAcme(`name = "runners"`)},
			{
				Config:  pulumi.inAcme(`name = "runners"`),
				Destroy: true,
				ConfigPlanChecks: preApply(planCheck(func(*tfjson.Plan) error {
					defer pulumi.ResetRequests()
					return pulumi.DeleteAgentPool("acme", pulumi.onlyPool(t, "acme").ID)
				})),
				// "Not found" could be the organization: the list tells.
				ConfigStateChecks: []statecheck.StateCheck{pulumi.expect(deleteRequest, listRequest)},
			},
		},
	})
}

// planCheck checks a plan, or does something between plan and apply.
type planCheck func(*tfjson.Plan) error

func (c planCheck) CheckPlan(_ context.Context, req plancheck.CheckPlanRequest, resp *plancheck.CheckPlanResponse) {
	resp.Error = c(req.Plan)
}

// testClock is a time that moves when it is told to.
type testClock struct{ now atomic.Pointer[time.Time] }

func newTestClock() *testClock {
	var clock testClock
	now := time.Now()
	clock.now.Store(&now)
	return &clock
}

func (c *testClock) advance(by time.Duration) {
	now := c.now.Load().Add(by)
	c.now.Store(&now)
}

func (c *testClock) option(config *cloud.Config) {
	config.Now = func() time.Time { return *c.now.Load() }
}

// stackPool returns the pool that the stack web/production uses.
func (c pulumiCloud) stackPool(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		c.url+"/api/stacks/acme/web/production/deployments/settings", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+accessToken)
	req.Header.Set("Accept", "application/vnd.pulumi+9")
	req.Header.Set("X-Pulumi-Source", "provider")
	req.Header.Set("User-Agent", "provider-test")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v: %s", resp.StatusCode, err, body)
	}
	return uuid.FindString(string(body))
}

// useInStack makes the stack web/production use the only pool of acme.
func (c pulumiCloud) useInStack(t *testing.T) {
	t.Helper()
	if err := c.SetStackPool("acme", "web", "production", c.onlyPool(t, "acme").ID); err != nil {
		t.Fatal(err)
	}
}

func TestAccAgentPool_forceDestroy(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	const unforced = `name = "runners"`
	const forced = unforced + "\nforce_destroy = true"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			{Config: pulumi.inAcme(unforced)},
			{
				PreConfig: func() {
					pulumi.useInStack(t)
					pulumi.ResetRequests()
				},
				Config:  pulumi.inAcme(unforced),
				Destroy: true,
				ExpectError: message("Agent pool in use", `"runners"`, "set force_destroy = true and apply that before you destroy",
					"Pulumi-hosted runners"),
			},
			{
				PreConfig: func() {
					expectRequests(t, pulumi, listRequest, deleteRequest)
					if id := pulumi.onlyPool(t, "acme").ID; pulumi.stackPool(t) != id {
						t.Error("the stack lost its pool to a destroy that was refused")
					}
				},
				// The pool is still in the state.
				Config:           pulumi.inAcme(unforced),
				ConfigPlanChecks: preApply(plancheck.ExpectEmptyPlan()),
			},
			{
				// Written, but not applied.
				Config:      pulumi.inAcme(forced),
				Destroy:     true,
				ExpectError: message("Agent pool in use", "what counts is the value in the state"),
			},
			{
				PreConfig: pulumi.ResetRequests,
				Config:    pulumi.inAcme(forced),
				ConfigPlanChecks: preApply(
					action(plancheck.ResourceActionUpdate), pulumi.expect(listRequest),
				),
				ConfigStateChecks: []statecheck.StateCheck{
					pulumi.expect(), pulumi.hasToken(),
					statecheck.ExpectKnownValue(address, attribute("force_destroy"), knownvalue.Bool(true)),
				},
			},
			{
				PreConfig:         pulumi.ResetRequests,
				Config:            pulumi.inAcme(forced),
				Destroy:           true,
				ConfigPlanChecks:  preApply(pulumi.expect(listRequest)),
				ConfigStateChecks: []statecheck.StateCheck{pulumi.expect(deleteRequest + "?force=true")},
			},
		},
	})
	if pool := pulumi.stackPool(t); pool != "" {
		t.Errorf("the stack still uses pool %s", pool)
	}
}

func TestAccAgentPool_organization(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	const globex = `organization = "globex"`
	const pool = `name = "runners"`
	newID := statecheck.CompareValue(compare.ValuesDiffer())
	step := func(config, organization string, want plancheck.ResourceActionType) resource.TestStep {
		checks := []statecheck.StateCheck{has("organization", organization), pulumi.hasToken()}
		if want != plancheck.ResourceActionNoop {
			checks = append(checks, newID.AddStateValue(address, attribute("id")))
		}
		return resource.TestStep{Config: config, ConfigPlanChecks: preApply(action(want)), ConfigStateChecks: checks}
	}
	const create, noOp = plancheck.ResourceActionCreate, plancheck.ResourceActionNoop
	const replace = plancheck.ResourceActionDestroyBeforeCreate
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             pulumi.noPools,
		Steps: []resource.TestStep{
			step(pulumi.inAcme(pool), "acme", create),
			// Naming what was the default anyway, or leaving it to the default again, changes nothing.
			step(pulumi.inAcme(pool+"\norganization = \"acme\""), "acme", noOp),
			step(pulumi.inAcme(pool), "acme", noOp),
			// The resource's own wins over the provider's.
			step(pulumi.inAcme(pool+"\n"+globex), "globex", replace),
			step(pulumi.inAcme(pool), "acme", replace),
			// The provider's default alone changes.
			step(pulumi.config(globex, poolBlock(pool)), "globex", replace),
		},
	})
	if count := pulumi.count("GET /api/user/organizations/default"); count > 0 {
		t.Errorf("the user's default organization was asked for %d times though the provider names one", count)
	}
}

// noPools is for CheckDestroy.
func (c pulumiCloud) noPools(*terraform.State) error {
	for _, organization := range []string{"acme", "globex"} {
		if pools := c.AgentPools(organization); len(pools) > 0 {
			return fmt.Errorf("organization %s has %d agent pools left", organization, len(pools))
		}
	}
	return nil
}

func TestAccAgentPool_defaultOrganizationOfTheUser(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	const defaultRequest = "GET /api/user/organizations/default"
	config := pulumi.config("", poolBlock(`name = "runners"`))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             pulumi.noPools,
		Steps: []resource.TestStep{
			{
				// A pool that names its organization needs no default.
				Config:            pulumi.config("", poolBlock("name = \"runners\"\norganization = \"globex\"")),
				ConfigPlanChecks:  preApply(pulumi.expect()),
				ConfigStateChecks: []statecheck.StateCheck{pulumi.expect("POST /api/orgs/globex/agent-pools")},
			},
			{
				Config:  config,
				Destroy: true,
			},
			{
				PreConfig: pulumi.ResetRequests,
				Config:    config,
				ConfigPlanChecks: preApply(
					action(plancheck.ResourceActionCreate),
					plancheck.ExpectKnownValue(address, attribute("organization"), knownvalue.StringExact("acme")),
					pulumi.expect(defaultRequest),
				),
				ConfigStateChecks: []statecheck.StateCheck{
					has("organization", "acme"),
					// Terraform plans once more in each apply, with a provider configured anew.
					pulumi.expect(defaultRequest, createRequest),
				},
			},
			{
				// Another default tomorrow does not move the pools of today, and is not even asked for.
				PreConfig: func() {
					pulumi.SetDefaultOrganization("globex")
					pulumi.ResetRequests()
				},
				Config:           config,
				ConfigPlanChecks: preApply(plancheck.ExpectEmptyPlan(), pulumi.expect(listRequest)),
			},
		},
	})
}

func TestAccAgentPool_noOrganizationAtAll(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pulumi.SetDefaultOrganization("")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{{
			Config:      pulumi.config("", poolBlock(`name = "runners"`)),
			ExpectError: message("No organization", "Set organization here or on the provider, or PULUMI_DEFAULT_ORGANIZATION"),
		}},
	})
	if posts := pulumi.count(createRequest); posts > 0 {
		t.Errorf("%d POSTs without an organization", posts)
	}
}

func TestAccAgentPool_valuesUnknownWhilePlanning(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	const inputs = `
resource "terraform_data" "organization" { input = "globex" }
resource "terraform_data" "name" { input = "runners" }
resource "terraform_data" "description" { input = "" }
`
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             pulumi.noPools,
		Steps: []resource.TestStep{
			{
				Config: pulumi.config("", inputs+poolBlock(`
  organization = terraform_data.organization.output
  name         = terraform_data.name.output
  description  = terraform_data.description.output`)),
				ConfigPlanChecks: preApply(
					action(plancheck.ResourceActionCreate),
					plancheck.ExpectUnknownValue(address, attribute("organization")),
					plancheck.ExpectUnknownValue(address, attribute("name")),
					pulumi.expect(),
				),
				ConfigStateChecks: []statecheck.StateCheck{
					pulumi.expect("POST /api/orgs/globex/agent-pools"), has("organization", "globex"), has("name", "runners"),
					has("description", ""), pulumi.hasToken(),
				},
			},
		},
	})
}

func TestAccAgentPool_providerConfigurationUnknownWhilePlanning(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	config := func(name string) string {
		return fmt.Sprintf(`
resource "terraform_data" "token" { input = %q }

resource "terraform_data" "organization" { input = "globex" }

provider "pulumicloud" {
  api_url      = %q
  access_token = terraform_data.token.output
  organization = terraform_data.organization.output
}

%s`, accessToken, pulumi.url, poolBlock(fmt.Sprintf("name = %q", name)))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             pulumi.noPools,
		Steps: []resource.TestStep{
			{
				Config: config("runners"),
				ConfigPlanChecks: preApply(
					action(plancheck.ResourceActionCreate),
					plancheck.ExpectUnknownValue(address, attribute("organization")),
					pulumi.expect(),
				),
				ConfigStateChecks: []statecheck.StateCheck{
					pulumi.expect("POST /api/orgs/globex/agent-pools"), has("organization", "globex"), pulumi.hasToken(),
				},
			},
			{
				Config:            config("renamed"),
				ConfigPlanChecks:  preApply(action(plancheck.ResourceActionUpdate)),
				ConfigStateChecks: []statecheck.StateCheck{has("name", "renamed"), pulumi.hasToken()},
			},
		},
	})
}

func TestAccAgentPool_providerOrganizationUnknownWhilePlanning(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	config := pulumi.config("organization = terraform_data.organization.output", `
resource "terraform_data" "organization" { input = "globex" }
`+poolBlock(`name = "runners"`))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             pulumi.noPools,
		Steps: []resource.TestStep{{
			Config: config,
			ConfigPlanChecks: preApply(
				plancheck.ExpectUnknownValue(address, attribute("organization")), pulumi.expect(),
			),
			ConfigStateChecks: []statecheck.StateCheck{
				pulumi.expect("POST /api/orgs/globex/agent-pools"), has("organization", "globex"), pulumi.hasToken(),
			},
		}},
	})
}

func TestAccAgentPool_providerAliasesShareNothing(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	const otherToken = "pul-89abcdef0123456789abcdef0123456789abcdef"
	// Each token is good for one organization.
	pulumi.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			want := "token " + accessToken
			if strings.HasPrefix(r.URL.Path, "/api/orgs/globex/") {
				want = "token " + otherToken
			}
			if r.Header.Get("Authorization") != want {
				answer(http.StatusUnauthorized, jsonType, pulumiError(401, "another organization's token"))(w, r, next)
				return
			}
			r.Header.Set("Authorization", "token "+accessToken)
			next.ServeHTTP(w, r)
		})
	})
	// Only a CLI that starts the provider itself starts it once for each configuration.
	w := newWorkspace(t, pulumi.config(`organization = "acme"`, fmt.Sprintf(`
provider "pulumicloud" {
  alias        = "globex"
  api_url      = %q
  access_token = %q
  organization = "globex"
}

resource "pulumicloud_agent_pool" "acme" {
  name = "runners"
}

resource "pulumicloud_agent_pool" "globex" {
  provider = pulumicloud.globex
  name     = "runners"
}
`, pulumi.url, otherToken)))
	w.MustRun(t, "init")
	w.MustRun(t, "apply", "-auto-approve")
	pulumi.onlyPool(t, "acme")
	pulumi.onlyPool(t, "globex")
	pulumi.ResetRequests()
	w.MustRun(t, "plan", "-detailed-exitcode")
	requests := pulumi.requested()
	slices.Sort(requests)
	if want := []string{listRequest, "GET /api/orgs/globex/agent-pools"}; !slices.Equal(requests, want) {
		t.Errorf("requests of a plan: %q, want %q", requests, want)
	}
	w.MustRun(t, "destroy", "-auto-approve")
	if err := pulumi.noPools(nil); err != nil {
		t.Error(err)
	}
}

func TestAccAgentPool_nameRefusedWhilePlanning(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	refused := func(name, title, detail string) resource.TestStep {
		return resource.TestStep{
			Config: pulumi.inAcme("name = " + name), PlanOnly: true, ExpectError: message(title, detail),
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			refused(`""`, "Empty name", "must not be empty"),
			refused(`" runners"`, "White space around a name", "neither begin nor end with white space"),
			refused(`"run\nners"`, "Control character in a name", "line break"),
			refused("\"runners\"\norganization = \"..\"", "Not an organization's name", `called ".."`),
		},
	})
	expectRequests(t, pulumi)
}

func TestAccAgentPool_createWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	stop := pulumi.intercept(http.MethodPost, loseAnswer)
	config := pulumi.inAcme(`name = "runners"`)
	var lost string
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             pulumi.noPools,
		Steps: []resource.TestStep{
			{
				Config: config,
				ExpectError: message("Agent pool created, but its token was lost", `"runners"`, `"acme"`,
					"shows a token only once", "the next apply replaces it", "terraform untaint"),
			},
			{
				PreConfig: func() {
					expectRequests(t, pulumi, createRequest, listRequest)
					stop()
					lost = pulumi.onlyPool(t, "acme").ID
				},
				Config: config,
				ConfigPlanChecks: preApply(
					action(plancheck.ResourceActionDestroyBeforeCreate),
					priorStateCheck(func(pool *tfjson.StateResource) error {
						if !pool.Tainted || pool.AttributeValues["id"] != lost || pool.AttributeValues["token"] != nil {
							return errors.New("the state does not hold the pool that was made, tainted and without a token")
						}
						return nil
					}),
				),
				ConfigStateChecks: []statecheck.StateCheck{
					pulumi.hasToken(),
					stateCheck(func(values map[string]any) error {
						if id := pulumi.onlyPool(t, "acme").ID; id == lost || values["id"] != id {
							return fmt.Errorf("the state has the id %v; pool %s was to be replaced, and %s is there", values["id"], lost, id)
						}
						return nil
					}),
				},
			},
		},
	})
}

func TestAgentPool_createOntoATakenNameWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	pulumi := startPulumiCloud(t, emulator.Options{})
	existing := pulumi.mustCreate(t, "acme", "runners", "")
	clock.advance(time.Hour)
	pulumi.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", clock.now.Load().UTC().Format(http.TimeFormat))
			next.ServeHTTP(w, r)
		})
	})
	pulumi.intercept(http.MethodPost, loseAnswer)
	c := newCore(t, pulumi, attributes{"organization": "acme"}, clock.option)
	pool, diagnostics := c.Apply(t.Context(), c.Absent(), attributes{"name": "runners"})
	expectError(t, diagnostics, "Agent pool exists already", "terraform import ADDRESS acme/"+existing.ID)
	if pool.Exists() {
		t.Error("the state holds a pool that was there before")
	}
}

func TestAccAgentPool_newPoolThatReadsDoNotShowYet(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	pulumi := startPulumiCloud(t, emulator.Options{})
	var hidden atomic.Int32 // how many GETs of the pool are left that do not find it
	pulumi.intercept(http.MethodGet, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch {
		case hidden.Load() <= 0:
			next.ServeHTTP(w, r)
		case uuid.MatchString(r.URL.Path):
			hidden.Add(-1)
			answer(http.StatusNotFound, jsonType, pulumiError(404, "no such pool"))(w, r, next)
		default:
			answer(http.StatusOK, jsonType, `{"agentPools":[]}`)(w, r, next)
		}
	})
	config := pulumi.inAcme(`name = "runners"`)
	hide := func(times int32) plancheck.PlanCheck {
		return planCheck(func(*tfjson.Plan) error {
			hidden.Store(times)
			pulumi.ResetRequests()
			return nil
		})
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(clock.option),
		Steps: []resource.TestStep{
			{
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PostApplyPreRefresh: []plancheck.PlanCheck{hide(3)},
					PostApplyPostRefresh: []plancheck.PlanCheck{
						plancheck.ExpectEmptyPlan(), pulumi.expect(listRequest, getRequest, getRequest, getRequest, getRequest),
					},
				},
				ConfigStateChecks: []statecheck.StateCheck{pulumi.hasToken()},
			},
			{
				// What is missing after a minute is gone: one look is enough.
				PreConfig: func() {
					clock.advance(time.Minute)
					hidden.Store(1)
					pulumi.ResetRequests()
				},
				Config:             config,
				PlanOnly:           true,
				ExpectNonEmptyPlan: true,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PostApplyPreRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
					PostApplyPostRefresh: []plancheck.PlanCheck{
						action(plancheck.ResourceActionCreate), pulumi.expect(listRequest, getRequest),
					},
				},
			},
		},
	})
}

// A refresh that fails must never take a pool out of the state, where Terraform would create it a second time.
func TestAccAgentPool_failedRefreshKeepsTheState(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	config := pulumi.inAcme(`name = "runners"`)
	var stop func()
	var id string
	failing := func(status int, contentType, body string, want *regexp.Regexp) resource.TestStep {
		return resource.TestStep{
			PreConfig: func() {
				if stop != nil {
					stop()
				}
				id = pulumi.onlyPool(t, "acme").ID
				stop = pulumi.intercept(http.MethodGet, answer(status, contentType, body))
			},
			Config:      config,
			ExpectError: want,
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             pulumi.noPools,
		Steps: []resource.TestStep{
			{Config: config},
			failing(http.StatusNotFound, htmlType, "<h1>Not Found</h1>",
				message("Not an answer of Pulumi Cloud", "api_url", "proxy", "Nothing was removed from the state")),
			failing(http.StatusNotFound, textType, "404 page not found", message("Not an answer of Pulumi Cloud", "api_url")),
			failing(http.StatusOK, htmlType, "<h1>Sign in</h1>", message("Unexpected answer of Pulumi Cloud", "proxy")),
			failing(http.StatusInternalServerError, jsonType, pulumiError(500, "out of order"),
				message("Pulumi Cloud failed", "attempts: 5", "Nothing was removed from the state", "out of order")),
			{
				PreConfig:        func() { stop() },
				Config:           config,
				ConfigPlanChecks: preApply(plancheck.ExpectEmptyPlan()),
				ConfigStateChecks: []statecheck.StateCheck{
					pulumi.hasToken(),
					stateCheck(func(values map[string]any) error {
						if values["id"] != id {
							return errors.New("the state has another pool")
						}
						return nil
					}),
				},
			},
		},
	})
	if posts := pulumi.count(createRequest); posts != 1 {
		t.Errorf("%d POSTs, want 1", posts)
	}
}

func TestAccAgentPool_takenName(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	existing := pulumi.mustCreate(t, "acme", "runners", "made in the console")
	config := pulumi.inAcme("name = \"runners\"\ndescription = \"made in the console\"")
	importID := "acme/" + existing.ID
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			{
				Config: config,
				ExpectError: message("Agent pool exists already", `agent pool named "runners"`,
					"Choose another name", "terraform import ADDRESS "+importID, "token can't be imported"),
			},
			{
				// As the error says.
				PreConfig:          func() { expectRequests(t, pulumi, createRequest, listRequest) },
				Config:             config,
				ResourceName:       address,
				ImportState:        true,
				ImportStateId:      importID,
				ImportStatePersist: true,
			},
			{
				Config:            config,
				ConfigPlanChecks:  preApply(plancheck.ExpectEmptyPlan()),
				ConfigStateChecks: []statecheck.StateCheck{has("id", existing.ID)},
			},
			{
				PreConfig: func() {
					pulumi.mustCreate(t, "acme", "others", "")
					pulumi.ResetRequests()
				},
				Config:      pulumi.inAcme("name = \"others\"\ndescription = \"made in the console\""),
				ExpectError: message("Agent pool exists already", `agent pool named "others"`, "Choose another name"),
			},
			{
				PreConfig:        func() { expectRequests(t, pulumi, listRequest, updateRequest, listRequest) },
				Config:           config,
				ConfigPlanChecks: preApply(plancheck.ExpectEmptyPlan()),
			},
		},
	})
}

func TestAccAgentPool_requestsOfAHundredPools(t *testing.T) {
	t.Parallel()
	const count = 100
	pulumi := startPulumiCloud(t, emulator.Options{})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		CheckDestroy:             pulumi.noPools,
		Steps: []resource.TestStep{
			{
				Config: pulumi.config(`organization = "acme"`, fmt.Sprintf(`
resource "pulumicloud_agent_pool" "test" {
  count = %d
  name  = "runners-${count.index}"
}`, count)),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             []plancheck.PlanCheck{pulumi.expect()},
					PostApplyPreRefresh:  []plancheck.PlanCheck{pulumi.expect()},
					PostApplyPostRefresh: []plancheck.PlanCheck{pulumi.expect(listRequest)},
				},
				ConfigStateChecks: []statecheck.StateCheck{
					pulumi.expect(slices.Repeat([]string{createRequest}, count)...),
				},
			},
			{
				Config:            pulumi.config(`organization = "acme"`, ""),
				ConfigPlanChecks:  preApply(pulumi.expect(listRequest)),
				ConfigStateChecks: []statecheck.StateCheck{pulumi.expect(slices.Repeat([]string{deleteRequest}, count)...)},
			},
		},
	})
}
