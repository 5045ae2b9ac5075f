package oidctest_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator/oidctest"
)

const audience = "urn:pulumi:org:acme"

func verifier(t *testing.T, issuer *oidctest.Issuer) *oidc.IDTokenVerifier {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), issuer.URL)
	if err != nil {
		t.Fatal(err)
	}
	return provider.Verifier(&oidc.Config{ClientID: audience})
}

func TestToken(t *testing.T) {
	issuer := oidctest.NewIssuer(t)
	v := verifier(t, issuer)
	token, err := v.Verify(t.Context(), issuer.Token(map[string]any{"aud": audience, "sub": "someone"}))
	if err != nil {
		t.Fatal(err)
	}
	if token.Subject != "someone" || token.Issuer != issuer.URL {
		t.Errorf("subject %q of issuer %q, want someone of %q", token.Subject, token.Issuer, issuer.URL)
	}
	for name, claims := range map[string]map[string]any{
		"another issuer": {"aud": audience, "iss": "https://example.com"},
		"no expiry":      {"aud": audience, "exp": nil},
		"no audience":    {},
	} {
		if _, err := v.Verify(t.Context(), issuer.Token(claims)); err == nil {
			t.Errorf("%s: verified", name)
		}
	}
}

func TestTokenFollowsTheClock(t *testing.T) {
	issuer := oidctest.NewIssuer(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	issuer.Now = func() time.Time { return now }
	provider, err := oidc.NewProvider(t.Context(), issuer.URL)
	if err != nil {
		t.Fatal(err)
	}
	token, err := provider.Verifier(&oidc.Config{ClientID: audience, Now: issuer.Now}).
		Verify(t.Context(), issuer.Token(map[string]any{"aud": audience}))
	if err != nil {
		t.Fatal(err)
	}
	if !token.IssuedAt.Equal(now) || !token.Expiry.Equal(now.Add(5*time.Minute)) {
		t.Errorf("issued at %v until %v, want %v and five minutes", token.IssuedAt, token.Expiry, now)
	}
}

func TestRotateKeys(t *testing.T) {
	issuer := oidctest.NewIssuer(t)
	claims := map[string]any{"aud": audience}
	old := issuer.Token(claims)
	if _, err := verifier(t, issuer).Verify(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	issuer.RotateKeys()
	if _, err := verifier(t, issuer).Verify(t.Context(), issuer.Token(claims)); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	if _, err := verifier(t, issuer).Verify(t.Context(), old); err == nil {
		t.Error("a token of the old key is verified with the new one")
	}
	want := slices.Repeat([]string{"/.well-known/openid-configuration", "/keys"}, 3)
	if got := issuer.Requests(); !slices.Equal(got, want) {
		t.Errorf("requests %v, want %v", got, want)
	}
}

func TestGitHubActions(t *testing.T) {
	issuer := oidctest.NewIssuer(t)
	v := verifier(t, issuer)
	url, requestToken := issuer.GitHubActions(map[string]any{"sub": "repo:acme/infra:ref:refs/heads/main"})
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
		if response.StatusCode != http.StatusOK {
			return response.StatusCode, ""
		}
		var answer struct {
			Value string `json:"value"`
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, answer.Value
	}

	_, value := get(http.MethodGet, url+"&audience="+audience, "bearer "+requestToken)
	token, err := v.Verify(t.Context(), value)
	if err != nil {
		t.Fatal(err)
	}
	if want := "repo:acme/infra:ref:refs/heads/main"; token.Subject != want {
		t.Errorf("subject %q, want %q", token.Subject, want)
	}
	if _, value = get(http.MethodGet, url, "bearer "+requestToken); value == "" {
		t.Error("no token without an audience")
	}
	if _, err := v.Verify(t.Context(), value); err == nil {
		t.Error("a token without an audience of its own is verified")
	}

	for _, refused := range []struct {
		method, url, authorization string
		status                     int
	}{
		{http.MethodPost, url, "bearer " + requestToken, http.StatusMethodNotAllowed},
		{http.MethodGet, url, "", http.StatusUnauthorized},
		{http.MethodGet, url, "bearer wrong", http.StatusUnauthorized},
		{http.MethodGet, url, "token " + requestToken, http.StatusUnauthorized},
		{http.MethodGet, issuer.URL + "/github-actions/idtoken", "bearer " + requestToken, http.StatusBadRequest},
	} {
		if status, _ := get(refused.method, refused.url, refused.authorization); status != refused.status {
			t.Errorf("%s: status %d, want %d", refused.method, status, refused.status)
		}
	}
}
