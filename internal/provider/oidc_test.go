package provider_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator/oidctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

const (
	exchangeRequest = "POST /api/oauth/token"

	acmeAudience    = "urn:pulumi:org:acme"
	pipelineSubject = "repo:acme/infra:ref:refs/heads/main"
)

// trustingCloud is a Pulumi Cloud that trusts an issuer of ID tokens.
type trustingCloud struct {
	pulumiCloud

	issuer *oidctest.Issuer
}

// startTrustingCloud starts an emulator whose organization acme grants the issuer's pipelines what the policies allow,
// and organization and runner tokens if there are none.
func startTrustingCloud(t *testing.T, clock func() time.Time, policies ...emulator.TrustPolicy) trustingCloud {
	t.Helper()
	issuer := oidctest.NewIssuer(t)
	if clock != nil {
		issuer.Now = clock
	}
	if len(policies) == 0 {
		policies = []emulator.TrustPolicy{{
			TokenTypes: []emulator.TokenType{emulator.TokenTypeOrganization, emulator.TokenTypeRunner}, Names: []string{"*"},
		}}
	}
	for i := range policies {
		policies[i].Organization, policies[i].Issuer, policies[i].Subject = "acme", issuer.URL, pipelineSubject
	}
	return trustingCloud{startPulumiCloud(t, emulator.Options{TrustPolicies: policies, Now: clock}), issuer}
}

// idToken is a good one for acme, but for the claims that change it.
func (c trustingCloud) idToken(claims map[string]any) string {
	all := map[string]any{"aud": acmeAudience, "sub": pipelineSubject}
	maps.Copy(all, claims)
	return c.issuer.Token(all)
}

// exchanges returns what was asked for in exchange for ID tokens so far.
func (c trustingCloud) exchanges(t *testing.T) []map[string]any {
	t.Helper()
	var asked []map[string]any
	for _, request := range c.Requests() {
		if request.Method+" "+request.Path != exchangeRequest {
			continue
		}
		var body map[string]any
		if err := json.Unmarshal([]byte(request.Body), &body); err != nil {
			t.Fatal(err)
		}
		asked = append(asked, body)
	}
	return asked
}

func providerBlock(c *acctest.Resource) tftypes.Object {
	return c.Schemas.Provider.ValueType().(tftypes.Object)
}

// oidcValue is a provider block's oidc with these attributes.
func oidcValue(block tftypes.Object, arguments attributes) tftypes.Value {
	return arguments.Object(block.AttributeTypes["oidc"])
}

// newOIDCCore returns a core whose provider has these arguments in its oidc.
func (c trustingCloud) newOIDCCore(t *testing.T, arguments attributes, options ...provider.Option) *acctest.Resource {
	t.Helper()
	of := newUnconfiguredCore(t, options...)
	expectNoError(t, of.Configure(t.Context(), attributes{
		"api_url": c.url, "organization": "acme", "oidc": oidcValue(providerBlock(of), arguments),
	}))
	return of
}

func TestAccOIDC_sourcesThroughTheCLI(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]func(t *testing.T, pulumi trustingCloud) (oidc string, env []string){
		"token": func(_ *testing.T, pulumi trustingCloud) (string, []string) {
			return fmt.Sprintf("{ token = %q }", pulumi.idToken(nil)), nil
		},
		"token_file": func(t *testing.T, pulumi trustingCloud) (string, []string) {
			t.Helper()
			file := filepath.Join(t.TempDir(), "token")
			mustDo(t, os.WriteFile(file, []byte(pulumi.idToken(nil)+"\n"), 0o600))
			return fmt.Sprintf("{ token_file = %q }", file), nil
		},
		"token_env": func(_ *testing.T, pulumi trustingCloud) (string, []string) {
			return `{ token_env = "GITLAB_ID_TOKEN" }`, []string{"GITLAB_ID_TOKEN=" + pulumi.idToken(nil)}
		},
		"HCP Terraform": func(_ *testing.T, pulumi trustingCloud) (string, []string) {
			return "{}", []string{"TFC_WORKLOAD_IDENTITY_TOKEN=" + pulumi.idToken(nil)}
		},
		"GitHub Actions": func(_ *testing.T, pulumi trustingCloud) (string, []string) {
			url, token := pulumi.issuer.GitHubActions(map[string]any{"sub": pipelineSubject})
			return "{}", []string{"ACTIONS_ID_TOKEN_REQUEST_URL=" + url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + token}
		},
		// A stored token is what oidc is there to replace.
		"beside PULUMI_ACCESS_TOKEN": func(_ *testing.T, pulumi trustingCloud) (string, []string) {
			return fmt.Sprintf("{ token = %q }", pulumi.idToken(nil)), []string{"PULUMI_ACCESS_TOKEN=pul-" + strings.Repeat("0", 40)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pulumi := startTrustingCloud(t, nil)
			oidc, env := source(t, pulumi)
			w := newWorkspace(t, fmt.Sprintf(`
provider "pulumicloud" {
  api_url      = %q
  organization = "acme"
  oidc         = %s
}

resource "pulumicloud_agent_pool" "test" {
  count = 3
  name  = "runners-${count.index}"
}
`, pulumi.url, oidc), env...)
			w.MustRun(t, "init")
			w.MustRun(t, "validate")
			w.MustRun(t, "plan")
			expectRequests(t, pulumi.pulumiCloud) // Nothing has to be asked yet.
			w.MustRun(t, "apply", "-auto-approve")
			expectRequests(t, pulumi.pulumiCloud, exchangeRequest, createRequest, createRequest, createRequest)
			w.MustRun(t, "plan", "-detailed-exitcode")
			asked := pulumi.exchanges(t)
			expectRequests(t, pulumi.pulumiCloud, exchangeRequest, listRequest)
			want := map[string]any{
				"audience": acmeAudience, "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
				"requested_token_type": "urn:pulumi:token-type:access_token:organization", "scope": "",
				"subject_token": "[redacted]", "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
			}
			if diff := cmp.Diff([]map[string]any{want}, asked); diff != "" {
				t.Errorf("exchanges (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOIDC_tokenTypes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		arguments        attributes
		tokenType, scope string
		expiration       any
	}{
		"organization":  {attributes{"token_type": "organization"}, "organization", "", nil},
		"administrator": {attributes{"admin": true}, "organization", "admin", nil},
		"team":          {attributes{"token_type": "team", "team": "infra"}, "team", "team:infra", nil},
		"person":        {attributes{"token_type": "personal", "user": "ada"}, "personal", "user:ada", nil},
		"half an hour":  {attributes{"expiration": "30m"}, "organization", "", 1800.0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pulumi := startTrustingCloud(t, nil, emulator.TrustPolicy{
				TokenTypes: []emulator.TokenType{
					emulator.TokenTypeOrganization, emulator.TokenTypeTeam, emulator.TokenTypePersonal,
				},
				Names: []string{"infra", "ada"}, AllowAdmin: true,
			})
			arguments := attributes{"token": pulumi.idToken(nil)}
			maps.Copy(arguments, test.arguments)
			c := pulumi.newOIDCCore(t, arguments)
			c.MustApply(t, c.Absent(), attributes{"name": "runners"})
			asked := pulumi.exchanges(t)
			if len(asked) != 1 {
				t.Fatalf("%d exchanges, want 1", len(asked))
			}
			got := []any{asked[0]["requested_token_type"], asked[0]["scope"], asked[0]["expiration"]}
			want := []any{"urn:pulumi:token-type:access_token:" + test.tokenType, test.scope, test.expiration}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOIDC_validation(t *testing.T) {
	t.Parallel()
	c := newUnconfiguredCore(t)
	for name, test := range map[string]struct {
		oidc  attributes
		more  attributes
		texts []string
	}{
		"nothing": {oidc: attributes{}},
		"all unknown": {
			oidc: attributes{"token": tftypes.UnknownValue, "token_type": tftypes.UnknownValue, "team": "infra"},
		},
		"unknown team": {oidc: attributes{"token_type": "team", "team": tftypes.UnknownValue}},
		"access token": {
			attributes{}, attributes{"access_token": accessToken}, []string{"Invalid Attribute Combination", "access_token", "oidc"},
		},
		"token and file": {
			attributes{"token": "a", "token_file": "b"}, nil, []string{"Invalid Attribute Combination", "token_file"},
		},
		"token and variable": {
			attributes{"token": "a", "token_env": "b"}, nil, []string{"Invalid Attribute Combination", "token_env"},
		},
		"file and variable": {
			attributes{"token_file": "a", "token_env": "b"}, nil, []string{"Invalid Attribute Combination", "token_env"},
		},
		"a runner's token": {attributes{"token_type": "runner"}, nil, []string{"token_type", `"personal"`}},
		"no team":          {attributes{"token_type": "team"}, nil, []string{"Missing name for the access token", "set team"}},
		"no user": {
			attributes{"token_type": "personal"}, nil, []string{"Missing name for the access token", "set user"},
		},
		"a team too many": {attributes{"team": "infra"}, nil, []string{"Name does not fit", `"team"`}},
		"a user instead of a team": {
			attributes{"token_type": "team", "team": "infra", "user": "ada"}, nil, []string{"Name does not fit", `"personal"`},
		},
		"a team's administrator":    {attributes{"token_type": "team", "team": "infra", "admin": true}, nil, []string{"administrator"}},
		"an expiration of nothing":  {attributes{"expiration": "0s"}, nil, []string{"Duration is not positive"}},
		"an expiration of no shape": {attributes{"expiration": "soon"}, nil, []string{"Duration"}},
		"an empty file name":        {attributes{"token_file": ""}, nil, []string{"token_file"}},
		"an empty variable name":    {attributes{"token_env": ""}, nil, []string{"token_env"}},
		"an empty team":             {attributes{"token_type": "team", "team": ""}, nil, []string{"Empty name"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := attributes{"oidc": oidcValue(providerBlock(c), test.oidc)}
			maps.Copy(config, test.more)
			diagnostics := c.Validate(t.Context(), config)
			if test.texts == nil {
				expectNoError(t, diagnostics)
				return
			}
			said := diagnostics.String()
			for _, text := range test.texts {
				if !strings.Contains(said, text) {
					t.Errorf("%q is not in:\n%s", text, said)
				}
			}
		})
	}
}

// Values that are not known yet neither fail a plan nor lead to a guess.
func TestOIDC_unknown(t *testing.T) {
	t.Parallel()
	pulumi := startTrustingCloud(t, nil)
	stored := newCore(t, pulumi.pulumiCloud, attributes{"organization": "acme"})
	pool := stored.MustApply(t, stored.Absent(), attributes{"name": "runners"})
	pulumi.ResetRequests()
	for name, arguments := range map[string]func(tftypes.Object) attributes{
		"oidc": func(block tftypes.Object) attributes {
			return attributes{"organization": "acme", "oidc": tftypes.NewValue(block.AttributeTypes["oidc"], tftypes.UnknownValue)}
		},
		"token": func(block tftypes.Object) attributes {
			return attributes{"organization": "acme", "oidc": oidcValue(block, attributes{"token": tftypes.UnknownValue})}
		},
		"organization": func(block tftypes.Object) attributes {
			return attributes{"organization": tftypes.UnknownValue, "oidc": oidcValue(block, attributes{"token": pulumi.idToken(nil)})}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newUnconfiguredCore(t)
			config := arguments(providerBlock(c))
			config["api_url"] = pulumi.url
			expectNoError(t, c.Configure(t.Context(), config))
			_, diagnostics := c.Plan(t.Context(), c.Absent(), attributes{"name": "others"})
			expectNoError(t, diagnostics)
			plan, diagnostics := c.Plan(t.Context(), pool, attributes{"name": "renamed"})
			expectNoError(t, diagnostics)
			if len(plan.RequiresReplace) > 0 {
				t.Error("a pool is to be replaced because the provider's configuration is not known yet")
			}
			refreshed, diagnostics := c.Read(t.Context(), pool)
			expectNoError(t, diagnostics)
			expectWarning(t, diagnostics, "Provider configuration is not known yet", "oidc")
			if !refreshed.Value.Equal(pool.Value) {
				t.Error("the state has changed without a request")
			}
			expectRequests(t, pulumi.pulumiCloud)
		})
	}
}

func TestOIDC_noOrganization(t *testing.T) {
	t.Parallel()
	pulumi := startTrustingCloud(t, nil)
	c := newUnconfiguredCore(t)
	diagnostics := c.Configure(t.Context(), attributes{
		"api_url": pulumi.url, "oidc": oidcValue(providerBlock(c), attributes{"token": pulumi.idToken(nil)}),
	})
	expectError(t, diagnostics, "No organization", "Set the provider's organization", "PULUMI_DEFAULT_ORGANIZATION")
	expectRequests(t, pulumi.pulumiCloud)
}

func TestOIDC_renewedShortlyBeforeItExpires(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	pulumi := startTrustingCloud(t, func() time.Time { return *clock.now.Load() })
	file := filepath.Join(t.TempDir(), "token")
	replace := func() { mustDo(t, os.WriteFile(file, []byte(pulumi.idToken(nil)), 0o600)) }
	replace()
	c := pulumi.newOIDCCore(t, attributes{"token_file": file, "expiration": "1h"}, clock.option)
	pool := c.MustApply(t, c.Absent(), attributes{"name": "runners"})
	expectRequests(t, pulumi.pulumiCloud, exchangeRequest, createRequest)
	clock.advance(58 * time.Minute)
	pool = c.MustRead(t, pool)
	expectRequests(t, pulumi.pulumiCloud, listRequest)
	// The file has been replaced in the meantime: what it held at first has expired long ago.
	replace()
	clock.advance(90 * time.Second)
	pool = c.MustApply(t, pool, attributes{"name": "renamed"})
	expectRequests(t, pulumi.pulumiCloud, exchangeRequest, updateRequest)
	c.MustRead(t, pool)
	expectRequests(t, pulumi.pulumiCloud, listRequest)
}

// Whatever is under way when the token is refused is carried out once, with another.
func TestOIDC_renewedWhenRefused(t *testing.T) {
	t.Parallel()
	for _, operation := range poolOperations() {
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			pulumi := startTrustingCloud(t, nil)
			c := pulumi.newOIDCCore(t, attributes{"token": pulumi.idToken(nil)})
			pool := c.MustApply(t, c.Absent(), attributes{"name": "runners"})
			pulumi.RevokeAccessTokens()
			pulumi.ResetRequests()
			after, diagnostics := operation.run(t, c, pool)
			expectNoError(t, diagnostics)
			requests := pulumi.requested()
			if len(requests) != 3 || requests[0] != requests[2] || requests[1] != exchangeRequest {
				t.Errorf("requests %q, want one, an exchange, and the same again", requests)
			}
			switch pools := pulumi.AgentPools("acme"); operation.name {
			case "create":
				if len(pools) != 2 || !pulumi.TokenMatches("acme", after.Text("id"), after.Text("token")) {
					t.Errorf("%d pools, want 2, and the token of the new one in the state", len(pools))
				}
			case "delete":
				if len(pools) > 0 || after.Exists() {
					t.Error("the pool was not deleted")
				}
			}
		})
	}
}

func TestOIDC_oneExchangeForAll(t *testing.T) {
	t.Parallel()
	pulumi := startTrustingCloud(t, nil)
	c := pulumi.newOIDCCore(t, attributes{"token": pulumi.idToken(nil)})
	plans := make([]acctest.Change, 50)
	for i := range plans {
		var diagnostics acctest.Diagnostics
		plans[i], diagnostics = c.Plan(t.Context(), c.Absent(), attributes{"name": fmt.Sprintf("runners-%d", i)})
		expectNoError(t, diagnostics)
	}
	expectRequests(t, pulumi.pulumiCloud)
	var group sync.WaitGroup
	for _, plan := range plans {
		group.Go(func() {
			if _, diagnostics := c.ApplyChange(t.Context(), plan); len(diagnostics) > 0 {
				t.Error(diagnostics)
			}
		})
	}
	group.Wait()
	expectRequests(t, pulumi.pulumiCloud,
		append([]string{exchangeRequest}, slices.Repeat([]string{createRequest}, len(plans))...)...)
}

// oidcFailure is a reason for which no access token can be had.
type oidcFailure struct {
	arguments func(pulumi trustingCloud) attributes
	// reply answers the exchange, if it gets that far, in the API's stead.
	reply func(http.ResponseWriter, *http.Request, http.Handler)
	title string
	texts []string
}

func oidcFailures(t *testing.T) map[string]oidcFailure {
	t.Helper()
	directory := t.TempDir()
	file := filepath.Join(directory, "empty")
	mustDo(t, os.WriteFile(file, nil, 0o600))
	stranger := oidctest.NewIssuer(t)
	with := func(arguments attributes) func(trustingCloud) attributes {
		return func(trustingCloud) attributes { return arguments }
	}
	claiming := func(claims map[string]any, more attributes) func(trustingCloud) attributes {
		return func(pulumi trustingCloud) attributes {
			arguments := attributes{"token": pulumi.idToken(claims)}
			maps.Copy(arguments, more)
			return arguments
		}
	}
	good := claiming(nil, nil)
	return map[string]oidcFailure{
		"no pipeline": {
			arguments: with(attributes{}), title: "No ID token",
			texts: []string{"TFC_WORKLOAD_IDENTITY_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "id-token: write"},
		},
		"no file": {
			arguments: with(attributes{"token_file": filepath.Join(directory, "none")}), title: "No ID token",
			texts: []string{"the file " + filepath.Join(directory, "none"), "no such file"},
		},
		"a folder": {
			arguments: with(attributes{"token_file": directory}), title: "No ID token", texts: []string{directory, "regular file"},
		},
		"an empty file": {arguments: with(attributes{"token_file": file}), title: "No ID token", texts: []string{file, "empty"}},
		"no variable": {
			arguments: with(attributes{"token_env": "NO_SUCH_VARIABLE"}), title: "No ID token",
			texts: []string{"NO_SUCH_VARIABLE", "not set"},
		},
		"an empty token": {
			arguments: with(attributes{"token": ""}), title: "No ID token", texts: []string{"the configuration", "empty"},
		},
		"another token": {
			arguments: with(attributes{"token": accessToken}), title: "No ID token", texts: []string{"not a JSON Web Token"},
		},
		"another audience": {
			arguments: claiming(map[string]any{"aud": "https://github.com/acme"}, nil), title: "ID token refused",
			texts: []string{"is meant for https://github.com/acme", "has to be for " + acmeAudience},
		},
		"expired": {
			arguments: claiming(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, nil), title: "ID token refused",
			texts: []string{"expired"},
		},
		"a stranger": {
			arguments: func(trustingCloud) attributes {
				return attributes{"token": stranger.Token(map[string]any{"aud": acmeAudience, "sub": pipelineSubject})}
			},
			title: "ID token refused", texts: []string{`"acme"`, "trust the token's issuer", stranger.URL, pipelineSubject},
		},
		"no policy": {
			arguments: claiming(map[string]any{"sub": "repo:acme/web"}, nil), title: "ID token refused",
			texts: []string{"a policy that matches", "its subject repo:acme/web"},
		},
		"a type that is not allowed": {
			arguments: claiming(nil, attributes{"token_type": "team", "team": "infra"}), title: "ID token refused",
			texts: []string{`a token of the type "team" for "infra"`, "an edition of Pulumi Cloud"},
		},
		"an administrator": {arguments: claiming(nil, attributes{"admin": true}), title: "ID token refused", texts: []string{"admin"}},
		"no such endpoint": {
			good, answer(http.StatusNotFound, textType, "404 page not found"), "Not an answer of Pulumi Cloud",
			[]string{exchangeRequest, "api_url"},
		},
		"404": {
			good, answer(http.StatusNotFound, jsonType, pulumiError(404, "no such thing")), "Request refused", []string{"no such thing"},
		},
		"409": {good, answer(http.StatusConflict, jsonType, pulumiError(409, "no")), "Request refused", []string{exchangeRequest}},
		"HTML": {
			good, answer(http.StatusForbidden, htmlType, "<h1>Forbidden</h1>"), "Not an answer of Pulumi Cloud",
			[]string{exchangeRequest, "proxy"},
		},
		"200 in HTML": {
			good, answer(http.StatusOK, htmlType, "<h1>Sign in</h1>"), "Unexpected answer of Pulumi Cloud", []string{exchangeRequest},
		},
		"500": {
			good, answer(http.StatusInternalServerError, jsonType, pulumiError(500, "out of order")), "Pulumi Cloud failed",
			[]string{exchangeRequest, "attempts: 3", "Nothing was removed from the state"},
		},
		"no answer": {
			good, func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) },
			"Pulumi Cloud can't be reached",
			[]string{exchangeRequest},
		},
	}
}

// Each failure says at which step it failed, and none of them is news of a pool.
func TestOIDC_failures(t *testing.T) {
	t.Parallel()
	for name, failure := range oidcFailures(t) {
		for _, operation := range poolOperations() {
			t.Run(name+" on "+operation.name, func(t *testing.T) {
				t.Parallel()
				pulumi := startTrustingCloud(t, nil)
				stored := newCore(t, pulumi.pulumiCloud, attributes{"organization": "acme"})
				pool := stored.MustApply(t, stored.Absent(), attributes{"name": "runners"})
				pool.Private = nil
				if failure.reply != nil {
					pulumi.intercept("", failure.reply)
				}
				c := pulumi.newOIDCCore(t, failure.arguments(pulumi), fewRetries)
				pulumi.ResetRequests()
				after, diagnostics := operation.run(t, c, pool)
				expectError(t, diagnostics, failure.title, append([]string{operation.did}, failure.texts...)...)
				want := pool
				if operation.name == "create" {
					want = c.Absent()
				}
				if !after.Value.Equal(want.Value) {
					t.Error("the state has changed")
				}
				for _, request := range pulumi.requested() {
					if request != exchangeRequest {
						t.Errorf("%s was sent without a token", request)
					}
				}
				if strings.Contains(diagnosticsText(diagnostics), ".ey") {
					t.Error("the error shows an ID token")
				}
			})
		}
	}
}

func TestOIDC_interruptedBeforeThereIsAnIDToken(t *testing.T) {
	pulumi := startTrustingCloud(t, nil)
	c := pulumi.newOIDCCore(t, attributes{})
	github := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stopProvider(t, c)
		<-r.Context().Done()
	}))
	t.Cleanup(github.Close)
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", github.URL)
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token")
	_, diagnostics := c.Apply(t.Context(), c.Absent(), attributes{"name": "runners"})
	expectError(t, diagnostics, "Interrupted", `create agent pool "runners"`)
	expectRequests(t, pulumi.pulumiCloud)
}

// A create whose answer was lost is reported as that, and not as the want of a token that came after.
func TestOIDC_failureAfterALostCreate(t *testing.T) {
	t.Parallel()
	pulumi := startTrustingCloud(t, nil)
	c := pulumi.newOIDCCore(t, attributes{"token": pulumi.idToken(nil)}, fewRetries)
	pulumi.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method+" "+r.URL.Path != createRequest {
				next.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(httptest.NewRecorder(), r)
			pulumi.RevokeAccessTokens()
			pulumi.intercept(http.MethodPost, answer(http.StatusForbidden, jsonType, pulumiError(403, "no more tokens")))
			panic(http.ErrAbortHandler)
		})
	})
	after, diagnostics := c.Apply(t.Context(), c.Absent(), attributes{"name": "runners"})
	expectError(t, diagnostics, "Agent pool may have been created", `create agent pool "runners"`, "Then: ", "no more tokens")
	if after.Exists() {
		t.Error("the state holds a pool that nobody has seen")
	}
	if n := pulumi.count(createRequest); n != 1 {
		t.Errorf("%d POSTs, want 1", n)
	}
}

// What Pulumi Cloud says in detail of a refused exchange reaches the user.
func TestOIDC_detailsOfARefusal(t *testing.T) {
	t.Parallel()
	pulumi := startTrustingCloud(t, nil)
	pulumi.intercept("", answer(http.StatusForbidden, jsonType, `{
		"code": 403, "message": "Forbidden: no", "documentationUrl": "https://www.pulumi.com/docs/oidc/",
		"errors": [{"resource": "policy", "errorType": "missing"}]
	}`))
	c := pulumi.newOIDCCore(t, attributes{"token": pulumi.idToken(nil)})
	_, diagnostics := c.Apply(t.Context(), c.Absent(), attributes{"name": "runners"})
	expectError(t, diagnostics, "ID token refused", "See https://www.pulumi.com/docs/oidc/", "- policy: missing")
}
