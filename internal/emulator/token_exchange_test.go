package emulator_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator/oidctest"
)

const (
	exchangePath  = "/api/oauth/token"
	audience      = "urn:pulumi:org:acme"
	subject       = "repo:acme/infra:ref:refs/heads/main"
	tokenTypeBase = "urn:pulumi:token-type:access_token:"
)

// trustAll returns a policy that allows everything that an ID token of the issuer can be exchanged for.
func trustAll(issuer string) emulator.TrustPolicy {
	return emulator.TrustPolicy{
		Organization: "*",
		Issuer:       issuer,
		Subject:      "*",
		TokenTypes: []emulator.TokenType{
			emulator.TokenTypeOrganization, emulator.TokenTypeTeam, emulator.TokenTypePersonal, emulator.TokenTypeRunner,
		},
		Names:      []string{"*"},
		AllowAdmin: true,
	}
}

// exchangeAPI is an emulator and an issuer that it trusts, with the same clock.
type exchangeAPI struct {
	*api

	issuer *oidctest.Issuer
	clock  *clock
}

func newExchangeAPI(tb testing.TB, options emulator.Options, policies ...emulator.TrustPolicy) *exchangeAPI {
	tb.Helper()
	clock, issuer := newClock(), oidctest.NewIssuer(tb)
	issuer.Now, options.Now = clock.Now, clock.Now
	if policies == nil {
		policies = []emulator.TrustPolicy{trustAll("")}
	}
	for _, policy := range policies {
		policy.Issuer = issuer.URL
		options.TrustPolicies = append(options.TrustPolicies, policy)
	}
	return &exchangeAPI{api: newAPI(tb, options), issuer: issuer, clock: clock}
}

// idToken returns an ID token that is valid except for these claims.
func (a *exchangeAPI) idToken(claims map[string]any) string {
	all := map[string]any{"aud": audience, "sub": subject}
	maps.Copy(all, claims)
	return a.issuer.Token(all)
}

// fields returns a valid request for an organization token, with these changes. A nil removes a field.
func fields(idToken string, changes map[string]any) map[string]any {
	all := map[string]any{
		"audience":             audience,
		"grant_type":           "urn:ietf:params:oauth:grant-type:token-exchange",
		"subject_token":        idToken,
		"subject_token_type":   "urn:ietf:params:oauth:token-type:id_token",
		"requested_token_type": tokenTypeBase + "organization",
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

// exchange sends a token exchange without an access token.
func (a *exchangeAPI) exchange(tb testing.TB, body any) response {
	tb.Helper()
	request := a.newRequest(tb, http.MethodPost, exchangePath, body)
	request.Header.Del("Authorization")
	return a.do(tb, request)
}

// accessToken returns the access token of an exchange that must succeed.
func (a *exchangeAPI) accessToken(tb testing.TB, changes map[string]any) string {
	tb.Helper()
	got := a.exchange(tb, fields(a.idToken(nil), changes))
	if got.status != http.StatusOK {
		tb.Fatalf("status %d, want 200: %s", got.status, redact(got.body))
	}
	token, _ := decode(tb, got.body)["access_token"].(string)
	return token
}

// as sends a request with an access token.
func (a *exchangeAPI) as(tb testing.TB, token, method, path string, body any) response {
	tb.Helper()
	request := a.newRequest(tb, method, path, body)
	request.Header.Set("Authorization", "token "+token)
	return a.do(tb, request)
}

// oauthError checks that a response is an error in the form of RFC 6749 and returns its code and description.
func (r response) oauthError(tb testing.TB) (code, description string) {
	tb.Helper()
	body := decode(tb, r.body)
	code, _ = body["error"].(string)
	description, _ = body["error_description"].(string)
	if r.status != http.StatusBadRequest || code == "" || description == "" || len(body) != 2 {
		tb.Errorf("status %d, %s; want 400 with error and error_description", r.status, redact(r.body))
	}
	return code, description
}

func TestTokenExchange_form(t *testing.T) {
	a := newExchangeAPI(t, emulator.Options{})
	send := func(changes map[string]any) response {
		form := make(url.Values)
		for name, value := range fields(a.idToken(nil), changes) {
			form.Set(name, fmt.Sprint(value))
		}
		request := a.newRequest(t, http.MethodPost, exchangePath, form.Encode())
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Del("Authorization")
		return a.do(t, request)
	}
	// The Pulumi CLI sends an empty scope, and 0 for the default expiration.
	body := decode(t, send(map[string]any{"scope": "", "expiration": 0}).body)
	token, _ := body["access_token"].(string)
	if body["expires_in"] != 7200.0 || a.as(t, token, http.MethodGet, poolsPath, nil).status != http.StatusOK {
		t.Errorf("expires_in %v, want 7200 and a valid access token", body["expires_in"])
	}
	body = decode(t, send(map[string]any{
		"requested_token_type": tokenTypeBase + "team", "scope": "team:platform", "expiration": 60,
	}).body)
	if body["scope"] != "team:platform" || body["expires_in"] != 60.0 {
		t.Errorf("scope %v, expires_in %v, want team:platform and 60", body["scope"], body["expires_in"])
	}
	for field, value := range map[string]string{"expiration": "soon", "audience": "acme", "subject_token": ""} {
		if code, _ := send(map[string]any{field: value}).oauthError(t); code != "invalid_request" {
			t.Errorf("%s: error %s, want invalid_request", field, code)
		}
	}
}

func TestTokenExchange_invalidRequest(t *testing.T) {
	a := newExchangeAPI(t, emulator.Options{})
	idToken := a.idToken(nil)
	for name, test := range map[string]struct {
		body any
		code string
	}{
		"no body":              {"", "invalid_request"},
		"no JSON":              {idToken, "invalid_request"},
		"array":                {`["` + idToken + `"]`, "invalid_request"},
		"no audience":          {fields(idToken, map[string]any{"audience": nil}), "invalid_request"},
		"bare audience":        {fields(idToken, map[string]any{"audience": "acme"}), "invalid_request"},
		"no subject token":     {fields("", nil), "invalid_request"},
		"access token":         {fields(idToken, map[string]any{"subject_token_type": "access_token"}), "invalid_request"},
		"unknown type":         {fields(idToken, map[string]any{"requested_token_type": idToken}), "invalid_request"},
		"negative expiration":  {fields(idToken, map[string]any{"expiration": -1}), "invalid_request"},
		"expiration in words":  {fields(idToken, map[string]any{"expiration": "1h"}), "invalid_request"},
		"different grant type": {fields(idToken, map[string]any{"grant_type": "x"}), "unsupported_grant_type"},
	} {
		t.Run(name, func(t *testing.T) {
			got := a.exchange(t, test.body)
			if code, _ := got.oauthError(t); code != test.code {
				t.Errorf("error %s, want %s", code, test.code)
			}
			if bytes.Contains(got.body, []byte(idToken)) {
				t.Error("the response holds the ID token")
			}
		})
	}
}

// unsigned returns an ID token with this header and these claims, and with a signature that is made up.
func unsigned(t *testing.T, header, claims map[string]any, signature string) string {
	t.Helper()
	var parts []string
	for _, part := range []map[string]any{header, claims} {
		data, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(data))
	}
	return strings.Join(append(parts, signature), ".")
}

func TestTokenExchange_invalidIDToken(t *testing.T) {
	policy := trustAll("")
	policy.Organization = "acme"
	a := newExchangeAPI(t, emulator.Options{Organizations: []string{"acme", "globex"}}, policy)
	forger := oidctest.NewIssuer(t)
	forger.Now = a.clock.Now
	now := a.clock.Now()
	claims := map[string]any{"iss": a.issuer.URL, "aud": audience, "sub": subject, "exp": now.Add(time.Hour).Unix()}
	valid, other := a.idToken(nil), a.idToken(nil)
	swapped := valid[:strings.LastIndex(valid, ".")] + other[strings.LastIndex(other, "."):]
	inGlobex := map[string]any{"audience": "urn:pulumi:org:globex"}

	for name, test := range map[string]struct {
		idToken string
		changes map[string]any
		reason  string // a part of the description
	}{
		"no JWT":               {"secret", nil, "not an ID token"},
		"no claims":            {"a..c", nil, "not an ID token"},
		"forged":               {forger.Token(claims), nil, "signature"},
		"swapped signature":    {swapped, nil, "signature"},
		"unsigned":             {unsigned(t, map[string]any{"alg": "none"}, claims, ""), nil, "invalid"},
		"symmetric":            {unsigned(t, map[string]any{"alg": "HS256"}, claims, "c2VjcmV0"), nil, "invalid"},
		"unknown issuer":       {forger.Token(map[string]any{"aud": audience}), nil, "not registered"},
		"no issuer":            {a.idToken(map[string]any{"iss": nil}), nil, "not registered"},
		"untrusted issuer":     {a.idToken(map[string]any{"aud": inGlobex["audience"]}), inGlobex, "not registered"},
		"unknown organization": {valid, map[string]any{"audience": "urn:pulumi:org:none"}, "not registered"},
		"wrong audience":       {a.idToken(map[string]any{"aud": "urn:pulumi:org:globex"}), nil, "audience"},
		"no audience":          {a.idToken(map[string]any{"aud": nil}), nil, "audience"},
		"expired":              {a.idToken(map[string]any{"exp": now.Unix() - 1}), nil, "expired"},
		"no expiry":            {a.idToken(map[string]any{"exp": nil}), nil, "expired"},
		"valid in the future":  {a.idToken(map[string]any{"nbf": now.Add(time.Hour).Unix()}), nil, "before"},
		"expiry in words":      {a.idToken(map[string]any{"exp": "soon"}), nil, "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			got := a.exchange(t, fields(test.idToken, test.changes))
			code, description := got.oauthError(t)
			if code != "invalid_grant" || !strings.Contains(description, test.reason) {
				t.Errorf("%s: %s; want invalid_grant with %q", code, description, test.reason)
			}
			if strings.Contains(description, test.idToken) {
				t.Error("the description holds the ID token")
			}
		})
	}
	several := a.idToken(map[string]any{"aud": []string{"https://example.com", audience}, "iat": nil, "nbf": nil})
	if got := a.exchange(t, fields(several, nil)); got.status != http.StatusOK {
		t.Errorf("several audiences: status %d, want 200", got.status)
	}
}

func TestTokenExchange_issuerUnavailable(t *testing.T) {
	down := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(down.Close)
	a := newExchangeAPI(t, emulator.Options{TrustPolicies: []emulator.TrustPolicy{trustAll(down.URL)}})
	code, description := a.exchange(t, fields(a.idToken(map[string]any{"iss": down.URL}), nil)).oauthError(t)
	if code != "invalid_grant" || !strings.Contains(description, "cannot be fetched") {
		t.Errorf("%s: %s; want invalid_grant that names the cause", code, description)
	}
}

func TestTrustPolicy(t *testing.T) {
	organization := []emulator.TokenType{emulator.TokenTypeOrganization}
	a := newExchangeAPI(t, emulator.Options{Organizations: []string{"acme", "acme-dev", "globex"}},
		emulator.TrustPolicy{
			Organization: "acme*",
			Subject:      "repo:acme/*:ref:refs/heads/main",
			TokenTypes:   []emulator.TokenType{emulator.TokenTypeOrganization, emulator.TokenTypeTeam},
			Names:        []string{"platform", "dev-*"},
		},
		emulator.TrustPolicy{Organization: "acme", Subject: "production", TokenTypes: organization, AllowAdmin: true},
		emulator.TrustPolicy{Organization: "acme", Subject: "production-?", TokenTypes: organization},
		emulator.TrustPolicy{Organization: "acme", Subject: "v1.0", TokenTypes: organization},
		emulator.TrustPolicy{Organization: "acme", Subject: "repo:acme/secret:*", TokenTypes: organization, Deny: true},
		emulator.TrustPolicy{
			Organization: "globex", Subject: "team", TokenTypes: []emulator.TokenType{emulator.TokenTypeTeam},
		},
	)
	for _, test := range []struct {
		org, subject, tokenType, scope string
		allowed                        bool
	}{
		{"acme", subject, "organization", "", true},
		{"acme-dev", subject, "organization", "", true},
		{"acme", "repo:acme/a/b\nc:ref:refs/heads/main", "organization", "", true},
		{"acme", subject + "line", "organization", "", false},
		{"acme", "x" + subject, "organization", "", false},
		{"acme", "", "organization", "", false},
		{"acme", subject, "organization", "admin", false},
		{"acme", "production", "organization", "admin", true},
		{"acme", "production", "organization", "", true},
		{"acme", "production", "organization", "team:x", false},
		{"acme", "production", "team", "team:platform", false},
		{"acme-dev", "production", "organization", "", false},
		{"acme", subject, "team", "team:platform", true},
		{"acme", subject, "team", "team:dev-", true},
		{"acme", subject, "team", "team:platform2", false},
		{"acme", subject, "team", "user:platform", false},
		{"acme", subject, "team", "", false},
		{"acme", subject, "runner", "runner:platform", false},
		{"globex", "team", "team", "team:platform", false}, // The policy has no names.
		// ? matches zero or one character, . exactly one.
		{"acme", "production-", "organization", "", true},
		{"acme", "production-1", "organization", "", true},
		{"acme", "production-12", "organization", "", false},
		{"acme", "v1.0", "organization", "", true},
		{"acme", "v1x0", "organization", "", true},
		{"acme", "v10", "organization", "", false},
		// Deny beats allow, whatever the order.
		{"acme", "repo:acme/secret:ref:refs/heads/main", "organization", "", false},
		{"acme", "repo:acme/secret:ref:refs/heads/main", "team", "team:platform", true},
	} {
		name := fmt.Sprintf("%s/%q/%s/%s", test.org, test.subject, test.tokenType, test.scope)
		audience := "urn:pulumi:org:" + test.org
		got := a.exchange(t, fields(a.idToken(map[string]any{"aud": audience, "sub": test.subject}), map[string]any{
			"audience": audience, "requested_token_type": tokenTypeBase + test.tokenType, "scope": test.scope,
		}))
		if test.allowed && got.status != http.StatusOK {
			t.Errorf("%s: %s, want a token", name, redact(got.body))
		} else if !test.allowed {
			if code, description := got.oauthError(t); code != "access_denied" || !strings.Contains(description, "policy") {
				t.Errorf("%s: %s: %s, want access_denied", name, code, description)
			}
		}
	}
}

func TestTrustPolicy_invalid(t *testing.T) {
	for name, change := range map[string]func(*emulator.TrustPolicy){
		"no organization": func(p *emulator.TrustPolicy) { p.Organization = "" },
		"no issuer":       func(p *emulator.TrustPolicy) { p.Issuer = "" },
		"no subject":      func(p *emulator.TrustPolicy) { p.Subject = "" },
		"no token type":   func(p *emulator.TrustPolicy) { p.TokenTypes = nil },
		"unknown type":    func(p *emulator.TrustPolicy) { p.TokenTypes = []emulator.TokenType{"admin"} },
	} {
		policy := trustAll("https://example.com")
		change(&policy)
		options := emulator.Options{AccessToken: accessToken, TrustPolicies: []emulator.TrustPolicy{policy}}
		if _, err := emulator.New(options); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAccessToken_organization(t *testing.T) {
	a := newExchangeAPI(t, emulator.Options{Organizations: []string{"acme", "globex"}})
	pool, _ := mustCreate(t, a.Server, "one")
	for tokenType, want := range map[string]int{
		"organization": http.StatusOK, "team": http.StatusOK, "personal": http.StatusOK, "runner": http.StatusForbidden,
	} {
		scope := map[string]string{"team": "team:x", "personal": "user:x", "runner": "runner:x"}[tokenType]
		token := a.accessToken(t, map[string]any{"requested_token_type": tokenTypeBase + tokenType, "scope": scope})
		for path, want := range map[string]int{
			poolsPath:                                          want,
			poolsPath + "/" + pool.ID:                          want,
			"/api/user/organizations/default":                  want,
			"/api/orgs/globex/agent-pools":                     http.StatusNotFound,
			"/api/orgs/unknown/agent-pools":                    http.StatusNotFound,
			"/api/stacks/globex/shop/dev/deployments/settings": http.StatusNotFound,
		} {
			if got := a.as(t, token, http.MethodGet, path, nil); got.status != want {
				t.Errorf("%s token, %s: status %d, want %d", tokenType, path, got.status, want)
			}
		}
		agents := "/emulator" + strings.TrimPrefix(poolsPath, "/api") + "/" + pool.ID + "/agents"
		if got := a.as(t, token, http.MethodPost, agents, `{"hostname":"host-1"}`); got.status != http.StatusOK {
			t.Errorf("%s token: status %d when an agent connects, want 200", tokenType, got.status)
		}
	}
}

func TestAccessToken_expiry(t *testing.T) {
	a := newExchangeAPI(t, emulator.Options{})
	short, long := a.accessToken(t, map[string]any{"expiration": 60}), a.accessToken(t, map[string]any{"expiration": 120})
	status := func(token string) int { return a.as(t, token, http.MethodGet, poolsPath, nil).status }
	a.clock.advance(time.Minute - 1)
	if got := []int{status(short), status(long)}; !cmp.Equal(got, []int{200, 200}) {
		t.Errorf("just before the expiry: %v, want 200 twice", got)
	}
	a.clock.advance(1)
	if got := []int{status(short), status(long)}; !cmp.Equal(got, []int{401, 200}) {
		t.Errorf("at the expiry: %v, want 401 and 200", got)
	}
	a.RevokeAccessTokens()
	if got := []int{status(long), status(accessToken)}; !cmp.Equal(got, []int{401, 200}) {
		t.Errorf("after the revocation: %v, want 401 and, for the token of the options, 200", got)
	}
}

func TestTokenExchange_logsHoldNoToken(t *testing.T) {
	var log lockedBuffer
	a := newExchangeAPI(t, emulator.Options{Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &log})})
	forger := oidctest.NewIssuer(t)
	idToken := a.idToken(nil)
	forged := forger.Token(map[string]any{"iss": a.issuer.URL, "aud": audience, "sub": subject})
	token := a.accessToken(t, nil)
	a.as(t, token, http.MethodGet, poolsPath, nil)
	a.exchange(t, fields(idToken, map[string]any{"expiration": 60}))
	a.exchange(t, fields(forged, nil))
	form := url.Values{"subject_token": {idToken}, "scope": {"x"}}
	request := a.newRequest(t, http.MethodPost, exchangePath, form.Encode())
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a.do(t, request)

	requests := a.Requests()
	logged := log.String() + fmt.Sprintf("%+v", requests)
	for _, secret := range []string{idToken, forged, token} {
		if strings.Contains(logged, secret) {
			t.Error("a log holds a token")
		}
	}
	if !strings.Contains(log.String(), "verifying an ID token failed") {
		t.Error("the log does not say why the forged token was refused")
	}
	want := fields("[redacted]", map[string]any{"expiration": 60.0})
	if diff := cmp.Diff(want, decode(t, []byte(requests[2].Body))); diff != "" {
		t.Errorf("logged JSON (-want +got):\n%s", diff)
	}
	if got, want := requests[4].Body, "scope=x&subject_token=[redacted]"; got != want {
		t.Errorf("logged form %q, want %q", got, want)
	}
}
