package cloud_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

func TestRetries(t *testing.T) {
	t.Parallel()
	truncatedJSON := answer(http.StatusOK, `{"id":"`+poolID+`","na`)
	for name, failure := range map[string]struct {
		handler             http.HandlerFunc
		idempotent, creates bool // whether requests of that kind are repeated
	}{
		"429":            {refuse(429), true, true},
		"429, not JSON":  {answer(429, "slow down"), true, true},
		"500":            {refuse(500), true, false},
		"502":            {answer(502, "<html>"), true, false},
		"503":            {refuse(503), true, false},
		"504":            {refuse(504), true, false},
		"dropped":        {drop, true, false},
		"cut off":        {cutOff, true, false},
		"truncated JSON": {truncatedJSON, true, false},
		"400":            {refuse(400), false, false},
		"401":            {refuse(401), false, false},
		"403":            {refuse(403), false, false},
		"404":            {answer(404, "404 page not found"), false, false},
		"409":            {answer(409, "conflict"), false, false},
		"501":            {refuse(501), false, false},
	} {
		for _, operation := range operations() {
			t.Run(name+" "+operation.name, func(t *testing.T) {
				t.Parallel()
				if operation.method == http.MethodPost && !failure.creates {
					t.Skip("what follows a create whose fate is unknown is TestCreateWhoseAnswerIsLost's")
				}
				if operation.method == http.MethodDelete && name == "truncated JSON" {
					t.Skip("the body of a deletion's answer means nothing")
				}
				repeats := failure.idempotent
				server := newServer(t, first(2, failure.handler, operation.answer))
				err := operation.call(t.Context(), newClient(t, server.URL))
				switch {
				case repeats && err != nil:
					t.Errorf("got %v, want success at the third attempt", err)
				case repeats && server.count(operation.method, operation.uri) != 3:
					t.Errorf("got %v, want 3 requests", server.requests())
				case !repeats && err == nil:
					t.Error("got success, want an error")
				case !repeats && server.count(operation.method, operation.uri) != 1:
					t.Errorf("got %v, want 1 request", server.requests())
				}
			})
		}
	}
}

func TestCreateIsNotRepeatedBlindly(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]http.HandlerFunc{
		"500": refuse(500), "502": answer(502, "<html>"), "503": refuse(503), "504": refuse(504), "501": refuse(501),
		"dropped": drop, "cut off": cutOff, "408": refuse(408),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, byMethod(t, map[string]http.HandlerFunc{
				"POST": failure,
				"GET":  refuse(http.StatusForbidden),
			}))
			_, err := newClient(t, server.URL).CreateAgentPool(t.Context(), "acme", "runners", "")
			if _, ok := errors.AsType[*cloud.UnknownOutcomeError](err); !ok {
				t.Errorf("got %v, want an UnknownOutcomeError", err)
			}
			server.expectCounts(t, map[string]int{"POST": 1, "GET": 1})
		})
	}
}

func TestMaxRetries(t *testing.T) {
	t.Parallel()
	for _, maxRetries := range []int{0, 1, 4} {
		for _, operation := range operations() {
			t.Run(fmt.Sprint(operation.name, " ", maxRetries), func(t *testing.T) {
				t.Parallel()
				server := newServer(t, refuse(http.StatusTooManyRequests))
				client := newClient(t, server.URL, func(c *cloud.Config) { c.MaxRetries = maxRetries })
				var apiErr *cloud.APIError
				if err := operation.call(t.Context(), client); !errors.As(err, &apiErr) {
					t.Fatalf("got %v, want an APIError", err)
				}
				if apiErr.StatusCode != http.StatusTooManyRequests || !apiErr.FromPulumi || apiErr.Attempts != maxRetries+1 {
					t.Errorf("got %+v, want the 429 of attempt %d", apiErr, maxRetries+1)
				}
				server.expectCounts(t, map[string]int{operation.method: maxRetries + 1})
			})
		}
	}
}

func TestRefusedConnectionIsRetriedByEveryMethod(t *testing.T) {
	t.Parallel()
	for _, operation := range operations() {
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			err := operation.call(t.Context(), newClient(t, "http://127.0.0.1:1"))
			var transportErr *cloud.TransportError
			if !errors.As(err, &transportErr) {
				t.Fatalf("got %v, want a TransportError", err)
			}
			if transportErr.Attempts != 3 || transportErr.Uncertain || transportErr.Timeout != 0 {
				t.Errorf("got %+v, want 3 attempts that can't have taken effect", transportErr)
			}
		})
	}
}

// flakyListener closes the first connections that it accepts.
type flakyListener struct {
	net.Listener
	mu     sync.Mutex
	broken int
}

func (l *flakyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && l.broken > 0 {
		l.broken--
		_ = conn.Close()
	}
	return conn, err
}

func TestFailedHandshakeIsRetriedByEveryMethod(t *testing.T) {
	t.Parallel()
	for _, operation := range operations() {
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			server := newUnstartedServer(t, operation.answer)
			server.Listener = &flakyListener{Listener: server.Listener, broken: 2}
			server.StartTLS()
			if err := operation.call(t.Context(), newClient(t, server.URL, trusting(server.Certificate()))); err != nil {
				t.Error(err)
			}
			server.expectCounts(t, map[string]int{operation.method: 1})
		})
	}
}

func TestUntrustedCertificateIsNotRetried(t *testing.T) {
	t.Parallel()
	for _, operation := range operations() {
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			server := newUnstartedServer(t, operation.answer)
			opened := countConnections(server)
			server.StartTLS()
			client := newClient(t, server.URL, func(c *cloud.Config) { c.RootCAs = x509.NewCertPool() })
			var unknownAuthority x509.UnknownAuthorityError
			if err := operation.call(t.Context(), client); !errors.As(err, &unknownAuthority) {
				t.Errorf("got %v, want an UnknownAuthorityError", err)
			}
			if n := opened.Load(); n != 1 {
				t.Errorf("got %d connections, want 1", n)
			}
			server.expectCounts(t, nil)
		})
	}
}

func TestLongRetryAfterIsTheUsersToWaitFor(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"301":                           301 * time.Second,
		"18446744073709551616":          9223372036 * time.Second,
		"9223372037":                    9223372036 * time.Second,
		"Sun, 01 Mar 2026 12:05:01 GMT": 301 * time.Second,
	} {
		for _, status := range []int{429, 503} {
			for _, operation := range operations() {
				if operation.method == http.MethodPost && status != 429 {
					continue
				}
				t.Run(fmt.Sprint(operation.name, " ", status, " ", value), func(t *testing.T) {
					t.Parallel()
					server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Date", "Sun, 01 Mar 2026 12:00:00 GMT")
						w.Header().Set("Retry-After", value)
						refuse(status)(w, r)
					})
					var apiErr *cloud.APIError
					if err := operation.call(t.Context(), newClient(t, server.URL)); !errors.As(err, &apiErr) {
						t.Fatalf("got %v, want an APIError", err)
					}
					if apiErr.RetryAfter != want || apiErr.Attempts != 1 {
						t.Errorf("got %+v, want 1 attempt and RetryAfter %s", apiErr, want)
					}
				})
			}
		}
	}
}

func TestUselessRetryAfterIsIgnored(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"0", "-5", "soon", "", "Sun, 01 Mar 2020 12:00:00 GMT"} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			limited := func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", value)
				refuse(http.StatusTooManyRequests)(w, r)
			}
			server := newServer(t, inTurn(limited, answer(http.StatusNoContent, "")))
			if err := newClient(t, server.URL).DeleteAgentPool(t.Context(), "acme", poolID, false); err != nil {
				t.Error(err)
			}
		})
	}
}
