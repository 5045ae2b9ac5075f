package pulumiapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// describe returns the outcome of a create in a few words.
func describe(err error) string {
	var exists *AgentPoolExistsError
	var lost *TokenLostError
	var unknown *UnknownOutcomeError
	switch {
	case err == nil:
		return "created"
	case errors.As(err, &lost):
		return "token lost " + lost.Pool.ID
	case errors.As(err, &exists) && exists.Reserved:
		return "reserved"
	case errors.As(err, &exists) && exists.Existing != nil:
		return "exists " + exists.Existing.ID
	case errors.As(err, &exists):
		return "exists"
	case errors.As(err, &unknown) && unknown.Candidate != nil:
		return "unknown, candidate " + unknown.Candidate.ID
	case errors.As(err, &unknown) && unknown.LookupErr != nil:
		return "unknown, list failed"
	case errors.As(err, &unknown):
		return "unknown"
	case isA[*OrganizationNotFoundError](err):
		return "no organization"
	}
	return "failed"
}

func create(ctx context.Context, c *Client) error {
	created, err := c.CreateAgentPool(ctx, "acme", "runners", "ours")
	if want := (CreatedAgentPool{ID: poolID, Token: poolToken}); err == nil && created != want {
		return fmt.Errorf("got %v, want %v", created, want)
	}
	return err
}

func expectOutcome(t *testing.T, err error, want string) {
	t.Helper()
	if got := describe(err); got != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}

func TestCreateAgentPool_failures(t *testing.T) {
	t.Parallel()
	withID := func(id string) http.HandlerFunc { return respond(200, `{"id":"`+id+`","tokenValue":"`+poolToken+`"}`) }
	for name, test := range map[string]struct {
		failure http.HandlerFunc
		want    string // empty for an ambiguous failure, after which the list decides
		creates int
	}{
		"400":            {refuse(400), "failed", 1},
		"401":            {refuse(401), "failed", 1},
		"403":            {refuse(403), "failed", 1},
		"404":            {refuse(404), "no organization", 1},
		"422":            {refuse(422), "failed", 1},
		"redirect":       {withHeader("Location", "/x", respond(302, "")), "failed", 1},
		"407 from proxy": {respondHTML(407), "failed", 1},
		"429":            {refuse(429), "created", 2},
		"429 from proxy": {respondHTML(429), "created", 2},
		"no end":         {truncate(createdPool), "created", 1},

		"101":               {failure: switchProtocols},
		"401 from proxy":    {failure: respondHTML(401)},
		"403 from proxy":    {failure: respondHTML(403)},
		"404 from proxy":    {failure: respondHTML(404)},
		"409 from proxy":    {failure: respondHTML(409)},
		"409 in other JSON": {failure: respond(409, `{"error":"conflict"}`)},
		"408":               {failure: refuse(408)},
		"500":               {failure: refuse(500)},
		"501":               {failure: refuse(501)},
		"502 from proxy":    {failure: respondHTML(502)},
		"503":               {failure: refuse(503)},
		"504":               {failure: refuse(504)},
		"dropped":           {failure: drop},
		"truncated":         {failure: truncate(createdPool[:60])},
		"truncated JSON":    {failure: respond(200, createdPool[:60])},
		"two JSON values":   {failure: respond(200, createdPool+createdPool)},
		"HTML":              {failure: respondHTML(200)},
		"no body":           {failure: respond(200, "")},
		"204":               {failure: respond(204, "")},
		"201":               {failure: respond(201, createdPool)},
		"no token":          {failure: respond(200, `{"id":"`+poolID+`"}`)},
		"mistyped token":    {failure: respond(200, `{"id":"`+poolID+`","tokenValue":7}`)},
		"no ID":             {failure: withID("")},
		"terminal escape":   {failure: withID(`\u001b[2J`)},
		"option":            {failure: withID("-x")},
		"endless ID":        {failure: withID(strings.Repeat("a", 101))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := newClock().Now()
			s := newServer(t, handlers{
				"create": sequence(test.failure, respond(200, createdPool)), "list": respondList(now),
			})
			err := create(t.Context(), newClient(t, s))
			if test.want != "" {
				expectOutcome(t, err, test.want)
				s.expectCounts(t, fmt.Sprint("create:", test.creates))
				return
			}
			expectOutcome(t, err, "created")
			s.expectCounts(t, "create:2 list:1")
			s = newServer(t, handlers{
				"create": test.failure, "list": respondList(now, poolJSON(poolID, "runners", "ours", now.Unix())),
			})
			expectOutcome(t, create(t.Context(), newClient(t, s)), "token lost "+poolID)
			s.expectCounts(t, "create:1 list:1")
		})
	}
}

func TestCreateAgentPool_reconcile(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	const hour = time.Hour
	ours := func(at time.Time) string { return poolJSON(poolID, "runners", "ours", at.Unix()) }
	noDate := func(pools ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Date"] = nil
			respond(200, `{"agentPools":[`+strings.Join(pools, ",")+`]}`)(w, r)
		}
	}
	const lost, exists, candidate = "token lost " + poolID, "exists " + poolID, "unknown, candidate " + poolID
	for name, test := range map[string]struct {
		list http.HandlerFunc
		want string
	}{
		"created":                     {respondList(now, ours(now)), lost},
		"created, milliseconds":       {respondList(now, poolJSON(poolID, "runners", "ours", now.UnixMilli())), lost},
		"created, trimmed":            {respondList(now, poolJSON(poolID, "runners", " ours ", now.Unix())), lost},
		"created, clock 1h ahead":     {respondList(now.Add(hour), ours(now.Add(hour))), lost},
		"created, clock 1h behind":    {respondList(now.Add(-hour), ours(now.Add(-hour))), lost},
		"created a second early":      {respondList(now, ours(now.Add(-time.Second))), lost},
		"existed":                     {respondList(now, ours(now.Add(-time.Minute))), exists},
		"existed, clock 1h ahead":     {respondList(now.Add(hour), ours(now.Add(hour-time.Minute))), exists},
		"existed, clock 1h behind":    {respondList(now.Add(-hour), ours(now.Add(-hour-time.Minute))), exists},
		"clock 1h ahead, created now": {respondList(now.Add(hour), ours(now)), exists},
		"created in the future":       {respondList(now, ours(now.Add(hour))), exists},
		"different description":       {respondList(now, poolJSON(poolID, "runners", "theirs", now.Unix())), exists},
		"no creation time":            {respondList(now, ours(time.Unix(0, 0))), candidate},
		"two created":                 {respondList(now, ours(now), poolJSON("x", "runners", "ours", now.Unix())), candidate},
		"created and unclear":         {respondList(now, ours(now), poolJSON("x", "runners", "ours", 0)), candidate},
		"created and existed":         {respondList(now, poolJSON("x", "runners", "theirs", 1), ours(now)), lost},
		"no date":                     {noDate(ours(now)), candidate},
		"no date, existed":            {noDate(ours(now.Add(-hour))), candidate},
		"no date, description":        {noDate(poolJSON(poolID, "runners", "theirs", 1)), exists},
		"list refused":                {refuse(403), "unknown, list failed"},
		"list fails":                  {refuse(500), "unknown, list failed"},
		"list invalid":                {respondHTML(200), "unknown, list failed"},
		"further pages":               {withHeader("Link", `</x>; rel="next"`, respondList(now)), "unknown, list failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, handlers{"create": drop, "list": test.list})
			err := create(t.Context(), newClient(t, s))
			expectOutcome(t, err, test.want)
			if !isA[*TransportError](err) || s.count("create") != 1 {
				t.Errorf("got %v after %d requests, want one, and why its response was lost", err, s.count("create"))
			}
		})
	}
}

// TestCreateAgentPool_windowStartsWithAmbiguousAttempt proves that an agent pool that a different run created while this
// one waited for a rate limit is not taken for ours.
func TestCreateAgentPool_windowStartsWithAmbiguousAttempt(t *testing.T) {
	t.Parallel()
	virtual := newClock()
	theirs := poolJSON(poolID, "runners", "ours", virtual.Now().Add(30*time.Second).Unix())
	s := newServer(t, handlers{
		"create": sequence(withHeader("Retry-After", "60", refuse(429)), refuse(503)),
		"list":   func(w http.ResponseWriter, r *http.Request) { respondList(virtual.Now(), theirs)(w, r) },
	})
	expectOutcome(t, create(t.Context(), newClient(t, s, withClock(virtual))), "exists "+poolID)
	s.expectCounts(t, "create:2 list:1")
}

func TestCreateAgentPool_knownID(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	for name, test := range map[string]struct {
		create http.HandlerFunc
		pool   string // before and after the create
		want   string
	}{
		"in the response": {respond(200, createdPool), poolJSON(strings.ToUpper(poolID), "others", "", 1), "created"},
		"in the list":     {drop, poolJSON(poolID, "runners", "ours", now.Unix()), "exists " + poolID},
	} {
		s := newServer(t, handlers{
			"create": sequence(test.create, respond(200, strings.Replace(createdPool, poolID, "new", 1))),
			"list":   respondList(now, test.pool),
		})
		c := newClient(t, s)
		if _, err := c.AgentPools(t.Context(), "ACME"); err != nil {
			t.Fatal(err)
		}
		created, err := c.CreateAgentPool(t.Context(), "acme", "runners", "ours")
		if got := describe(err); got != test.want || err == nil && created.ID != "new" {
			t.Errorf("%s: got %s, %v, want %s", name, got, created, test.want)
		}
	}
}

func TestCreateAgentPool_conflict(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	empty, ours := respondList(now), respondList(now, poolJSON(poolID, "runners", "ours", now.Unix()))
	taken := respondList(now, poolJSON("x", "others", "", 1), poolJSON(poolID, "runners", "", 1))
	two := respondList(now, poolJSON("x", "runners", "", 1), poolJSON("y", "runners", "", 1))
	conflict, created := refuse(409), respond(200, createdPool)
	for name, test := range map[string]struct {
		create, list http.HandlerFunc
		want         string
		creates      int
	}{
		"existing":           {conflict, taken, "exists " + poolID, 1},
		"just created":       {conflict, ours, "exists " + poolID, 1},
		"two existing":       {conflict, two, "exists", 1},
		"list refused":       {conflict, refuse(403), "exists", 1},
		"further pages":      {conflict, withHeader("Link", `rel="next"`, empty), "exists", 1},
		"name freed":         {sequence(conflict, conflict, created), empty, "created", 3},
		"name reserved":      {conflict, empty, "reserved", 3},
		"freed, then lost":   {sequence(conflict, drop, created), empty, "created", 3},
		"lost, shows":        {sequence(drop, conflict), sequence(empty, ours), "token lost " + poolID, 2},
		"lost, shows late":   {sequence(drop, conflict), sequence(empty, empty, ours), "token lost " + poolID, 3},
		"lost, shows last":   {sequence(drop, conflict), sequence(empty, empty, empty, empty, ours), "token lost " + poolID, 3},
		"lost, never shows":  {sequence(drop, conflict), empty, "unknown", 3},
		"lost, list refused": {sequence(drop, conflict), sequence(empty, refuse(403)), "unknown, list failed", 2},
	} {
		s := newServer(t, handlers{"create": test.create, "list": test.list})
		if got := describe(create(t.Context(), newClient(t, s))); got != test.want || s.count("create") != test.creates {
			t.Errorf("%s: got %s after %d creates, want %s after %d", name, got, s.count("create"), test.want, test.creates)
		}
	}
}

// Two creates cannot have the same response, as they would after a response that a proxy sent twice.
func TestCreateAgentPool_repeatedResponse(t *testing.T) {
	t.Parallel()
	created, next := respond(200, createdPool), respond(200, strings.Replace(createdPool, poolID, "new", 1))
	s := newServer(t, handlers{"create": sequence(created, created, next), "list": respondList(newClock().Now())})
	c := newClient(t, s)
	for i, want := range []string{poolID, "new"} {
		if got, err := c.CreateAgentPool(t.Context(), "acme", "runners", ""); got.ID != want || err != nil {
			t.Errorf("create %d: got %s, %v, want %s", i, got.ID, err, want)
		}
	}
	s.expectCounts(t, "create:3 list:1")
}

// A create waits as long as the response asks, but not for more than five minutes.
func TestCreateAgentPool_retryAfter(t *testing.T) {
	t.Parallel()
	for seconds, creates := range map[int]int{30: 2, 300: 2, 301: 1} {
		for status, failure := range map[int]string{503: "unknown", 409: "reserved"} {
			limited := withHeader("Retry-After", fmt.Sprint(seconds), refuse(status))
			s := newServer(t, handlers{
				"create": sequence(limited, respond(200, createdPool)), "list": respondList(newClock().Now()),
			})
			virtual := newClock()
			got := describe(create(t.Context(), newClient(t, s, withClock(virtual))))
			waited, want := virtual.Now().Sub(newClock().Now()), "created"
			if creates == 1 {
				want = failure
			}
			if got != want || s.count("create") != creates || (waited >= 30*time.Second) != (creates == 2) {
				t.Errorf("%d, %d s: got %s after %d creates and %s", status, seconds, got, s.count("create"), waited)
			}
		}
	}
}

func TestCreateAgentPool_canceledAfterConflict(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, handlers{"create": refuse(409), "list": respondList(newClock().Now())})
	c := newClient(t, s, func(config *Config) {
		config.Sleep = func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }
	})
	if err := create(ctx, c); !errors.Is(err, context.Canceled) || isA[*AgentPoolExistsError](err) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// Without retries, a create waits only the moment that the list may need.
func TestCreateAgentPool_noRetries(t *testing.T) {
	t.Parallel()
	s := newServer(t, handlers{"create": withHeader("Retry-After", "300", refuse(503)), "list": respondList(newClock().Now())})
	virtual := newClock()
	c := newClient(t, s, withClock(virtual), func(config *Config) { config.MaxRetries = 0 })
	got := describe(create(t.Context(), c))
	if waited := virtual.Now().Sub(newClock().Now()); got != "unknown" || waited > 2*time.Second {
		t.Errorf("got %s after %s", got, waited)
	}
}

// TestCreateAgentPool_retryNotSent covers retries of a lost create that fail before they are sent.
func TestCreateAgentPool_retryNotSent(t *testing.T) {
	t.Parallel()
	virtual := newClock()
	expires := func(w http.ResponseWriter, r *http.Request) {
		virtual.advance(3 * time.Hour)
		respondList(virtual.Now())(w, r)
	}
	token := respond(200, `{"access_token":"`+testToken+`","expires_in":7200}`)
	s := newServer(t, handlers{"create": drop, "list": expires, "token": sequence(token, refuse(403))})
	c := newClient(t, s, withClock(virtual), func(config *Config) { config.Exchange = exchangeFor(testIDToken) })
	err := create(t.Context(), c)
	if describe(err) != "unknown, list failed" || !isA[*AuthenticationError](err) {
		t.Errorf("the token expires: got %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	limited := func(w http.ResponseWriter, r *http.Request) {
		virtual.advance(time.Hour)
		c.throttle.recordRateLimit(virtual.Now(), time.Minute)
		respondList(virtual.Now())(w, r)
	}
	s = newServer(t, handlers{"create": drop, "list": http.HandlerFunc(limited)})
	c = newClient(t, s, withClock(virtual), func(config *Config) {
		config.GracePeriod = 10 * time.Millisecond
		config.Sleep = func(ctx context.Context, wait time.Duration) error {
			if wait > 30*time.Second { // It waits for the rate limit.
				cancel()
			}
			return virtual.Sleep(ctx, wait)
		}
	})
	if err := create(ctx, c); describe(err) != "unknown" || !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v", err)
	}
}

func TestCreateAgentPool_maxRetries(t *testing.T) {
	t.Parallel()
	for maxRetries := range 4 {
		for name, test := range map[string]struct {
			create  http.HandlerFunc
			creates int
		}{
			"lost":          {drop, maxRetries + 1},
			"name reserved": {refuse(409), maxRetries + 1},
			"rate limited":  {sequence(slices.Repeat([]http.Handler{refuse(429), drop}, 4)...), 2*maxRetries + 2},
		} {
			if maxRetries == 0 && name == "rate limited" {
				continue // 0 disables the waits for a rate limit too.
			}
			s := newServer(t, handlers{"create": test.create, "list": respond(200, emptyList)})
			c := newClient(t, s, func(config *Config) { config.MaxRetries = maxRetries })
			if err := create(t.Context(), c); err == nil || s.count("create") != test.creates {
				t.Errorf("%s, %d retries: got %v after %d creates, want %d", name, maxRetries, err, s.count("create"), test.creates)
			}
		}
	}
}

func TestCreateAgentPool_refusedAfterLostResponse(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 404, 400} {
		s := newServer(t, handlers{"create": sequence(drop, refuse(status)), "list": respond(200, emptyList)})
		err := create(t.Context(), newClient(t, s))
		expectOutcome(t, err, "unknown")
		if !isA[*TransportError](err) || expectError[*APIError](t, err).StatusCode != status {
			t.Errorf("got %v, want both failures", err)
		}
		s.expectCounts(t, "create:2 list:2")
	}
}

func TestCreateAgentPool_canceled(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	shows := respondList(now, poolJSON(poolID, "runners", "ours", now.Unix()))
	for name, test := range map[string]struct {
		create      func(cancel context.CancelFunc) http.HandlerFunc
		list        func(cancel context.CancelFunc) http.HandlerFunc
		gracePeriod time.Duration
		want        string
	}{
		"response arrives": {after(respond(200, createdPool)), always(refuse(500)), 0, "created"},
		"dropped":          {after(drop), always(sequence(respondList(now), shows)), 0, "token lost " + poolID},
		"no response":      {after(hang), always(shows), 4 * time.Second, "token lost " + poolID},
		"list refused":     {after(drop), always(refuse(403)), 0, "unknown, list failed"},
		"never shows":      {after(drop), always(respondList(now)), 2 * time.Second, "unknown"},
		"while listing":    {always(drop), after(shows), 0, "token lost " + poolID},
		"not ambiguous":    {after(refuse(429)), always(shows), 0, "failed"},
		"conflict":         {after(refuse(409)), always(respondList(now)), 0, "exists"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := newServer(t, handlers{"create": test.create(cancel), "list": test.list(cancel)})
			c := newClient(t, s, func(config *Config) {
				config.GracePeriod = cmp.Or(test.gracePeriod, config.GracePeriod)
				config.Sleep, config.RetryWaitMin, config.RetryWaitMax = sleep, 10*time.Millisecond, 10*time.Millisecond
			})
			expectOutcome(t, create(ctx, c), test.want)
			if got := s.count("create"); got != 1 {
				t.Errorf("got %d creates, want 1", got)
			}
		})
	}
}

// after returns a handler that cancels before it responds.
func after(handler http.HandlerFunc) func(context.CancelFunc) http.HandlerFunc {
	return func(cancel context.CancelFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			cancel()
			handler(w, r)
		}
	}
}

func always(handler http.HandlerFunc) func(context.CancelFunc) http.HandlerFunc {
	return func(context.CancelFunc) http.HandlerFunc { return handler }
}

func TestCreateAgentPool_canceledWhileWaiting(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	s := newServer(t, handlers{"create": drop, "list": respondList(now, poolJSON(poolID, "runners", "ours", now.Unix()))})
	ctx, cancel := context.WithCancel(t.Context())
	c := newClient(t, s, func(config *Config) {
		config.Sleep = func(ctx context.Context, _ time.Duration) error { cancel(); return sleep(ctx, time.Hour) }
	})
	expectOutcome(t, create(ctx, c), "token lost "+poolID)
	if err := create(ctx, c); describe(err) != "failed" || !errors.Is(err, context.Canceled) {
		t.Errorf("canceled before it is sent: got %v", err)
	}
	s.expectCounts(t, "create:1 list:1")
}

func BenchmarkCreateAgentPool(b *testing.B) {
	var created atomic.Int64
	c := newClient(b, newServer(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		respond(200, strings.Replace(createdPool, poolID, fmt.Sprint(created.Add(1)), 1))(w, r)
	})))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.CreateAgentPool(b.Context(), "acme", "runners", ""); err != nil {
			b.Fatal(err)
		}
	}
}
