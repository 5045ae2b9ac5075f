package pulumiapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// idToken returns an ID token with the claims. Its signature is not valid.
func idToken(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"ES256"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte("the signature"))
}

// exchangeFor exchanges the ID token for a token of the organization acme.
func exchangeFor(token string) *TokenExchange {
	return &TokenExchange{
		Organization: "acme", TokenType: "organization",
		IDToken: func(context.Context, string) (string, error) { return token, nil },
	}
}

// issuer is a Pulumi Cloud that exchanges ID tokens and accepts only the latest token.
type issuer struct {
	*server

	issued   atomic.Int64
	lifetime int // in seconds
	// failure responds to exchanges while it is not nil, api to requests with the latest token.
	failure atomic.Pointer[http.HandlerFunc]
	api     http.HandlerFunc
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{lifetime: 3600, api: respond(200, emptyList)}
	i.server = newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		failure := i.failure.Load()
		switch {
		case route(r) == "token" && failure != nil:
			(*failure)(w, r)
		case route(r) == "token":
			i.issue(w, r)
		case r.Header.Get("Authorization") != fmt.Sprintf("token pul-%040x", i.issued.Load()):
			refuse(401)(w, r)
		default:
			i.api(w, r)
		}
	}))
	return i
}

func (i *issuer) issue(w http.ResponseWriter, r *http.Request) {
	respond(200, fmt.Sprintf(`{"access_token":"pul-%040x","expires_in":%d}`, i.issued.Add(1), i.lifetime))(w, r)
}

func (i *issuer) revoke() { i.issued.Add(1) }

func (i *issuer) fail(handler http.HandlerFunc) { i.failure.Store(&handler) }

func (i *issuer) client(t *testing.T, change ...func(*Config)) *Client {
	t.Helper()
	return newClient(t, i.server, append([]func(*Config){func(config *Config) {
		config.AccessToken, config.Exchange = "", exchangeFor(testIDToken)
	}}, change...)...)
}

func refresh(ctx context.Context, c *Client) error {
	_, err := c.RefreshAgentPools(ctx, "acme")
	return err
}

func TestTokenExchange_request(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		exchange TokenExchange
		optional map[string]any // fields
	}{
		"organization": {TokenExchange{TokenType: "organization"}, nil},
		"admin":        {TokenExchange{TokenType: "organization", Scope: "admin"}, map[string]any{"scope": "admin"}},
		"team": {
			TokenExchange{TokenType: "team", Scope: "team:infra", Expiration: time.Hour},
			map[string]any{"scope": "team:infra", "expiration": 3600.0},
		},
		"personal": {
			TokenExchange{TokenType: "personal", Scope: "user:ada", Expiration: time.Millisecond},
			map[string]any{"scope": "user:ada", "expiration": 1.0},
		},
	} {
		i := newIssuer(t)
		test.exchange.Organization = "acme"
		test.exchange.IDToken = func(_ context.Context, audience string) (string, error) { return idToken(audience), nil }
		if err := refresh(t.Context(), i.client(t, func(config *Config) { config.Exchange = &test.exchange })); err != nil {
			t.Fatal(err)
		}
		got := i.recorded()[0]
		var body map[string]any
		if err := json.Unmarshal([]byte(got.body), &body); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": "urn:pulumi:org:acme",
			"subject_token": idToken("urn:pulumi:org:acme"), "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
			"requested_token_type": "urn:pulumi:token-type:access_token:" + test.exchange.TokenType,
		}
		maps.Copy(want, test.optional)
		if diff := cmp.Diff(want, body); diff != "" || got.method != http.MethodPost || got.uri != "/api/oauth/token" ||
			got.header.Get("Authorization") != "" || got.header.Get("User-Agent") == "" {
			t.Errorf("%s: got %+v (-want +got):\n%s", name, got, diff)
		}
	}
}

func TestTokenExchange_lifetime(t *testing.T) {
	t.Parallel()
	virtual := newClock()
	for fields, want := range map[string]time.Duration{
		`"expires_in":7200`: 2 * time.Hour,
		`"expires_in":90,"token_type":"token","scope":"admin","issued_token_type":"x","refresh_token":"y","new":{}`: 90 * time.Second,
		`"expires_in":0`:                   0,
		`"expires_in":-5`:                  0,
		`"expires_in":null`:                0,
		`"expires_in":9223372036854775807`: 0,
		`"token_type":"Bearer"`:            0,
	} {
		c := newClient(t, newServer(t, respond(200, `{"access_token":"`+testToken+`",`+fields+`}`)), withClock(virtual))
		got, err := c.exchangeToken(t.Context(), *exchangeFor(testIDToken))
		if got.expiry.IsZero() {
			got.expiry = virtual.Now()
		}
		if err != nil || got.value != testToken || got.expiry.Sub(virtual.Now()) != want {
			t.Errorf("%s: expires at %s, %v, want %s", fields, got.expiry, err, want)
		}
	}
}

func TestTokenExchange_refused(t *testing.T) {
	t.Parallel()
	const oauth = `{"error":"invalid_grant","error_description":"no policy: \u001b[2J"}`
	for claims, want := range map[string]string{ // issuer, subject and audiences
		`{"iss":"https://issuer.example","sub":"repo:acme/infra","aud":"x"}`: "https://issuer.example repo:acme/infra [x]",
		`{"iss":"i","sub":"job","aud":["x","urn:pulumi:org:acme"]}`:          "i job [x urn:pulumi:org:acme]",
		`{"iss":"i"}`:                      "i  []",
		`{"iss":"i","aud":null}`:           "i  []",
		`{"iss":"i","aud":{"a":1}}`:        "i  []",
		`[]`:                               "  []",
		`{"iss":"\u001b[2J","sub":"a\nb"}`: "�[2J a b []",
		`{"sub":"` + poolToken + `"}`:      " (redacted) []",
	} {
		for _, status := range []int{400, 401, 403} {
			for isOAuth, failure := range map[bool]http.HandlerFunc{false: refuse(status), true: respond(status, oauth)} {
				s := newServer(t, failure)
				_, err := newClient(t, s).exchangeToken(t.Context(), *exchangeFor(idToken(claims)))
				refused, api := expectError[*ExchangeRefusedError](t, err), expectError[*APIError](t, err)
				text := fmt.Sprint(refused.Issuer, " ", refused.Subject, " ", refused.Audiences)
				if text != want || !api.IsAPIResponse || api.StatusCode != status {
					t.Errorf("%s: got %s, want %s, of %+v", claims, text, want, api)
				}
				if isOAuth && !strings.HasSuffix(err.Error(), " invalid_grant: no policy: �[2J") {
					t.Errorf("got %v, want both texts", err)
				}
				s.expectCounts(t, "token:1")
			}
		}
	}
}

func TestTokenExchange_otherFailures(t *testing.T) {
	t.Parallel()
	const oauth = `{"error":"server_error","error_description":"try later"}`
	issued := respond(200, `{"access_token":"x"}`)
	for name, test := range map[string]struct {
		handler  http.HandlerFunc
		want     string // kind of error
		requests int
	}{
		"404 in plain text":  {http.NotFound, "APIError", 1},
		"403 from proxy":     {respondHTML(403), "APIError", 1},
		"500":                {refuse(500), "APIError", 3},
		"503 of OAuth":       {respond(503, oauth), "APIError", 3},
		"dropped":            {drop, "TransportError", 3},
		"HTML":               {respondHTML(200), "ResponseError", 1},
		"no token":           {respond(200, `{"expires_in":1}`), "ResponseError", 1},
		"mistyped lifetime":  {respond(200, `{"access_token":"x","expires_in":"soon"}`), "ResponseError", 1},
		"503, then a token":  {sequence(respond(503, oauth), issued), "", 2},
		"lost, then a token": {sequence(drop, issued), "", 2},
		"429, then a token":  {sequence(respondHTML(429), issued), "", 2},
	} {
		s := newServer(t, test.handler)
		_, err := newClient(t, s).exchangeToken(t.Context(), *exchangeFor(testIDToken))
		if kind(err) != test.want || name == "503 of OAuth" && !strings.HasSuffix(err.Error(), "server_error: try later") {
			t.Errorf("%s: got %v, want a %s", name, err, test.want)
		}
		s.expectCounts(t, fmt.Sprint("token:", test.requests))
	}
	cause := errors.New("no file " + poolToken)
	exchange := TokenExchange{IDToken: func(context.Context, string) (string, error) { return "", cause }}
	_, err := newClient(t, nil).exchangeToken(t.Context(), exchange)
	if !errors.Is(err, cause) || err.Error() != "no file (redacted)" {
		t.Errorf("no ID token: got %v", err)
	}
}

func TestTokenSource_shares(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	c := i.client(t)
	for want := 1; want <= 2; want++ {
		inParallel(50, 50, func(int) {
			if err := refresh(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
		if got := i.count("token"); got != want {
			t.Errorf("got %d exchanges, want %d", got, want)
		}
		i.revoke() // All requests are refused together, and one exchange renews the token.
	}
}

func TestTokenSource_expiry(t *testing.T) {
	t.Parallel()
	for lifetime, delta := range map[time.Duration]time.Duration{time.Hour: time.Minute, time.Minute: 6 * time.Second, 0: 0} {
		virtual, i := newClock(), newIssuer(t)
		i.lifetime = int(lifetime / time.Second)
		c := i.client(t, withClock(virtual))
		expect := func(want int) {
			t.Helper()
			if err := refresh(t.Context(), c); err != nil || i.count("token") != want {
				t.Errorf("lifetime %s: got %v after %d exchanges, want %d", lifetime, err, i.count("token"), want)
			}
		}
		expect(1)
		if lifetime == 0 {
			virtual.advance(1000 * time.Hour)
			expect(1)
			continue
		}
		virtual.advance(lifetime - delta - 1)
		expect(1)
		virtual.advance(1)
		expect(2)
		// If the renewal fails, the token is used until it expires.
		i.fail(refuse(400))
		virtual.advance(lifetime - delta)
		expect(3)
		expect(3)
		virtual.advance(delta)
		if err := refresh(t.Context(), c); kind(err) != "AuthenticationError" {
			t.Errorf("lifetime %s: got %v after the expiry", lifetime, err)
		}
	}
}

// TestTokenSource_renewsRefusedToken proves that each operation is sent again once with a new token.
func TestTokenSource_renewsRefusedToken(t *testing.T) {
	t.Parallel()
	for _, operation := range testOperations {
		i := newIssuer(t)
		c := i.client(t)
		if err := refresh(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		i.revoke()
		i.api = operation.success
		if err := operation.call(t.Context(), c); err != nil || i.count("token") != 2 {
			t.Errorf("%s: got %v after %d exchanges, want 2", operation.name, err, i.count("token"))
		}
		before := i.count(operation.name)
		i.api = refuse(401)
		c.defaultOrganization.invalidate("")
		err := operation.call(t.Context(), c)
		if n := i.count(operation.name) - before; !hasStatus(err, 401) || n != 2 || i.count("token") != 3 {
			t.Errorf("%s, refused again: got %v after %d requests and %d exchanges", operation.name, err, n, i.count("token"))
		}
	}
}

// TestTokenSource_renewsOncePerCreate proves that the 401 of a proxy, after which a create may have taken effect, does
// not repeat it, and that a create renews the token only once.
func TestTokenSource_renewsOncePerCreate(t *testing.T) {
	t.Parallel()
	s := newServer(t, handlers{
		"token":  sequence(respond(200, `{"access_token":"first"}`), respond(200, `{"access_token":"second"}`)),
		"create": sequence(respondHTML(401), refuse(401), drop, refuse(401)), "list": respond(200, emptyList),
	})
	c := newClient(t, s, func(config *Config) { config.Exchange, config.MaxRetries = exchangeFor(testIDToken), 4 })
	expectOutcome(t, create(t.Context(), c), "unknown")
	s.expectCounts(t, "create:4 list:3 token:2")
}

// TestTokenSource_failure proves that a failed exchange does not look like a response to the operation, and that the
// operation is not sent.
func TestTokenSource_failure(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"400": refuse(400), "401": refuse(401), "403": refuse(403), "404": refuse(404), "409": refuse(409), "500": refuse(500),
		"HTML": respondHTML(502), "dropped": drop, "no JSON": respond(200, "hello"),
	} {
		for _, operation := range testOperations {
			i := newIssuer(t)
			i.fail(handler)
			err := operation.call(t.Context(), i.client(t))
			if kind(err) != "AuthenticationError" || errors.Unwrap(err) != nil || i.count(operation.name) > 0 {
				t.Errorf("%s, %s: got %v (%T) after %d requests", name, operation.name, err, err, i.count(operation.name))
			}
		}
	}
	i := newIssuer(t)
	i.fail(refuse(403))
	c := i.client(t)
	for range 20 {
		if _, err := c.ReadAgentPool(t.Context(), "acme", poolID); kind(err) != "AuthenticationError" {
			t.Errorf("got %v", err)
		}
	}
	i.expectCounts(t, "token:1") // The list and all reads share the failure.
}

func TestTokenSource_failureAfterLostCreate(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	i.api = func(w http.ResponseWriter, r *http.Request) {
		i.revoke()
		i.fail(refuse(403))
		drop(w, r)
	}
	unknown := expectError[*UnknownOutcomeError](t, create(t.Context(), i.client(t)))
	if !isA[*AuthenticationError](unknown.LookupErr) || !isA[*TransportError](unknown.Err) {
		t.Errorf("lost by %v, looked up with %v", unknown.Err, unknown.LookupErr)
	}
}

func TestTokenSource_canceled(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	c := i.client(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	i.fail(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		i.issue(w, r)
	})
	ctx, cancel := context.WithCancel(t.Context())
	var canceled, other sync.WaitGroup
	canceled.Go(func() {
		if err := refresh(ctx, c); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
	<-arrived
	other.Go(func() {
		if err := refresh(t.Context(), c); err != nil {
			t.Errorf("a different caller: got %v", err)
		}
	})
	for waiting := 0; waiting < 2; runtime.Gosched() {
		c.accessTokens.mu.Lock()
		waiting = c.accessTokens.byKey[""].waiting
		c.accessTokens.mu.Unlock()
	}
	cancel()
	canceled.Wait()
	close(release)
	other.Wait()
	i.expectCounts(t, "list:1 token:1")
}
