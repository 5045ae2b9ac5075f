package emulator_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(killedProcessFile); path != "" {
		writeUntilKilled(path)
	}
	os.Exit(m.Run())
}

const accessToken = "pul-0000000000000000000000000000000000000001"

// clock is a time that moves when it is told to.
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

// api is an emulator behind a real HTTP server, and a client for it.
type api struct {
	*emulator.Server
	url    string
	client *http.Client
	// shutDown closes the emulator, then waits for the requests that are under way. The end of the test calls it too.
	shutDown func()
}

func newAPI(tb testing.TB, options emulator.Options) *api {
	tb.Helper()
	options.AccessToken = accessToken
	server, err := emulator.New(options)
	if err != nil {
		tb.Fatal(err)
	}
	listener := httptest.NewServer(server)
	shutDown := sync.OnceFunc(func() {
		// Requests that hang end with the emulator, and the listener waits for them.
		if err := server.Close(); err != nil {
			tb.Error(err)
		}
		listener.Close()
	})
	tb.Cleanup(shutDown)
	return &api{Server: server, url: listener.URL, client: listener.Client(), shutDown: shutDown}
}

// request returns a request with all headers that the API asks for.
func (a *api) request(tb testing.TB, method, path string, body any) *http.Request {
	tb.Helper()
	var reader io.Reader
	if body != nil {
		text, ok := body.(string)
		if !ok {
			encoded, err := json.Marshal(body)
			if err != nil {
				tb.Fatal(err)
			}
			text = string(encoded)
		}
		reader = strings.NewReader(text)
	}
	request, err := http.NewRequestWithContext(tb.Context(), method, a.url+path, reader)
	if err != nil {
		tb.Fatal(err)
	}
	request.Header.Set("Authorization", "token "+accessToken)
	request.Header.Set("Accept", "application/vnd.pulumi+9")
	request.Header.Set("User-Agent", "emulator-test")
	request.Header.Set("X-Pulumi-Source", "provider")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request
}

func (a *api) send(tb testing.TB, method, path string, body any) *http.Response {
	tb.Helper()
	return a.do(tb, a.request(tb, method, path, body))
}

func (a *api) do(tb testing.TB, request *http.Request) *http.Response {
	tb.Helper()
	response, err := a.client.Do(request)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { response.Body.Close() })
	return response
}

// succeed sends a request that must be answered with status, and returns the decoded body.
func (a *api) succeed(tb testing.TB, method, path string, body any, status int) map[string]any {
	tb.Helper()
	response := a.send(tb, method, path, body)
	data := readBody(tb, response)
	if response.StatusCode != status {
		tb.Fatalf("%s %s: status %d, want %d: %s", method, path, response.StatusCode, status, redact(data))
	}
	if len(data) == 0 {
		return nil
	}
	return decode(tb, data)
}

// refused asserts that a response is a refusal in the API's JSON form and returns its message.
func refused(tb testing.TB, response *http.Response, status int) string {
	tb.Helper()
	data := readBody(tb, response)
	if response.StatusCode != status {
		tb.Fatalf("status %d, want %d: %s", response.StatusCode, status, redact(data))
	}
	if got := response.Header.Get("Content-Type"); got != "application/json" {
		tb.Errorf("Content-Type %q, want application/json", got)
	}
	body := decode(tb, data)
	if body["code"] != float64(status) {
		tb.Errorf("code %v, want %d", body["code"], status)
	}
	message, _ := body["message"].(string)
	if !strings.HasPrefix(message, http.StatusText(status)+": ") {
		tb.Errorf("message %q does not open with the status text", message)
	}
	return message
}

// status sends a request and returns the answer's status, or 0 after marking the test as failed. Unlike send it may be
// called from any goroutine.
func (a *api) status(tb testing.TB, request *http.Request) int {
	tb.Helper()
	response, err := a.client.Do(request)
	if err != nil {
		tb.Error(err)
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		tb.Error(err)
	}
	return response.StatusCode
}

// redact makes a body fit for test output.
func redact(body []byte) []byte {
	return regexp.MustCompile(`pul-[0-9a-f]+`).ReplaceAll(body, []byte("pul-…"))
}

func readBody(tb testing.TB, response *http.Response) []byte {
	tb.Helper()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func decode(tb testing.TB, data []byte) map[string]any {
	tb.Helper()
	var body map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&body); err != nil {
		tb.Fatalf("body %q: %v", redact(data), err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		tb.Fatalf("body %q goes on after its JSON", redact(data))
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

func errorCode(tb testing.TB, err error) int {
	tb.Helper()
	refusal, ok := errors.AsType[*emulator.Error](err)
	if !ok {
		tb.Fatalf("error %v is not an *emulator.Error", err)
	}
	return refusal.Code
}
