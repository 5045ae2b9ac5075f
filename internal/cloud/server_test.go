package cloud_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

const (
	accessToken = "pul-0123456789abcdef0123456789abcdef01234567"
	poolToken   = "pul-fedcba9876543210fedcba9876543210fedcba98"
	poolID      = "6f2b1f0e-3c5a-4c60-9f1e-0a4b8f1d2c3e"

	emptyList = `{"agentPools":[]}`
)

// request is what a server has seen of one.
type request struct {
	method, uri, body string
	header            http.Header
}

// server keeps a log of the requests that it was sent.
type server struct {
	*httptest.Server
	mu  sync.Mutex
	log []request
}

func newUnstartedServer(tb testing.TB, handler http.HandlerFunc) *server {
	tb.Helper()
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // A cancelled client cuts its body off.
		s.mu.Lock()
		s.log = append(s.log, request{r.Method, r.RequestURI, string(body), r.Header.Clone()})
		s.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		handler(w, r)
	}))
	s.Config.ErrorLog = hclog.NewNullLogger().StandardLogger(&hclog.StandardLoggerOptions{})
	tb.Cleanup(s.Close)
	return s
}

func newServer(tb testing.TB, handler http.HandlerFunc) *server {
	tb.Helper()
	s := newUnstartedServer(tb, handler)
	s.Start()
	return s
}

func (s *server) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.log...)
}

// count tells how many requests had the method and, if one is given, the path and query.
func (s *server) count(method string, uri ...string) int {
	n := 0
	for _, r := range s.requests() {
		if r.method == method && (len(uri) == 0 || r.uri == uri[0]) {
			n++
		}
	}
	return n
}

func (s *server) expectCounts(t *testing.T, want map[string]int) {
	t.Helper()
	got := map[string]int{}
	for _, r := range s.requests() {
		got[r.method]++
	}
	for method := range want {
		if want[method] == 0 {
			delete(want, method)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the server was sent %v, want %v", got, want)
	}
}

// newClient returns a client of the server with short waits.
func newClient(tb testing.TB, address string, change ...func(*cloud.Config)) *cloud.Client {
	tb.Helper()
	base, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	config := cloud.Config{
		BaseURL:        base,
		AccessToken:    accessToken,
		UserAgent:      "terraform-provider-pulumicloud/test",
		RequestTimeout: time.Minute,
		MaxRetries:     2,
		RetryWaitMin:   time.Millisecond,
		RetryWaitMax:   time.Millisecond,
		ListMaxAge:     cloud.DefaultListMaxAge,
	}
	for _, change := range change {
		change(&config)
	}
	client := cloud.New(config)
	tb.Cleanup(client.Close)
	return client
}

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
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

// answer is a handler that sends JSON.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// refuse is a handler that sends an error the way Pulumi Cloud does.
func refuse(status int) http.HandlerFunc {
	return answer(status, fmt.Sprintf(`{"code":%d,"message":%q}`, status, http.StatusText(status)+": no"))
}

// drop is a handler that cuts the connection without an answer.
func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// cutOff is a handler whose answer ends before it is whole, as its Content-Length tells.
func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"agentPools":[`)
}

// hang is a handler that answers nothing until the client gives up.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// inTurn answers each request by the next handler; the last one answers all that are left.
func inTurn(handlers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	next := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		handler := handlers[next]
		next = min(next+1, len(handlers)-1)
		mu.Unlock()
		handler(w, r)
	}
}

// first answers the first n requests by handler, and all that are left by next.
func first(n int, handler, next http.HandlerFunc) http.HandlerFunc {
	return inTurn(append(slices.Repeat([]http.HandlerFunc{handler}, n), next)...)
}

// byMethod answers each method by its own handler; for "DETAIL", that is a GET of one pool.
func byMethod(t *testing.T, handlers map[string]http.HandlerFunc) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodGet && !strings.HasSuffix(r.URL.Path, "/agent-pools") {
			method = "DETAIL"
		}
		handler, ok := handlers[method]
		if !ok {
			t.Errorf("unexpected request: %s %s", r.Method, r.RequestURI)
			w.WriteHeader(http.StatusTeapot)
			return
		}
		handler(w, r)
	}
}

// operation is one of the client's methods and the request that it stands for.
type operation struct {
	name   string
	call   func(context.Context, *cloud.Client) error
	method string
	uri    string
	body   string
	answer http.HandlerFunc
}

func operations() []operation {
	name, description := "runners", ""
	return []operation{
		{
			name: "list", method: http.MethodGet, uri: "/api/orgs/acme/agent-pools",
			answer: answer(http.StatusOK, emptyList),
			call: func(ctx context.Context, c *cloud.Client) error {
				_, err := c.AgentPools(ctx, "acme")
				return err
			},
		},
		{
			name: "get", method: http.MethodGet, uri: "/api/orgs/acme/agent-pools/" + poolID,
			answer: answer(http.StatusOK, `{"id":"`+poolID+`","name":"runners"}`),
			call: func(ctx context.Context, c *cloud.Client) error {
				_, err := c.GetAgentPool(ctx, "acme", poolID)
				return err
			},
		},
		{
			name: "create", method: http.MethodPost, uri: "/api/orgs/acme/agent-pools",
			body:   `{"name":"runners","description":""}`,
			answer: answer(http.StatusOK, `{"id":"`+poolID+`","tokenValue":"`+poolToken+`"}`),
			call: func(ctx context.Context, c *cloud.Client) error {
				_, err := c.CreateAgentPool(ctx, "acme", "runners", "")
				return err
			},
		},
		{
			name: "update", method: http.MethodPatch, uri: "/api/orgs/acme/agent-pools/" + poolID,
			body:   `{"name":"runners","description":""}`,
			answer: answer(http.StatusOK, `{"name":"runners","description":""}`),
			call: func(ctx context.Context, c *cloud.Client) error {
				_, err := c.UpdateAgentPool(ctx, "acme", poolID, cloud.AgentPoolUpdate{Name: &name, Description: &description})
				return err
			},
		},
		{
			name: "delete", method: http.MethodDelete, uri: "/api/orgs/acme/agent-pools/" + poolID,
			answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
			call: func(ctx context.Context, c *cloud.Client) error {
				return c.DeleteAgentPool(ctx, "acme", poolID, false)
			},
		},
		{
			name: "set the default pool", method: http.MethodPatch, uri: "/api/orgs/acme",
			body:   `{"setDefaultAgentPoolID":"` + poolID + `"}`,
			answer: answer(http.StatusOK, `{}`),
			call: func(ctx context.Context, c *cloud.Client) error {
				return c.SetDefaultAgentPool(ctx, "acme", poolID)
			},
		},
		{
			name: "default organization", method: http.MethodGet, uri: "/api/user/organizations/default",
			answer: answer(http.StatusOK, `{"GitHubLogin":"acme","Messages":[]}`),
			call: func(ctx context.Context, c *cloud.Client) error {
				_, err := c.DefaultOrganization(ctx)
				return err
			},
		},
	}
}
