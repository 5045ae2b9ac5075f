package pulumiapi

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestTransport_reusesConnections allows for the connections that net/http dials while others become idle, and for
// those that it closes because a slow machine did not return them in 50 ms.
func TestTransport_reusesConnections(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                  string
		handler               http.HandlerFunc
		requests, parallelism int
		configure             []func(*server)
	}{
		{"no bodies", respond(204, ""), 600, 100, nil},
		{"errors and retries", refuse(503), 100, 4, nil},
		{"large bodies", respond(200, largeList(200)), 50, 4, nil},
		{"TLS", respond(204, ""), 300, 10, []func(*server){withTLS}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, test.handler, test.configure...)
			c := newClient(t, s)
			inParallel(test.requests, test.parallelism, func(int) {
				if err := c.DeleteAgentPool(t.Context(), "acme", poolID, false); isA[*TransportError](err) {
					t.Error(err)
				}
			})
			if n := s.opened.Load(); n > int64(test.requests)/2 {
				t.Errorf("%d requests, %d at a time, opened %d connections", test.requests, test.parallelism, n)
			}
		})
	}
}

func TestTransport_redirects(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, operation := range testOperations {
			t.Run(fmt.Sprint(operation.name, " ", status), func(t *testing.T) {
				t.Parallel()
				other := newServer(t, operation.success)
				s := newServer(t, withHeader("Location", other.URL+operation.path, respond(status, "")))
				err := expectError[*APIError](t, operation.call(t.Context(), newClient(t, s)))
				if err.StatusCode != status || err.Location != other.URL+operation.path || err.IsAPIResponse {
					t.Errorf("a different host: got %+v", err)
				}
				s.expectCounts(t, operation.name+":1")
				other.expectCounts(t, "")

				moved := "/moved" + operation.path
				same := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == moved {
						operation.success(w, r)
						return
					}
					http.Redirect(w, r, moved, status)
				}))
				switch err := operation.call(t.Context(), newClient(t, same)); {
				case operation.method != http.MethodGet:
					if expectError[*APIError](t, err).Location != moved || len(same.recorded()) != 1 {
						t.Errorf("a redirected write: got %v after %d requests", err, len(same.recorded()))
					}
				case err != nil:
					t.Error(err)
				case same.recorded()[1].header.Get("Authorization") != "token "+testToken:
					t.Error("the redirected request has no access token")
				}
			})
		}
	}
	loop := newServer(t, http.RedirectHandler("/api/orgs/acme/agent-pools/"+poolID, http.StatusFound))
	_, _, err := newClient(t, loop).GetAgentPool(t.Context(), "acme", poolID)
	if got := expectError[*APIError](t, err); got.Attempts != 1 || got.Location == "" {
		t.Errorf("a loop: got %v", got)
	}
	loop.expectCounts(t, fmt.Sprint("get:", maxRedirects))
}

func TestTransport_bodyLimits(t *testing.T) {
	t.Parallel()
	bomb := withHeader("Content-Encoding", "gzip", func(w http.ResponseWriter, _ *http.Request) {
		writer := gzip.NewWriter(w)
		_, _ = writer.Write(bytes.Repeat([]byte(" "), maxBodyBytes+1))
		_ = writer.Close()
	})
	s := newServer(t, bomb)
	_, _, err := newClient(t, s).GetAgentPool(t.Context(), "acme", poolID)
	if got := expectError[*ResponseError](t, err); !strings.Contains(got.Reason, "larger") {
		t.Errorf("got %v", got)
	}
	s.expectCounts(t, "get:1")
	endless := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, err := io.WriteString(w, `{"code":404,"message":"`)
		for chunk := bytes.Repeat([]byte("x"), 16<<10); err == nil; {
			_, err = w.Write(chunk)
		}
	}
	_, _, err = newClient(t, newServer(t, http.HandlerFunc(endless))).GetAgentPool(t.Context(), "acme", poolID)
	if got := expectError[*APIError](t, err); got.StatusCode != http.StatusNotFound || got.IsAPIResponse || len(err.Error()) > 300 {
		t.Errorf("got %+v, want a 404 that is not from Pulumi Cloud", got)
	}
}

func TestTransport_gzip(t *testing.T) {
	t.Parallel()
	s := newServer(t, withHeader("Content-Encoding", "gzip", func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("the request does not accept gzip")
		}
		writer := gzip.NewWriter(w)
		_, _ = io.WriteString(writer, poolDetail)
		_ = writer.Close()
	}))
	if pool, _, err := newClient(t, s).GetAgentPool(t.Context(), "acme", poolID); err != nil || pool.Description != "from GET" {
		t.Errorf("got %+v, %v", pool, err)
	}
}

// switchProtocols sends status 101 and then keeps the connection open until the client closes it.
var switchProtocols http.HandlerFunc = func(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
}

func TestTransport_http2(t *testing.T) {
	t.Parallel()
	for _, operation := range testOperations {
		s := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				t.Errorf("got %s, want HTTP/2", r.Proto)
			}
			operation.success(w, r)
		}), withHTTP2)
		if err := operation.call(t.Context(), newClient(t, s)); err != nil {
			t.Error(err)
		}
	}
}

// dyingListener ignores everything that arrives on the connections from before kill was called.
type dyingListener struct {
	net.Listener

	accepted, dead atomic.Int64
}

func (l *dyingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return &dyingConn{Conn: conn, listener: l, number: l.accepted.Add(1)}, err
}

func (l *dyingListener) kill() { l.dead.Store(l.accepted.Load()) }

type dyingConn struct {
	net.Conn

	listener *dyingListener
	number   int64
}

func (c *dyingConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || c.number > c.listener.dead.Load() {
			return n, err
		}
	}
}

// TestTransport_deadConnections proves that a retry after a timeout does not use one more idle connection, which may
// have died like the first.
func TestTransport_deadConnections(t *testing.T) {
	t.Parallel()
	const idle = 20 // more than there are retries
	listener := &dyingListener{}
	var arrived atomic.Int64
	all := make(chan struct{})
	s := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if arrived.Add(1) == idle {
			close(all)
		}
		<-all
		respond(200, poolDetail)(w, r)
	}), func(s *server) { listener.Listener, s.Listener = s.Listener, listener })
	c := newClient(t, s, func(config *Config) { config.RequestTimeout, config.MaxRetries = 2*time.Second, 10 })
	inParallel(idle, idle, func(int) {
		if _, _, err := c.GetAgentPool(t.Context(), "acme", poolID); err != nil {
			t.Error(err)
		}
	})
	listener.kill()
	if _, _, err := c.GetAgentPool(t.Context(), "acme", poolID); err != nil {
		t.Error(err)
	}
}

// TestTransport_deadHTTP2Connection proves that a dead connection is noticed before the request timeout, because
// requests that share it would retry on it.
func TestTransport_deadHTTP2Connection(t *testing.T) {
	t.Parallel()
	listener := &dyingListener{}
	s := newServer(t, respond(200, poolDetail), withHTTP2,
		func(s *server) { listener.Listener, s.Listener = s.Listener, listener })
	c := newClient(t, s, func(config *Config) { config.RequestTimeout, config.MaxRetries = 6*time.Second, 0 })
	for _, dead := range []bool{false, true, false} {
		if dead {
			listener.kill()
		}
		_, _, err := c.GetAgentPool(t.Context(), "acme", poolID)
		if transportErr, _ := errors.AsType[*TransportError](err); (err != nil) != dead || dead && transportErr.Timeout > 0 {
			t.Errorf("dead: %t: got %v", dead, err)
		}
	}
}

func TestTransport_certificates(t *testing.T) {
	t.Parallel()
	s := newServer(t, respond(200, createdPool), withTLS)
	for name, test := range map[string]struct {
		change func(*Config)
		want   any // nil for success
	}{
		"trusted":   {func(*Config) {}, nil},
		"untrusted": {func(config *Config) { config.RootCAs = x509.NewCertPool() }, new(x509.UnknownAuthorityError)},
		"different host": {func(config *Config) {
			config.BaseURL.Host = strings.Replace(config.BaseURL.Host, "127.0.0.1", "localhost", 1)
		}, new(x509.HostnameError)},
	} {
		_, err := newClient(t, s, test.change).CreateAgentPool(t.Context(), "acme", "runners", "")
		if test.want == nil {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if got := expectError[*TransportError](t, err); got.Attempts != 1 || !errors.As(err, test.want) {
			t.Errorf("%s: got %+v, want one attempt without effect that fails with %T", name, got, test.want)
		}
	}
}

func TestTransport_proxyAuthentication(t *testing.T) {
	t.Parallel()
	proxy := newServer(t, respond(http.StatusProxyAuthRequired, ""))
	c := newClient(t, nil, func(config *Config) { config.BaseURL, _ = url.Parse("https://pulumi.example.com") })
	address, _ := url.Parse(proxy.URL)
	transport := newTransport(nil, time.Minute)
	transport.Proxy = http.ProxyURL(address)
	c.http.Transport = transport
	_, _, err := c.GetAgentPool(t.Context(), "acme", poolID)
	if !errors.Is(err, ErrProxyAuthentication) {
		t.Errorf("got %v", err)
	}
}

func TestTransport_wrongScheme(t *testing.T) {
	t.Parallel()
	plain := newServer(t, respond(200, poolDetail))
	c := newClient(t, plain, func(config *Config) { config.BaseURL.Scheme = "https" })
	_, _, err := c.GetAgentPool(t.Context(), "acme", poolID)
	if got := expectError[*TransportError](t, err); got.Attempts != 1 || !errors.Is(err, http.ErrSchemeMismatch) {
		t.Errorf("https on a plain port: got %+v", got)
	}
}
