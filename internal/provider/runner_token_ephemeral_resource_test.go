package provider_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/echoprovider"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const runnerTokenType = "pulumicloud_runner_token"

// openRunnerToken opens the ephemeral resource and returns its attributes.
func (c *core) openRunnerToken(t *testing.T, arguments attributes) (tftypes.Value, []*tfprotov6.Diagnostic) {
	t.Helper()
	schema := c.schemas.EphemeralResourceSchemas[runnerTokenType]
	config := blockValue(t, schema, arguments)
	valid, err := c.server.ValidateEphemeralResourceConfig(t.Context(), &tfprotov6.ValidateEphemeralResourceConfigRequest{
		TypeName: runnerTokenType, Config: config,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(valid.Diagnostics) > 0 {
		return tftypes.Value{}, valid.Diagnostics
	}
	resp, err := c.server.OpenEphemeralResource(t.Context(), &tfprotov6.OpenEphemeralResourceRequest{
		TypeName: runnerTokenType, Config: config,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !resp.RenewAt.IsZero() || len(resp.Private) > 0 {
		t.Error("there is something to renew or to keep of a token")
	}
	return decode(t, schema.ValueType(), resp.Result), resp.Diagnostics
}

func TestRunnerToken(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	now := func() time.Time { return *clock.now.Load() }
	pulumi := startTrustingCloud(t, now)
	c := pulumi.newOIDCCore(t, attributes{"token": pulumi.idToken(nil)}, clock.option)
	for _, test := range []struct {
		config     attributes
		lifetime   time.Duration
		expiration any
	}{
		{attributes{"runner": "builder-1", "expiration": "1h"}, time.Hour, 3600.0},
		{attributes{"runner": "builder-1", "organization": "acme"}, 2 * time.Hour, nil},
		{attributes{"runner": "builder-1", "expiration": "300ms"}, time.Second, 1.0},
	} {
		pulumi.ResetRequests()
		result, diagnostics := c.openRunnerToken(t, test.config)
		expectNoError(t, diagnostics)
		asked := pulumi.exchanges(t)
		expectRequests(t, pulumi.pulumiCloud, exchangeRequest) // Nothing but the token is made.
		if len(asked) != 1 || asked[0]["scope"] != "runner:builder-1" || asked[0]["audience"] != acmeAudience ||
			asked[0]["requested_token_type"] != "urn:pulumi:token-type:access_token:runner" ||
			asked[0]["expiration"] != test.expiration {
			t.Errorf("asked for %v", asked)
		}
		if text(t, result, "organization") != "acme" || text(t, result, "runner") != "builder-1" {
			t.Errorf("it is for runner %q of %q", text(t, result, "runner"), text(t, result, "organization"))
		}
		if got, want := text(t, result, "expires_at"), now().Add(test.lifetime).UTC().Format(time.RFC3339); got != want {
			t.Errorf("expires at %s, want %s", got, want)
		}
		if !strings.HasPrefix(text(t, result, "token"), "pul-") {
			t.Error("there is no token")
		}
	}
}

// The token is good for a runner, and for no operation of the provider's.
func TestRunnerToken_isNoAccessToken(t *testing.T) {
	t.Parallel()
	pulumi := startTrustingCloud(t, nil)
	result, diagnostics := pulumi.newOIDCCore(t, attributes{"token": pulumi.idToken(nil)}).
		openRunnerToken(t, attributes{"runner": "builder-1"})
	expectNoError(t, diagnostics)
	c := newCore(t, pulumi.pulumiCloud, attributes{"access_token": text(t, result, "token"), "organization": "acme"})
	_, diagnostics = c.apply(t.Context(), t, c.absent(), attributes{"name": "runners"})
	expectError(t, diagnostics, "Permission denied")
}

func TestRunnerToken_validation(t *testing.T) {
	t.Parallel()
	pulumi := startTrustingCloud(t, nil)
	c := pulumi.newOIDCCore(t, attributes{"token": pulumi.idToken(nil)})
	for title, config := range map[string]attributes{
		"Empty name":                  {"runner": ""},
		"White space around a name":   {"runner": "a", "organization": " acme"},
		"Duration is not positive":    {"runner": "a", "expiration": "-1h"},
		"Control character in a name": {"runner": "a\nb"},
	} {
		_, diagnostics := c.openRunnerToken(t, config)
		expectError(t, diagnostics, title)
	}
	expectRequests(t, pulumi.pulumiCloud)
}

func TestRunnerToken_withoutOIDC(t *testing.T) {
	t.Parallel()
	pulumi := startTrustingCloud(t, nil)
	_, diagnostics := newCore(t, pulumi.pulumiCloud, attributes{"organization": "acme"}).
		openRunnerToken(t, attributes{"runner": "builder-1"})
	expectError(t, diagnostics, "No ID token to exchange", "stored access token", "Set the provider's oidc")
	_, diagnostics = newUnconfiguredCore(t).openRunnerToken(t, attributes{"runner": "builder-1"})
	expectError(t, diagnostics, "Provider is not configured")
	unknown := newUnconfiguredCore(t)
	expectNoError(t, unknown.configure(t, attributes{
		"api_url": pulumi.url, "oidc": tftypes.NewValue(unknown.provider.AttributeTypes["oidc"], tftypes.UnknownValue),
	}))
	_, diagnostics = unknown.openRunnerToken(t, attributes{"runner": "builder-1"})
	expectError(t, diagnostics, "Provider configuration is not known yet", "oidc")
	expectRequests(t, pulumi.pulumiCloud)
}

func TestRunnerToken_failures(t *testing.T) {
	t.Parallel()
	for name, failure := range oidcFailures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			switch name {
			case "a type that is not allowed", "an administrator", "a lifetime that is too long":
				return // They are what the provider asks for itself; what is asked for a runner follows below.
			}
			pulumi := startTrustingCloud(t, nil)
			if failure.reply != nil {
				pulumi.intercept("", failure.reply)
			}
			c := pulumi.newOIDCCore(t, failure.arguments(pulumi), fewRetries)
			result, diagnostics := c.openRunnerToken(t, attributes{"runner": "builder-1"})
			expectError(t, diagnostics, failure.title,
				append(failure.texts, `Could not get a token for runner "builder-1" of organization "acme".`)...)
			if !result.IsNull() && text(t, result, "token") != "" {
				t.Error("there is a token all the same")
			}
		})
	}
	t.Run("a runner that no policy names", func(t *testing.T) {
		t.Parallel()
		pulumi := startTrustingCloud(t, nil, emulator.TrustPolicy{
			TokenTypes: []emulator.TokenType{emulator.TokenTypeRunner}, Names: []string{"builder-*"},
		})
		c := pulumi.newOIDCCore(t, attributes{"token": pulumi.idToken(nil)})
		_, diagnostics := c.openRunnerToken(t, attributes{"runner": "deployer"})
		expectError(t, diagnostics, "ID token refused", `a token of the type "runner" for "deployer"`)
		_, diagnostics = c.openRunnerToken(t, attributes{"runner": "builder-7"})
		expectNoError(t, diagnostics)
	})
	t.Run("another organization than the ID token's", func(t *testing.T) {
		t.Parallel()
		pulumi := startTrustingCloud(t, nil)
		c := pulumi.newOIDCCore(t, attributes{"token": pulumi.idToken(nil)})
		_, diagnostics := c.openRunnerToken(t, attributes{"runner": "builder-1", "organization": "globex"})
		expectError(t, diagnostics, "ID token refused", "urn:pulumi:org:globex")
	})
}

func TestRunnerToken_warnings(t *testing.T) {
	t.Parallel()
	pulumi := startTrustingCloud(t, nil)
	pulumi.intercept("", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		w.Header().Set("X-Pulumi-Warning", "This API version is deprecated.")
		next.ServeHTTP(w, r)
	})
	_, diagnostics := pulumi.newOIDCCore(t, attributes{"token": pulumi.idToken(nil)}).
		openRunnerToken(t, attributes{"runner": "builder-1"})
	expectNoError(t, diagnostics)
	expectWarning(t, diagnostics, "Warning from Pulumi Cloud", "deprecated")
}

// Through the CLI, what is opened reaches another provider.
func TestRunnerToken_throughTheCLI(t *testing.T) {
	t.Parallel()
	skipUnlessCLI(t, "ephemeral resource", tfversion.Version1_10_0, version.Must(version.NewVersion("1.11.0")))
	pulumi := startTrustingCloud(t, nil)
	servers := factories()
	maps.Copy(servers, map[string]func() (tfprotov6.ProviderServer, error){"echo": echoprovider.NewProviderServer()})
	config := fmt.Sprintf(`
provider "pulumicloud" {
  api_url      = %q
  organization = "acme"
  oidc         = { token = %q }
}

ephemeral "pulumicloud_runner_token" "test" {
  runner     = "builder-1"
  expiration = "1h"
}

provider "echo" {
  data = ephemeral.pulumicloud_runner_token.test
}

resource "echo" "test" {}
`, pulumi.url, pulumi.idToken(nil))
	data := attribute("data")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: servers,
		Steps: []resource.TestStep{{
			Config: config,
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("echo.test", data.AtMapKey("organization"), knownvalue.StringExact("acme")),
				statecheck.ExpectKnownValue("echo.test", data.AtMapKey("token"), knownvalue.StringRegexp(regexp.MustCompile(`^pul-`))),
				statecheck.ExpectKnownValue("echo.test", data.AtMapKey("expires_at"), knownvalue.StringRegexp(regexp.MustCompile(`Z$`))),
			},
		}},
	})
	for _, request := range pulumi.requested() {
		if request != exchangeRequest {
			t.Errorf("opening it sent %s", request)
		}
	}
}

// Nothing that was opened is in a plan or in a state.
func TestRunnerToken_isKeptNowhere(t *testing.T) {
	t.Parallel()
	skipUnlessCLI(t, "ephemeral resource", tfversion.Version1_10_0, version.Must(version.NewVersion("1.11.0")))
	pulumi := startTrustingCloud(t, nil)
	tokens := newTokenCollector(pulumi.pulumiCloud)
	idToken := pulumi.idToken(nil)
	r := &secretsRun{printed: map[string]string{}}
	r.workspace = newWorkspace(t, fmt.Sprintf(`
provider "pulumicloud" {
  api_url      = %q
  organization = "acme"
  oidc         = {}
}

ephemeral "pulumicloud_runner_token" "test" {
  runner = "builder-1"
}

resource "pulumicloud_agent_pool" "test" {
  name             = "runners"
  token_recipients = [%q]
}
`, pulumi.url, ageRecipient), "TFC_WORKLOAD_IDENTITY_TOKEN="+idToken, "TF_LOG=TRACE", "TF_LOG_PATH=terraform.log")
	r.run(t, "init", 0, nil, "init")
	r.run(t, "plan", 0, nil, "plan", "-out=create.tfplan")
	r.run(t, "show plan", 0, nil, "show", "-json", "create.tfplan")
	r.run(t, "apply", 0, nil, "apply", "create.tfplan")
	r.run(t, "show state", 0, nil, "show", "-json")
	secrets := append(tokens.seen(), idToken)
	if len(secrets) < 3 { // the runner's token, the provider's own, and the ID token
		t.Fatalf("%d secrets were seen: nothing is proved", len(secrets))
	}
	all := r.written(t)
	maps.Copy(all, r.printed)
	for place, content := range all {
		expectNoSecrets(t, place, content, secrets)
	}
}
