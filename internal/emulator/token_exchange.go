package emulator

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	exchangePath   = "/api/oauth/token"
	audiencePrefix = "urn:pulumi:org:"

	issuerTimeout = 10 * time.Second
	// defaultTokenLifetime and defaultMaxTokenLifetime are those of Pulumi Cloud.
	defaultTokenLifetime    = 2 * time.Hour
	defaultMaxTokenLifetime = 25 * time.Hour
)

// exchangeRequest is the body of a token exchange (RFC 8693), which is JSON or a form.
type exchangeRequest struct {
	Audience           string `json:"audience"`
	GrantType          string `json:"grant_type"`
	SubjectToken       string `json:"subject_token"`
	RequestedTokenType string `json:"requested_token_type"`
	Scope              string `json:"scope"`
	// Expiration is in seconds.
	Expiration int64 `json:"expiration"`
}

func decodeExchange(r *http.Request) (body exchangeRequest) {
	if !isForm(r) {
		decodeBody(r, &body)
		return body
	}
	body.Audience = r.PostFormValue("audience")
	body.GrantType = r.PostFormValue("grant_type")
	body.SubjectToken = r.PostFormValue("subject_token")
	body.RequestedTokenType = r.PostFormValue("requested_token_type")
	body.Scope = r.PostFormValue("scope")
	body.Expiration, _ = strconv.ParseInt(r.PostFormValue("expiration"), 10, 64) // The description requires a number.
	return body
}

func isForm(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
}

func (s *Server) exchangeToken(r *http.Request) (any, error) {
	body := decodeExchange(r)
	if body.GrantType != "urn:ietf:params:oauth:grant-type:token-exchange" {
		return nil, oauthErrorf("unsupported_grant_type", "the only supported grant type is a token exchange")
	}
	tokenType := TokenType(strings.TrimPrefix(body.RequestedTokenType, "urn:pulumi:token-type:access_token:"))
	org := strings.TrimPrefix(body.Audience, audiencePrefix)
	policies, subject, err := s.verifyIDToken(r.Context(), org, body.SubjectToken)
	if err != nil {
		return nil, err
	}
	if err := authorize(policies, subject, tokenType, body.Scope); err != nil {
		return nil, err
	}

	seconds := cmp.Or(body.Expiration, int64(defaultTokenLifetime/time.Second))
	seconds = min(seconds, int64(s.options.MaxTokenLifetime/time.Second))
	expires := s.options.Now().Add(time.Duration(seconds) * time.Second)
	token := NewAccessToken()
	s.mu.Lock()
	s.issuedTokens[hashToken(token)] = issuedToken{org, tokenType, expires}
	s.mu.Unlock()
	return map[string]any{
		"access_token":      token,
		"issued_token_type": body.RequestedTokenType,
		"token_type":        "Bearer",
		"expires_in":        seconds,
		"scope":             body.Scope,
	}, nil
}

// verifyIDToken returns the subject of an ID token and the policies that the organization has for its issuer. It
// fetches the issuer's keys each time, so that a rotation needs no special care.
func (s *Server) verifyIDToken(ctx context.Context, org, idToken string) ([]TrustPolicy, string, error) {
	issuer, err := unverifiedIssuer(idToken)
	if err != nil {
		return nil, "", oauthErrorf("invalid_grant", "the subject token is not an ID token")
	}
	policies := slices.DeleteFunc(slices.Clone(s.options.TrustPolicies), func(p TrustPolicy) bool {
		return p.Issuer != issuer || !matchPattern(p.Organization, org)
	})
	if len(policies) == 0 || !slices.Contains(s.options.Organizations, org) {
		return nil, "", oauthErrorf("invalid_grant", "issuer %q is not registered with organization %q", issuer, org)
	}
	ctx, cancel := context.WithTimeout(ctx, issuerTimeout)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		s.options.Logger.Warn("fetching the configuration of an issuer failed", "issuer", issuer, "error", err)
		return nil, "", oauthErrorf("invalid_grant", "the configuration of issuer %q cannot be fetched", issuer)
	}
	verifier := provider.VerifierContext(ctx, &oidc.Config{ClientID: audiencePrefix + org, Now: s.options.Now})
	token, err := verifier.Verify(ctx, idToken)
	if err != nil {
		s.options.Logger.Warn("verifying an ID token failed", "issuer", issuer, "error", err)
		return nil, "", oauthErrorf("invalid_grant", "the ID token is invalid: %v", err)
	}
	return policies, token.Subject, nil
}

// unverifiedIssuer returns the issuer that an ID token names, which decides on the keys to verify the token with.
func unverifiedIssuer(idToken string) (string, error) {
	_, rest, _ := strings.Cut(idToken, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return "", err
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	err = json.Unmarshal(text, &claims)
	return claims.Issuer, err
}

var subjectToken = regexp.MustCompile(`(?i)(subject_token"?\s*[:=]\s*"?)[^"&]*`)

// loggableBody returns the body of a request without the ID token of a token exchange.
func loggableBody(r *http.Request, body []byte) string {
	if r.URL.Path != exchangePath {
		return string(body)
	}
	return string(subjectToken.ReplaceAll(body, []byte("${1}[redacted]")))
}

// tokenHash identifies a token in the state, which holds no tokens.
type tokenHash [sha256.Size]byte

func hashToken(token string) tokenHash { return sha256.Sum256([]byte(token)) }

// NewAccessToken returns a random token in the format of Pulumi Cloud.
func NewAccessToken() string {
	random := make([]byte, 20)
	rand.Read(random) // never fails
	return "pul-" + hex.EncodeToString(random)
}

type issuedToken struct {
	organization string
	tokenType    TokenType
	expires      time.Time
}

// RevokeAccessTokens invalidates all exchanged access tokens, so that requests with them fail with 401.
func (s *Server) RevokeAccessTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.issuedTokens)
}
