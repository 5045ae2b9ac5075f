package oidctest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator/oidctest"
)

const audience = "urn:pulumi:org:acme"

func newVerifier(t *testing.T, issuer *oidctest.Issuer) *oidc.IDTokenVerifier {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), issuer.URL)
	if err != nil {
		t.Fatal(err)
	}
	return provider.VerifierContext(t.Context(), &oidc.Config{ClientID: audience, Now: issuer.Now})
}

func TestIssuer_token(t *testing.T) {
	issuer := oidctest.NewIssuer(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	issuer.Now = func() time.Time { return now }
	verifier := newVerifier(t, issuer)
	token, err := verifier.Verify(t.Context(), issuer.Token(map[string]any{"aud": audience, "sub": "someone"}))
	if err != nil {
		t.Fatal(err)
	}
	if token.Subject != "someone" || !token.IssuedAt.Equal(now) || !token.Expiry.Equal(now.Add(5*time.Minute)) {
		t.Errorf("token %+v, want the subject, the time of issue and an expiry after five minutes", token)
	}
	for name, claims := range map[string]map[string]any{
		"different issuer": {"aud": audience, "iss": "https://example.com"},
		"no expiry":        {"aud": audience, "exp": nil},
		"no audience":      {},
	} {
		if _, err := verifier.Verify(t.Context(), issuer.Token(claims)); err == nil {
			t.Errorf("%s: verified", name)
		}
	}
}

func TestIssuer_gitHubActions(t *testing.T) {
	issuer := oidctest.NewIssuer(t)
	verifier := newVerifier(t, issuer)
	url, requestToken := issuer.GitHubActions(map[string]any{"sub": "repo:acme/infra"})
	get := func(method, url, authorization string) (status int, value string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", authorization)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var body struct{ Value string }
		_ = json.NewDecoder(response.Body).Decode(&body) // An error response has no body.
		return response.StatusCode, body.Value
	}
	_, value := get(http.MethodGet, url+"&audience="+audience, "bearer "+requestToken)
	if token, err := verifier.Verify(t.Context(), value); err != nil || token.Subject != "repo:acme/infra" {
		t.Errorf("token %v, %v; want the subject of the claims", token, err)
	}
	if _, value = get(http.MethodGet, url, "bearer "+requestToken); value == "" {
		t.Error("no token without an audience")
	}
	if _, err := verifier.Verify(t.Context(), value); err == nil {
		t.Error("a token with the default audience is verified")
	}
	bearer, unversioned := "bearer "+requestToken, strings.TrimSuffix(url, "?api-version=2.0")
	for name, test := range map[string]struct {
		method, url, authorization string
		status                     int
	}{
		"POST":        {http.MethodPost, url, bearer, http.StatusBadRequest},
		"no version":  {http.MethodGet, unversioned, bearer, http.StatusBadRequest},
		"no token":    {http.MethodGet, url, "", http.StatusUnauthorized},
		"wrong token": {http.MethodGet, url, "bearer wrong", http.StatusUnauthorized},
		"no bearer":   {http.MethodGet, url, "token " + requestToken, http.StatusUnauthorized},
	} {
		if status, _ := get(test.method, test.url, test.authorization); status != test.status {
			t.Errorf("%s: status %d, want %d", name, status, test.status)
		}
	}
}
