package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	// exchangePattern is the operation's, as [http.ServeMux] has it.
	exchangePattern = "POST /api/oauth/token"

	audiencePrefix      = "urn:pulumi:org:"
	requestedTypePrefix = "urn:pulumi:token-type:access_token:"
	adminScope          = "admin"

	// defaultExpiration is for requests that ask for none; the description has the bounds of those that do.
	defaultExpiration = 2 * time.Hour
	// issuerTimeout bounds each request to an issuer.
	issuerTimeout = 10 * time.Second
)

// TokenType is a type of access token that an ID token can be exchanged for.
type TokenType string

// The types of access token. Each is good for the organization it was issued for, except that a runner's is
// refused by Pulumi's API (403).
const (
	TokenTypeOrganization TokenType = "organization"
	TokenTypeTeam         TokenType = "team"
	TokenTypePersonal     TokenType = "personal"
	TokenTypeRunner       TokenType = "runner"
)

// scopePrefix is what precedes the name in a scope, and "" for an organization token, which names nothing.
func (t TokenType) scopePrefix() string {
	switch t {
	case TokenTypeTeam:
		return "team:"
	case TokenTypePersonal:
		return "user:"
	case TokenTypeRunner:
		return "runner:"
	default:
		return ""
	}
}

// TrustPolicy registers an OpenID Connect issuer with organizations, and says which of its ID tokens are exchanged for
// which access tokens. In Organization, Subject and Names a * stands for any text, slashes and none at all included.
// Where several policies match an ID token, one that allows all that is asked for is enough.
type TrustPolicy struct {
	// Organization is the organizations' name. Required.
	Organization string
	// Issuer is the issuer's http or https URL, exactly as its ID tokens give it. Its configuration is fetched from
	// /.well-known/openid-configuration below it when it is first needed. Required.
	Issuer string
	// Subject is the subject of the ID tokens. Required.
	Subject string
	// TokenTypes are the types that may be asked for. Required.
	TokenTypes []TokenType
	// Names are those of the teams, users and runners for which tokens may be asked, if their type is allowed.
	Names []string
	// AllowAdmin allows the scope admin of organization tokens.
	AllowAdmin bool
}

// trustPolicy is a [TrustPolicy] with its patterns compiled.
type trustPolicy struct {
	TrustPolicy
	organization, subject *regexp.Regexp
	names                 []*regexp.Regexp
}

func newTrustPolicy(policy TrustPolicy) (*trustPolicy, error) {
	if policy.Organization == "" || policy.Subject == "" || len(policy.TokenTypes) == 0 {
		return nil, errors.New("an organization, a subject and a token type are required")
	}
	issuerURL, err := url.Parse(policy.Issuer)
	if err != nil {
		return nil, err
	}
	if (issuerURL.Scheme != "http" && issuerURL.Scheme != "https") || issuerURL.Host == "" {
		return nil, fmt.Errorf("the issuer %q is not an http or https URL", policy.Issuer)
	}
	for _, tokenType := range policy.TokenTypes {
		if tokenType != TokenTypeOrganization && tokenType.scopePrefix() == "" {
			return nil, fmt.Errorf("unknown token type %q", tokenType)
		}
	}
	compiled := &trustPolicy{TrustPolicy: policy}
	if compiled.organization, err = compilePattern(policy.Organization); err != nil {
		return nil, err
	}
	if compiled.subject, err = compilePattern(policy.Subject); err != nil {
		return nil, err
	}
	for _, name := range policy.Names {
		pattern, err := compilePattern(name)
		if err != nil {
			return nil, err
		}
		compiled.names = append(compiled.names, pattern)
	}
	return compiled, nil
}

func compilePattern(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile(`(?s)^` + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`) + `$`)
}

func (p *trustPolicy) allowsScope(g grant) bool {
	if g.tokenType == TokenTypeOrganization {
		return p.AllowAdmin || !g.admin
	}
	return slices.ContainsFunc(p.names, func(name *regexp.Regexp) bool { return name.MatchString(g.name) })
}

// grant is what a request asks for.
type grant struct {
	tokenType TokenType
	scope     string
	// admin is for organization tokens alone, and name for all others.
	admin bool
	name  string
}

func newGrant(tokenType TokenType, scope string) (grant, error) {
	g := grant{tokenType: tokenType, scope: scope}
	if tokenType == TokenTypeOrganization {
		if g.admin = scope == adminScope; scope != "" && !g.admin {
			return grant{}, refuse(http.StatusBadRequest, "the scope of an organization token is %q or empty", adminScope)
		}
		return g, nil
	}
	g.name = strings.TrimPrefix(scope, tokenType.scopePrefix())
	if g.name == scope || g.name == "" {
		return grant{}, refuse(http.StatusBadRequest, "the scope of a %s token is %q and a name",
			tokenType, tokenType.scopePrefix())
	}
	return g, nil
}

// issuer verifies the ID tokens of one OpenID Connect issuer.
type issuer struct {
	url    string
	client *http.Client

	mu       sync.Mutex
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
}

// discover fetches the issuer's configuration unless an earlier call did.
func (i *issuer) discover(ctx context.Context) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.provider != nil {
		return nil
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, i.client), i.url)
	if err != nil {
		return err
	}
	i.provider = provider
	i.renewVerifier()
	return nil
}

// verify checks an ID token's signature and issuer, but neither its audience nor its times. discover must have
// succeeded.
func (i *issuer) verify(ctx context.Context, idToken string) (*oidc.IDToken, error) {
	i.mu.Lock()
	verifier := i.verifier
	i.mu.Unlock()
	if token, err := verifier.Verify(ctx, idToken); err == nil {
		return token, nil
	}
	// The verifier keeps the keys and looks for newer ones if none fits, but just after it fetched them it may take
	// those for the newest. A new one looks in any case.
	i.mu.Lock()
	verifier = i.renewVerifier()
	i.mu.Unlock()
	return verifier.Verify(ctx, idToken)
}

// renewVerifier needs the lock.
func (i *issuer) renewVerifier() *oidc.IDTokenVerifier {
	// The keys outlive the request that has them fetched: the context only carries the client.
	i.verifier = i.provider.VerifierContext(oidc.ClientContext(context.Background(), i.client), &oidc.Config{
		// These have refusals of their own, and the verifier's errors don't tell them apart.
		SkipClientIDCheck: true,
		SkipExpiryCheck:   true,
	})
	return i.verifier
}

// accessToken is what is kept of a token that was issued: all but the token itself.
type accessToken struct {
	organization string
	tokenType    TokenType
	expires      time.Time
}

// authorize refuses a request that the token is not good for.
func (t accessToken) authorize(path string, parameters map[string]string) error {
	if org, ok := parameters["org"]; ok && org != t.organization {
		// The token's holder does not learn whether there is such an organization.
		return unknownOrganization(org)
	}
	if t.tokenType == TokenTypeRunner && strings.HasPrefix(path, "/api/") {
		return refuse(http.StatusForbidden, "a runner token is not good for this operation")
	}
	return nil
}

// tokenExchange trades ID tokens for access tokens, which it keeps in memory as hashes.
type tokenExchange struct {
	policies []*trustPolicy
	issuers  map[string]*issuer

	mu     sync.Mutex
	issued map[string]accessToken
}

func newTokenExchange(policies []TrustPolicy) (*tokenExchange, error) {
	e := &tokenExchange{issuers: make(map[string]*issuer), issued: make(map[string]accessToken)}
	client := &http.Client{Timeout: issuerTimeout}
	for n, policy := range policies {
		compiled, err := newTrustPolicy(policy)
		if err != nil {
			return nil, fmt.Errorf("trust policy %d: %w", n+1, err)
		}
		e.policies = append(e.policies, compiled)
		if e.issuers[policy.Issuer] == nil {
			e.issuers[policy.Issuer] = &issuer{url: policy.Issuer, client: client}
		}
	}
	return e, nil
}

func (e *tokenExchange) policiesOf(org, issuerURL string) []*trustPolicy {
	return filter(e.policies, func(p *trustPolicy) bool {
		return p.Issuer == issuerURL && p.organization.MatchString(org)
	})
}

func (e *tokenExchange) issue(t accessToken, now time.Time) string {
	token := newToken()
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.issued, func(_ string, t accessToken) bool { return !now.Before(t.expires) })
	e.issued[string(hashToken(token))] = t
	return token
}

func (e *tokenExchange) lookUp(token string, now time.Time) (accessToken, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, ok := e.issued[string(hashToken(token))]
	return t, ok && now.Before(t.expires)
}

func (e *tokenExchange) revoke() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.issued)
}

// RevokeAccessTokens makes every access token that was issued in exchange for an ID token invalid (401).
func (s *Server) RevokeAccessTokens() { s.exchange.revoke() }

type tokenExchangeJSON struct {
	Audience           string `json:"audience"`
	GrantType          string `json:"grant_type"`
	SubjectToken       string `json:"subject_token"`
	SubjectTokenType   string `json:"subject_token_type"`
	RequestedTokenType string `json:"requested_token_type"`
	Scope              string `json:"scope"`
	// Expiration is in seconds.
	Expiration *int64 `json:"expiration"`
}

type exchangedTokenJSON struct {
	AccessToken     string `json:"access_token"`
	IssuedTokenType string `json:"issued_token_type"`
	TokenType       string `json:"token_type"`
	// ExpiresIn is in seconds.
	ExpiresIn int64  `json:"expires_in"`
	Scope     string `json:"scope"`
}

func (s *Server) exchangeToken(r *http.Request) (any, error) {
	var body tokenExchangeJSON
	if err := decodeBody(r, &body); err != nil {
		return nil, err
	}
	g, err := newGrant(TokenType(strings.TrimPrefix(body.RequestedTokenType, requestedTypePrefix)), body.Scope)
	if err != nil {
		return nil, err
	}
	lifetime := defaultExpiration
	if body.Expiration != nil {
		lifetime = time.Duration(*body.Expiration) * time.Second
	}

	org := strings.TrimPrefix(body.Audience, audiencePrefix)
	policies, subject, err := s.verifyIDToken(r.Context(), org, body.SubjectToken)
	if err != nil {
		return nil, err
	}
	if err := authorizeGrant(policies, subject, g); err != nil {
		return nil, err
	}
	now := s.now()
	issued := accessToken{organization: org, tokenType: g.tokenType, expires: now.Add(lifetime)}
	return exchangedTokenJSON{
		AccessToken:     s.exchange.issue(issued, now),
		IssuedTokenType: body.RequestedTokenType,
		TokenType:       "Bearer",
		ExpiresIn:       int64(lifetime / time.Second),
		Scope:           g.scope,
	}, nil
}

// verifyIDToken returns an ID token's subject, and the policies of the organization for its issuer.
func (s *Server) verifyIDToken(ctx context.Context, org, idToken string) ([]*trustPolicy, string, error) {
	issuerURL, err := unverifiedIssuer(ctx, idToken)
	if err != nil {
		return nil, "", refuse(http.StatusUnauthorized, "the subject token can't be read as an ID token")
	}
	policies := s.exchange.policiesOf(org, issuerURL)
	if err := s.state.read(org, func(*organization) error { return nil }); err != nil || len(policies) == 0 {
		return nil, "", refuse(http.StatusUnauthorized,
			"the ID token's issuer %q is not registered with the organization %q", issuerURL, org)
	}
	issuer := s.exchange.issuers[issuerURL]
	if err := issuer.discover(ctx); err != nil {
		s.logger.Warn("fetching an issuer's configuration failed", "issuer", issuerURL, "error", err)
		return nil, "", refuse(http.StatusUnauthorized, "the configuration of the issuer %q can't be fetched", issuerURL)
	}
	token, err := issuer.verify(ctx, idToken)
	if err != nil {
		s.logger.Warn("verifying an ID token failed", "issuer", issuerURL, "error", err)
		return nil, "", refuse(http.StatusUnauthorized,
			"the ID token's signature can't be verified with the keys of the issuer %q", issuerURL)
	}
	if err := s.checkClaims(token, org); err != nil {
		return nil, "", err
	}
	return policies, token.Subject, nil
}

func (s *Server) checkClaims(token *oidc.IDToken, org string) error {
	var claims struct {
		// NotBefore is in seconds since 1970, possibly with a fraction.
		NotBefore float64 `json:"nbf"`
	}
	if err := token.Claims(&claims); err != nil {
		return refuse(http.StatusUnauthorized, "the ID token's nbf is not a number")
	}
	now := s.now()
	switch {
	case !slices.Contains(token.Audience, audiencePrefix+org):
		return refuse(http.StatusUnauthorized, "the ID token's audience is %q instead of %q",
			token.Audience, audiencePrefix+org)
	case !now.Before(token.Expiry):
		return refuse(http.StatusUnauthorized, "the ID token has expired")
	case float64(now.Unix()) < claims.NotBefore:
		return refuse(http.StatusUnauthorized, "the ID token is not valid yet")
	}
	return nil
}

// unverifiedIssuer returns the issuer that an ID token claims, to find the keys that it must be verified with.
func unverifiedIssuer(ctx context.Context, idToken string) (string, error) {
	token, err := oidc.NewVerifier("", nil, &oidc.Config{
		SkipClientIDCheck:          true,
		SkipExpiryCheck:            true,
		SkipIssuerCheck:            true,
		InsecureSkipSignatureCheck: true,
		SupportedSigningAlgs: []string{
			oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512,
			oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
		},
	}).Verify(ctx, idToken)
	if err != nil {
		return "", err
	}
	return token.Issuer, nil
}

// authorizeGrant refuses what no policy allows the subject.
func authorizeGrant(policies []*trustPolicy, subject string, g grant) error {
	policies = filter(policies, func(p *trustPolicy) bool { return p.subject.MatchString(subject) })
	if len(policies) == 0 {
		return refuse(http.StatusForbidden, "no trust policy matches the ID token's subject %q", subject)
	}
	policies = filter(policies, func(p *trustPolicy) bool { return slices.Contains(p.TokenTypes, g.tokenType) })
	if len(policies) == 0 {
		return refuse(http.StatusForbidden, "the trust policy does not allow tokens of the type %s", g.tokenType)
	}
	if !slices.ContainsFunc(policies, func(p *trustPolicy) bool { return p.allowsScope(g) }) {
		return refuse(http.StatusForbidden, "the trust policy does not allow the scope %q", g.scope)
	}
	return nil
}

func filter(policies []*trustPolicy, keep func(*trustPolicy) bool) []*trustPolicy {
	return slices.DeleteFunc(slices.Clone(policies), func(p *trustPolicy) bool { return !keep(p) })
}

// redactTokenExchange returns a request's body with nothing but the fields that hold no token, and "" if it is no JSON
// object.
func redactTokenExchange(body []byte) string {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return ""
	}
	for name := range fields {
		switch name {
		case "audience", "grant_type", "subject_token_type", "requested_token_type", "scope", "expiration":
		default:
			fields[name] = json.RawMessage(`"[redacted]"`)
		}
	}
	// What was JSON stays it.
	redacted, _ := json.Marshal(fields)
	return string(redacted)
}
