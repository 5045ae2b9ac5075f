package cloud_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// countConnections counts the connections that a server, which is yet to be started, accepts.
func countConnections(s *server) *atomic.Int64 {
	var opened atomic.Int64
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	return &opened
}

// openConnections counts those that are open: net/http gives up one whose writing took it over 50 ms to notice, as on a
// busy machine, and has to dial another in its place.
func openConnections(s *server) *atomic.Int64 {
	var open atomic.Int64
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		default: // It stays open.
		}
	}
	return &open
}

func largeList(pools int) string {
	var list strings.Builder
	list.WriteString(`{"agentPools":[`)
	for i := range pools {
		if i > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"id":"%08d-3c5a-4c60-9f1e-0a4b8f1d2c3e","name":"pool-%d","description":"Runners of team %d",`+
			`"created":1767225600000,"lastSeen":1767225600,"lastDeployment":1767225600,"status":"online","isDefault":false}`,
			i, i, i)
	}
	list.WriteString(`],"defaultAgentPoolID":""}`)
	return list.String()
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		answer      http.HandlerFunc
		requests    int
		parallelism int
		tls         bool
	}{
		{"no bodies, 10 at a time", answer(http.StatusNoContent, ""), 200, 10, false},
		{"no bodies, 100 at a time", answer(http.StatusNoContent, ""), 1000, 100, false},
		{"errors, 10 at a time", refuse(http.StatusForbidden), 200, 10, false},
		{"retried, 10 at a time", refuse(http.StatusServiceUnavailable), 200, 10, false},
		{"lists of 1,000 pools, 10 at a time", answer(http.StatusOK, largeList(1000)), 50, 10, false},
		{"over TLS, 10 at a time", answer(http.StatusNoContent, ""), 200, 10, true},
		{"over TLS, 50 at a time", answer(http.StatusNoContent, ""), 500, 50, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newUnstartedServer(t, test.answer)
			connections := openConnections(server)
			roots := x509.NewCertPool()
			if test.tls {
				server.StartTLS()
				roots.AddCert(server.Certificate())
			} else {
				server.Start()
			}
			client := newClient(t, server.URL, func(c *cloud.Config) {
				c.ListMaxAge = 0
				c.RootCAs = roots
			})
			lists := strings.HasPrefix(test.name, "lists")
			work := make(chan struct{}, test.requests)
			for range test.requests {
				work <- struct{}{}
			}
			close(work)
			var group sync.WaitGroup
			for range test.parallelism {
				group.Go(func() {
					for range work {
						var err error
						if lists {
							_, err = client.AgentPools(t.Context(), "acme")
						} else {
							err = client.DeleteAgentPool(t.Context(), "acme", poolID, false)
						}
						var apiErr *cloud.APIError
						if err != nil && !errors.As(err, &apiErr) {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
			if n := connections.Load(); n > int64(test.parallelism) {
				t.Errorf("%d requests, %d at a time, have %d connections open", test.requests, test.parallelism, n)
			}
		})
	}
}

func TestCancellationEndsARequestAtOnce(t *testing.T) {
	t.Parallel()
	for _, operation := range operations() {
		if operation.method == http.MethodPost {
			continue // A cancelled create looks for what became of it.
		}
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			arrived := make(chan struct{}, 1)
			server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				hang(w, r)
			})
			client := newClient(t, server.URL)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error, 1)
			go func() { result <- operation.call(ctx, client) }()
			<-arrived
			cancel()
			err := <-result
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
			if n := len(server.requests()); n != 1 {
				t.Errorf("got %d requests, want 1", n)
			}
		})
	}
}

func TestCancellationEndsTheWaitForARetry(t *testing.T) {
	t.Parallel()
	answered := make(chan struct{}, 1)
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "60")
		refuse(http.StatusTooManyRequests)(w, r)
		answered <- struct{}{}
	})
	client := newClient(t, server.URL)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- client.DeleteAgentPool(ctx, "acme", poolID, false) }()
	<-answered
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestRequestTimeoutBoundsEachAttempt(t *testing.T) {
	t.Parallel()
	bodyHangs := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush() // A client that is gone is what is waited for below.
		hang(w, r)
	}
	for name, handler := range map[string]http.HandlerFunc{"no answer": hang, "no body": bodyHangs} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, handler)
			client := newClient(t, server.URL, func(c *cloud.Config) { c.RequestTimeout = 20 * time.Millisecond })
			_, err := client.GetAgentPool(t.Context(), "acme", poolID)
			var transportErr *cloud.TransportError
			if !errors.As(err, &transportErr) {
				t.Fatalf("got %v, want a TransportError", err)
			}
			if transportErr.Timeout != 20*time.Millisecond || transportErr.Attempts != 3 || !transportErr.Uncertain {
				t.Errorf("got %+v, want 3 attempts of 20ms each, uncertain", transportErr)
			}
			want := "GET /api/orgs/acme/agent-pools/" + poolID + ": no answer within 20ms"
			if err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
		})
	}
}

func TestCallersDeadlineIsNotTheRequestTimeout(t *testing.T) {
	t.Parallel()
	server := newServer(t, hang)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := newClient(t, server.URL).DeleteAgentPool(ctx, "acme", poolID, false)
	var transportErr *cloud.TransportError
	if !errors.As(err, &transportErr) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want a TransportError that wraps context.DeadlineExceeded", err)
	}
	if transportErr.Timeout != 0 || transportErr.Attempts != 1 {
		t.Errorf("got %+v, want 1 attempt and no time-out of the client's own", transportErr)
	}
}

func TestRedirectOnTheSameHostIsFollowed(t *testing.T) {
	t.Parallel()
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/moved" {
			http.Redirect(w, r, "/moved", http.StatusFound)
			return
		}
		answer(http.StatusOK, `{"id":"`+poolID+`","name":"runners"}`)(w, r)
	})
	if _, err := newClient(t, server.URL).GetAgentPool(t.Context(), "acme", poolID); err != nil {
		t.Fatal(err)
	}
	requests := server.requests()
	if len(requests) != 2 || requests[1].header.Get("Authorization") != "token "+accessToken {
		t.Errorf("got %+v, want a second request with the access token", requests)
	}
}

func TestRedirectToAnotherHostIsRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, operation := range operations() {
			t.Run(fmt.Sprint(operation.name, " ", status), func(t *testing.T) {
				t.Parallel()
				other := newServer(t, operation.answer)
				server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Location", other.URL+r.URL.Path)
					w.WriteHeader(status)
				})
				err := operation.call(t.Context(), newClient(t, server.URL))
				expectRedirectError(t, err, status, other.URL+operation.uri)
				if n := len(server.requests()); n != 1 {
					t.Errorf("got %d requests, want 1", n)
				}
				if n := len(other.requests()); n != 0 {
					t.Errorf("the other host got %d requests", n)
				}
			})
		}
	}
}

func TestRedirectedWriteIsNoSuccess(t *testing.T) {
	t.Parallel()
	for _, operation := range operations() {
		if operation.method == http.MethodGet {
			continue
		}
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/moved" {
					operation.answer(w, r)
					return
				}
				http.Redirect(w, r, "/moved", http.StatusMovedPermanently)
			})
			err := operation.call(t.Context(), newClient(t, server.URL))
			expectRedirectError(t, err, http.StatusMovedPermanently, "/moved")
			server.expectCounts(t, map[string]int{operation.method: 1})
		})
	}
}

func expectRedirectError(t *testing.T, err error, status int, location string) {
	t.Helper()
	var apiErr *cloud.APIError
	if !errors.As(err, &apiErr) {
		t.Fatalf("got %v, want an APIError", err)
	}
	if apiErr.StatusCode != status || apiErr.Location != location || apiErr.FromPulumi {
		t.Errorf("got %+v, want status %d with Location %s", apiErr, status, location)
	}
}

func TestRedirectLoopEnds(t *testing.T) {
	t.Parallel()
	server := newServer(t, http.RedirectHandler("/api/orgs/acme/agent-pools/"+poolID, http.StatusFound).ServeHTTP)
	_, err := newClient(t, server.URL).GetAgentPool(t.Context(), "acme", poolID)
	var transportErr *cloud.TransportError
	if !errors.As(err, &transportErr) || transportErr.Attempts != 1 {
		t.Errorf("got %v, want a TransportError after 1 attempt", err)
	}
	server.expectCounts(t, map[string]int{"GET": 10})
}

func TestEndlessBodies(t *testing.T) {
	t.Parallel()
	endless := func(status int, start string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, err := io.WriteString(w, start)
			for chunk := bytes.Repeat([]byte("x"), 16<<10); err == nil; {
				_, err = w.Write(chunk)
			}
		}
	}
	t.Run("success", func(t *testing.T) {
		t.Parallel()
		server := newServer(t, endless(http.StatusOK, `{"id":"`))
		_, err := newClient(t, server.URL).GetAgentPool(t.Context(), "acme", poolID)
		var transportErr *cloud.TransportError
		if !errors.As(err, &transportErr) || transportErr.Attempts != 1 {
			t.Errorf("got %v, want a TransportError after 1 attempt", err)
		}
	})
	t.Run("error", func(t *testing.T) {
		t.Parallel()
		server := newServer(t, endless(http.StatusNotFound, `{"code":404,"message":"`))
		_, err := newClient(t, server.URL).GetAgentPool(t.Context(), "acme", poolID)
		var apiErr *cloud.APIError
		if !errors.As(err, &apiErr) {
			t.Fatalf("got %v, want an APIError", err)
		}
		if apiErr.StatusCode != http.StatusNotFound || apiErr.FromPulumi || apiErr.Message != "" || len(err.Error()) > 300 {
			t.Errorf("got %+v, want a 404 that is not Pulumi's", apiErr)
		}
	})
}

func TestGzipAndChunkedAnswers(t *testing.T) {
	t.Parallel()
	body := `{"id":"` + poolID + `","name":"runners","description":"` + strings.Repeat("long ", 1000) + `"}`
	zipped := func(content string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				t.Error("the request does not accept gzip")
			}
			w.Header().Set("Content-Encoding", "gzip")
			writer := gzip.NewWriter(w)
			_, _ = io.WriteString(writer, content)
			_ = writer.Close()
		}
	}
	chunked := func(w http.ResponseWriter, _ *http.Request) {
		for _, piece := range strings.SplitAfter(body, "g ") {
			_, _ = io.WriteString(w, piece)
			_ = http.NewResponseController(w).Flush()
		}
	}
	for name, handler := range map[string]http.HandlerFunc{"gzip": zipped(body), "chunked": chunked} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			detail, err := newClient(t, newServer(t, handler).URL).GetAgentPool(t.Context(), "acme", poolID)
			if err != nil {
				t.Fatal(err)
			}
			if len(detail.Description) != 5000 {
				t.Errorf("got a description of %d bytes, want 5000", len(detail.Description))
			}
		})
	}
	t.Run("gzip bomb", func(t *testing.T) {
		t.Parallel()
		server := newServer(t, zipped(strings.Repeat(" ", 2<<20)))
		_, err := newClient(t, server.URL).GetAgentPool(t.Context(), "acme", poolID)
		var transportErr *cloud.TransportError
		if !errors.As(err, &transportErr) || transportErr.Attempts != 1 {
			t.Errorf("got %v, want a TransportError after 1 attempt", err)
		}
	})
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	for _, operation := range operations() {
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			server := newUnstartedServer(t, func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor != 2 {
					t.Errorf("got %s, want HTTP/2", r.Proto)
				}
				operation.answer(w, r)
			})
			server.EnableHTTP2 = true
			server.StartTLS()
			client := newClient(t, server.URL, trusting(server.Certificate()))
			if err := operation.call(t.Context(), client); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("dropped stream", func(t *testing.T) {
		t.Parallel()
		server := newUnstartedServer(t, inTurn(drop, answer(http.StatusNoContent, "")))
		server.EnableHTTP2 = true
		server.StartTLS()
		client := newClient(t, server.URL, trusting(server.Certificate()))
		if err := client.DeleteAgentPool(t.Context(), "acme", poolID, false); err != nil {
			t.Error(err)
		}
		server.expectCounts(t, map[string]int{"DELETE": 2})
	})
}

func trusting(certificate *x509.Certificate) func(*cloud.Config) {
	return func(c *cloud.Config) {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AddCert(certificate)
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	var (
		unknownAuthority x509.UnknownAuthorityError
		hostname         x509.HostnameError
		invalid          x509.CertificateInvalidError
	)
	now := time.Now()
	valid := newCertificate(t, now.Add(-time.Hour), now.Add(time.Hour), net.IPv4(127, 0, 0, 1))
	expired := newCertificate(t, now.Add(-2*time.Hour), now.Add(-time.Hour), net.IPv4(127, 0, 0, 1))
	another := newCertificate(t, now.Add(-time.Hour), now.Add(time.Hour), net.IPv4(127, 0, 0, 2))
	for _, test := range []struct {
		name        string
		certificate tls.Certificate
		trusted     bool
		want        any
	}{
		{"self-signed", valid, false, &unknownAuthority},
		{"self-signed and trusted", valid, true, nil},
		{"expired", expired, true, &invalid},
		{"another host's", another, true, &hostname},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newUnstartedServer(t, answer(http.StatusNoContent, ""))
			server.TLS = &tls.Config{Certificates: []tls.Certificate{test.certificate}, MinVersion: tls.VersionTLS12}
			server.StartTLS()
			client := newClient(t, server.URL, func(c *cloud.Config) {
				if c.RootCAs = x509.NewCertPool(); test.trusted {
					c.RootCAs.AddCert(test.certificate.Leaf)
				}
			})
			err := client.DeleteAgentPool(t.Context(), "acme", poolID, false)
			if test.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var transportErr *cloud.TransportError
			if !errors.As(err, &transportErr) || !errors.As(err, test.want) {
				t.Fatalf("got %v, want a TransportError that wraps %T", err, test.want)
			}
			if transportErr.Attempts != 1 || transportErr.Uncertain {
				t.Errorf("got %+v, want 1 attempt that can't have taken effect", transportErr)
			}
		})
	}
}

func newCertificate(t *testing.T, notBefore, notAfter time.Time, ip net.IP) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: notBefore, NotAfter: notAfter,
		IPAddresses: []net.IP{ip}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestPlainHTTPOnTheTLSPort(t *testing.T) {
	t.Parallel()
	server := newServer(t, answer(http.StatusNoContent, ""))
	client := newClient(t, strings.Replace(server.URL, "http:", "https:", 1))
	err := client.DeleteAgentPool(t.Context(), "acme", poolID, false)
	var transportErr *cloud.TransportError
	if !errors.As(err, &transportErr) || !errors.Is(err, http.ErrSchemeMismatch) {
		t.Fatalf("got %v, want a TransportError that wraps http.ErrSchemeMismatch", err)
	}
	if transportErr.Attempts != 1 || transportErr.Uncertain {
		t.Errorf("got %+v, want 1 attempt that can't have taken effect", transportErr)
	}
}

func TestTLSOnThePlainHTTPPort(t *testing.T) {
	t.Parallel()
	server := newUnstartedServer(t, answer(http.StatusNoContent, ""))
	server.StartTLS()
	client := newClient(t, strings.Replace(server.URL, "https:", "http:", 1))
	_, err := client.GetAgentPool(t.Context(), "acme", poolID)
	var apiErr *cloud.APIError
	if !errors.As(err, &apiErr) || apiErr.StatusCode != http.StatusBadRequest || apiErr.FromPulumi {
		t.Errorf("got %v, want a 400 that is not Pulumi's", err)
	}
}

// A call that fails must not close the idle connections of the others.
func TestFailedCallKeepsTheConnections(t *testing.T) {
	t.Parallel()
	server := newUnstartedServer(t, refuse(http.StatusServiceUnavailable))
	opened := countConnections(server)
	server.Start()
	client := newClient(t, server.URL)
	for range 5 {
		if err := client.DeleteAgentPool(t.Context(), "acme", poolID, false); err == nil {
			t.Fatal("got no error, want 503")
		}
	}
	// One is enough, but on a busy machine net/http may give one up.
	if n := opened.Load(); n >= 5 {
		t.Errorf("each of 5 calls opened a connection: %d", n)
	}
}
