package provider_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// httpLogEntries creates an agent pool, which lists none before, and returns what the provider logs of its requests.
// The first attempt of each is answered with 429.
func httpLogEntries(t *testing.T) (pulumi pulumiCloud, entries []map[string]any, output string) {
	t.Helper()
	pulumi = startPulumiCloud(t, emulator.Options{})
	var posts atomic.Int64
	pulumi.intercept(http.MethodPost, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if posts.Add(1) == 1 {
			answer(http.StatusTooManyRequests, jsonType, pulumiError(http.StatusTooManyRequests, "slow down"))(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
	p := serveProvider(t)
	mustConfigure(t, p, attributes{"api_url": pulumi.url, "access_token": accessToken})

	var log bytes.Buffer
	pools := p.Resource(poolType)
	plan, diagnostics := pools.Plan(t.Context(), pools.Absent(), attributes{
		"organization": "acme", "name": "runners", "description": "in the data centre",
	})
	expectNoError(t, diagnostics)
	pool, diagnostics := pools.ApplyChange(tflogtest.RootLogger(t.Context(), &log), plan)
	expectNoError(t, diagnostics)
	token := pool.Text("token")
	output = log.String()
	for _, secret := range []string{accessToken, token} {
		if strings.Contains(output, secret) {
			t.Error("the log shows a token")
		}
	}
	all, err := tflogtest.MultilineJSONDecode(&log)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range all {
		if entry["@module"] == "provider.http" {
			entries = append(entries, entry)
		}
	}
	return pulumi, entries, output
}

func TestHTTPLogging_levels(t *testing.T) {
	const (
		sending  = "trace sending request 1"
		refused  = "warn request answered 1"
		refusal  = "trace response body 1"
		again    = "trace sending request 2"
		answered = "debug request answered 2"
		body     = "trace response body 2"
	)
	everything := []string{sending, refused, refusal, again, answered, body}
	for name, test := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"off":               {nil, nil},
		"explicitly off":    {map[string]string{"TF_LOG": "OFF"}, nil},
		"error":             {map[string]string{"TF_LOG": "ERROR"}, nil},
		"warn":              {map[string]string{"TF_LOG": "WARN"}, []string{refused}},
		"debug":             {map[string]string{"TF_LOG": "DEBUG"}, []string{refused, answered}},
		"trace":             {map[string]string{"TF_LOG": "TRACE"}, everything},
		"trace as JSON":     {map[string]string{"TF_LOG": "JSON"}, everything},
		"lower case":        {map[string]string{"TF_LOG": "debug"}, []string{refused, answered}},
		"all providers":     {map[string]string{"TF_LOG_PROVIDER": "DEBUG"}, []string{refused, answered}},
		"this provider":     {map[string]string{"TF_LOG_PROVIDER_PULUMICLOUD": "DEBUG"}, []string{refused, answered}},
		"requests alone":    {map[string]string{"TF_LOG_PROVIDER_PULUMICLOUD_HTTP": "DEBUG"}, []string{refused, answered}},
		"requests in full":  {map[string]string{"TF_LOG_PROVIDER_PULUMICLOUD_HTTP": "TRACE"}, everything},
		"all but requests":  {map[string]string{"TF_LOG": "TRACE", "TF_LOG_PROVIDER_PULUMICLOUD_HTTP": "OFF"}, nil},
		"fewer of requests": {map[string]string{"TF_LOG": "TRACE", "TF_LOG_PROVIDER_PULUMICLOUD_HTTP": "WARN"}, []string{refused}},
		"no level at all":   {map[string]string{"TF_LOG": "TRACE", "TF_LOG_PROVIDER_PULUMICLOUD_HTTP": "loud"}, everything},
	} {
		t.Run(name, func(t *testing.T) {
			withoutLogging(t)
			for variable, level := range test.env {
				t.Setenv(variable, level)
			}
			_, entries, _ := httpLogEntries(t)
			var got []string
			for _, entry := range entries {
				got = append(got, fmt.Sprint(entry["@level"], " ", entry["@message"], " ", entry["attempt"]))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

// withoutLogging keeps what whoever runs the tests wants logged out of this test.
func withoutLogging(t *testing.T) {
	t.Helper()
	for _, variable := range []string{
		"TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_PROVIDER_PULUMICLOUD", "TF_LOG_PROVIDER_PULUMICLOUD_HTTP",
	} {
		t.Setenv(variable, "")
	}
}

func TestHTTPLogging_fields(t *testing.T) {
	withoutLogging(t)
	t.Setenv("TF_LOG", "DEBUG")
	pulumi, entries, output := httpLogEntries(t)
	requests := pulumi.Requests()
	if len(requests) != 2 || len(entries) != 2 {
		t.Fatalf("%d entries for %d requests, want 2 for 2", len(entries), len(requests))
	}
	for i, entry := range entries {
		if duration, ok := entry["duration_ms"].(float64); !ok || duration < 0 {
			t.Errorf("duration_ms is %v", entry["duration_ms"])
		}
		got := map[string]any{}
		for _, field := range []string{"method", "path", "status", "attempt", "request_id", "retryable"} {
			got[field] = entry[field]
		}
		want := map[string]any{
			"method": "POST", "path": "/api/orgs/acme/agent-pools", "status": float64(requests[i].Status),
			"attempt": float64(i + 1), "request_id": requests[i].RequestID, "retryable": i == 0,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("entry %d (-want +got):\n%s", i, diff)
		}
	}
	if strings.Contains(output, "in the data centre") {
		t.Error("a body is logged at DEBUG")
	}
}

func TestHTTPLogging_bodies(t *testing.T) {
	withoutLogging(t)
	t.Setenv("TF_LOG_PROVIDER_PULUMICLOUD_HTTP", "TRACE")
	pulumi, entries, _ := httpLogEntries(t)
	var got []any
	for _, entry := range entries {
		if body, ok := entry["body"]; ok {
			got = append(got, body)
		}
	}
	const sent = `{"description":"in the data centre","name":"runners"}`
	want := []any{
		sent, pulumiError(http.StatusTooManyRequests, "slow down"),
		sent, fmt.Sprintf(`{"id":%q,"tokenValue":"(redacted)"}`, pulumi.onlyPool(t, "acme").ID),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

// A secret's field is enough: nothing else tells this one from other texts.
func TestHTTPLogging_tokenOfAnyShape(t *testing.T) {
	withoutLogging(t)
	t.Setenv("TF_LOG", "TRACE")
	pulumi := startPulumiCloud(t, emulator.Options{})
	pulumi.intercept(http.MethodGet, answer(http.StatusOK, jsonType, `{"agentPools":[],"tokenValue":"opaque"}`))
	p := serveProvider(t)
	mustConfigure(t, p, attributes{"api_url": pulumi.url, "access_token": accessToken})
	var log bytes.Buffer
	p.ReadDataSource(tflogtest.RootLogger(t.Context(), &log), agentPoolsType, attributes{"organization": "acme"})
	if output := log.String(); strings.Contains(output, "opaque") || !strings.Contains(output, "(redacted)") {
		t.Error("the log shows a token's field, or no body at all")
	}
}

func TestHTTPLogging_noAnswer(t *testing.T) {
	withoutLogging(t)
	t.Setenv("TF_LOG", "WARN")
	pulumi := startPulumiCloud(t, emulator.Options{Faults: emulator.Faults{"drop": 1}})
	p := serveProvider(t)
	mustConfigure(t, p, attributes{"api_url": pulumi.url, "access_token": accessToken, "max_retries": 1})
	var log bytes.Buffer
	p.ReadDataSource(tflogtest.RootLogger(t.Context(), &log), agentPoolsType, attributes{"organization": "acme"})
	entries, err := tflogtest.MultilineJSONDecode(&log)
	if err != nil {
		t.Fatal(err)
	}
	var got []any
	for _, entry := range entries {
		got = append(got, entry["@level"], entry["@message"], entry["method"], entry["path"], entry["attempt"], entry["retryable"])
		if text, ok := entry["error"].(string); !ok || text == "" {
			t.Errorf("the entry does not say what failed: %v", entry)
		}
	}
	want := []any{
		"warn", "request failed", "GET", "/api/orgs/acme/agent-pools", 1.0, true,
		"warn", "request failed", "GET", "/api/orgs/acme/agent-pools", 2.0, true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// The entries reach the log of the CLI that has started the provider.
func TestAccHTTPLogging_cli(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	workspace := newWorkspace(t, `
data "pulumicloud_agent_pools" "all" {
  organization = "acme"
}`, "PULUMI_BACKEND_URL="+pulumi.url, "PULUMI_ACCESS_TOKEN="+accessToken)
	workspace.MustRun(t, "init")
	for name, test := range map[string]struct {
		env            []string
		answer, bodies bool
	}{
		"nothing":       {nil, false, false},
		"info":          {[]string{"TF_LOG=INFO"}, false, false},
		"debug":         {[]string{"TF_LOG=DEBUG"}, true, false},
		"all providers": {[]string{"TF_LOG_PROVIDER=DEBUG"}, true, false},
		"trace":         {[]string{"TF_LOG=TRACE"}, true, true},
		"no bodies":     {[]string{"TF_LOG=TRACE", "TF_LOG_PROVIDER_PULUMICLOUD_HTTP=DEBUG"}, true, false},
		// The CLI drops what providers log unless it is told that they may.
		"requests alone": {[]string{"TF_LOG_PROVIDER_PULUMICLOUD_HTTP=TRACE"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := *workspace
			w.Env = append(slices.Clip(w.Env), test.env...)
			output := w.MustRun(t, "plan", "-lock=false")
			if got := strings.Contains(output, ": request answered: "); got != test.answer {
				t.Errorf("requests are logged: %t, want %t", got, test.answer)
			}
			if got := strings.Contains(output, ": response body: "); got != test.bodies {
				t.Errorf("bodies are logged: %t, want %t", got, test.bodies)
			}
		})
	}
}
