package emulator_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// outcome is what a client learns of a request, and what the request did.
type outcome struct {
	// response starts with the status, or is "error" if the connection broke.
	response string
	pools    int
}

func TestFaults_outcome(t *testing.T) {
	const created = `200 application/json {"id":"…","tokenValue":"…"}`
	apiError := func(status int, message string) string {
		return fmt.Sprintf(`%d application/json {"code":%d,"message":"%s: %s"}`,
			status, status, http.StatusText(status), message)
	}
	injected := func(status int) string { return apiError(status, "injected") }
	page := func(status int) string {
		return fmt.Sprintf("%d text/html; charset=utf-8 <html><body><h1>%d %s</h1></body></html>",
			status, status, http.StatusText(status))
	}
	wants := map[string]outcome{
		"drop": {"error", 0}, "drop-after": {"error", 1},
		"reset": {"error", 0}, "reset-after": {"error", 1},
		"429": {injected(429), 0}, "429-retry-after-0": {injected(429), 0}, "429-retry-after-1": {injected(429), 0},
		"429-retry-after-date": {injected(429), 0},
		"404":                  {injected(404), 0}, "409": {injected(409), 0},
		"101": {"101  ", 0}, "101-after": {"101  ", 1},
		"500": {injected(500), 0}, "500-after": {injected(500), 1},
		"502": {injected(502), 0}, "502-after": {injected(502), 1},
		"503": {injected(503), 0}, "503-after": {injected(503), 1},
		"504": {injected(504), 0}, "504-after": {injected(504), 1},
		"html-200": {page(200), 0}, "html-200-after": {page(200), 1},
		"html-403": {page(403), 0}, "html-403-after": {page(403), 1},
		"html-404": {page(404), 0}, "html-404-after": {page(404), 1},
		"html-502": {page(502), 0}, "html-502-after": {page(502), 1},
		"html-503": {page(503), 0}, "html-503-after": {page(503), 1},
		"empty-body": {"200 application/json ", 0}, "empty-body-after": {"200 application/json ", 1},
		"null-body": {"200 application/json null", 0}, "null-body-after": {"200 application/json null", 1},
		"truncate-after":        {"error", 1},
		"no-end-after":          {"error", 1},
		"repeat-pools-after":    {created, 1},
		"uppercase-ids-after":   {created, 1},
		"half-json-after":       {`200 application/json {"id":"…","tokenV`, 1},
		"content-type-after":    {`200 text/html {"id":"…","tokenValue":"…"}`, 1},
		"repeat-response-after": {created, 1},
		"repeat-request-after":  {apiError(409, "agent pool already exists"), 1},
		"stale-reads":           {created, 1},
	}
	for _, name := range emulator.FaultNames() {
		if strings.HasPrefix(name, "hang") || strings.HasPrefix(name, "endless") || name == "late" {
			continue // These end with the client, in the next test.
		}
		t.Run(name, func(t *testing.T) {
			a := newAPI(t, emulator.Options{Faults: emulator.Faults{name: 1}, Seed: 1})
			got, err := a.try(a.newRequest(t, http.MethodPost, poolsPath, `{"name":"one"}`))
			response := "error"
			if err == nil {
				response = fmt.Sprintf("%d %s %s", got.status, got.header.Get("Content-Type"), withoutRandom(got.body))
			}
			if got := (outcome{response, len(a.AgentPools("acme"))}); got != wants[name] {
				t.Errorf("outcome %+v, want %+v", got, wants[name])
			}
			if counts := a.FaultCounts(); counts[name] != 1 {
				t.Errorf("counts %v, want 1 of %s", counts, name)
			}
			a.send(t, http.MethodGet, "/emulator/health", nil) // Faults spare the emulator's own operations.
		})
	}
}

// withoutRandom replaces IDs and tokens in a body.
func withoutRandom(body []byte) string {
	text := string(body)
	for _, field := range []string{`"id":"`, `"tokenValue":"`} {
		if before, rest, ok := strings.Cut(text, field); ok {
			_, after, _ := strings.Cut(rest, `"`)
			text = before + field + `…"` + after
		}
	}
	return text
}

// giveUp sends a create of a pool that the client gives up as soon as it has arrived, and returns when it has been
// served.
func (a *api) giveUp(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(served)
		cancel()
		a.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	body := strings.NewReader(`{"name":"` + name + `"}`)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+poolsPath, body)
	mustDo(t, err)
	request.Header.Set("Authorization", "token "+accessToken)
	if _, err := a.try(request); err == nil {
		t.Error("a request that the client gave up was answered")
	}
	<-served
}

func TestFaults_endWithTheClient(t *testing.T) {
	for name, pools := range map[string]int{
		"hang": 0, "hang-after": 1, "endless-body": 0, "endless-body-after": 1, "late": 0,
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t, emulator.Options{Faults: emulator.Faults{name: 1}})
			a.giveUp(t, "one")
			if got := len(a.AgentPools("acme")); got != pools || a.FaultCounts()[name] != 1 {
				t.Errorf("%d pools and counts %v, want %d pools and 1 fault", got, a.FaultCounts(), pools)
			}
		})
	}
}

func TestFaults_lateEffect(t *testing.T) {
	a := newAPI(t, emulator.Options{Faults: emulator.Faults{"late": 1}})
	a.giveUp(t, "one")
	for range 2 {
		a.succeed(t, http.MethodGet, poolsPath, nil)
	}
	if got := a.AgentPools("acme"); len(got) != 1 {
		t.Errorf("%d pools after two further requests, want 1", len(got))
	}
	a.giveUp(t, "two")
	mustDo(t, a.SetFaults(nil))
	if got := a.AgentPools("acme"); len(got) != 2 {
		t.Errorf("%d pools after the faults ended, want 2", len(got))
	}
}

func TestFaults_staleReads(t *testing.T) {
	a := newAPI(t, emulator.Options{Faults: emulator.Faults{emulator.StaleReads: 1}})
	path := poolsPath + "/" + a.succeed(t, http.MethodPost, poolsPath, `{"name":"one"}`)["id"].(string)
	reads := 0
	for reads < 3 && a.send(t, http.MethodGet, path, nil).status == http.StatusNotFound {
		reads++
	}
	if reads != 1 && reads != 2 {
		t.Errorf("the pool was hidden from %d reads, want 1 or 2", reads)
	}
	path = poolsPath + "/" + a.succeed(t, http.MethodPost, poolsPath, `{"name":"two"}`)["id"].(string)
	if pools := a.succeed(t, http.MethodGet, poolsPath, nil)["agentPools"].([]any); len(pools) != 1 {
		t.Errorf("the list shows %d pools, want the first only", len(pools))
	}
	// The end of the faults shows all pools, also when faults begin again.
	mustDo(t, a.SetFaults(nil))
	mustDo(t, a.SetFaults(emulator.Faults{emulator.StaleReads: 1}))
	if got := a.send(t, http.MethodGet, path, nil); got.status != http.StatusOK {
		t.Errorf("status %d after the faults ended, want 200", got.status)
	}
}

func TestFaults_list(t *testing.T) {
	a := newAPI(t, emulator.Options{})
	pool, _ := mustCreate(t, a.Server, "one")
	for name, want := range map[string][]string{
		"repeat-pools-after": {pool.ID, pool.ID}, "uppercase-ids-after": {strings.ToUpper(pool.ID)},
	} {
		mustDo(t, a.SetFaults(emulator.Faults{name: 1}))
		var got []string
		for _, item := range a.succeed(t, http.MethodGet, poolsPath, nil)["agentPools"].([]any) {
			got = append(got, item.(map[string]any)["id"].(string))
		}
		if !cmp.Equal(got, want) {
			t.Errorf("%s: IDs %q, want %q", name, got, want)
		}
	}
	mustDo(t, a.SetFaults(nil))
	a.succeed(t, http.MethodGet, poolsPath+"/"+strings.ToUpper(pool.ID), nil)
}

func TestFaults_retryAfter(t *testing.T) {
	for name, want := range map[string]string{
		"429": "", "429-retry-after-0": "0", "429-retry-after-1": "1",
		"429-retry-after-date": "Thu, 01 Jan 2026 00:00:00 GMT",
	} {
		a := newAPI(t, emulator.Options{Faults: emulator.Faults{name: 1}})
		if got := a.send(t, http.MethodGet, poolsPath, nil).header.Get("Retry-After"); got != want {
			t.Errorf("%s: Retry-After %q, want %q", name, got, want)
		}
	}
}

func TestFaults_seed(t *testing.T) {
	faults := emulator.Faults{"429": 0.25, "500": 0.25, "503-after": 0.25}
	draw := func(seed uint64, names ...string) map[string][]int {
		a := newAPI(t, emulator.Options{Seed: seed, Faults: faults})
		statuses := make(map[string][]int)
		for range 50 {
			for _, name := range names {
				got := a.send(t, http.MethodPost, poolsPath, map[string]any{"name": name})
				statuses[name] = append(statuses[name], got.status)
			}
		}
		return statuses
	}
	first := draw(7, "one", "two", "three", "four")
	// The order of requests about different pools does not matter.
	if diff := cmp.Diff(first, draw(7, "four", "two", "three", "one")); diff != "" {
		t.Errorf("the same seed drew different faults:\n%s", diff)
	}
	if cmp.Equal(first, draw(8, "one", "two", "three", "four")) {
		t.Error("a different seed drew the same faults")
	}
	count := make(map[int]int)
	for _, statuses := range first {
		for _, status := range statuses {
			count[status]++
		}
	}
	// About 50 each. The seed is fixed, so that this cannot fail by chance.
	for _, status := range []int{429, 500, 503} {
		if count[status] < 35 || count[status] > 65 {
			t.Errorf("status %d occurred %d times in 200, want about 50", status, count[status])
		}
	}
}

func TestFaults_echoSecrets(t *testing.T) {
	a := newAPI(t, emulator.Options{EchoSecrets: true, Faults: emulator.Faults{"500-after": 1}})
	got := a.send(t, http.MethodPost, poolsPath, `{"name":"one"}`)
	message := got.message(t, http.StatusInternalServerError)
	encoded := base64.StdEncoding.EncodeToString([]byte("token " + accessToken))
	for _, secret := range []string{accessToken, "tokenValue", encoded[:len(encoded)-2]} {
		if !strings.Contains(message, secret) || !strings.Contains(got.header.Get("X-Pulumi-Warning"), secret) {
			t.Error("the response does not repeat the secrets of the request and its response")
		}
	}
}
