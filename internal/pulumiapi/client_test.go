package pulumiapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
)

func TestClient_requests(t *testing.T) {
	t.Parallel()
	for _, operation := range testOperations {
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, operation.success)
			if err := operation.call(t.Context(), newClient(t, s)); err != nil {
				t.Fatal(err)
			}
			requests := s.recorded()
			if len(requests) != 1 {
				t.Fatalf("got %d requests, want 1", len(requests))
			}
			got := requests[0]
			if got.method != operation.method || got.uri != operation.path || got.body != operation.body {
				t.Errorf("got %s %s with body %q, want %s %s with body %q",
					got.method, got.uri, got.body, operation.method, operation.path, operation.body)
			}
			headers := map[string]string{
				"Authorization":   "token " + testToken,
				"Accept":          "application/vnd.pulumi+8",
				"X-Pulumi-Source": "provider",
				"User-Agent":      "terraform-provider-pulumicloud/test",
				"Content-Type":    "",
			}
			if operation.body != "" {
				headers["Content-Type"] = "application/json"
			}
			for name, want := range headers {
				if values := got.header.Values(name); len(values) > 1 || got.header.Get(name) != want {
					t.Errorf("got header %s: %q, want %q", name, values, want)
				}
			}
		})
	}
}

func TestClient_escapesPathSegments(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"a/b": "a%2Fb", "../other": "..%2Fother", "100%": "100%25", "%2e%2e": "%252e%252e", "a b": "a%20b", "a?b=c": "a%3Fb=c",
		"a#b": "a%23b", `a\b`: "a%5Cb", "...": "...", "söme🚀": "s%C3%B6me%F0%9F%9A%80", "a:b@c": "a:b@c",
	} {
		s := newServer(t, respond(204, ""))
		if err := newClient(t, s).DeleteAgentPool(t.Context(), value, value, true); err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		if got := s.recorded()[0].uri; got != "/api/orgs/"+want+"/agent-pools/"+want+"?force=true" {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

func TestClient_keepsPathOfBaseURL(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{
		"/": "", "/pulumi": "/pulumi", "/pulumi/": "/pulumi", "/my%20cloud/a%2Fb": "/my%20cloud/a%2Fb",
	} {
		s := newServer(t, respond(200, emptyList))
		c := newClient(t, s, func(config *Config) { config.BaseURL, _ = url.Parse(s.URL + prefix) })
		if _, err := c.AgentPools(t.Context(), "ac/me"); err != nil {
			t.Error(err)
			continue
		}
		if got := s.recorded()[0].uri; got != want+"/api/orgs/ac%2Fme/agent-pools" {
			t.Errorf("%s: got %s", prefix, got)
		}
	}
}

func TestClient_rejectsArguments(t *testing.T) {
	t.Parallel()
	calls := map[string]func(ctx context.Context, c *Client, organization, id string) error{
		"organization": func(ctx context.Context, c *Client, organization, _ string) error {
			_, err := c.CreateAgentPool(ctx, organization, "runners", "")
			return err
		},
		"ID": func(ctx context.Context, c *Client, _, id string) error {
			_, _, err := c.GetAgentPool(ctx, "acme", id)
			return err
		},
	}
	s := newServer(t, respond(200, `{}`))
	c := newClient(t, s, func(config *Config) { config.Secrets = []string{"s3cr3t-value"} })
	for _, value := range []string{
		"", ".", "..", "a\x00b", "a\nb", "\x7f", "a\u0085b", poolToken, "x-" + poolToken, "S3CR3T-VALUE", "pul%2D0123456789abcdef",
	} {
		for argument, call := range calls {
			err := expectError[*ArgumentError](t, call(t.Context(), c, value, value))
			if err.Argument != argument || len(value) > 5 && slices.Contains([]string{err.Reason, err.Error()}, value) {
				t.Errorf("%q: got %v, want an error about the %s", value, err, argument)
			}
		}
	}
	s.expectCounts(t, "")
}

func TestClient_Warnings(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	s := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Pulumi-Warning"] = []string{"always", fmt.Sprint("request ", requests.Add(1)), "\u009b2J\n"}
		refuse(400)(w, r)
	}))
	c := newClient(t, s)
	for _, want := range []string{"[always request 1 �2J]", "[request 2]"} {
		_ = c.DeleteAgentPool(t.Context(), "acme", poolID, false)
		if got := fmt.Sprint(c.Warnings()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	inParallel(2*maxWarnings, 10, func(int) {
		_ = c.DeleteAgentPool(t.Context(), "acme", poolID, false)
		_ = c.Warnings()
	})
	if len(c.warnings) != maxWarnings {
		t.Errorf("got %d warnings, want %d", len(c.warnings), maxWarnings)
	}
}
