// Package oidctest is an OpenID Connect issuer for tests: discovery document, keys, ID tokens, and a stand-in for the
// endpoint where a GitHub Actions job gets its ID token.
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
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	upstream "github.com/coreos/go-oidc/v3/oidc/oidctest"
	"github.com/google/uuid"
)

const (
	githubActionsPath = "/github-actions/idtoken"
	lifetime          = 5 * time.Minute
)

// Issuer signs ID tokens with ES256. Its methods are safe for concurrent use.
type Issuer struct {
	// URL is that of the issuer, on loopback.
	URL string
	// Now is the clock of the tokens; it must be set before the first of them, or left alone to be [time.Now].
	Now func() time.Time

	tb testing.TB

	mu        sync.Mutex
	key       *ecdsa.PrivateKey
	keyID     string
	published *upstream.Server
	// jobs are the claims of GitHub Actions' jobs by their request token.
	jobs  map[string]map[string]any
	paths []string
}

// NewIssuer starts an issuer that serves until the test ends.
func NewIssuer(tb testing.TB) *Issuer {
	tb.Helper()
	i := &Issuer{Now: time.Now, tb: tb, jobs: make(map[string]map[string]any)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(i.serve))
	i.URL = "http://" + server.Listener.Addr().String()
	i.RotateKeys()
	server.Start()
	tb.Cleanup(server.Close)
	return i
}

// RotateKeys replaces the key: tokens of the old one are no longer good once a verifier fetched the keys again.
func (i *Issuer) RotateKeys() {
	i.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.tb.Fatal(err)
	}
	id := uuid.NewString()
	published := &upstream.Server{
		PublicKeys: []upstream.PublicKey{{PublicKey: key.Public(), KeyID: id, Algorithm: oidc.ES256}},
		Algorithms: []string{oidc.ES256},
	}
	published.SetIssuer(i.URL)

	i.mu.Lock()
	defer i.mu.Unlock()
	i.key, i.keyID, i.published = key, id, published
}

// Token returns an ID token of this issuer that was issued just now and is valid for five minutes. The claims are added
// to it, and replace its own; a nil leaves a claim out. It lacks an audience and a subject unless the claims have them.
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
		// Not fatal, since the endpoint for GitHub Actions is served by another goroutine than the test's.
		i.tb.Errorf("encoding claims: %v", err)
	}

	i.mu.Lock()
	defer i.mu.Unlock()
	return upstream.SignIDToken(i.key, i.keyID, oidc.ES256, string(payload))
}

// GitHubActions starts a job and returns the values of its environment variables ACTIONS_ID_TOKEN_REQUEST_URL and
// ACTIONS_ID_TOKEN_REQUEST_TOKEN. A GET of the URL with &audience=… and "Authorization: bearer …" is answered with
// {"value":"…"}, an ID token with that audience and the claims. Without an audience it gets one that Pulumi does not
// trust, as GitHub does.
func (i *Issuer) GitHubActions(claims map[string]any) (requestURL, requestToken string) {
	requestToken = uuid.NewString()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.jobs[requestToken] = maps.Clone(claims)
	return i.URL + githubActionsPath + "?api-version=2.0", requestToken
}

// Requests returns the paths that were asked for so far, in their order.
func (i *Issuer) Requests() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.paths...)
}

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.paths = append(i.paths, r.URL.Path)
	published := i.published
	i.mu.Unlock()
	if r.URL.Path == githubActionsPath {
		i.serveGitHubActions(w, r)
		return
	}
	published.ServeHTTP(w, r)
}

func (i *Issuer) serveGitHubActions(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Query().Get("api-version") == "" {
		http.Error(w, "no api-version", http.StatusBadRequest)
		return
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	i.mu.Lock()
	job, ok := i.jobs[token]
	i.mu.Unlock()
	if !strings.EqualFold(scheme, "bearer") || !ok {
		http.Error(w, "no such job", http.StatusUnauthorized)
		return
	}
	claims := map[string]any{"aud": "https://github.com/acme"}
	maps.Copy(claims, job)
	if audience := r.URL.Query().Get("audience"); audience != "" {
		claims["aud"] = audience
	}
	w.Header().Set("Content-Type", "application/json")
	// A client that went away gets nothing, and there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(map[string]string{"value": i.Token(claims)})
}
