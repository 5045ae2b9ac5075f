package cloud_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

func TestRequests(t *testing.T) {
	t.Parallel()
	for _, operation := range operations() {
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, operation.answer)
			if err := operation.call(t.Context(), newClient(t, server.URL)); err != nil {
				t.Fatal(err)
			}
			requests := server.requests()
			if len(requests) != 1 {
				t.Fatalf("got %d requests, want 1", len(requests))
			}
			got := requests[0]
			if got.method != operation.method || got.uri != operation.uri || got.body != operation.body {
				t.Errorf("got %s %s with body %q, want %s %s with body %q",
					got.method, got.uri, got.body, operation.method, operation.uri, operation.body)
			}
			headers := map[string]string{
				"Authorization":   "token " + accessToken,
				"Accept":          "application/vnd.pulumi+9",
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

func TestPathSegmentsReachTheServerAsThemselves(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"acme":             "acme",
		"a/b":              "a%2Fb",
		"/":                "%2F",
		"../other":         "..%2Fother",
		"a/../b":           "a%2F..%2Fb",
		"100%":             "100%25",
		"%2e%2e":           "%252e%252e",
		"%2F":              "%252F",
		"a b":              "a%20b",
		"a+b":              "a+b",
		"a?b=c":            "a%3Fb=c",
		"a#b":              "a%23b",
		`a\b`:              "a%5Cb",
		"a;b":              "a%3Bb",
		"...":              "...",
		"söme🚀":            "s%C3%B6me%F0%9F%9A%80",
		"agent-pools":      "agent-pools",
		"a:b@c":            "a:b@c",
		"http://other/api": "http:%2F%2Fother%2Fapi",
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				if got, want := r.URL.EscapedPath(), "/api/orgs/"+want+"/agent-pools/"+want; got != want {
					t.Errorf("got the path %s, want %s", got, want)
				}
				if got, want := r.URL.Path, "/api/orgs/"+value+"/agent-pools/"+value; got != want {
					t.Errorf("got the unescaped path %s, want %s", got, want)
				}
				w.WriteHeader(http.StatusNoContent)
			})
			if err := newClient(t, server.URL).DeleteAgentPool(t.Context(), value, value, true); err != nil {
				t.Error(err)
			}
			if uri := "/api/orgs/" + want + "/agent-pools/" + want + "?force=true"; server.count(http.MethodDelete, uri) != 1 {
				t.Errorf("got %+v, want %s", server.requests(), uri)
			}
		})
	}
}

func TestPathSegmentsRefused(t *testing.T) {
	t.Parallel()
	calls := map[string]func(ctx context.Context, c *cloud.Client, organization, id string) error{
		"get": func(ctx context.Context, c *cloud.Client, organization, id string) error {
			_, err := c.GetAgentPool(ctx, organization, id)
			return err
		},
		"read": func(ctx context.Context, c *cloud.Client, organization, id string) error {
			_, err := c.ReadAgentPool(ctx, organization, id)
			return err
		},
		"update": func(ctx context.Context, c *cloud.Client, organization, id string) error {
			_, err := c.UpdateAgentPool(ctx, organization, id, cloud.AgentPoolUpdate{})
			return err
		},
		"delete": func(ctx context.Context, c *cloud.Client, organization, id string) error {
			return c.DeleteAgentPool(ctx, organization, id, false)
		},
		"list": func(ctx context.Context, c *cloud.Client, organization, _ string) error {
			_, err := c.AgentPools(ctx, organization)
			return err
		},
		"create": func(ctx context.Context, c *cloud.Client, organization, _ string) error {
			_, err := c.CreateAgentPool(ctx, organization, "runners", "")
			return err
		},
	}
	server := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("unexpected request: %s %s", r.Method, r.RequestURI)
	})
	client := newClient(t, server.URL)
	for _, value := range []string{"", ".", "..", "a\x00b", "a\nb", "a\rb", "\x7f", "a\u0085b"} {
		for name, call := range calls {
			var argumentErr *cloud.ArgumentError
			err := call(t.Context(), client, value, poolID)
			if !errors.As(err, &argumentErr) || argumentErr.Argument != "organization" {
				t.Errorf("%s, organization %q: got %v, want an error about the organization", name, value, err)
			}
			if name == "list" || name == "create" {
				continue
			}
			err = call(t.Context(), client, "acme", value)
			if !errors.As(err, &argumentErr) || argumentErr.Argument != "agent pool id" {
				t.Errorf("%s, id %q: got %v, want an error about the id", name, value, err)
			}
		}
	}
}

func TestBaseURLPrefix(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"/pulumi", "/pulumi/", "/tools/my%20cloud", "/a%2Fb"} {
		t.Run(prefix, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, answer(http.StatusOK, emptyList))
			want, err := url.JoinPath(prefix, "api/orgs/acme/agent-pools")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := newClient(t, server.URL+prefix).AgentPools(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
			if server.count(http.MethodGet, want) != 1 {
				t.Errorf("got %+v, want a GET of %s", server.requests(), want)
			}
		})
	}
}

func TestNoRequestBeforeTheFirstCall(t *testing.T) {
	t.Parallel()
	server := newUnstartedServer(t, answer(http.StatusOK, emptyList))
	server.Config.ConnState = nil
	connections := countConnections(server)
	server.Start()
	newClient(t, server.URL).Close()
	if n := connections.Load(); n != 0 {
		t.Errorf("got %d connections, want none", n)
	}
}
