package emulator_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator/oidctest"
)

const (
	exchange      = "/api/oauth/token"
	audience      = "urn:pulumi:org:acme"
	subject       = "repo:acme/infra:ref:refs/heads/main"
	tokenTypeBase = "urn:pulumi:token-type:access_token:"
)

// trustAll returns a policy that allows all that an issuer's ID tokens may ask for.
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
	clock := newClock()
	issuer := oidctest.NewIssuer(tb)
	issuer.Now = clock.Now
	options.Now = clock.Now
	for _, policy := range policies {
		policy.Issuer = issuer.URL
		options.TrustPolicies = append(options.TrustPolicies, policy)
	}
	if len(policies) == 0 {
		options.TrustPolicies = append(options.TrustPolicies, trustAll(issuer.URL))
	}
	return &exchangeAPI{api: newAPI(tb, options), issuer: issuer, clock: clock}
}

// idToken returns a good ID token, but for the claims that change it.
func (a *exchangeAPI) idToken(claims map[string]any) string {
	all := map[string]any{"aud": audience, "sub": subject}
	maps.Copy(all, claims)
	return a.issuer.Token(all)
}

// form returns the body of a good request for an organization token, but for the fields that change it; a nil leaves a
// field out.
func form(idToken string, fields map[string]any) map[string]any {
	all := map[string]any{
		"audience":             audience,
		"grant_type":           "urn:ietf:params:oauth:grant-type:token-exchange",
		"subject_token":        idToken,
		"subject_token_type":   "urn:ietf:params:oauth:token-type:id_token",
		"requested_token_type": tokenTypeBase + "organization",
		"scope":                "",
	}
	maps.Copy(all, fields)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

// exchangeRequest carries no access token.
func (a *exchangeAPI) exchangeRequest(tb testing.TB, body any) *http.Request {
	tb.Helper()
	request := a.request(tb, http.MethodPost, exchange, body)
	request.Header.Del("Authorization")
	return request
}

// exchange returns the answer to a request that must succeed.
func (a *exchangeAPI) exchange(tb testing.TB, fields map[string]any) map[string]any {
	tb.Helper()
	response := a.do(tb, a.exchangeRequest(tb, form(a.idToken(nil), fields)))
	data := readBody(tb, response)
	if response.StatusCode != http.StatusOK {
		tb.Fatalf("status %d, want 200: %s", response.StatusCode, redact(data))
	}
	return decode(tb, data)
}

func (a *exchangeAPI) accessToken(tb testing.TB, fields map[string]any) string {
	tb.Helper()
	token, _ := a.exchange(tb, fields)["access_token"].(string)
	return token
}

// as sends a request with an access token.
func (a *exchangeAPI) as(tb testing.TB, token, method, path string, body any) *http.Response {
	tb.Helper()
	request := a.request(tb, method, path, body)
	request.Header.Set("Authorization", "token "+token)
	return a.do(tb, request)
}

func TestTokenExchange(t *testing.T) {
	api := newExchangeAPI(t, emulator.Options{})
	for _, test := range []struct {
		tokenType string
		scope     any
		// expiration is nil to leave it out.
		expiration any
		expiresIn  float64
	}{
		{"organization", nil, nil, 7200},
		{"organization", "", 1, 1},
		{"organization", "admin", 86400, 86400},
		{"team", "team:platform", 600, 600},
		{"personal", "user:jane", 600, 600},
		{"runner", "runner:a/b *", 600, 600},
	} {
		answer := api.exchange(t, map[string]any{
			"requested_token_type": tokenTypeBase + test.tokenType, "scope": test.scope, "expiration": test.expiration,
		})
		token, _ := answer["access_token"].(string)
		if !regexp.MustCompile(`^pul-[0-9a-f]{40}$`).MatchString(token) {
			t.Errorf("%s: the access token does not look like one of Pulumi's", test.tokenType)
		}
		delete(answer, "access_token")
		scope, _ := test.scope.(string)
		want := map[string]any{
			"issued_token_type": tokenTypeBase + test.tokenType,
			"token_type":        "Bearer",
			"expires_in":        test.expiresIn,
			"scope":             scope,
		}
		if diff := cmp.Diff(want, answer); diff != "" {
			t.Errorf("%s: answer (-want +got):\n%s", test.tokenType, diff)
		}
	}
}

func TestIssuedTokensAreAccessTokens(t *testing.T) {
	api := newExchangeAPI(t, emulator.Options{Organizations: []string{"acme", "globex"}})
	for tokenType, scope := range map[string]string{
		"organization": "", "team": "team:platform", "personal": "user:jane",
	} {
		token := api.accessToken(t, map[string]any{
			"requested_token_type": tokenTypeBase + tokenType, "scope": scope,
		})
		body := map[string]any{"name": tokenType, "description": ""}
		response := api.as(t, token, http.MethodPost, pools, body)
		if response.StatusCode != http.StatusOK {
			t.Fatalf("%s: create: status %d, want 200", tokenType, response.StatusCode)
		}
		id, _ := decode(t, readBody(t, response))["id"].(string)
		for _, request := range []struct {
			method, path string
			body         any
			status       int
		}{
			{http.MethodGet, pools, nil, http.StatusOK},
			{http.MethodGet, pools + "/" + id, nil, http.StatusOK},
			{http.MethodPatch, pools + "/" + id, map[string]any{"description": "changed"}, http.StatusOK},
			{http.MethodPatch, "/api/orgs/acme", map[string]any{"setDefaultAgentPoolID": id}, http.StatusOK},
			{http.MethodPost, "/api/stacks/acme/shop/dev/deployments/settings", map[string]any{}, http.StatusOK},
			{http.MethodGet, "/api/user/organizations/default", nil, http.StatusOK},
			{http.MethodGet, "/api/orgs/globex/agent-pools", nil, http.StatusNotFound},
			{http.MethodGet, "/api/orgs/unknown/agent-pools", nil, http.StatusNotFound},
			{http.MethodPatch, "/api/orgs/globex", map[string]any{"setDefaultAgentPoolID": ""}, http.StatusNotFound},
			{http.MethodDelete, pools + "/" + id, nil, http.StatusNoContent},
		} {
			response := api.as(t, token, request.method, request.path, request.body)
			if response.StatusCode != request.status {
				t.Errorf("%s: %s %s: status %d, want %d",
					tokenType, request.method, request.path, response.StatusCode, request.status)
			}
		}
		request := api.request(t, http.MethodGet, pools, nil)
		request.Header.Set("Authorization", "Bearer "+token)
		refused(t, api.do(t, request), http.StatusUnauthorized)
	}
}

func TestRunnerTokens(t *testing.T) {
	api := newExchangeAPI(t, emulator.Options{Organizations: []string{"acme", "globex"}})
	pool, _ := mustCreate(t, api.Server, "one")
	token := api.accessToken(t, map[string]any{
		"requested_token_type": tokenTypeBase + "runner", "scope": "runner:runner-1",
	})
	refused(t, api.as(t, token, http.MethodGet, pools, nil), http.StatusForbidden)
	refused(t, api.as(t, token, http.MethodDelete, pools+"/"+pool.ID, nil), http.StatusForbidden)
	refused(t, api.as(t, token, http.MethodGet, "/api/user/organizations/default", nil), http.StatusForbidden)
	refused(t, api.as(t, token, http.MethodGet, "/api/orgs/globex/agent-pools", nil), http.StatusNotFound)

	agents := "/emulator/orgs/acme/agent-pools/" + pool.ID + "/agents"
	response := api.as(t, token, http.MethodPost, agents, map[string]any{"hostname": "runner-1"})
	if response.StatusCode != http.StatusOK || !api.AgentPools("acme")[0].Online {
		t.Errorf("status %d, want 200 and the runner online", response.StatusCode)
	}
}

func TestIssuedTokensExpire(t *testing.T) {
	api := newExchangeAPI(t, emulator.Options{})
	short := api.accessToken(t, map[string]any{"expiration": 60})
	long := api.accessToken(t, map[string]any{"expiration": 120})
	status := func(token string) int { return api.as(t, token, http.MethodGet, pools, nil).StatusCode }

	api.clock.advance(time.Minute - 1)
	if short, long := status(short), status(long); short != http.StatusOK || long != http.StatusOK {
		t.Errorf("before they expire: statuses %d and %d, want 200", short, long)
	}
	api.clock.advance(1)
	refused(t, api.as(t, short, http.MethodGet, pools, nil), http.StatusUnauthorized)
	// Issuing forgets what has expired, and nothing else.
	renewed := api.accessToken(t, nil)
	if long, renewed := status(long), status(renewed); long != http.StatusOK || renewed != http.StatusOK {
		t.Errorf("after the first expired: statuses %d and %d, want 200", long, renewed)
	}
	refused(t, api.as(t, short, http.MethodGet, pools, nil), http.StatusUnauthorized)
}

func TestRevokeAccessTokens(t *testing.T) {
	api := newExchangeAPI(t, emulator.Options{})
	tokens := []string{api.accessToken(t, nil), api.accessToken(t, map[string]any{"scope": "admin"})}
	api.RevokeAccessTokens()
	for _, token := range tokens {
		refused(t, api.as(t, token, http.MethodGet, pools, nil), http.StatusUnauthorized)
	}
	if response := api.as(t, api.accessToken(t, nil), http.MethodGet, pools, nil); response.StatusCode != http.StatusOK {
		t.Errorf("issued after the revocation: status %d, want 200", response.StatusCode)
	}
	if response := api.send(t, http.MethodGet, pools, nil); response.StatusCode != http.StatusOK {
		t.Errorf("the token of the options: status %d, want 200", response.StatusCode)
	}
}

// unsigned returns an ID token with these header and claims and a signature that is none.
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

func TestIDTokenRefusals(t *testing.T) {
	api := newExchangeAPI(t, emulator.Options{Organizations: []string{"acme", "globex"}}, func() emulator.TrustPolicy {
		policy := trustAll("")
		policy.Organization = "acme"
		return policy
	}())
	forger := oidctest.NewIssuer(t)
	forger.Now = api.clock.Now
	now := api.clock.Now()
	signed := strings.Split(api.idToken(nil), ".")
	other := api.idToken(nil)
	otherSignature := other[strings.LastIndex(other, ".")+1:]
	claims := map[string]any{
		"iss": api.issuer.URL, "aud": audience, "sub": subject, "exp": now.Add(time.Hour).Unix(),
	}

	for _, test := range []struct {
		name, idToken string
		fields        map[string]any
		// reason is what the message must mention.
		reason string
	}{
		{"no JWT", "secret", nil, "can't be read"},
		{"no claims", signed[0] + ".." + signed[2], nil, "can't be read"},
		{"forged", forger.Token(claims), nil, "signature"},
		{"another token's signature", strings.TrimSuffix(other, otherSignature) + signed[2], nil, "signature"},
		{"unsigned", unsigned(t, map[string]any{"alg": "none"}, claims, ""), nil, "signature"},
		{"symmetric", unsigned(t, map[string]any{"alg": "HS256"}, claims, "c2VjcmV0"), nil, "can't be read"},
		{"unknown issuer", forger.Token(map[string]any{"aud": audience, "sub": subject}), nil, "not registered"},
		{"no issuer", api.idToken(map[string]any{"iss": nil}), nil, "not registered"},
		{
			"issuer of another organization", api.idToken(map[string]any{"aud": "urn:pulumi:org:globex"}),
			map[string]any{"audience": "urn:pulumi:org:globex"},
			"not registered",
		},
		{
			"unknown organization", api.idToken(map[string]any{"aud": "urn:pulumi:org:nobody"}),
			map[string]any{"audience": "urn:pulumi:org:nobody"},
			"not registered",
		},
		{"wrong audience", api.idToken(map[string]any{"aud": "urn:pulumi:org:globex"}), nil, "audience"},
		{"part of the audience", api.idToken(map[string]any{"aud": "acme"}), nil, "audience"},
		{"no audience", api.idToken(map[string]any{"aud": nil}), nil, "audience"},
		{"expired just now", api.idToken(map[string]any{"exp": now.Unix()}), nil, "expired"},
		{"no expiry", api.idToken(map[string]any{"exp": nil}), nil, "expired"},
		{"nbf in a string", api.idToken(map[string]any{"nbf": "1"}), nil, "nbf"},
		{"exp in words", api.idToken(map[string]any{"exp": "soon"}), nil, "can't be read"},
		{"not valid yet", api.idToken(map[string]any{"nbf": now.Unix() + 1}), nil, "not valid yet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			response := api.do(t, api.exchangeRequest(t, form(test.idToken, test.fields)))
			message := refused(t, response, http.StatusUnauthorized)
			if !strings.Contains(message, test.reason) {
				t.Errorf("message %q does not mention %q", message, test.reason)
			}
			if strings.Contains(message, test.idToken) {
				t.Error("the message holds the ID token")
			}
		})
	}

	for name, changed := range map[string]map[string]any{
		"one of several audiences": {"aud": []string{"https://example.com", audience}},
		"no times but the expiry":  {"iat": nil, "nbf": nil},
		"a second to go":           {"exp": now.Unix() + 1},
	} {
		if status := api.status(t, api.exchangeRequest(t, form(api.idToken(changed), nil))); status != http.StatusOK {
			t.Errorf("%s: status %d, want 200", name, status)
		}
	}
}

func TestTrustPolicies(t *testing.T) {
	api := newExchangeAPI(t, emulator.Options{Organizations: []string{"acme", "acme-dev", "globex"}},
		emulator.TrustPolicy{
			Organization: "acme*",
			Subject:      "repo:acme/*:ref:refs/heads/main",
			TokenTypes:   []emulator.TokenType{emulator.TokenTypeOrganization, emulator.TokenTypeTeam},
			Names:        []string{"platform", "dev-*"},
		},
		emulator.TrustPolicy{
			Organization: "acme",
			Subject:      "repo:acme/infra:environment:production",
			TokenTypes:   []emulator.TokenType{emulator.TokenTypeOrganization},
			AllowAdmin:   true,
		},
		emulator.TrustPolicy{
			Organization: "globex",
			Subject:      "a.c",
			TokenTypes:   []emulator.TokenType{emulator.TokenTypeTeam},
		},
	)
	const production = "repo:acme/infra:environment:production"
	for _, test := range []struct {
		org, subject, tokenType, scope string
		// reason is what a refusal must mention, and empty if there must be none.
		reason string
	}{
		{"acme", subject, "organization", "", ""},
		{"acme-dev", subject, "organization", "", ""},
		{"acme", "repo:acme/a/b\nc:ref:refs/heads/main", "organization", "", ""},
		{"acme", subject + "line", "organization", "", "subject"},
		{"acme", "x" + subject, "organization", "", "subject"},
		{"acme", "", "organization", "", "subject"},
		{"acme", subject, "organization", "admin", "scope"},
		{"acme", production, "organization", "admin", ""},
		{"acme-dev", production, "organization", "", "subject"},
		{"acme", production, "team", "team:platform", "type team"},
		{"acme", subject, "team", "team:platform", ""},
		{"acme", subject, "team", "team:platforms", "scope"},
		{"acme", subject, "team", "team:dev-web", ""},
		{"acme", subject, "personal", "user:platform", "type personal"},
		{"acme", subject, "runner", "runner:platform", "type runner"},
		{"globex", "a.c", "team", "team:any", "scope"},
		{"globex", "abc", "team", "team:any", "subject"},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			audience := "urn:pulumi:org:" + test.org
			idToken := api.idToken(map[string]any{"aud": audience, "sub": test.subject})
			response := api.do(t, api.exchangeRequest(t, form(idToken, map[string]any{
				"audience": audience, "requested_token_type": tokenTypeBase + test.tokenType, "scope": test.scope,
			})))
			if test.reason == "" {
				if response.StatusCode != http.StatusOK {
					t.Errorf("status %d, want 200", response.StatusCode)
				}
				return
			}
			if message := refused(t, response, http.StatusForbidden); !strings.Contains(message, test.reason) {
				t.Errorf("message %q does not mention %q", message, test.reason)
			}
		})
	}
}

func TestNewRefusesBadTrustPolicies(t *testing.T) {
	for name, spoil := range map[string]func(*emulator.TrustPolicy){
		"no organization":      func(p *emulator.TrustPolicy) { p.Organization = "" },
		"no issuer":            func(p *emulator.TrustPolicy) { p.Issuer = "" },
		"issuer without a URL": func(p *emulator.TrustPolicy) { p.Issuer = "example.com" },
		"issuer is a file":     func(p *emulator.TrustPolicy) { p.Issuer = "file:///keys" },
		"malformed issuer":     func(p *emulator.TrustPolicy) { p.Issuer = "http://[" },
		"no subject":           func(p *emulator.TrustPolicy) { p.Subject = "" },
		"no token type":        func(p *emulator.TrustPolicy) { p.TokenTypes = nil },
		"unknown token type":   func(p *emulator.TrustPolicy) { p.TokenTypes = []emulator.TokenType{"org"} },
		"subject not UTF-8":    func(p *emulator.TrustPolicy) { p.Subject = "\xff" },
	} {
		policy := trustAll("https://example.com")
		spoil(&policy)
		options := emulator.Options{AccessToken: accessToken, TrustPolicies: []emulator.TrustPolicy{policy}}
		if _, err := emulator.New(options); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTokenExchangeForm(t *testing.T) {
	api := newExchangeAPI(t, emulator.Options{})
	idToken := api.idToken(nil)
	without := func(field string) map[string]any { return map[string]any{field: nil} }
	for _, test := range []struct {
		name string
		body any
		// reason is what the message must mention.
		reason string
	}{
		{"no body", nil, "body"},
		{"half a body", `{"subject_token":"` + idToken, "decode"},
		{"a form", "grant_type=x&subject_token=" + idToken, "decode"},
		{"the ID token alone", `"` + idToken + `"`, "object"},
		{"no audience", form(idToken, without("audience")), "audience"},
		{"no grant type", form(idToken, without("grant_type")), "grant_type"},
		{"no subject token", form(idToken, without("subject_token")), "subject_token"},
		{"no subject token type", form(idToken, without("subject_token_type")), "subject_token_type"},
		{"no requested token type", form(idToken, without("requested_token_type")), "requested_token_type"},
		{"bare organization", form(idToken, map[string]any{"audience": "acme"}), "audience"},
		{"empty organization", form(idToken, map[string]any{"audience": "urn:pulumi:org:"}), "audience"},
		{"another grant type", form(idToken, map[string]any{"grant_type": "client_credentials"}), "grant_type"},
		{"empty subject token", form("", nil), "subject_token"},
		{
			"access token as subject", form(idToken, map[string]any{
				"subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
			}), "subject_token_type",
		},
		{
			"another token type", form(idToken, map[string]any{"requested_token_type": tokenTypeBase + "admin"}),
			"requested_token_type",
		},
		{"wrong types", form(idToken, map[string]any{"subject_token": []string{idToken}}), "subject_token"},
		{"swapped fields", form("x", map[string]any{"audience": idToken}), "audience"},
		{"swapped types", form("x", map[string]any{"requested_token_type": idToken}), "requested_token_type"},
		{"swapped scope", form("x", map[string]any{"scope": idToken}), "scope"},
		{"unknown field", form(idToken, map[string]any{"token": idToken}), "token"},
		{"null scope", `{"scope":null,` + mustJSON(t, form(idToken, without("scope")))[1:], "scope"},
		{"expiration of 0", form(idToken, map[string]any{"expiration": 0}), "expiration"},
		{"expiration of more than a day", form(idToken, map[string]any{"expiration": 86401}), "expiration"},
		{"expiration in words", form(idToken, map[string]any{"expiration": "1h"}), "expiration"},
		{"fractional expiration", form(idToken, map[string]any{"expiration": 1.5}), "expiration"},
		{"organization with a name", form(idToken, map[string]any{"scope": "team:x"}), "scope"},
		{"organization with a list", form(idToken, map[string]any{"scope": "admin,admin"}), "scope"},
		{"team without a scope", form(idToken, map[string]any{"requested_token_type": tokenTypeBase + "team"}), "team:"},
		{
			"team without a name", form(idToken, map[string]any{
				"requested_token_type": tokenTypeBase + "team", "scope": "team:",
			}), "team:",
		},
		{
			"personal with a team", form(idToken, map[string]any{
				"requested_token_type": tokenTypeBase + "personal", "scope": "team:x",
			}), "user:",
		},
		{
			"runner with admin", form(idToken, map[string]any{
				"requested_token_type": tokenTypeBase + "runner", "scope": "admin",
			}), "runner:",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			message := refused(t, api.do(t, api.exchangeRequest(t, test.body)), http.StatusBadRequest)
			if !strings.Contains(message, test.reason) {
				t.Errorf("message %q does not mention %q", message, test.reason)
			}
			if strings.Contains(message, idToken) {
				t.Error("the message holds the ID token")
			}
		})
	}
	if got := api.issuer.Requests(); len(got) != 0 {
		t.Errorf("malformed requests made the emulator ask the issuer for %v", got)
	}

	request := api.exchangeRequest(t, form(idToken, nil))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	refused(t, api.do(t, request), http.StatusBadRequest)
}

func mustJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestIssuerKeysRotate(t *testing.T) {
	api := newExchangeAPI(t, emulator.Options{})
	old := api.idToken(nil)
	exchange := func(idToken string) *http.Response { return api.do(t, api.exchangeRequest(t, form(idToken, nil))) }
	for range 3 {
		if response := exchange(old); response.StatusCode != http.StatusOK {
			t.Fatalf("status %d, want 200", response.StatusCode)
		}
	}
	want := []string{"/.well-known/openid-configuration", "/keys"}
	if got := api.issuer.Requests(); !slices.Equal(got, want) {
		t.Errorf("requests to the issuer %v, want %v: it is asked once", got, want)
	}
	api.issuer.RotateKeys()
	for range 2 {
		if response := exchange(api.idToken(nil)); response.StatusCode != http.StatusOK {
			t.Errorf("a token of the new key: status %d, want 200", response.StatusCode)
		}
	}
	want = append(want, "/keys")
	if got := api.issuer.Requests(); !slices.Equal(got, want) {
		t.Errorf("requests to the issuer %v, want %v: an unknown key makes it ask again, once", got, want)
	}
	refused(t, exchange(old), http.StatusUnauthorized)
}

func TestIssuerIsAskedAgainAfterAFailure(t *testing.T) {
	issuer := oidctest.NewIssuer(t)
	var up atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if r.URL.Path != "/tenant/.well-known/openid-configuration" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer":                                "http://" + r.Host + "/tenant",
			"jwks_uri":                              issuer.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"ES256"},
		})
	}))
	t.Cleanup(front.Close)
	url := front.URL + "/tenant"
	api := &exchangeAPI{
		api:    newAPI(t, emulator.Options{TrustPolicies: []emulator.TrustPolicy{trustAll(url)}}),
		issuer: issuer,
	}
	body := form(api.idToken(map[string]any{"iss": url}), nil)
	message := refused(t, api.do(t, api.exchangeRequest(t, body)), http.StatusUnauthorized)
	if !strings.Contains(message, "configuration") {
		t.Errorf("message %q does not say what failed", message)
	}
	up.Store(true)
	if response := api.do(t, api.exchangeRequest(t, body)); response.StatusCode != http.StatusOK {
		t.Errorf("status %d, want 200 once the issuer is up", response.StatusCode)
	}
}

func TestTokenExchangeLogsHoldNoTokens(t *testing.T) {
	var output bytes.Buffer
	// The logger serialises writes, and all requests have been answered when the buffer is read.
	api := newExchangeAPI(t, emulator.Options{
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &output}),
	})
	forger := oidctest.NewIssuer(t)
	idToken := api.idToken(nil)
	forged := forger.Token(map[string]any{"iss": api.issuer.URL, "aud": audience, "sub": subject})
	token, _ := decode(t, readBody(t, api.do(t, api.exchangeRequest(t, form(idToken, nil)))))["access_token"].(string)
	api.as(t, token, http.MethodGet, pools, nil)
	for _, body := range []any{
		form(forged, nil),
		form(idToken, map[string]any{"Subject_Token": idToken, "scope": "admin", "expiration": 60}),
		`{"subject_token":"` + idToken,
		`"` + idToken + `"`,
	} {
		api.do(t, api.exchangeRequest(t, body))
	}
	api.shutDown()

	requests := api.Requests()
	logged := output.String() + fmt.Sprintf("%+v", requests)
	for _, secret := range []string{idToken, forged, token} {
		if secret == "" || strings.Contains(logged, secret) {
			t.Error("a log holds a token")
		}
	}
	if !strings.Contains(output.String(), "verifying an ID token failed") {
		t.Error("the log does not say why the forged token was refused")
	}
	want := mustJSON(t, form("[redacted]", map[string]any{
		"Subject_Token": "[redacted]", "scope": "admin", "expiration": 60,
	}))
	if got := requests[3].Body; got != want {
		t.Errorf("logged body %s, want %s", got, want)
	}
	for _, request := range requests[4:] {
		if request.Body != "" {
			t.Error("a body that is no object is logged")
		}
	}
}

func TestConcurrentTokenExchange(t *testing.T) {
	api := newExchangeAPI(t, emulator.Options{})
	var wait sync.WaitGroup
	for range 8 {
		bodies := make([]*http.Request, 10)
		for n := range bodies {
			bodies[n] = api.exchangeRequest(t, form(api.idToken(nil), nil))
		}
		list := api.request(t, http.MethodGet, pools, nil)
		wait.Go(func() {
			for _, request := range bodies {
				response, err := api.client.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				var answer struct {
					AccessToken string `json:"access_token"`
				}
				err = json.NewDecoder(response.Body).Decode(&answer)
				response.Body.Close()
				if err != nil || response.StatusCode != http.StatusOK {
					t.Errorf("exchange: status %d, %v", response.StatusCode, err)
				}
				list := list.Clone(list.Context())
				list.Header.Set("Authorization", "token "+answer.AccessToken)
				if status := api.status(t, list); status != http.StatusOK {
					t.Errorf("list: status %d, want 200", status)
				}
			}
		})
	}
	wait.Wait()
	// How many ask for the keys together before they are known is a matter of luck, but no more than the workers.
	if got := api.issuer.Requests(); len(got) > 9 || slices.Contains(got[1:], got[0]) {
		t.Errorf("requests to the issuer %v, want its configuration once and its keys a few times", got)
	}

	// Rotation and revocation leave a client with refusals at worst.
	for range 4 {
		requests := make([]*http.Request, 10)
		for n := range requests {
			requests[n] = api.exchangeRequest(t, form(api.idToken(nil), nil))
		}
		wait.Go(func() {
			for _, request := range requests {
				api.issuer.RotateKeys()
				api.RevokeAccessTokens()
				if status := api.status(t, request); status != http.StatusOK && status != http.StatusUnauthorized {
					t.Errorf("status %d, want 200 or 401", status)
				}
			}
		})
	}
	wait.Wait()
	if api.accessToken(t, nil) == "" {
		t.Error("no token after the rotations")
	}
}
