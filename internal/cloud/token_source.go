package cloud

import (
	"context"
	"sync/atomic"
	"time"
)

// TokenSource is where a client's access token comes from: a [StaticToken] or [ExchangedTokens].
type TokenSource interface {
	// accessToken returns a token other than the one that Pulumi Cloud refused, if another can be had.
	accessToken(ctx context.Context, c *Client, refused string) (string, error)
}

// StaticToken is an access token that somebody configured.
type StaticToken string

func (t StaticToken) accessToken(context.Context, *Client, string) (string, error) {
	return string(t), nil
}

// ExchangedTokens are short-lived access tokens, for which a pipeline's ID token is exchanged when the first is needed,
// again shortly before it expires, and again when Pulumi Cloud refuses it. If an exchange before its expiry fails it is
// used to the end.
type ExchangedTokens struct {
	// IDTokens is asked before every exchange: a pipeline's ID token is itself short-lived.
	IDTokens IDTokenSource
	Exchange TokenExchange

	// exchanges counts those that have ended, successfully or not.
	exchanges atomic.Int64

	lock  chan struct{}
	grant TokenGrant
	renew time.Time // zero for never
	err   error     // the last exchange's
}

// NewExchangedTokens returns a source that makes no request before a token is needed.
func NewExchangedTokens(idTokens IDTokenSource, exchange TokenExchange) *ExchangedTokens {
	return &ExchangedTokens{IDTokens: idTokens, Exchange: exchange, lock: make(chan struct{}, 1)}
}

// renewalMargin is how long before its end a token is no longer used, at most: requests on their way need a while.
const renewalMargin = time.Minute

func (s *ExchangedTokens) accessToken(ctx context.Context, c *Client, refused string) (string, error) {
	before := s.exchanges.Load()
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	now := c.config.Now()
	if s.grant.Token != "" && s.grant.Token != refused && (s.renew.IsZero() || now.Before(s.renew)) {
		return s.grant.Token, nil
	}
	if s.err != nil && s.exchanges.Load() != before {
		return "", s.err // It failed while this caller waited for its end.
	}
	grant, err := c.ExchangeToken(ctx, s.IDTokens, s.Exchange)
	if err != nil && ctx.Err() != nil {
		return "", err // What the one who gave up heard says nothing to the others.
	}
	if err != nil && s.grant.Token != refused && c.config.Now().Before(s.grant.ExpiresAt) {
		// The operation that is under way may end before the token does.
		s.renew = s.grant.ExpiresAt
		return s.grant.Token, nil
	}
	s.err = err
	s.exchanges.Add(1)
	if err != nil {
		return "", err
	}
	s.grant, s.renew = grant, time.Time{}
	if !grant.ExpiresAt.IsZero() {
		lifetime := grant.ExpiresAt.Sub(now)
		s.renew = grant.ExpiresAt.Add(-min(renewalMargin, lifetime/10))
	}
	return grant.Token, nil
}
