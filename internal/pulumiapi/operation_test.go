package pulumiapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOperation_retriesIdempotentRequests(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failure http.HandlerFunc
		retried bool
	}{
		"429":            {refuse(429), true},
		"429 from proxy": {respondHTML(429), true},
		"408":            {refuse(408), true},
		"500":            {refuse(500), true},
		"502 from proxy": {respondHTML(502), true},
		"503":            {refuse(503), true},
		"dropped":        {drop, true},
		"truncated":      {truncate(`{"agentPools":[`), true},
		"400":            {refuse(400), false},
		"401":            {refuse(401), false},
		"402":            {refuse(402), false},
		"403":            {refuse(403), false},
		"404":            {refuse(404), false},
		"404 from proxy": {respondHTML(404), false},
		"407 from proxy": {respondHTML(407), false},
		"409":            {refuse(409), false},
		"501":            {refuse(501), false},
		"200 from proxy": {respondHTML(200), false},
		"202":            {respond(202, "{}"), false},
	} {
		for _, operation := range testOperations {
			if operation.name == "create" {
				continue
			}
			t.Run(name+" "+operation.name, func(t *testing.T) {
				t.Parallel()
				s := newServer(t, handlers{operation.name: sequence(test.failure, test.failure, operation.success)})
				err := operation.call(t.Context(), newClient(t, s))
				want := 1
				if test.retried {
					want = 3
				}
				// Without a default organization, Pulumi Cloud responds with 400, older versions with 404.
				success := test.retried || operation.name == "default" && (name == "400" || name == "404")
				if got := s.count(operation.name); got != want || (err == nil) != success {
					t.Errorf("got %v after %d requests, want success: %t after %d", err, got, success, want)
				}
			})
		}
	}
}

func TestOperation_retriesTruncatedJSON(t *testing.T) {
	t.Parallel()
	s := newServer(t, sequence(respond(200, poolDetail[:40]), respond(200, poolDetail)))
	if _, _, err := newClient(t, s).GetAgentPool(t.Context(), "acme", poolID); err != nil {
		t.Error(err)
	}
	s = newServer(t, respond(200, poolDetail[:40]))
	_, _, err := newClient(t, s).GetAgentPool(t.Context(), "acme", poolID)
	if got := expectError[*ResponseError](t, err); got.Reason != "is incomplete JSON (40 bytes)" {
		t.Errorf("got %v", got)
	}
	s.expectCounts(t, "get:3")
}

func TestOperation_maxRetries(t *testing.T) {
	t.Parallel()
	for _, maxRetries := range []int{0, 1, 4} {
		s := newServer(t, refuse(503))
		c := newClient(t, s, func(config *Config) { config.MaxRetries = maxRetries })
		_, _, err := c.GetAgentPool(t.Context(), "acme", poolID)
		if got := expectError[*APIError](t, err); got.Attempts != maxRetries+1 || !hasStatus(err, 503) {
			t.Errorf("got %+v, want a 503 after %d attempts", got, maxRetries+1)
		}
		s.expectCounts(t, fmt.Sprint("get:", maxRetries+1))
	}
}

func TestOperation_rateLimitBudget(t *testing.T) {
	t.Parallel()
	for maxRetries, forever := range map[int]bool{0: false, 1: true} {
		s := newServer(t, withHeader("Retry-After", "30", refuse(429)))
		virtual := newClock()
		start := virtual.Now()
		c := newClient(t, s, withClock(virtual), func(config *Config) { config.MaxRetries = maxRetries })
		err := expectError[*APIError](t, c.DeleteAgentPool(t.Context(), "acme", poolID, false))
		waited := virtual.Now().Sub(start)
		if !hasStatus(err, 429) || forever && (waited < maxRateLimitWait-time.Minute || waited > maxRateLimitWait) ||
			!forever && waited > 0 {
			t.Errorf("maximum %d retries: got %v after %s", maxRetries, err, waited)
		}
	}
}

func TestOperation_retryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"7": 7 * time.Second, "300": 5 * time.Minute, "301": 301 * time.Second,
		"4294967295": 4294967295 * time.Second, "Sun, 01 Mar 2026 12:05:01 GMT": 301 * time.Second,
	} {
		for _, status := range []int{429, 503} {
			limited := withHeader("Date", "Sun, 01 Mar 2026 12:00:00 GMT", withHeader("Retry-After", value, refuse(status)))
			s := newServer(t, handlers{"delete": sequence(limited, respond(204, "")), "get": respond(200, poolDetail)})
			virtual := newClock()
			start := virtual.Now()
			c := newClient(t, s, withClock(virtual))
			err := c.DeleteAgentPool(t.Context(), "acme", poolID, false)
			if want <= MaxRetryAfter {
				if waited := virtual.Now().Sub(start); err != nil || waited != want {
					t.Errorf("%s: got %v after %s", value, err, waited)
				}
				continue
			}
			if got := expectError[*APIError](t, err); got.RetryAfter != want || got.Attempts != 1 {
				t.Errorf("%s: got %+v, want one attempt", value, got)
			}
			if _, _, err := c.GetAgentPool(t.Context(), "acme", poolID); err != nil || virtual.Now() != start {
				t.Errorf("%s: got %v, want that other requests do not wait", value, err)
			}
		}
	}
}

// Without retries, one request that is refused does not hold back others.
func TestOperation_rateLimitWithoutRetries(t *testing.T) {
	t.Parallel()
	s := newServer(t, sequence(withHeader("Retry-After", "300", refuse(429)), respond(200, poolDetail)))
	virtual := newClock()
	c := newClient(t, s, withClock(virtual), func(config *Config) { config.MaxRetries = 0 })
	for _, want := range []bool{false, true} {
		if _, _, err := c.GetAgentPool(t.Context(), "acme", poolID); (err == nil) != want || len(virtual.slept) > 0 {
			t.Errorf("got %v after the waits %v", err, virtual.slept)
		}
	}
}

// flakyListener closes the first connections.
type flakyListener struct {
	net.Listener

	broken atomic.Int64
}

func (l *flakyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil && l.broken.Add(-1) >= 0 {
		_ = conn.Close()
	}
	return conn, err
}

func TestOperation_retriesUnsentRequests(t *testing.T) {
	t.Parallel()
	for _, operation := range testOperations {
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, nil, func(config *Config) { config.BaseURL, _ = url.Parse("http://127.0.0.1:1") })
			err := expectError[*TransportError](t, operation.call(t.Context(), c))
			if err.Attempts != 3 || err.Timeout != 0 {
				t.Errorf("got %+v, want three attempts without effect", err)
			}
			if opErr := expectError[*net.OpError](t, err); opErr.Op != "dial" {
				t.Errorf("got %v, want the failed dial", opErr)
			}
			handshake := newServer(t, operation.success, withTLS, func(s *server) {
				listener := &flakyListener{Listener: s.Listener}
				listener.broken.Store(2)
				s.Listener = listener
			})
			if err := operation.call(t.Context(), newClient(t, handshake)); err != nil {
				t.Error(err)
			}
			handshake.expectCounts(t, operation.name+":1")
		})
	}
}

func TestOperation_dropped(t *testing.T) {
	t.Parallel()
	err := newClient(t, newServer(t, drop)).DeleteAgentPool(t.Context(), "acme", poolID, false)
	if err == nil || !strings.HasSuffix(err.Error(), ": the server closed the connection: EOF") {
		t.Errorf("got %v", err)
	}
}

func TestOperation_canceled(t *testing.T) {
	t.Parallel()
	for _, operation := range testOperations {
		if operation.name == "create" {
			continue
		}
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			s := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				cancel()
				hang(w, r)
			}))
			err := operation.call(ctx, newClient(t, s))
			if !errors.Is(err, context.Canceled) || strings.Count(err.Error(), "canceled") != 1 {
				t.Errorf("got %v, want context.Canceled, once", err)
			}
			s.expectCounts(t, operation.name+":1")
		})
	}
}

func TestOperation_canceledWhileWaiting(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		ctx, cancel := context.WithCancel(t.Context())
		s := newServer(t, refuse(status))
		c := newClient(t, s, func(config *Config) {
			config.Sleep = func(ctx context.Context, _ time.Duration) error { cancel(); return sleep(ctx, time.Hour) }
		})
		err := c.DeleteAgentPool(ctx, "acme", poolID, false)
		if !errors.Is(err, context.Canceled) || !hasStatus(err, status) {
			t.Errorf("got %v, want context.Canceled after the status %d", err, status)
		}
		s.expectCounts(t, "delete:1")
	}
}

func TestOperation_deadlineOfCaller(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := newClient(t, newServer(t, hang)).DeleteAgentPool(ctx, "acme", poolID, false)
	if got := expectError[*TransportError](t, err); !errors.Is(err, context.DeadlineExceeded) || got.Timeout != 0 {
		t.Errorf("got %+v, want that the deadline of the caller ended it", got)
	}
}

func TestOperation_requestTimeout(t *testing.T) {
	t.Parallel()
	bodyHangs := withHeader("Content-Length", "1000", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		hang(w, r)
	})
	for name, handler := range map[string]http.HandlerFunc{"no response": hang, "no body": bodyHangs} {
		c := newClient(t, newServer(t, handler), func(config *Config) { config.RequestTimeout = 20 * time.Millisecond })
		_, _, err := c.GetAgentPool(t.Context(), "acme", poolID)
		got := expectError[*TransportError](t, err)
		want := "GET /api/orgs/acme/agent-pools/" + poolID + ": no complete response within the request timeout of 20ms"
		if got.Timeout != 20*time.Millisecond || got.Attempts != 3 || got.Error() != want {
			t.Errorf("%s: got %+v, want %q after three attempts", name, got, want)
		}
	}
}

func TestAPIError(t *testing.T) {
	t.Parallel()
	const foreign = ` Forbidden (not an error from Pulumi Cloud, content type "application/json")`
	for name, test := range map[string]struct {
		contentType, body string
		want              APIError
		text              string
	}{
		"all fields": {
			"application/json; charset=utf-8",
			`{"code":403,"message":"Forbidden: no","documentationUrl":"https://x","new":1,"errors":[
			{"resource":"AgentPool","attribute":"name","errorType":"invalid","customMessage":"too long"}]}`,
			APIError{
				IsAPIResponse: true, Message: "Forbidden: no", DocumentationURL: "https://x", ContentType: "application/json",
				Details: []ErrorDetail{{Resource: "AgentPool", Attribute: "name", Type: "invalid", Message: "too long"}},
			},
			" Forbidden: no",
		},
		"mistyped field": {
			"application/json", `{"code":403,"message":"no","errors":"many"}`,
			APIError{IsAPIResponse: true, Message: "no", ContentType: "application/json"},
			" no",
		},
		"HTML": {
			"text/html", "<html>", APIError{ContentType: "text/html"}, strings.Replace(foreign, "application/json", "text/html", 1),
		},
		"OAuth":      {"application/json", `{"error":"access_denied"}`, APIError{ContentType: "application/json"}, foreign},
		"array":      {"application/json", `[{"code":403,"message":"no"}]`, APIError{ContentType: "application/json"}, foreign},
		"other code": {"application/json", `{"code":404,"message":"no"}`, APIError{ContentType: "application/json"}, foreign},
		"no message": {"application/json", `{"code":403}`, APIError{ContentType: "application/json"}, foreign},
		"truncated":  {"application/json", `{"code":403,"message":"no"`, APIError{ContentType: "application/json"}, foreign},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failure := func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				w.Header().Set("X-Pulumi-Request-ID", "r-1")
				w.WriteHeader(http.StatusForbidden)
				_, _ = w.Write([]byte(test.body))
			}
			_, _, err := newClient(t, newServer(t, handlers{"get": failure})).GetAgentPool(t.Context(), "acme", poolID)
			got := expectError[*APIError](t, err)
			test.want.Endpoint = "GET /api/orgs/acme/agent-pools/" + poolID
			test.want.StatusCode, test.want.RequestID, test.want.Attempts = http.StatusForbidden, "r-1", 1
			if diff := cmp.Diff(test.want, *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			want := test.want.Endpoint + ": 403" + test.text + " (request ID r-1)"
			if got.Error() != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestOperation_editionWithoutAgentPools proves that a refusal looks up the edition of the organization once.
func TestOperation_editionWithoutAgentPools(t *testing.T) {
	t.Parallel()
	const allTrue = `{"id":7,"features":{"agentPoolRegistrationEnabled":true,"selfHostedDeploymentsEnabled":true}}`
	for name, test := range map[string]struct {
		metadata http.HandlerFunc
		missing  bool
	}{
		"registration": {respond(200, strings.Replace(allTrue, "true", "false", 1)), true},
		"self-hosted":  {respond(200, strings.Replace(allTrue, "true}", "false}", 1)), true},
		"all":          {respond(200, allTrue), false},
		"incomplete":   {respond(200, `{"features":{"agentPoolRegistrationEnabled":true}}`), false},
		"refused":      {refuse(403), false},
		"HTML":         {respondHTML(200), false},
	} {
		for i, operation := range testOperations {
			status := 402 + i%2 // Both occur.
			if operation.name == "default" {
				continue
			}
			s := newServer(t, handlers{operation.name: refuse(status), "metadata": test.metadata})
			c := newClient(t, s)
			for range 2 {
				err := operation.call(t.Context(), c)
				if isA[*FeatureNotAvailableError](err) != test.missing || !hasStatus(err, status) {
					t.Errorf("%s, %s: got %v, want a missing feature: %t", name, operation.name, err, test.missing)
				}
			}
			if s.count(operation.name) != 2 || s.count("metadata") != 1 {
				t.Errorf("got %d requests and %d lookups", s.count(operation.name), s.count("metadata"))
			}
		}
	}
	s := newServer(t, handlers{"list": respondHTML(403)})
	if err := refresh(t.Context(), newClient(t, s)); kind(err) != "APIError" || s.count("metadata") > 0 {
		t.Errorf("the refusal of a proxy: got %v", err)
	}
}
