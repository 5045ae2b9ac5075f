package cloud

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// TokenType is the kind of access token that an ID token is exchanged for.
type TokenType string

// The kinds of access tokens.
const (
	OrganizationToken TokenType = "organization"
	TeamToken         TokenType = "team"
	PersonalToken     TokenType = "personal"
)

// TokenExchange is what to ask for.
type TokenExchange struct {
	// Organization is the one whose policies decide.
	Organization string
	TokenType    TokenType
	// Name is the name of the team or user. It is empty for an organization token.
	Name string
	// Admin asks for an organization token with an administrator's permissions.
	Admin bool
	// Expiration is the lifetime to ask for, rounded up to whole seconds; 0 leaves it to the server.
	Expiration time.Duration
}

// Audience is whom an ID token for this exchange has to be meant for.
func (x TokenExchange) Audience() string { return "urn:pulumi:org:" + x.Organization }

func (x TokenExchange) scope() string {
	switch x.TokenType {
	case TeamToken:
		return "team:" + x.Name
	case PersonalToken:
		return "user:" + x.Name
	case OrganizationToken:
		if x.Admin {
			return "admin"
		}
	}
	return ""
}

// TokenGrant is a short-lived access token.
type TokenGrant struct {
	Token string
	// ExpiresAt is in UTC, by this machine's clock; zero if the server does not say.
	ExpiresAt time.Time
}

// ExchangeRefusedError is Pulumi Cloud's refusal to exchange an ID token.
type ExchangeRefusedError struct {
	Exchange TokenExchange
	// Issuer, Subject and Audiences are what the ID token says of itself, made safe to print; empty if it is not a JWT.
	Issuer, Subject string
	Audiences       []string
	Err             error
}

func (e *ExchangeRefusedError) Error() string {
	return fmt.Sprintf("the ID token was not exchanged for a token of the type %s: %s", e.Exchange.TokenType, e.Err)
}

func (e *ExchangeRefusedError) Unwrap() error { return e.Err }

// WrongAudience tells whether the ID token is meant for somebody else than the organization.
func (e *ExchangeRefusedError) WrongAudience() bool {
	return len(e.Audiences) > 0 && !slices.Contains(e.Audiences, e.Exchange.Audience())
}

// ExchangeToken exchanges an ID token for an access token (POST /api/oauth/token, RFC 8693). It creates nothing on the
// server but the token.
//
// Errors: *[IDTokenError], *[ExchangeRefusedError], *[APIError], *[TransportError], *[ResponseError].
func (c *Client) ExchangeToken(ctx context.Context, idTokens IDTokenSource, x TokenExchange) (TokenGrant, error) {
	idToken, err := idTokens.idToken(ctx, c, x.Audience())
	if err != nil {
		if idTokenErr, ok := errors.AsType[*IDTokenError](err); ok {
			idTokenErr.reason = c.redactor.clean(idTokenErr.Err.Error())
		}
		return TokenGrant{}, err
	}
	c.redactor.learn(idToken)
	requested := c.config.Now()
	answer, err := c.do(ctx, call{
		method: http.MethodPost, path: []string{"api", "oauth", "token"}, anonymous: true, repeatable: true,
		body: struct { //nolint:gosec // The names of what is exchanged are no credentials.
			GrantType          string `json:"grant_type"`
			Audience           string `json:"audience"`
			SubjectToken       string `json:"subject_token"`
			SubjectTokenType   string `json:"subject_token_type"`
			RequestedTokenType string `json:"requested_token_type"`
			Scope              string `json:"scope"`
			Expiration         int64  `json:"expiration,omitempty"`
		}{
			GrantType:          "urn:ietf:params:oauth:grant-type:token-exchange",
			Audience:           x.Audience(),
			SubjectToken:       idToken,
			SubjectTokenType:   "urn:ietf:params:oauth:token-type:id_token",
			RequestedTokenType: "urn:pulumi:token-type:access_token:" + string(x.TokenType),
			Scope:              x.scope(),
			Expiration:         int64((x.Expiration + time.Second - 1) / time.Second),
		},
	})
	if hasStatus(err, http.StatusBadRequest) || hasStatus(err, http.StatusUnauthorized) ||
		hasStatus(err, http.StatusForbidden) {
		return TokenGrant{}, c.exchangeRefused(idToken, x, err)
	}
	if err != nil {
		return TokenGrant{}, err
	}
	var body struct {
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"`
	}
	if err := answer.decode(&body); err != nil {
		return TokenGrant{}, err
	}
	if body.AccessToken == "" {
		return TokenGrant{}, answer.errorf("access_token", "is missing")
	}
	c.redactor.learn(body.AccessToken)
	grant := TokenGrant{Token: body.AccessToken}
	if body.ExpiresIn > 0 && body.ExpiresIn < math.MaxInt32 {
		grant.ExpiresAt = requested.Add(time.Duration(body.ExpiresIn) * time.Second).UTC()
	}
	return grant, nil
}

// exchangeRefused reads from the ID token what a trust policy is matched with, to say it beside the refusal. Nothing is
// decided by it, so nothing is verified.
func (c *Client) exchangeRefused(idToken string, x TokenExchange, err error) error {
	refused := &ExchangeRefusedError{Exchange: x, Err: err}
	parts := strings.Split(idToken, ".")
	if len(parts) != 3 {
		return refused
	}
	payload, decodeErr := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Issuer   string   `json:"iss"`
		Subject  string   `json:"sub"`
		Audience audience `json:"aud"`
	}
	if decodeErr != nil || json.Unmarshal(payload, &claims) != nil {
		return refused
	}
	refused.Issuer, refused.Subject = c.redactor.clean(claims.Issuer), c.redactor.clean(claims.Subject)
	for _, one := range claims.Audience {
		refused.Audiences = append(refused.Audiences, c.redactor.clean(one))
	}
	return refused
}

// audience is a JWT's "aud": a string, or several.
type audience []string

// UnmarshalJSON implements [json.Unmarshaler].
func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}
