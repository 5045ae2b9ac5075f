// Package oidctest provides an OpenID Connect issuer for tests.
package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	upstream "github.com/coreos/go-oidc/v3/oidc/oidctest"
	"github.com/google/uuid"
)

const (
	keyID    = "test"
	lifetime = 5 * time.Minute
)

// Issuer issues ID tokens that are signed with ES256.
type Issuer struct {
	// URL is the URL of the issuer, which listens on loopback.
	URL string
	// Now is the clock of the ID tokens. Set it before the first ID token. Defaults to [time.Now].
	Now func() time.Time

	tb  testing.TB
	key *ecdsa.PrivateKey
}

// NewIssuer starts an issuer that serves its configuration and its key until the test ends.
func NewIssuer(tb testing.TB) *Issuer {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	handler := &upstream.Server{
		PublicKeys: []upstream.PublicKey{{PublicKey: key.Public(), KeyID: keyID, Algorithm: oidc.ES256}},
		Algorithms: []string{oidc.ES256},
	}
	server := httptest.NewServer(handler)
	tb.Cleanup(server.Close)
	handler.SetIssuer(server.URL)
	return &Issuer{URL: server.URL, Now: time.Now, tb: tb, key: key}
}

// Token returns an ID token that is valid for five minutes. The claims are added to the claims of the issuer, or replace
// them. A nil removes a claim. Without "aud" and "sub" among the claims, the ID token has neither.
func (i *Issuer) Token(claims map[string]any) string {
	i.tb.Helper()
	now := i.Now()
	all := map[string]any{
		"iss": i.URL,
		"jti": uuid.NewString(),
		"iat": now.Unix(),
		"nbf": now.Unix(),
		"exp": now.Add(lifetime).Unix(),
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	payload, err := json.Marshal(all)
	if err != nil {
		i.tb.Errorf("encoding claims: %v", err) // Fatal is for the goroutine of the test only.
	}
	return upstream.SignIDToken(i.key, keyID, oidc.ES256, string(payload))
}

// GitHubActions starts the endpoint where a job of GitHub Actions gets its ID tokens, which have these claims. It returns
// the values of ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN. Like GitHub, the endpoint has a default
// audience that Pulumi Cloud does not accept.
func (i *Issuer) GitHubActions(claims map[string]any) (requestURL, requestToken string) {
	requestToken = uuid.NewString()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		switch {
		case r.Method != http.MethodGet || !query.Has("api-version"):
			w.WriteHeader(http.StatusBadRequest)
		case !strings.EqualFold(r.Header.Get("Authorization"), "bearer "+requestToken):
			w.WriteHeader(http.StatusUnauthorized)
		default:
			all := map[string]any{"aud": "https://github.com/acme"}
			maps.Copy(all, claims)
			if query.Has("audience") {
				all["aud"] = query.Get("audience")
			}
			w.Header().Set("Content-Type", "application/json")
			// The client may be gone.
			_ = json.NewEncoder(w).Encode(map[string]string{"value": i.Token(all)})
		}
	}))
	i.tb.Cleanup(server.Close)
	return server.URL + "/idtoken?api-version=2.0", requestToken
}
