package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// exchange is a Pulumi Cloud that exchanges ID tokens, and takes only the tokens that it has granted and not revoked.
type exchange struct {
	*server

	// granted counts the tokens; the latest is the one that is good.
	granted atomic.Int64
	// lifetime is in seconds; 0 leaves it out.
	lifetime int
	// fails answers the exchanges in the place of a grant while it is not nil.
	fails atomic.Pointer[http.HandlerFunc]
	// api answers what carries a good token.
	api http.HandlerFunc
}

func newExchange(t *testing.T) *exchange {
	t.Helper()
	e := &exchange{lifetime: 3600, api: answer(http.StatusOK, emptyList)}
	e.server = newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/oauth/token" {
			if fails := e.fails.Load(); fails != nil {
				(*fails)(w, r)
				return
			}
			grant(e.token(e.granted.Add(1)), fmt.Sprintf(`,"expires_in":%d`, e.lifetime))(w, r)
			return
		}
		if r.Header.Get("Authorization") != "token "+e.token(e.granted.Load()) {
			refuse(http.StatusUnauthorized)(w, r)
			return
		}
		e.api(w, r)
	})
	return e
}

func (e *exchange) token(n int64) string { return fmt.Sprintf("pul-%040x", n) }

// revoke makes the latest token good for nothing.
func (e *exchange) revoke() { e.granted.Add(1) }

func (e *exchange) fail(handler http.HandlerFunc) { e.fails.Store(&handler) }

// client reads lists that are not shared, and writes, with tokens in exchange for an ID token.
func (e *exchange) client(t *testing.T, change ...func(*cloud.Config)) *cloud.Client {
	t.Helper()
	return newClient(t, e.URL, append([]func(*cloud.Config){func(config *cloud.Config) {
		config.AccessToken, config.ListMaxAge = "", 0
		config.Tokens = cloud.NewExchangedTokens(cloud.IDToken(jwt(`{}`)), organizationToken())
	}}, change...)...)
}

func (e *exchange) exchanges() int { return e.count(http.MethodPost, "/api/oauth/token") }

func TestExchangedTokens_lazilyAndOnce(t *testing.T) {
	t.Parallel()
	e := newExchange(t)
	c := e.client(t)
	if n := len(e.requests()); n > 0 {
		t.Fatalf("%d requests before a token is needed", n)
	}
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if _, err := c.AgentPools(t.Context(), "acme"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	e.expectCounts(t, map[string]int{"POST": 1, "GET": 50})
}

func TestExchangedTokens_renewedShortlyBeforeTheyExpire(t *testing.T) {
	t.Parallel()
	for lifetime, margin := range map[time.Duration]time.Duration{time.Hour: time.Minute, time.Minute: 6 * time.Second} {
		clock, e := newClock(), newExchange(t)
		e.lifetime = int(lifetime / time.Second)
		c := e.client(t, func(config *cloud.Config) { config.Now = clock.Now })
		for _, step := range []struct {
			wait      time.Duration
			exchanges int
		}{{0, 1}, {lifetime - margin - 1, 1}, {1, 2}, {lifetime - margin - 1, 2}, {time.Hour, 3}} {
			clock.advance(step.wait)
			if _, err := c.AgentPools(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
			if n := e.exchanges(); n != step.exchanges {
				t.Errorf("a lifetime of %s: %d exchanges, want %d", lifetime, n, step.exchanges)
			}
		}
	}
}

func TestExchangedTokens_usedToTheirEndWhereNoneFollows(t *testing.T) {
	t.Parallel()
	clock, e := newClock(), newExchange(t)
	c := e.client(t, func(config *cloud.Config) { config.Now = clock.Now })
	list := func() error {
		_, err := c.AgentPools(t.Context(), "acme")
		return err
	}
	if err := list(); err != nil {
		t.Fatal(err)
	}
	e.fail(refuse(http.StatusBadRequest))
	clock.advance(time.Hour - 30*time.Second)
	for range 2 {
		if err := list(); err != nil {
			t.Errorf("half a minute before the token expires: %v", err)
		}
	}
	if n := e.exchanges(); n != 2 {
		t.Errorf("%d exchanges, want 2", n)
	}
	clock.advance(30 * time.Second)
	if _, ok := errors.AsType[*cloud.AuthenticationError](list()); !ok {
		t.Error("an expired token was used")
	}
}

func TestExchangedTokens_withoutExpiryAreKept(t *testing.T) {
	t.Parallel()
	clock, e := newClock(), newExchange(t)
	e.lifetime = 0
	c := e.client(t, func(config *cloud.Config) { config.Now = clock.Now })
	for range 3 {
		if _, err := c.AgentPools(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		clock.advance(1000 * time.Hour)
	}
	if n := e.exchanges(); n != 1 {
		t.Errorf("%d exchanges, want 1", n)
	}
}

// Each operation that is told 401 is carried out once, with a new token.
func TestExchangedTokens_renewedWhenRefused(t *testing.T) {
	t.Parallel()
	for _, operation := range operations() {
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			e := newExchange(t)
			c := e.client(t)
			if _, err := c.AgentPools(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
			e.revoke()
			var carriedOut atomic.Int64
			e.api = func(w http.ResponseWriter, r *http.Request) {
				carriedOut.Add(1)
				operation.answer(w, r)
			}
			if err := operation.call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if n := carriedOut.Load(); n != 1 {
				t.Errorf("it was carried out %d times", n)
			}
			if n := e.exchanges(); n != 2 {
				t.Errorf("%d exchanges, want 2", n)
			}
		})
	}
}

func TestExchangedTokens_refusedTogetherRenewedOnce(t *testing.T) {
	t.Parallel()
	e := newExchange(t)
	c := e.client(t)
	if _, err := c.AgentPools(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	e.revoke()
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if _, err := c.AgentPools(t.Context(), "acme"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := e.exchanges(); n != 2 {
		t.Errorf("%d exchanges, want 2", n)
	}
}

// A new token that is refused as well ends it.
func TestExchangedTokens_refusedForEver(t *testing.T) {
	t.Parallel()
	for _, operation := range operations() {
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			e := newExchange(t)
			e.api = refuse(http.StatusUnauthorized)
			err := operation.call(t.Context(), e.client(t))
			var api *cloud.APIError
			if !errors.As(err, &api) || api.StatusCode != http.StatusUnauthorized {
				t.Errorf("got %v, want Pulumi Cloud's 401", err)
			}
			if n := e.exchanges(); n != 2 {
				t.Errorf("%d exchanges, want 2", n)
			}
		})
	}
}

func TestStaticToken_isNotSentAgainWhenRefused(t *testing.T) {
	t.Parallel()
	for _, operation := range operations() {
		s := newServer(t, refuse(http.StatusUnauthorized))
		if err := operation.call(t.Context(), newClient(t, s.URL)); err == nil {
			t.Errorf("%s: no error", operation.name)
		}
		if n := len(s.requests()); n != 1 {
			t.Errorf("%s: %d requests, want 1", operation.name, n)
		}
	}
}

// What is answered to an exchange says nothing about what the token was for: no 404 of it is a missing pool, no 400 a
// missing organization, and no lost answer a create that may have taken effect.
func TestExchangedTokens_failureIsNoNewsOfTheOperation(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"400": refuse(http.StatusBadRequest), "401": refuse(http.StatusUnauthorized), "403": refuse(http.StatusForbidden),
		"404": refuse(http.StatusNotFound), "409": refuse(http.StatusConflict), "500": refuse(http.StatusInternalServerError),
		"HTML":      func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<h1>no</h1>", http.StatusBadGateway) },
		"no answer": drop, "no JSON": answer(http.StatusOK, "hello"),
	} {
		for _, operation := range operations() {
			t.Run(name+" on "+operation.name, func(t *testing.T) {
				t.Parallel()
				e := newExchange(t)
				e.fail(handler)
				err := operation.call(t.Context(), e.client(t))
				if _, ok := errors.AsType[*cloud.AuthenticationError](err); !ok {
					t.Fatalf("got %v, want an AuthenticationError", err)
				}
				for what, is := range map[string]bool{
					"a missing pool":          isA[*cloud.AgentPoolNotFoundError](err),
					"a missing organization":  isA[*cloud.OrganizationNotFoundError](err),
					"a taken name":            isA[*cloud.AgentPoolExistsError](err),
					"an unknown outcome":      isA[*cloud.UnknownOutcomeError](err),
					"a lost token":            isA[*cloud.TokenLostError](err),
					"no default organization": isA[*cloud.NoDefaultOrganizationError](err),
					"an answer":               isA[*cloud.APIError](err),
					"a lost answer":           isA[*cloud.TransportError](err),
				} {
					if is {
						t.Errorf("%v is taken for %s", err, what)
					}
				}
				if n := e.count(operation.method, operation.uri); n > 0 {
					t.Errorf("%d requests without a token", n)
				}
			})
		}
	}
}

func isA[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// A create whose answer was lost stays one, also if the list can't be asked any more for want of a token.
func TestExchangedTokens_failureAfterALostCreate(t *testing.T) {
	t.Parallel()
	e := newExchange(t)
	e.api = func(http.ResponseWriter, *http.Request) {
		e.revoke()
		e.fail(refuse(http.StatusForbidden))
		panic(http.ErrAbortHandler)
	}
	_, err := e.client(t).CreateAgentPool(t.Context(), "acme", "runners", "")
	unknown, ok := errors.AsType[*cloud.UnknownOutcomeError](err)
	if !ok {
		t.Fatalf("got %v, want an unknown outcome", err)
	}
	if !isA[*cloud.AuthenticationError](unknown.LookupErr) || !isA[*cloud.TransportError](unknown.Err) {
		t.Errorf("lost by %v, looked up with %v", unknown.Err, unknown.LookupErr)
	}
}

// Who gives up takes nobody along.
func TestExchangedTokens_interrupted(t *testing.T) {
	t.Parallel()
	e := newExchange(t)
	c := e.client(t)
	ctx, cancel := context.WithCancel(t.Context())
	under := make(chan struct{})
	e.fail(func(w http.ResponseWriter, r *http.Request) {
		close(under)
		hang(w, r)
	})
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := c.AgentPools(ctx, "acme"); !isA[*cloud.AuthenticationError](err) {
			t.Errorf("got %v, want an AuthenticationError", err)
		}
	})
	<-under
	e.fails.Store(nil)
	impatient, giveUp := context.WithCancel(t.Context())
	giveUp()
	if _, err := c.AgentPools(impatient, "acme"); !strings.Contains(fmt.Sprint(err), context.Canceled.Error()) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	group.Go(func() {
		if _, err := c.AgentPools(t.Context(), "acme"); err != nil {
			t.Error(err)
		}
	})
	cancel()
	group.Wait()
	if n := e.exchanges(); n != 2 {
		t.Errorf("%d exchanges, want 2", n)
	}
}

// One failed exchange dooms a list and the reads of all its pools: none of them tries by itself.
func TestExchangedTokens_failureOfASharedList(t *testing.T) {
	t.Parallel()
	e := newExchange(t)
	e.fail(refuse(http.StatusForbidden))
	c := e.client(t, func(config *cloud.Config) { config.ListMaxAge = time.Hour })
	for range 20 {
		if _, err := c.ReadAgentPool(t.Context(), "acme", poolID); !isA[*cloud.AuthenticationError](err) {
			t.Errorf("got %v, want an AuthenticationError", err)
		}
	}
	e.expectCounts(t, map[string]int{"POST": 1})
}
