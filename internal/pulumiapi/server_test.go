package pulumiapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	testToken = "pul-0123456789abcdef0123456789abcdef01234567"
	poolToken = "pul-fedcba9876543210fedcba9876543210fedcba98"
	poolID    = "6f2b1f0e-3c5a-4c60-9f1e-0a4b8f1d2c3e"

	emptyList   = `{"agentPools":[]}`
	onePool     = `{"agentPools":[{"id":"` + poolID + `","name":"runners","description":"old"}]}`
	renamedPool = `{"agentPools":[{"id":"` + poolID + `","name":"renamed","description":"new"}]}`
	poolDetail  = `{"id":"` + poolID + `","name":"runners","description":"from GET","created":1767225600}`
	createdPool = `{"id":"` + poolID + `","tokenValue":"` + poolToken + `"}`
)

// testOperation is a method of the client and its request.
type testOperation struct {
	name               string // as route returns it
	method, path, body string
	success            http.HandlerFunc
	call               func(context.Context, *Client) error
}

var testOperations = []testOperation{
	{
		"list", http.MethodGet, "/api/orgs/acme/agent-pools", "", respond(200, emptyList),
		func(ctx context.Context, c *Client) error { _, err := c.RefreshAgentPools(ctx, "acme"); return err },
	},
	{
		"get", http.MethodGet, "/api/orgs/acme/agent-pools/" + poolID, "", respond(200, poolDetail),
		func(ctx context.Context, c *Client) error {
			_, _, err := c.GetAgentPool(ctx, "acme", poolID)
			return err
		},
	},
	{
		"create", http.MethodPost, "/api/orgs/acme/agent-pools", `{"name":"runners","description":""}`,
		respond(200, createdPool),
		func(ctx context.Context, c *Client) error {
			_, err := c.CreateAgentPool(ctx, "acme", "runners", "")
			return err
		},
	},
	{
		"update", http.MethodPatch, "/api/orgs/acme/agent-pools/" + poolID, `{"name":"renamed","description":""}`,
		respond(200, `{"name":"renamed","description":""}`),
		func(ctx context.Context, c *Client) error {
			_, err := c.UpdateAgentPool(ctx, "acme", poolID, "renamed", "")
			return err
		},
	},
	{
		"delete", http.MethodDelete, "/api/orgs/acme/agent-pools/" + poolID, "", respond(204, ""),
		func(ctx context.Context, c *Client) error { return c.DeleteAgentPool(ctx, "acme", poolID, false) },
	},
	{
		"settings", http.MethodPatch, "/api/orgs/acme", `{"setDefaultAgentPoolID":"` + poolID + `"}`, respond(200, `{}`),
		func(ctx context.Context, c *Client) error { return c.SetDefaultAgentPool(ctx, "acme", poolID) },
	},
	{
		"default", http.MethodGet, "/api/user/organizations/default", "", respond(200, `{"GitHubLogin":"acme"}`),
		func(ctx context.Context, c *Client) error { _, err := c.DefaultOrganization(ctx); return err },
	},
}

// route returns the name of the operation that a request belongs to.
func route(r *http.Request) string {
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/api/oauth/token"):
		return "token"
	case strings.HasSuffix(path, "/metadata"):
		return "metadata"
	case strings.HasSuffix(path, "/organizations/default"):
		return "default"
	case strings.HasSuffix(path, "/agent-pools"):
		return map[string]string{http.MethodGet: "list", http.MethodPost: "create"}[r.Method]
	case strings.Contains(path, "/agent-pools/"):
		return map[string]string{http.MethodGet: "get", http.MethodPatch: "update", http.MethodDelete: "delete"}[r.Method]
	}
	return "settings"
}

// handlers respond to each operation.
type handlers map[string]http.HandlerFunc

func (h handlers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handler := h[route(r)]
	if handler == nil {
		handler = respond(http.StatusTeapot, "unexpected "+route(r))
	}
	handler(w, r)
}

// respond sends JSON.
func respond(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// respondHTML responds as a proxy does.
func respondHTML(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html>")
	}
}

// refuse sends an error in the form of Pulumi Cloud.
func refuse(status int) http.HandlerFunc {
	return respond(status, fmt.Sprintf(`{"code":%d,"message":"%s: no"}`, status, http.StatusText(status)))
}

func withHeader(name, value string, handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(name, value)
		handler(w, r)
	}
}

// drop closes the connection without a response.
var drop http.HandlerFunc = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// truncate sends a response that is shorter than its Content-Length.
func truncate(body string) http.HandlerFunc {
	return withHeader("Content-Length", fmt.Sprint(len(body)+10), respond(200, body))
}

// hang sends no response until the client gives up.
var hang http.HandlerFunc = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// sequence uses each handler once and the last one for all further requests.
func sequence(handlers ...http.Handler) http.HandlerFunc {
	var next atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		handlers[min(int(next.Add(1)), len(handlers))-1].ServeHTTP(w, r)
	}
}

// recordedRequest is a request as the server received it.
type recordedRequest struct {
	method, uri, body string
	header            http.Header
}

// server records the requests and counts the connections that it accepts.
type server struct {
	*httptest.Server
	opened atomic.Int64

	mu       sync.Mutex
	requests []recordedRequest
	counts   map[string]int // by operation
}

// newServer starts a server, with TLS if configure sets TLS or EnableHTTP2.
func newServer(tb testing.TB, handler http.Handler, configure ...func(*server)) *server {
	tb.Helper()
	s := &server{counts: make(map[string]int)}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.requests = append(s.requests, recordedRequest{r.Method, r.RequestURI, string(body), r.Header.Clone()})
		s.counts[route(r)]++
		s.mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = hclog.NewNullLogger().StandardLogger(&hclog.StandardLoggerOptions{})
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.opened.Add(1)
		}
	}
	for _, configure := range configure {
		configure(s)
	}
	if s.EnableHTTP2 || s.TLS != nil {
		s.StartTLS()
	} else {
		s.Start()
	}
	tb.Cleanup(s.Close)
	return s
}

func withTLS(s *server)   { s.TLS = &tls.Config{MinVersion: tls.VersionTLS12} }
func withHTTP2(s *server) { s.EnableHTTP2 = true }

func (s *server) recorded() []recordedRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *server) count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[operation]
}

// expectCounts compares the number of requests of each operation, such as "create:1 list:2". Lookups of the edition after
// a 403 count only if want has them.
func (s *server) expectCounts(t *testing.T, want string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := maps.Clone(s.counts)
	if !strings.Contains(want, "metadata") {
		delete(counts, "metadata")
	}
	if got := strings.Trim(fmt.Sprint(counts), "map[]"); got != want {
		t.Errorf("got requests %q, want %q", got, want)
	}
}

// clock is a virtual clock, which Sleep advances.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

func (c *clock) Sleep(ctx context.Context, wait time.Duration) error {
	c.advance(wait)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slept = append(c.slept, wait)
	return ctx.Err()
}

// newClient returns a client of the server, which does not really sleep.
func newClient(tb testing.TB, s *server, change ...func(*Config)) *Client {
	tb.Helper()
	virtual := newClock()
	config := DefaultConfig()
	config.AccessToken, config.UserAgent, config.MaxRetries = testToken, "terraform-provider-pulumicloud/test", 2
	config.Now, config.Sleep = virtual.Now, virtual.Sleep
	if s != nil {
		config.BaseURL, _ = url.Parse(s.URL)
		if certificate := s.Certificate(); certificate != nil {
			config.RootCAs = x509.NewCertPool()
			config.RootCAs.AddCert(certificate)
		}
	}
	for _, change := range change {
		change(&config)
	}
	client := New(config)
	tb.Cleanup(client.http.CloseIdleConnections)
	return client
}

func withClock(c *clock) func(*Config) {
	return func(config *Config) { config.Now, config.Sleep = c.Now, c.Sleep }
}

// expectError reports an error if err is not an E, which it returns.
func expectError[E error](t *testing.T, err error) E {
	t.Helper()
	result, ok := errors.AsType[E](err)
	if !ok {
		t.Fatalf("got %v (%T), want a %T", err, err, result)
	}
	return result
}

// kind returns the name of the type of an error of this package, empty for nil.
func kind(err error) string {
	if err == nil {
		return ""
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", err), "*pulumiapi.")
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// poolJSON returns an agent pool of a list.
func poolJSON(id, name, description string, created int64) string {
	return fmt.Sprintf(`{"id":%q,"name":%q,"description":%q,"created":%d}`, id, name, description, created)
}

// respondList sends a list with the given time as the Date header.
func respondList(date time.Time, pools ...string) http.HandlerFunc {
	return withHeader("Date", date.UTC().Format(http.TimeFormat), respond(200, `{"agentPools":[`+strings.Join(pools, ",")+`]}`))
}

// largeList returns the JSON of a list.
func largeList(pools int) string {
	all := make([]string, pools)
	for i := range all {
		all[i] = fmt.Sprintf(`{"id":"%08d-3c5a-4c60-9f1e-0a4b8f1d2c3e","name":"pool-%d","description":"Runners of team %d",`+
			`"created":1767225600000,"lastSeen":1767225600,"lastDeployment":null,"status":"online","isDefault":false}`, i, i, i)
	}
	return `{"agentPools":[` + strings.Join(all, ",") + `],"defaultAgentPoolID":""}`
}

// inParallel runs a number of calls, some of them at the same time.
func inParallel(calls, parallelism int, call func(int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range parallelism {
		group.Go(func() {
			for i := next.Add(1); i <= int64(calls); i = next.Add(1) {
				call(int(i))
			}
		})
	}
	group.Wait()
}
