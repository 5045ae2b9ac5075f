package pulumiapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// TokenExchange is a token exchange (RFC 8693) of an OIDC ID token for an access token.
type TokenExchange struct {
	// IDToken returns an ID token for the audience. It is called before every exchange, because ID tokens are
	// short-lived.
	IDToken      func(ctx context.Context, audience string) (string, error)
	Organization string        // whose OIDC policies apply
	TokenType    string        // "organization", "team" or "personal"
	Scope        string        // "admin", "team:NAME" or "user:LOGIN", or empty
	Expiration   time.Duration // requested lifetime, rounded up to whole seconds, 0 means the default of Pulumi Cloud
}

// Audience returns the audience that the ID token must have.
func (x TokenExchange) Audience() string { return "urn:pulumi:org:" + x.Organization }

func (x TokenExchange) request(idToken string) map[string]any {
	request := map[string]any{ //nolint:gosec // The names of tokens are no tokens.
		"grant_type":           "urn:ietf:params:oauth:grant-type:token-exchange",
		"audience":             x.Audience(),
		"subject_token":        idToken,
		"subject_token_type":   "urn:ietf:params:oauth:token-type:id_token",
		"requested_token_type": "urn:pulumi:token-type:access_token:" + x.TokenType,
	}
	if x.Scope != "" {
		request["scope"] = x.Scope
	}
	if x.Expiration > 0 {
		request["expiration"] = int64((x.Expiration + time.Second - 1) / time.Second)
	}
	return request
}

// ExchangeRefusedError reports that Pulumi Cloud refused to exchange an ID token.
type ExchangeRefusedError struct {
	WrappedError

	Exchange TokenExchange
	// Issuer, Subject and Audiences are claims of the ID token, safe to print. They are not verified.
	Issuer, Subject string
	Audiences       []string
	Expiry          time.Time // in UTC, the zero time if it is not known
}

// accessToken is a short-lived access token. Its times are on the local clock, and zero if the server did not send a
// lifetime.
type accessToken struct {
	value           string
	renewAt, expiry time.Time
}

// expiryDelta is how long before its expiry a token is renewed, at most, so that requests in transit have a valid one.
const expiryDelta = time.Minute

// accessToken returns an access token that is not the refused one. An exchange obtains it when the first request needs
// it, again shortly before it expires, and again when it is refused. If a renewal fails, it is used until it expires.
func (c *Client) accessToken(ctx context.Context, refused string) (string, error) {
	if c.config.Exchange == nil {
		return c.config.AccessToken, nil
	}
	latest := c.accessTokens.peek("")
	isUsable := func(token accessToken, until time.Time) bool {
		return token.value != "" && token.value != refused && (until.IsZero() || c.config.Now().Before(until))
	}
	isFresh := func(token accessToken, _ time.Duration) bool { return isUsable(token, token.renewAt) }
	token, err := c.accessTokens.get(ctx, "", isFresh, func(ctx context.Context) (accessToken, error) {
		token, err := c.exchangeToken(ctx, *c.config.Exchange)
		if err != nil && isUsable(latest, latest.expiry) {
			latest.renewAt = latest.expiry // No renewal before then.
			return latest, nil
		}
		return token, err
	})
	return token.value, err
}

// exchangeToken exchanges an ID token for an access token (POST /api/oauth/token). It adds the error
// *[ExchangeRefusedError] and those of [TokenExchange].IDToken.
func (c *Client) exchangeToken(ctx context.Context, x TokenExchange) (accessToken, error) {
	idToken, err := x.IDToken(ctx, x.Audience())
	if err != nil {
		return accessToken{}, &sanitizedError{WrappedError{err}, c.redactor.sanitize(err.Error())}
	}
	c.redactor.add(idToken)
	o := c.newOperation("") // An exchange creates nothing but the token, so that it may be repeated.
	o.isTokenExchange = true
	response, err := o.sdk().Token(ctx, x.request(idToken))
	err = o.result(err)
	switch {
	case hasStatus(err, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden):
		return accessToken{}, c.exchangeRefused(idToken, x, err)
	case err != nil:
		return accessToken{}, err
	case response.AccessToken == "":
		return accessToken{}, o.responseErrorf("access_token", "is missing")
	}
	token := accessToken{value: response.AccessToken}
	if lifetime := time.Duration(response.ExpiresIn) * time.Second; lifetime > 0 {
		token.expiry = o.last.started.Add(lifetime)
		token.renewAt = token.expiry.Add(-min(expiryDelta, lifetime/10))
	}
	return token, nil
}

// exchangeRefused adds the claims that an OIDC policy compares. They are for the message only.
func (c *Client) exchangeRefused(idToken string, x TokenExchange, err error) error {
	var claims struct {
		Issuer   string  `json:"iss"`
		Subject  string  `json:"sub"`
		Audience any     `json:"aud"` // one or a list
		Expiry   float64 `json:"exp"`
	}
	if parts := strings.Split(idToken, "."); len(parts) == 3 {
		payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
		_ = json.Unmarshal(payload, &claims) // Invalid claims are left out of the message.
	}
	refused := &ExchangeRefusedError{
		WrappedError: WrappedError{err}, Exchange: x, Issuer: c.redactor.sanitize(claims.Issuer),
		Subject: c.redactor.sanitize(claims.Subject), Expiry: unixTime(int64(claims.Expiry)),
	}
	audiences, isList := claims.Audience.([]any)
	if !isList {
		audiences = []any{claims.Audience}
	}
	for _, audience := range audiences {
		if text, _ := audience.(string); text != "" {
			refused.Audiences = append(refused.Audiences, c.redactor.sanitize(text))
		}
	}
	return refused
}
