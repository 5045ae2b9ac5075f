package provider_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// oidcCloud is an emulator that exchanges ID tokens of an issuer.
type oidcCloud struct {
	pulumiCloud

	issuer *oidctest.Issuer
}

// startOIDCCloud starts an emulator whose organization acme allows the pipeline organization tokens, with admin, and
// tokens of the team infra and the user ada.
func startOIDCCloud(t *testing.T, clock func() time.Time) oidcCloud {
	t.Helper()
	issuer := oidctest.NewIssuer(t)
	if clock != nil {
		issuer.Now = clock
	}
	return oidcCloud{startPulumiCloud(t, emulator.Options{Now: clock, TrustPolicies: []emulator.TrustPolicy{{
		Organization: "acme", Issuer: issuer.URL, Subject: pipelineSubject, AllowAdmin: true, Names: []string{"infra", "ada"},
		TokenTypes: []emulator.TokenType{
			emulator.TokenTypeOrganization, emulator.TokenTypeTeam, emulator.TokenTypePersonal,
		},
	}}}), issuer}
}

// idToken returns an ID token that acme accepts, apart from the given claims.
func (c oidcCloud) idToken(claims map[string]any) string {
	all := map[string]any{"aud": acmeAudience, "sub": pipelineSubject}
	maps.Copy(all, claims)
	return c.issuer.Token(all)
}

// oidcBlock returns the value of the oidc attribute.
func oidcBlock(p *acctest.Provider, attributes acctest.Values) tftypes.Value {
	return attributes.Object(p.Schemas.Provider.ValueType().(tftypes.Object).AttributeTypes["oidc"])
}

// oidc returns a provider that is configured for acme with these attributes of oidc.
func (c oidcCloud) oidc(t *testing.T, attributes acctest.Values, options ...provider.Option) *acctest.Provider {
	t.Helper()
	p := newProvider(t, options...)
	expectNone(t, p.Configure(t.Context(), acctest.Values{
		"api_url": c.url, "organization": "acme", "oidc": oidcBlock(p, attributes),
	}))
	return p
}

func TestOIDC_sources(t *testing.T) {
	cloud := startOIDCCloud(t, nil)
	file := filepath.Join(t.TempDir(), "token")
	mustDo(t, os.WriteFile(file, []byte(cloud.idToken(nil)+"\n"), 0o600))
	githubURL, githubToken := cloud.issuer.GitHubActions(map[string]any{"sub": pipelineSubject})
	for name, test := range map[string]struct {
		attributes acctest.Values
		env        map[string]string
	}{
		"token":         {acctest.Values{"token": cloud.idToken(nil)}, nil},
		"token_file":    {acctest.Values{"token_file": file}, nil},
		"token_env_var": {acctest.Values{"token_env_var": "GITLAB"}, map[string]string{"GITLAB": cloud.idToken(nil)}},
		"HCP Terraform": {nil, map[string]string{"TFC_WORKLOAD_IDENTITY_TOKEN": cloud.idToken(nil)}},
		"GitHub Actions": {nil, map[string]string{
			"ACTIONS_ID_TOKEN_REQUEST_URL": githubURL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": githubToken,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PULUMI_ACCESS_TOKEN", "deleted") // oidc takes precedence.
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			p := cloud.oidc(t, test.attributes)
			for range 2 {
				_, diagnostics := p.ReadDataSource(t.Context(), poolsType, nil)
				expectNone(t, diagnostics)
			}
			cloud.expectRequests(t, exchangeRequest, listRequest)
		})
	}
}

func TestOIDC_exchange(t *testing.T) {
	t.Parallel()
	cloud := startOIDCCloud(t, nil)
	for want, attributes := range map[string]acctest.Values{
		"organization admin 1800": {"admin": true, "expiration": "30m"},
		"team team:infra <nil>":   {"requested_token_type": "team", "team": "infra"},
		"personal user:ada <nil>": {"requested_token_type": "personal", "user": "ada"},
	} {
		attributes["token"] = cloud.idToken(nil)
		_, diagnostics := cloud.oidc(t, attributes).ReadDataSource(t.Context(), poolsType, nil)
		expectNone(t, diagnostics)
		var sent map[string]any
		mustDo(t, json.Unmarshal([]byte(cloud.Requests()[0].Body), &sent))
		cloud.ResetRequests()
		got := fmt.Sprint(sent["requested_token_type"], " ", sent["scope"], " ", sent["expiration"])
		if want = "urn:pulumi:token-type:access_token:" + want; got != want || sent["audience"] != acmeAudience {
			t.Errorf("exchange for %v: %s, want %s", sent["audience"], got, want)
		}
	}
}

func TestOIDC_validation(t *testing.T) {
	const missing, conflicting = "Missing required argument", "Conflicting configuration arguments"
	const combination = "Invalid Attribute Combination"
	p := newProvider(t)
	for name, test := range map[string]struct {
		oidc          acctest.Values
		summary, text string
	}{
		"no attributes":      {nil, "", ""},
		"unknown type":       {acctest.Values{"requested_token_type": tftypes.UnknownValue, "team": "infra"}, "", ""},
		"token and file":     {acctest.Values{"token": "a", "token_file": "b"}, combination, "token_file"},
		"runner token":       {acctest.Values{"requested_token_type": "runner"}, "Invalid Attribute Value Match", `"personal"`},
		"no team":            {acctest.Values{"requested_token_type": "team"}, missing, "Set oidc.team"},
		"no user":            {acctest.Values{"requested_token_type": "personal"}, missing, "Set oidc.user"},
		"team without type":  {acctest.Values{"team": "infra"}, conflicting, `Set requested_token_type to "team", or remove team`},
		"team administrator": {acctest.Values{"requested_token_type": "team", "team": "infra", "admin": true}, conflicting, "admin"},
		"token as variable":  {acctest.Values{"token_env_var": accessToken}, "Token in the wrong argument", "token_env_var"},
	} {
		t.Run(name, func(t *testing.T) {
			diagnostics := p.Validate(t.Context(), acctest.Values{"oidc": oidcBlock(p, test.oidc)})
			if test.summary == "" {
				expectNone(t, diagnostics)
				return
			}
			expectError(t, diagnostics, test.summary, test.text)
		})
	}
	diagnostics := p.Validate(t.Context(), acctest.Values{"oidc": oidcBlock(p, nil), "access_token": accessToken})
	expectError(t, diagnostics, combination, "access_token")
}

func TestOIDC_unknown(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	known, unknown := oidcBlock(p, acctest.Values{"token": "a.b.c"}), oidcBlock(p, acctest.Values{"token": tftypes.UnknownValue})
	const summary = "Provider configuration is not known yet"
	expectError(t, listPools(t, acctest.Values{"organization": "acme", "oidc": unknown}), summary, "The provider argument oidc")
	expectError(t, listPools(t, acctest.Values{"organization": tftypes.UnknownValue, "oidc": known}), summary,
		"The provider argument organization")
	diagnostics := p.Configure(t.Context(), acctest.Values{"oidc": known})
	expectError(t, diagnostics, "Missing organization", "organization", "provider block", "PULUMI_DEFAULT_ORGANIZATION")
}

// Kubernetes replaces the file before the ID token expires.
func TestOIDC_renewal(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	cloud := startOIDCCloud(t, func() time.Time { return *clock.now.Load() })
	file := filepath.Join(t.TempDir(), "token")
	mustDo(t, os.WriteFile(file, []byte(cloud.idToken(nil)), 0o600))
	pools := cloud.oidc(t, acctest.Values{"token_file": file, "expiration": "1h"}, clock.option).Resource(poolType)
	pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "runners"})
	cloud.expectRequests(t, exchangeRequest, listRequest, createRequest)
	clock.advance(59*time.Minute + 30*time.Second)
	mustDo(t, os.WriteFile(file, []byte(cloud.idToken(nil)), 0o600))
	pool = pools.MustRead(t, pool)
	cloud.expectRequests(t, exchangeRequest, listRequest)
	// A request whose access token was rejected is sent again with a new one.
	cloud.RevokeAccessTokens()
	pools.MustApply(t, pool, acctest.Values{"name": "renamed"})
	cloud.expectRequests(t, updateRequest, exchangeRequest, updateRequest)
}

func TestOIDC_errors(t *testing.T) {
	cloud := startOIDCCloud(t, nil)
	stranger := oidctest.NewIssuer(t)
	utf16 := filepath.Join(t.TempDir(), "utf-16")
	mustDo(t, os.WriteFile(utf16, []byte("\xff\xfee\x00y\x00J\x00"), 0o600))
	token := func(claims map[string]any) acctest.Values { return acctest.Values{"token": cloud.idToken(claims)} }
	const missing, invalid, rejected = "Missing ID token", "Invalid ID token", "ID token rejected"
	const foreign = "Response not from Pulumi Cloud"
	for name, test := range map[string]struct {
		attributes acctest.Values
		reply      interceptor // Nil means that of the emulator.
		summary    string
		texts      []string
	}{
		"no pipeline": {
			nil, nil, missing, []string{"TFC_WORKLOAD_IDENTITY_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "id-token: write"},
		},
		"UTF-16 file":  {acctest.Values{"token_file": utf16}, nil, missing, []string{utf16, "UTF-16"}},
		"empty token":  {acctest.Values{"token": ""}, nil, invalid, []string{"oidc.token in the provider block", "blank"}},
		"access token": {acctest.Values{"token": accessToken}, nil, invalid, []string{"not a JSON Web Token"}},
		"audience":     {token(map[string]any{"aud": "github"}), nil, rejected, []string{"github instead of " + acmeAudience}},
		"subject":      {token(map[string]any{"sub": "x"}), nil, rejected, []string{`"acme"`, "subject x", "policy"}},
		"issuer": {
			acctest.Values{"token": stranger.Token(map[string]any{"aud": acmeAudience, "sub": "x"})},
			nil, rejected,
			[]string{"Register this issuer", stranger.URL, "invalid_grant"},
		},
		"expired": {token(map[string]any{"exp": noon.Unix()}), nil, rejected, []string{"expired at 2026-03-01T12:00:00Z"}},
		"team": {
			acctest.Values{"token": cloud.idToken(nil), "requested_token_type": "team", "team": "other"},
			nil, rejected,
			[]string{`tokens of type "team" with the scope "team:other"`, "edition"},
		},
		"API error":   {token(nil), respondError(http.StatusForbidden, "no"), rejected, []string{"403 Forbidden: no"}},
		"no endpoint": {token(nil), respond(http.StatusNotFound, textType, "404 page not found"), foreign, []string{"api_url"}},
		"server error": {
			token(nil), respondError(http.StatusBadGateway, "down"), "Pulumi Cloud server error", []string{"attempts: 5). Run"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.reply != nil {
				defer cloud.intercept(http.MethodPost, test.reply)()
			}
			_, diagnostics := cloud.oidc(t, test.attributes).ReadDataSource(t.Context(), poolsType, nil)
			expectError(t, diagnostics, test.summary, append(test.texts, "Could not list the agent pools")...)
			if strings.Contains(diagnostics.String(), ".ey") {
				t.Error("the error has an ID token")
			}
		})
	}
}
