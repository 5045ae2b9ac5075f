package emulator_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const (
	accessToken = "pul-0000000000000000000000000000000000000001"
	poolsPath   = "/api/orgs/acme/agent-pools"
)

// clock is a time that only a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// api is an emulator behind an HTTP server, with a client.
type api struct {
	*emulator.Server

	url    string
	client *http.Client
}

func newAPI(tb testing.TB, options emulator.Options) *api {
	tb.Helper()
	options.AccessToken = accessToken
	server, err := emulator.New(options)
	if err != nil {
		tb.Fatal(err)
	}
	listener := httptest.NewServer(server)
	tb.Cleanup(func() {
		listener.CloseClientConnections()
		listener.Close()
	})
	return &api{Server: server, url: listener.URL, client: listener.Client()}
}

// response is a response whose body has been read.
type response struct {
	status int
	header http.Header
	body   []byte
}

// newRequest returns a request with the access token and no other header. The body is a string or is encoded as JSON.
func (a *api) newRequest(tb testing.TB, method, path string, body any) *http.Request {
	tb.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			tb.Fatal(err)
		}
		text = string(encoded)
	}
	request, err := http.NewRequestWithContext(tb.Context(), method, a.url+path, strings.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	request.Header.Set("Authorization", "token "+accessToken)
	return request
}

// try sends a request and returns the response or the error of the connection.
func (a *api) try(request *http.Request) (response, error) {
	resp, err := a.client.Do(request)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, body}, err
}

func (a *api) do(tb testing.TB, request *http.Request) response {
	tb.Helper()
	got, err := a.try(request)
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

func (a *api) send(tb testing.TB, method, path string, body any) response {
	tb.Helper()
	return a.do(tb, a.newRequest(tb, method, path, body))
}

// succeed sends a request and returns the JSON object in the response, which must have status 200.
func (a *api) succeed(tb testing.TB, method, path string, body any) map[string]any {
	tb.Helper()
	got := a.send(tb, method, path, body)
	if got.status != http.StatusOK {
		tb.Fatalf("%s %s: status %d, want 200: %s", method, path, got.status, redact(got.body))
	}
	return decode(tb, got.body)
}

// message returns the message of an error response in Pulumi Cloud's form, which must have this status.
func (r response) message(tb testing.TB, status int) string {
	tb.Helper()
	if r.status != status {
		tb.Fatalf("status %d, want %d: %s", r.status, status, redact(r.body))
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		tb.Errorf("Content-Type %q, want application/json", got)
	}
	body := decode(tb, r.body)
	message, _ := body["message"].(string)
	if body["code"] != float64(status) || !strings.HasPrefix(message, http.StatusText(status)+": ") {
		tb.Errorf("body %s, want the code %d and a message that starts with the status text", redact(r.body), status)
	}
	return message
}

// redact replaces tokens, so that test output holds none.
func redact(body []byte) []byte {
	return regexp.MustCompile(`pul-[0-9a-f]+`).ReplaceAll(body, []byte("pul-…"))
}

func decode(tb testing.TB, data []byte) map[string]any {
	tb.Helper()
	var body map[string]any
	if err := json.Unmarshal(data, &body); err != nil {
		tb.Fatalf("body %q: %v", redact(data), err)
	}
	return body
}

func mustCreate(tb testing.TB, server *emulator.Server, name string) (emulator.AgentPool, string) {
	tb.Helper()
	pool, token, err := server.CreateAgentPool("acme", name, "")
	if err != nil {
		tb.Fatal(err)
	}
	return pool, token
}

func mustDo(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// wantCode checks the status of an error that a method of the server returned.
func wantCode(tb testing.TB, err error, code int) {
	tb.Helper()
	if apiErr, ok := errors.AsType[*emulator.Error](err); !ok || apiErr.Code != code {
		tb.Errorf("error %v, want an emulator.Error with code %d", err, code)
	}
}

// lockedBuffer holds what a server logs in the background.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
