package provider_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

const (
	accessToken = "pul-0123456789abcdef0123456789abcdef01234567"
	poolType    = "pulumicloud_agent_pool"
	// missingID is the ID of no agent pool.
	missingID = "00000000-0000-4000-8000-000000000000"

	jsonType, htmlType, textType = "application/json", "text/html; charset=utf-8", "text/plain; charset=utf-8"

	listRequest   = "GET /api/orgs/acme/agent-pools"
	createRequest = "POST /api/orgs/acme/agent-pools"
	getRequest    = "GET /api/orgs/acme/agent-pools/{id}"
	updateRequest = "PATCH /api/orgs/acme/agent-pools/{id}"
	deleteRequest = "DELETE /api/orgs/acme/agent-pools/{id}"

	defaultOrganizationRequest = "GET /api/user/organizations/default"
)

// providerVersion is the version of the provider that newWorkspace installs, and providerProgram its file name.
const (
	providerVersion = "0.1.0"
	providerProgram = "terraform-provider-pulumicloud_v" + providerVersion
)

// TestMain serves the provider if a CLI started the test program as the provider's executable. Otherwise it runs the
// tests without the credentials and settings of the environment.
func TestMain(m *testing.M) {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == providerProgram {
		if err := provider.Serve(providerVersion, false, fastRetries, panicOnRetry); err != nil {
			panic(err)
		}
		return
	}
	isolatedEnv := map[string]string{
		"PULUMI_HOME": "/nonexistent", "PULUMI_CREDENTIALS_PATH": "", "PULUMI_DEFAULT_ORGANIZATION": "", "PULUMI_API": "",
		"TFC_WORKLOAD_IDENTITY_TOKEN": "", "ACTIONS_ID_TOKEN_REQUEST_URL": "", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "",
	}
	if liveOrganization() == "" {
		isolatedEnv["PULUMI_ACCESS_TOKEN"], isolatedEnv["PULUMI_BACKEND_URL"] = "", ""
	}
	// terraform-plugin-testing must offer the provider in the registry in which OpenTofu looks for it.
	if strings.HasPrefix(filepath.Base(os.Getenv("TF_ACC_TERRAFORM_PATH")), "tofu") {
		isolatedEnv["TF_ACC_PROVIDER_HOST"], isolatedEnv["TF_ACC_PROVIDER_NAMESPACE"] = "registry.opentofu.org", "hashicorp"
	}
	for name, value := range isolatedEnv {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	resource.AddTestSweepers(poolType, &resource.Sweeper{Name: poolType, F: sweepAgentPools})
	resource.TestMain(m)
}

// pulumiCloud is an emulator that listens for one test.
type pulumiCloud struct {
	*emulator.Server

	url string
}

// startPulumiCloud starts an emulator. Unless the options set organizations, it has acme, the default, and globex.
func startPulumiCloud(t *testing.T, options emulator.Options) pulumiCloud {
	t.Helper()
	options.AccessToken = accessToken
	if options.Organizations == nil {
		options.Organizations = []string{"acme", "globex"}
	}
	server, err := emulator.New(options)
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	return pulumiCloud{Server: server, url: listener.URL}
}

// fastRetries keeps retries from delaying a test.
func fastRetries(config *pulumiapi.Config) {
	config.RetryWaitMin, config.RetryWaitMax = time.Millisecond, 2*time.Millisecond
}

// newProvider returns a provider that is not configured.
func newProvider(t *testing.T, options ...provider.Option) *acctest.Provider {
	t.Helper()
	return acctest.NewProvider(t.Context(), provider.NewServer("test", append([]provider.Option{fastRetries}, options...)...))
}

// provider returns a provider that is configured for the emulator, with further arguments.
func (c pulumiCloud) provider(t *testing.T, arguments acctest.Values, options ...provider.Option) *acctest.Provider {
	t.Helper()
	p := newProvider(t, options...)
	config := acctest.Values{"api_url": c.url, "access_token": accessToken}
	maps.Copy(config, arguments)
	if diagnostics := p.Configure(t.Context(), config); diagnostics.HasError() {
		t.Fatal(diagnostics)
	}
	return p
}

// acme returns the agent pools of a provider that is configured for the organization acme.
func (c pulumiCloud) acme(t *testing.T, options ...provider.Option) *acctest.Resource {
	t.Helper()
	return c.provider(t, acctest.Values{"organization": "acme"}, options...).Resource(poolType)
}

// factories serve the provider in the process of the test, for the tests that use terraform-plugin-testing.
func factories(options ...provider.Option) map[string]func() (tfprotov6.ProviderServer, error) {
	newServer := provider.NewServer("test", append([]provider.Option{fastRetries}, options...)...)
	return map[string]func() (tfprotov6.ProviderServer, error){
		"pulumicloud": func() (tfprotov6.ProviderServer, error) { return newServer(), nil },
	}
}

// config returns a configuration with a provider block for the emulator.
func (c pulumiCloud) config(arguments, rest string) string {
	return fmt.Sprintf(`
provider "pulumicloud" {
  api_url      = %q
  access_token = %q
  %s
}
%s`, c.url, accessToken, arguments, rest)
}

// newWorkspace returns a workspace for the CLI under test, after "init", with a configuration and this test program as
// the provider.
func newWorkspace(t *testing.T, config string, env ...string) *acctest.Workspace {
	t.Helper()
	w := acctest.NewTestWorkspace(t, env...)
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	mustDo(t, w.InstallProvider(providerVersion, executable))
	mustDo(t, w.Write("terraform.tf", fmt.Sprintf(`
terraform {
  required_providers {
    pulumicloud = { source = %q }
  }
}`, acctest.Source)))
	mustDo(t, w.Write("main.tf", config))
	w.MustRun(t, "init")
	return w
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustCreate creates an agent pool outside of Terraform.
func (c pulumiCloud) mustCreate(t *testing.T, organization, name, description string) emulator.AgentPool {
	t.Helper()
	pool, _, err := c.CreateAgentPool(organization, name, description)
	mustDo(t, err)
	return pool
}

// onlyPool returns the agent pool of the organization acme, which must have exactly one.
func (c pulumiCloud) onlyPool(t *testing.T) emulator.AgentPool {
	t.Helper()
	pools := c.AgentPools("acme")
	if len(pools) != 1 {
		t.Fatalf("organization acme has %d agent pools, want 1", len(pools))
	}
	return pools[0]
}

// checkDestroy returns an error if an agent pool is left.
func (c pulumiCloud) checkDestroy(*terraform.State) error {
	for _, organization := range []string{"acme", "globex"} {
		if pools := c.AgentPools(organization); len(pools) > 0 {
			return fmt.Errorf("organization %s has %d agent pools left", organization, len(pools))
		}
	}
	return nil
}

// interceptor handles a request instead of the API, or before and after it.
type interceptor = func(w http.ResponseWriter, r *http.Request, api http.Handler)

// intercept passes requests with the method, or all if it is empty, to an interceptor until stop is called.
func (c pulumiCloud) intercept(method string, handle interceptor) (stop func()) {
	var stopped atomic.Bool
	c.Use(func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if stopped.Load() || method != "" && r.Method != method {
				api.ServeHTTP(w, r)
				return
			}
			handle(w, r, api)
		})
	})
	return func() { stopped.Store(true) }
}

// respond responds instead of the API.
func respond(status int, contentType, body string) interceptor {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// respondError responds with an error in the form of Pulumi Cloud.
func respondError(status int, message string) interceptor {
	return respond(status, jsonType, fmt.Sprintf(`{"code":%d,"message":"%s: %s"}`, status, http.StatusText(status), message))
}

// loseResponse lets the request take effect and closes the connection instead of responding.
func loseResponse(_ http.ResponseWriter, r *http.Request, api http.Handler) {
	api.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// warn adds a warning to the response of the API.
func warn(text string) interceptor {
	return func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		w.Header().Set("X-Pulumi-Warning", text)
		api.ServeHTTP(w, r)
	}
}

var uuidPattern = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// requested returns the requests since the last call, without IDs.
func (c pulumiCloud) requested() []string {
	var requests []string
	for _, request := range c.Requests() {
		line := request.Method + " " + uuidPattern.ReplaceAllString(request.Path, "{id}")
		if len(request.Query) > 0 {
			line += "?" + request.Query.Encode()
		}
		requests = append(requests, line)
	}
	c.ResetRequests()
	return requests
}

// expectRequests compares the requests since the last call.
func (c pulumiCloud) expectRequests(t *testing.T, want ...string) {
	t.Helper()
	if got := c.requested(); !slices.Equal(got, want) {
		t.Errorf("requests:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// expectWrites compares the methods of the requests that are not reads.
func (c pulumiCloud) expectWrites(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, request := range c.Requests() {
		if request.Method != http.MethodGet {
			got = append(got, request.Method)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("writes %q, want %q", got, want)
	}
	c.ResetRequests()
}

// expectNone fails the test if there is a diagnostic.
func expectNone(t *testing.T, diagnostics acctest.Diagnostics) {
	t.Helper()
	if len(diagnostics) > 0 {
		t.Fatalf("diagnostics: %s", diagnostics)
	}
}

// expectError expects exactly one error, with this summary and these texts in its attribute or detail.
func expectError(t *testing.T, diagnostics acctest.Diagnostics, summary string, texts ...string) {
	t.Helper()
	expectDiagnostic(t, diagnostics, tfprotov6.DiagnosticSeverityError, summary, texts)
}

// expectWarning expects exactly one warning, with this summary and these texts in its attribute or detail.
func expectWarning(t *testing.T, diagnostics acctest.Diagnostics, summary string, texts ...string) {
	t.Helper()
	expectDiagnostic(t, diagnostics, tfprotov6.DiagnosticSeverityWarning, summary, texts)
}

func expectDiagnostic(
	t *testing.T, diagnostics acctest.Diagnostics, severity tfprotov6.DiagnosticSeverity, summary string, texts []string,
) {
	t.Helper()
	var found acctest.Diagnostics
	for _, diagnostic := range diagnostics {
		if diagnostic.Severity == severity {
			found = append(found, diagnostic)
		}
	}
	if len(found) != 1 || found[0].Summary != summary {
		t.Fatalf("diagnostics: %s\nwant one %s %q", diagnostics, severity, summary)
	}
	if strings.Contains(diagnostics.String(), accessToken) {
		t.Errorf("the diagnostics have the token: %s", diagnostics)
	}
	for _, text := range texts {
		if !strings.Contains(found.String(), text) {
			t.Errorf("%q is missing in %s", text, found)
		}
	}
}

// message matches the texts in this order, however the CLI wraps and frames their lines.
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

// testClock is a clock for the client. It advances when the client sleeps.
type testClock struct{ now atomic.Pointer[time.Time] }

func newTestClock() *testClock {
	clock, now := &testClock{}, time.Now()
	clock.now.Store(&now)
	return clock
}

func (c *testClock) advance(by time.Duration) {
	now := c.now.Load().Add(by)
	c.now.Store(&now)
}

// option makes the client use the clock.
func (c *testClock) option(config *pulumiapi.Config) {
	config.Now = func() time.Time { return *c.now.Load() }
	config.Sleep = func(ctx context.Context, wait time.Duration) error {
		c.advance(wait)
		return ctx.Err()
	}
}
