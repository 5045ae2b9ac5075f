package emulator_test

import (
	"bytes"
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

func TestNewRefusesBadOptions(t *testing.T) {
	for name, options := range map[string]emulator.Options{
		"no access token":    {},
		"empty organization": {AccessToken: accessToken, Organizations: []string{"acme", ""}},
		"negative latency":   {AccessToken: accessToken, Latency: -1},
		"rate above 1":       {AccessToken: accessToken, Faults: emulator.Faults{Drop: 1.1}},
		"negative rate":      {AccessToken: accessToken, Faults: emulator.Faults{Drop: -0.1}},
		"rates above 1":      {AccessToken: accessToken, Faults: emulator.Faults{Drop: 0.6, Hang: 0.6}},
	} {
		if _, err := emulator.New(options); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAuthentication(t *testing.T) {
	api := newAPI(t, emulator.Options{})
	for _, authorization := range []string{
		"", "token", "token ", "token wrong", "token " + accessToken + "x", "Bearer " + accessToken, accessToken,
	} {
		for method, path := range map[string]string{
			http.MethodGet: pools, http.MethodPost: pools, http.MethodPatch: "/api/orgs/unknown",
			http.MethodDelete: pools + "/none",
		} {
			request := api.request(t, method, path, nil)
			request.Header.Set("Authorization", authorization)
			message := refused(t, api.do(t, request), http.StatusUnauthorized)
			if strings.Contains(message, accessToken) {
				t.Error("the message holds the access token")
			}
		}
	}

	request := api.request(t, http.MethodGet, "/emulator/health", nil)
	request.Header.Del("Authorization")
	if got := decode(t, readBody(t, api.do(t, request))); got["status"] != "ok" {
		t.Errorf("health %v, want ok", got)
	}
}

func TestUnknownOrganizationsAndPools(t *testing.T) {
	api := newAPI(t, emulator.Options{})
	pool, _ := mustCreate(t, api.Server, "one")
	body := map[string]any{"name": "x", "description": ""}
	for _, request := range []*http.Request{
		api.request(t, http.MethodGet, "/api/orgs/globex/agent-pools", nil),
		api.request(t, http.MethodPost, "/api/orgs/globex/agent-pools", body),
		api.request(t, http.MethodPatch, "/api/orgs/globex", map[string]any{"setDefaultAgentPoolID": ""}),
		api.request(t, http.MethodGet, "/api/orgs/globex/agent-pools/"+pool.ID, nil),
		api.request(t, http.MethodGet, "/api/stacks/globex/shop/dev/deployments/settings", nil),
		api.request(t, http.MethodPost, "/api/stacks/globex/shop/dev/deployments/settings", map[string]any{}),
		api.request(t, http.MethodGet, pools+"/none", nil),
		api.request(t, http.MethodPatch, pools+"/none", body),
		api.request(t, http.MethodDelete, pools+"/none?force=true", nil),
		api.request(t, http.MethodDelete, pools+"/"+strings.ToUpper(pool.ID), nil),
	} {
		refused(t, api.do(t, request), http.StatusNotFound)
	}
}

func TestUnknownRoutesAnswerInPlainText(t *testing.T) {
	api := newAPI(t, emulator.Options{Organizations: []string{"acme", "api"}})
	for _, path := range []string{
		"/", "/api", "/api/orgs", "/api/orgs/acme/agent-pool", "/orgs/acme/agent-pools", "/api/api/orgs/acme/agent-pools",
		pools + "/", "/api/orgs//agent-pools", "/api//orgs/acme/agent-pools", "/api/orgs/../orgs/acme/agent-pools",
		pools + "/.", pools + "/one/two", "/emulator/unknown",
	} {
		response := api.send(t, http.MethodGet, path, nil)
		data := readBody(t, response)
		if response.StatusCode != http.StatusNotFound ||
			!strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain") || bytes.HasPrefix(data, []byte("{")) {
			t.Errorf("%s: status %d, %s: %q; want 404 in plain text",
				path, response.StatusCode, response.Header.Get("Content-Type"), data)
		}
	}
	if response := api.send(t, http.MethodPut, pools, nil); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("PUT: status %d, want 405", response.StatusCode)
	}
}

func TestEscapedSegmentsStayWhole(t *testing.T) {
	organizations := []string{"a/b", "50% off", "..", "a%2Fb", "ünï?#"}
	api := newAPI(t, emulator.Options{Organizations: organizations})
	for _, org := range organizations {
		// PathEscape leaves dots alone.
		list := "/api/orgs/" + strings.ReplaceAll(url.PathEscape(org), ".", "%2e") + "/agent-pools"
		api.ResetRequests()
		answer := api.succeed(t, http.MethodPost, list, map[string]any{"name": org, "description": ""}, http.StatusOK)
		if path := api.Requests()[0].Path; path != list {
			t.Errorf("logged path %s, want %s", path, list)
		}
		id := answer["id"].(string)
		if got := api.AgentPools(org); len(got) != 1 || got[0].ID != id {
			t.Errorf("pools of %q: %v, want %s", org, got, id)
		}
		detail := api.succeed(t, http.MethodGet, list+"/"+id, nil, http.StatusOK)
		if detail["name"] != org {
			t.Errorf("name %v, want %s", detail["name"], org)
		}
		for _, other := range []string{"x%2F..%2F" + id, "%2e%2e%2F" + id, id + "%20", "%2F" + id} {
			refused(t, api.send(t, http.MethodGet, list+"/"+other, nil), http.StatusNotFound)
		}
	}

	pool, _, err := api.CreateAgentPool("a/b", "stacks", "")
	if err != nil {
		t.Fatal(err)
	}
	settings := "/api/stacks/a%2Fb/p%2Fq/s%20t/deployments/settings"
	api.succeed(t, http.MethodPost, settings, map[string]any{"agentPoolID": pool.ID}, http.StatusOK)
	refused(t, api.send(t, http.MethodGet, "/api/stacks/a%2Fb/p/q%2Fs%20t/deployments/settings", nil), http.StatusNotFound)
}

func TestEveryAnswerIsDatedAndNumbered(t *testing.T) {
	clock := newClock()
	api := newAPI(t, emulator.Options{Now: clock.Now})
	seen := make(map[string]bool)
	for _, path := range []string{pools, pools + "/none", "/unknown", "/emulator/health"} {
		response := api.send(t, http.MethodGet, path, nil)
		id := response.Header.Get("X-Pulumi-Request-ID")
		if _, err := uuid.Parse(id); err != nil || seen[id] {
			t.Errorf("%s: request id %q is not a fresh UUID", path, id)
		}
		seen[id] = true
		if got, want := response.Header.Get("Date"), clock.Now().Format(http.TimeFormat); got != want {
			t.Errorf("%s: Date %q, want %q", path, got, want)
		}
		if got := api.Requests()[len(seen)-1].RequestID; got != id {
			t.Errorf("%s: logged request id %q, want %q", path, got, id)
		}
	}
}

func TestRequestLog(t *testing.T) {
	api := newAPI(t, emulator.Options{})
	api.succeed(t, http.MethodPost, pools, `{"name":"one","description":""}`, http.StatusOK)
	api.send(t, http.MethodDelete, pools+"/none?force=true", nil)
	api.send(t, http.MethodPost, "/unknown", `{"token":"secret"}`)

	type entry struct {
		Method, Path, Force, Body string
		Status                    int
	}
	var got []entry
	for _, request := range api.Requests() {
		got = append(got, entry{
			request.Method, request.Path, request.Query.Get("force"), request.Body, request.Status,
		})
		if request.Header.Get("X-Pulumi-Source") != "provider" {
			t.Errorf("logged header lacks X-Pulumi-Source: %v", request.Header)
		}
		logged := fmt.Sprintf("%+v", request)
		if strings.Contains(logged, accessToken) || strings.Contains(logged, "secret") {
			t.Error("the request log holds a token")
		}
	}
	want := []entry{
		{http.MethodPost, pools, "", `{"name":"one","description":""}`, http.StatusOK},
		{http.MethodDelete, pools + "/none", "true", "", http.StatusNotFound},
		{http.MethodPost, "/unknown", "", "", http.StatusNotFound},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request log (-want +got):\n%s", diff)
	}
	api.ResetRequests()
	if got := api.Requests(); len(got) != 0 {
		t.Errorf("request log after a reset: %v", got)
	}

	silent := newAPI(t, emulator.Options{NoRequestLog: true})
	silent.succeed(t, http.MethodGet, pools, nil, http.StatusOK)
	if got := silent.Requests(); len(got) != 0 {
		t.Errorf("request log although switched off: %v", got)
	}
}

func TestLogHoldsNoTokens(t *testing.T) {
	var output bytes.Buffer
	api := newAPI(t, emulator.Options{Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &output})})
	// Called directly, the handler has written its line when it returns.
	serve := func(request *http.Request) *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		if request.Body == nil {
			// A server's request always has one.
			request.Body = http.NoBody
		}
		api.ServeHTTP(recorder, request)
		return recorder
	}
	answer := serve(api.request(t, http.MethodPost, pools, map[string]any{"name": "one", "description": ""}))
	token, _ := decode(t, answer.Body.Bytes())["tokenValue"].(string)
	serve(api.request(t, http.MethodGet, pools+"/none", nil))

	for _, want := range []string{
		"method=POST", "path=" + pools + " ", "status=200", "status=404", "duration=", "request_id=",
	} {
		if !strings.Contains(output.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if token == "" || strings.Contains(output.String(), token) || strings.Contains(output.String(), accessToken) {
		t.Error("the log holds a token")
	}
}

func TestHooks(t *testing.T) {
	api := newAPI(t, emulator.Options{})
	var order []string
	hook := func(name string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				order = append(order, name)
				next.ServeHTTP(w, r)
			})
		}
	}
	api.Use(hook("first"))
	api.Use(hook("second"))
	api.succeed(t, http.MethodGet, pools, nil, http.StatusOK)
	api.succeed(t, http.MethodGet, "/emulator/health", nil, http.StatusOK)
	if want := []string{"second", "first"}; !slices.Equal(order, want) {
		t.Errorf("hooks ran as %v, want %v", order, want)
	}

	// One that fails after the write took effect, then one that fails before.
	api.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(httptest.NewRecorder(), r)
			w.WriteHeader(http.StatusBadGateway)
		})
	})
	one := map[string]any{"name": "one", "description": ""}
	if response := api.send(t, http.MethodPost, pools, one); response.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d, want the hook's 502", response.StatusCode)
	}
	if got := api.AgentPools("acme"); len(got) != 1 {
		t.Errorf("%d pools, want 1: the hook fails after the write", len(got))
	}
	api.Use(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Pulumi-Warning", "echo: "+r.Header.Get("User-Agent"))
			w.WriteHeader(http.StatusBadGateway)
		})
	})
	response := api.send(t, http.MethodPost, pools, map[string]any{"name": "two", "description": ""})
	if got := response.Header.Get("X-Pulumi-Warning"); got != "echo: emulator-test" {
		t.Errorf("X-Pulumi-Warning %q, want the hook's", got)
	}
	if got := api.AgentPools("acme"); len(got) != 1 {
		t.Errorf("%d pools, want 1: the hook fails before the write", len(got))
	}
	requests := api.Requests()
	if got := requests[len(requests)-1].Status; got != http.StatusBadGateway {
		t.Errorf("logged status %d, want the hook's 502", got)
	}
}

func TestHookWithoutAnAnswer(t *testing.T) {
	api := newAPI(t, emulator.Options{})
	api.Use(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	})
	if response := api.send(t, http.MethodGet, pools, nil); response.StatusCode != http.StatusOK {
		t.Errorf("status %d, want 200", response.StatusCode)
	}
	if got := api.Requests()[0].Status; got != http.StatusOK {
		t.Errorf("logged status %d, want 200", got)
	}
}

func TestLenientSuppliesHeaders(t *testing.T) {
	for _, lenient := range []bool{false, true} {
		api := newAPI(t, emulator.Options{Lenient: lenient})
		request := api.request(t, http.MethodPost, pools, map[string]any{"name": "one", "description": ""})
		request.Header = http.Header{
			"Authorization": {"token " + accessToken},
			"Accept":        {"*/*"},
			"Content-Type":  {"application/x-www-form-urlencoded"},
		}
		want := http.StatusBadRequest
		if lenient {
			want = http.StatusOK
		}
		if got := api.do(t, request).StatusCode; got != want {
			t.Errorf("lenient %t: status %d, want %d", lenient, got, want)
		}
	}
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, err := emulator.New(emulator.Options{AccessToken: accessToken, Latency: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]time.Duration{pools: 50 * time.Millisecond, "/emulator/health": 0} {
			started := time.Now()
			request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
			server.ServeHTTP(httptest.NewRecorder(), request)
			if got := time.Since(started); got != want {
				t.Errorf("%s took %v, want %v", path, got, want)
			}
		}
	})
}

// cancelOnArrival returns a clock that cancels the context as soon as the emulator has a request.
func cancelOnArrival(t *testing.T) (context.Context, func() time.Time) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	return ctx, func() time.Time {
		cancel()
		return time.Unix(0, 0)
	}
}

func TestLatencyEndsWhenTheClientGoesAway(t *testing.T) {
	ctx, now := cancelOnArrival(t)
	api := newAPI(t, emulator.Options{Latency: time.Hour, Now: now})
	request := api.request(t, http.MethodPost, pools, map[string]any{"name": "one", "description": ""})
	response, err := api.client.Do(request.WithContext(ctx))
	if err == nil {
		response.Body.Close()
		t.Fatal("a cancelled request was answered")
	}
	// Without the early end this takes an hour.
	api.shutDown()
	if got := api.AgentPools("acme"); len(got) != 0 {
		t.Errorf("a request that was cancelled while it waited took effect: %v", got)
	}
}

func TestConcurrentUse(t *testing.T) {
	api := newAPI(t, emulator.Options{})
	const workers, rounds = 8, 10
	var wait sync.WaitGroup
	var created, deleted atomic.Int32
	for range workers {
		// All workers want the same names, and each goes to one of them.
		var requests []*http.Request
		for round := range rounds {
			body := map[string]any{"name": fmt.Sprintf("pool-%d", round), "description": ""}
			requests = append(requests,
				api.request(t, http.MethodPost, pools, body), api.request(t, http.MethodGet, pools, nil))
		}
		wait.Go(func() {
			for _, request := range requests {
				status := api.status(t, request)
				switch {
				case status == http.StatusOK && request.Method == http.MethodPost:
					created.Add(1)
				case status == http.StatusOK, status == http.StatusConflict:
				default:
					t.Errorf("%s: status %d", request.Method, status)
				}
				api.Use(func(next http.Handler) http.Handler { return next })
			}
		})
	}
	wait.Wait()
	all := api.AgentPools("acme")
	if created.Load() != rounds || len(all) != rounds {
		t.Fatalf("%d creations succeeded and %d pools exist, want %d", created.Load(), len(all), rounds)
	}

	for range workers {
		var requests []*http.Request
		for _, pool := range all {
			requests = append(requests,
				api.request(t, http.MethodPatch, pools+"/"+pool.ID, map[string]any{"description": "changed"}),
				api.request(t, http.MethodDelete, pools+"/"+pool.ID, nil))
		}
		wait.Go(func() {
			for _, request := range requests {
				switch status := api.status(t, request); status {
				case http.StatusNoContent:
					deleted.Add(1)
				case http.StatusOK, http.StatusNotFound:
				default:
					t.Errorf("%s: status %d", request.Method, status)
				}
			}
		})
	}
	wait.Wait()
	if left := api.AgentPools("acme"); deleted.Load() != rounds || len(left) != 0 {
		t.Errorf("%d deletions succeeded and %d pools are left, want %d and 0", deleted.Load(), len(left), rounds)
	}
	if got, want := len(api.Requests()), workers*rounds*4; got != want {
		t.Errorf("%d requests logged, want %d", got, want)
	}
}
