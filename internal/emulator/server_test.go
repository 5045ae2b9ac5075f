package emulator_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestNew_invalidOptions(t *testing.T) {
	for name, options := range map[string]emulator.Options{
		"no access token":    {},
		"empty organization": {AccessToken: accessToken, Organizations: []string{"acme", ""}},
		"unknown mode":       {AccessToken: accessToken, Modes: []emulator.Mode{"calm"}},
		"unknown fault":      {AccessToken: accessToken, Faults: emulator.Faults{"flood": 0.1}},
		"rate above 1":       {AccessToken: accessToken, Faults: emulator.Faults{"drop": 1.1}},
		"negative rate":      {AccessToken: accessToken, Faults: emulator.Faults{"drop": -0.1}},
	} {
		if _, err := emulator.New(options); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestServer_authentication(t *testing.T) {
	a := newAPI(t, emulator.Options{})
	for _, authorization := range []string{
		"", "token", "token ", "token wrong", "token " + accessToken + "x", "Bearer " + accessToken, accessToken,
	} {
		for _, path := range []string{poolsPath, "/api/orgs/unknown/metadata", "/api/user"} {
			request := a.newRequest(t, http.MethodGet, path, nil)
			request.Header.Set("Authorization", authorization)
			if message := a.do(t, request).message(t, http.StatusUnauthorized); strings.Contains(message, accessToken) {
				t.Error("the message holds the access token")
			}
		}
	}
	for _, path := range []string{"/emulator/health", "/api/capabilities"} {
		request := a.newRequest(t, http.MethodGet, path, nil)
		request.Header.Del("Authorization")
		if got := a.do(t, request); got.status != http.StatusOK {
			t.Errorf("%s without an access token: status %d, want 200", path, got.status)
		}
	}
}

func TestServer_requiresNoHeaders(t *testing.T) {
	a := newAPI(t, emulator.Options{})
	for name, header := range map[string]http.Header{
		"none":    {},
		"curl":    {"Accept": {"*/*"}, "Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {"curl/8"}},
		"Pulumi":  {"Accept": {"application/vnd.pulumi+8"}, "Content-Type": {"application/json"}},
		"unknown": {"Accept": {"text/plain"}, "Content-Type": {"text/plain"}, "X-Pulumi-Source": {"none"}},
	} {
		request := a.newRequest(t, http.MethodPost, poolsPath, map[string]any{"name": name, "unknown": true})
		header.Set("Authorization", "token "+accessToken)
		request.Header = header
		if got := a.do(t, request); got.status != http.StatusOK {
			t.Errorf("%s: status %d, want 200: %s", name, got.status, redact(got.body))
		}
	}
}

func TestServer_gzip(t *testing.T) {
	a := newAPI(t, emulator.Options{})
	send := func(body []byte) response {
		request := a.newRequest(t, http.MethodPost, poolsPath, string(body))
		request.Header.Set("Content-Encoding", "gzip")
		return a.do(t, request)
	}
	compress := func(text string) []byte {
		var compressed bytes.Buffer
		writer := gzip.NewWriter(&compressed)
		_, err := writer.Write([]byte(text))
		mustDo(t, err)
		mustDo(t, writer.Close())
		return compressed.Bytes()
	}
	body := `{"name":"one","description":"compressed"}`
	if got := send(compress(body)); got.status != http.StatusOK || a.AgentPools("acme")[0].Description != "compressed" {
		t.Errorf("status %d, want 200 and the pool: %s", got.status, redact(got.body))
	}
	if got := a.Requests()[0].Body; got != body {
		t.Errorf("logged body %q, want it uncompressed", got)
	}
	send([]byte(body)).message(t, http.StatusBadRequest)
	send(compress(body)[:20]).message(t, http.StatusBadRequest)
	send(compress(`{"name":"`+strings.Repeat("x", 1<<20)+`"}`)).message(t, http.StatusBadRequest)
	a.send(t, http.MethodPost, poolsPath, `{"name":"`+strings.Repeat("x", 1<<20)+`"}`).message(t, http.StatusBadRequest)
}

func TestServer_unknownRoute(t *testing.T) {
	a := newAPI(t, emulator.Options{Organizations: []string{"acme", "api"}})
	for _, path := range []string{
		"/", "/api", "/api/orgs", "/api/orgs/acme/agent-pool", "/api/api/orgs/acme/agent-pools", poolsPath + "/",
		"/api/orgs//agent-pools", "/api//orgs/acme/agent-pools", "/api/orgs/../orgs/acme/agent-pools", poolsPath + "/.",
		poolsPath + "/one/two", "/emulator/unknown",
	} {
		got := a.send(t, http.MethodGet, path, nil)
		if got.status != http.StatusNotFound || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s: status %d, %s; want 404 in plain text", path, got.status, got.header.Get("Content-Type"))
		}
	}
	if got := a.send(t, http.MethodPut, poolsPath, nil); got.status != http.StatusMethodNotAllowed {
		t.Errorf("PUT: status %d, want 405", got.status)
	}
}

func TestServer_escapedPath(t *testing.T) {
	organizations := []string{"a/b", "50% off", "..", "a%2Fb", "ünï?#"}
	a := newAPI(t, emulator.Options{Organizations: organizations})
	for _, org := range organizations {
		// PathEscape does not escape dots.
		list := "/api/orgs/" + strings.ReplaceAll(url.PathEscape(org), ".", "%2e") + "/agent-pools"
		id := a.succeed(t, http.MethodPost, list, map[string]any{"name": org})["id"].(string)
		if got := a.AgentPools(org); len(got) != 1 || got[0].ID != id {
			t.Errorf("pools of %q: %v, want %s", org, got, id)
		}
		if requests := a.Requests(); requests[len(requests)-1].Path != list {
			t.Errorf("logged path %s, want %s", requests[len(requests)-1].Path, list)
		}
		for _, other := range []string{"x%2F..%2F" + id, "%2e%2e%2F" + id, id + "%20", "%2F" + id} {
			a.send(t, http.MethodGet, list+"/"+other, nil).message(t, http.StatusNotFound)
		}
	}
	mustDo(t, a.CreateStack("a/b", emulator.Stack{Project: "p/q", Name: "s t"}))
	a.succeed(t, http.MethodGet, "/api/stacks/a%2Fb/p%2Fq/s%20t", nil)
	a.send(t, http.MethodGet, "/api/stacks/a%2Fb/p/q%2Fs%20t", nil).message(t, http.StatusNotFound)
}

func TestServer_dateAndRequestID(t *testing.T) {
	clock := newClock()
	a := newAPI(t, emulator.Options{Now: clock.Now})
	seen := make(map[string]bool)
	for _, path := range []string{poolsPath, poolsPath + "/none", "/unknown", "/emulator/health"} {
		got := a.send(t, http.MethodGet, path, nil)
		id := got.header.Get("X-Pulumi-Request-ID")
		if _, err := uuid.Parse(id); err != nil || seen[id] {
			t.Errorf("%s: request ID %q is not a new UUID", path, id)
		}
		seen[id] = true
		if got, want := got.header.Get("Date"), clock.Now().Format(http.TimeFormat); got != want {
			t.Errorf("%s: Date %q, want %q", path, got, want)
		}
		if logged := a.Requests()[len(seen)-1].RequestID; logged != id {
			t.Errorf("%s: logged request ID %q, want %q", path, logged, id)
		}
	}
}

func TestServer_requestLog(t *testing.T) {
	var log lockedBuffer
	a := newAPI(t, emulator.Options{Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &log})})
	token := a.succeed(t, http.MethodPost, poolsPath, `{"name":"one"}`)["tokenValue"].(string)
	request := a.newRequest(t, http.MethodDelete, poolsPath+"/none?force=true", nil)
	request.Header.Set("User-Agent", "emulator-test")
	a.do(t, request)

	type entry struct {
		Method, Path, Force, Body, UserAgent string
		Status                               int
	}
	var got []entry
	for _, r := range a.Requests() {
		got = append(got, entry{r.Method, r.Path, r.Query.Get("force"), r.Body, r.Header.Get("User-Agent"), r.Status})
	}
	want := []entry{
		{http.MethodPost, poolsPath, "", `{"name":"one"}`, "Go-http-client/1.1", http.StatusOK},
		{http.MethodDelete, poolsPath + "/none", "true", "", "emulator-test", http.StatusNotFound},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request log (-want +got):\n%s", diff)
	}
	logged := log.String() + fmt.Sprintf("%+v", a.Requests())
	if strings.Contains(logged, token) || strings.Contains(logged, accessToken) {
		t.Error("a log holds a token")
	}
	for _, want := range []string{"method=POST", "path=" + poolsPath + " ", "status=200", "duration=", "request_id="} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	a.ResetRequests()
	if got := a.Requests(); len(got) != 0 {
		t.Errorf("request log after a reset: %v", got)
	}
	silent := newAPI(t, emulator.Options{NoRequestLog: true})
	silent.succeed(t, http.MethodGet, poolsPath, nil)
	if got := silent.Requests(); len(got) != 0 {
		t.Errorf("request log although it is off: %v", got)
	}
}

func TestServer_middleware(t *testing.T) {
	a := newAPI(t, emulator.Options{})
	var order []string
	for _, name := range []string{"first", "second"} {
		a.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				order = append(order, name)
				next.ServeHTTP(w, r)
			})
		})
	}
	a.succeed(t, http.MethodGet, poolsPath, nil)
	a.succeed(t, http.MethodGet, "/emulator/health", nil)
	if want := []string{"second", "first"}; !slices.Equal(order, want) {
		t.Errorf("middleware ran as %v, want %v", order, want)
	}

	// One that fails after the effect, one that fails before it, and one that does not respond at all.
	a.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(httptest.NewRecorder(), r)
			w.WriteHeader(http.StatusBadGateway)
		})
	})
	if got := a.send(t, http.MethodPost, poolsPath, `{"name":"one"}`); got.status != http.StatusBadGateway {
		t.Errorf("status %d, want the 502 of the middleware", got.status)
	}
	a.Use(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	})
	a.send(t, http.MethodPost, poolsPath, `{"name":"two"}`)
	if got := a.AgentPools("acme"); len(got) != 1 || got[0].Name != "one" {
		t.Errorf("pools %v, want the first only", got)
	}
}

func TestServer_latency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, err := emulator.New(emulator.Options{AccessToken: accessToken, Latency: 50 * time.Millisecond})
		mustDo(t, err)
		for path, want := range map[string]time.Duration{poolsPath: 50 * time.Millisecond, "/emulator/health": 0} {
			started := time.Now()
			request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
			server.ServeHTTP(httptest.NewRecorder(), request)
			if got := time.Since(started); got != want {
				t.Errorf("%s took %v, want %v", path, got, want)
			}
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		request := httptest.NewRequestWithContext(ctx, http.MethodPost, poolsPath, strings.NewReader(`{"name":"one"}`))
		request.Header.Set("Authorization", "token "+accessToken)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a request was served although the client had gone")
				}
			}()
			server.ServeHTTP(httptest.NewRecorder(), request)
		}()
		if got := server.AgentPools("acme"); len(got) != 0 {
			t.Errorf("pools %v, want none, because the client had gone", got)
		}
	})
}

func TestServer_rateLimit(t *testing.T) {
	clock := newClock()
	a := newAPI(t, emulator.Options{RateLimit: 2, Now: clock.Now})
	count := func() (admitted int) {
		for range 5 {
			got := a.send(t, http.MethodGet, poolsPath, nil)
			if got.status == http.StatusOK {
				admitted++
				continue
			}
			got.message(t, http.StatusTooManyRequests)
			if got.header.Get("Retry-After") != "1" {
				t.Errorf("Retry-After %q, want 1", got.header.Get("Retry-After"))
			}
		}
		return admitted
	}
	if got := count(); got != 2 {
		t.Errorf("%d requests were admitted at once, want 2", got)
	}
	clock.advance(500 * time.Millisecond)
	if got := count(); got != 1 {
		t.Errorf("%d requests were admitted half a second later, want 1", got)
	}
	if got := a.FaultCounts()["rate-limit"]; got != 7 {
		t.Errorf("%d requests were counted as refused, want 7", got)
	}
}

func TestServer_concurrentUse(t *testing.T) {
	a := newAPI(t, emulator.Options{})
	const workers, rounds = 8, 10
	var wait sync.WaitGroup
	run := func(requests func() []*http.Request, check func(method string, status int)) {
		for range workers {
			sent := requests()
			wait.Go(func() {
				for _, request := range sent {
					got, err := a.try(request)
					if err != nil {
						t.Error(err)
					}
					check(request.Method, got.status)
				}
				a.Use(func(next http.Handler) http.Handler { return next })
			})
		}
		wait.Wait()
	}
	// All workers create the same names and delete the same pools. Each succeeds once.
	var created, deleted atomic.Int32
	run(func() (requests []*http.Request) {
		for round := range rounds {
			body := map[string]any{"name": fmt.Sprintf("pool-%d", round)}
			requests = append(requests,
				a.newRequest(t, http.MethodPost, poolsPath, body), a.newRequest(t, http.MethodGet, poolsPath, nil))
		}
		return requests
	}, func(method string, status int) {
		if method == http.MethodPost && status == http.StatusOK {
			created.Add(1)
		} else if status != http.StatusOK && status != http.StatusConflict {
			t.Errorf("%s: status %d", method, status)
		}
	})
	pools := a.AgentPools("acme")
	run(func() (requests []*http.Request) {
		for _, pool := range pools {
			requests = append(requests,
				a.newRequest(t, http.MethodPatch, poolsPath+"/"+pool.ID, `{"description":"changed"}`),
				a.newRequest(t, http.MethodDelete, poolsPath+"/"+pool.ID, nil))
		}
		return requests
	}, func(method string, status int) {
		if status == http.StatusNoContent {
			deleted.Add(1)
		} else if status != http.StatusOK && status != http.StatusNotFound {
			t.Errorf("%s: status %d", method, status)
		}
	})
	if created.Load() != rounds || deleted.Load() != rounds || len(a.AgentPools("acme")) != 0 {
		t.Errorf("%d creates and %d deletes succeeded, want %d each", created.Load(), deleted.Load(), rounds)
	}
}
