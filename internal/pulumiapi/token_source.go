package pulumiapi

import (
	"context"
	"sync"
	"time"
)

// expiryDelta is how long before its expiry a token is no longer used, at most, to leave requests in transit time.
const expiryDelta = time.Minute

// exchangeTokenSource obtains a token when the first request needs one, again shortly before it expires, and again when
// it is refused. If a renewal fails, the token is used until it expires.
type exchangeTokenSource struct {
	client    *Client
	exchange  TokenExchange
	exchanges *readCache[string] // so that callers share an exchange

	mu      sync.Mutex
	token   accessToken
	renewAt time.Time // zero for never
}

// accessToken returns a token that is not the refused one.
func (s *exchangeTokenSource) accessToken(ctx context.Context, refused string) (string, error) {
	if token := s.current(refused); token != "" {
		return token, nil
	}
	return s.exchanges.get(ctx, "", 0, func(ctx context.Context) (string, error) {
		if token := s.current(refused); token != "" {
			return token, nil
		}
		token, err := s.client.exchangeToken(ctx, s.exchange)
		s.mu.Lock()
		defer s.mu.Unlock()
		now := s.client.config.Now()
		switch {
		case err != nil && s.token.value != refused && now.Before(s.token.expiry):
			s.renewAt = s.token.expiry
			return s.token.value, nil
		case err != nil:
			s.token = accessToken{}
			return "", err
		}
		s.token, s.renewAt = token, time.Time{}
		if !token.expiry.IsZero() {
			s.renewAt = token.expiry.Add(-min(expiryDelta, token.expiry.Sub(now)/10))
		}
		return token.value, nil
	})
}

// current returns the token, or an empty string if it is the refused one or must be renewed. Before the first exchange
// both are empty.
func (s *exchangeTokenSource) current(refused string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.value == refused || !s.renewAt.IsZero() && !s.client.config.Now().Before(s.renewAt) {
		return ""
	}
	return s.token.value
}
