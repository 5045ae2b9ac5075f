package cloud

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slowlyFailing is a source without ID tokens that takes its time to say so.
type slowlyFailing struct {
	asked int
	err   error
}

func (s *slowlyFailing) idToken(context.Context, *Client, string) (string, error) {
	s.asked++
	<-time.After(time.Second) // of the bubble's clock
	return "", s.err
}

// Those that wait for an exchange share its failure, so that it isn't repeated once for each of them; those that come
// later try again.
func TestExchangedTokens_failureIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &slowlyFailing{err: &IDTokenError{Source: "nowhere", Err: errors.New("none")}}
		tokens := NewExchangedTokens(source, TokenExchange{Organization: "acme", TokenType: OrganizationToken})
		c := New(Config{Tokens: tokens})
		for round := 1; round <= 2; round++ {
			var group sync.WaitGroup
			for range 20 {
				group.Go(func() {
					if _, err := tokens.accessToken(t.Context(), c, ""); !errors.Is(err, source.err) {
						t.Errorf("got %v, want the source's error", err)
					}
				})
			}
			group.Wait()
			if source.asked != round {
				t.Errorf("in round %d: asked %d times, want once in each", round, source.asked)
			}
		}
	})
}
