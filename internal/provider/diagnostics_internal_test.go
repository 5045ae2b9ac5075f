package provider

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

func TestErrorDiagnostic(t *testing.T) {
	t.Parallel()
	const source = "https://pulumi.example.com (from api_url)"
	status := func(code int, details ...pulumiapi.ErrorDetail) *pulumiapi.APIError {
		return &pulumiapi.APIError{
			Endpoint:   "GET /api/orgs/acme/agent-pools",
			StatusCode: code, IsAPIResponse: true, Message: "no", DocumentationURL: "https://www.pulumi.com/docs",
			Details: details, RequestID: "request-1", Attempts: 3,
		}
	}
	wrap := func(err error) pulumiapi.WrappedError { return pulumiapi.WrappedError{Err: err} }
	rejected, missing := wrap(status(403)), wrap(status(404))
	canceled := wrap(context.Canceled)
	expired := wrap(&tls.CertificateVerificationError{Err: errors.New("expired")})
	wait := status(http.StatusTooManyRequests)
	wait.RetryAfter = time.Hour
	notWaited := status(http.StatusTooManyRequests)
	notWaited.Attempts = 1
	timeout := &pulumiapi.TransportError{
		WrappedError: wrap(context.DeadlineExceeded), Attempts: 3, Ambiguous: true, Timeout: time.Minute,
	}
	closed := &pulumiapi.TransportError{WrappedError: wrap(io.EOF), Attempts: 3, Ambiguous: true}
	handshake := &pulumiapi.TransportError{WrappedError: wrap(io.EOF), Attempts: 3}
	refused := &pulumiapi.TransportError{WrappedError: wrap(errors.New("connection refused")), Attempts: 3}
	for name, test := range map[string]struct {
		err     error
		summary string
		texts   []string
	}{
		"401": {status(401), "Access token rejected", []string{source, "from PULUMI_ACCESS_TOKEN", "Set a valid access token"}},
		"401 for SSO": {
			status(401, pulumiapi.ErrorDetail{Attribute: "acme", Type: "saml_login_required"}), "SSO login required",
			[]string{`Organization "acme"`, "through SSO again"},
		},
		"edition": {
			&pulumiapi.FeatureNotAvailableError{WrappedError: rejected}, "Agent pools not available",
			[]string{`edition of organization "acme"`, "Enterprise", "Cause: GET"},
		},
		"402": {status(402), "Feature not available", []string{`organization "acme"`, "Upgrade"}},
		"403": {status(403), "Permission denied", []string{"agent_pool:create permission", `organization "acme"`, "administrator"}},
		"407": {status(407), "Proxy authentication required", []string{"HTTPS_PROXY"}},
		"422": {
			status(422, pulumiapi.ErrorDetail{Resource: "AgentPool", Attribute: "name", Message: "too long"}), "Request rejected",
			[]string{
				"Cause: GET /api/orgs/acme/agent-pools: 422 no (request ID request-1)",
				"- AgentPool: name: too long", "See https://www.pulumi.com/docs",
			},
		},
		"408":             {status(408), "Request timed out", []string{"(attempts: 3). It may have taken effect. Run"}},
		"429":             {status(429), "Rate limit exceeded", []string{"attempts: 3", "-parallelism"}},
		"429 not waited":  {notWaited, "Rate limit exceeded", []string{"With max_retries = 0"}},
		"429 with a wait": {wait, "Rate limit exceeded", []string{"1h0m0s"}},
		"500":             {status(500), "Pulumi Cloud server error", []string{"failed (attempts: 3). It may have taken effect. Run"}},
		"redirect": {
			&pulumiapi.APIError{StatusCode: 302, Location: "https://login.example.com"}, "Response not from Pulumi Cloud",
			[]string{source, "redirects to https://login.example.com", "no other server gets the access token"},
		},
		"proxy": {
			&pulumiapi.APIError{StatusCode: 404, ContentType: "text/html"}, "Response not from Pulumi Cloud",
			[]string{source, "proxy", "text/html"},
		},
		"invalid body": {
			&pulumiapi.ResponseError{Field: "id", Reason: "is missing"}, "Unexpected response from Pulumi Cloud",
			[]string{source, `field "id" is missing`},
		},
		// The response says more than that there is no agent pool.
		"not found": {
			&pulumiapi.AgentPoolNotFoundError{WrappedError: missing, ID: "id-1"}, "Agent pool not found",
			[]string{"id-1", "run a new plan", "request-1"},
		},
		"unreachable": {refused, "Pulumi Cloud is unreachable", []string{source, "HTTPS_PROXY", "connection refused"}},
		"closed":      {closed, "Connection closed", []string{"(attempts: 3). It may have taken effect. If", source}},
		"handshake":   {handshake, "Connection closed", []string{"(attempts: 3). If"}},
		"generated name": {
			&pulumiapi.AgentPoolExistsError{
				WrappedError: rejected, Name: "ci-1", Existing: &pulumiapi.AgentPool{ID: "id-1"},
			},
			"Agent pool already exists",
			[]string{"id-1. The name was generated", "Delete it"},
		},
		"interrupted": {
			&pulumiapi.UnknownOutcomeError{WrappedError: canceled, Name: "ci-1", LookupErr: context.Canceled},
			"Agent pool may have been created",
			[]string{"was interrupted before", "Wait a minute. Apply again"},
		},
		"lookup unreachable": {
			&pulumiapi.UnknownOutcomeError{WrappedError: rejected, Name: "ci-1", LookupErr: refused},
			"Agent pool may have been created",
			[]string{"could not read the list", "Check the URL " + source, "Apply again", "403 no", "Then: : connection refused"},
		},
		"lookup not authenticated": {
			&pulumiapi.UnknownOutcomeError{
				WrappedError: rejected, Name: "ci-1",
				LookupErr: &pulumiapi.AuthenticationError{Err: status(http.StatusServiceUnavailable)},
			},
			"Agent pool may have been created",
			[]string{"an agent pool with a new name", "403 no", "Then: GET /api/orgs/acme/agent-pools: 503"},
		},
		"canceled token exchange": {
			&pulumiapi.AuthenticationError{Err: &credentials.SettingsError{Err: context.Canceled}}, "Request canceled",
			[]string{"interrupted"},
		},
		"timeout": {timeout, "Request timed out", []string{"within 1m0s (attempts: 3). It may have taken effect.", "request_timeout"}},
		"certificate": {
			&pulumiapi.TransportError{WrappedError: expired}, "Invalid certificate",
			[]string{source, "clock", "expired"},
		},
		"other": {errors.New("unexpected"), "Pulumi Cloud request failed", []string{"Cause: unexpected"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &providerData{credentials: credentials.Credentials{
				BaseURL: &url.URL{Scheme: "https", Host: "pulumi.example.com"}, BaseURLSource: "api_url",
				AccessTokenSource: "PULUMI_ACCESS_TOKEN",
			}}
			op := errorContext{action: "create agent pool", organization: "acme", permission: "agent_pool:create", newName: true}
			diagnostic := d.errorDiagnostic(op, test.err)
			if diagnostic.Summary() != test.summary {
				t.Errorf("summary %q, want %q", diagnostic.Summary(), test.summary)
			}
			for _, text := range append(test.texts, "Could not create agent pool.") {
				if !strings.Contains(diagnostic.Detail(), text) {
					t.Errorf("%q is missing in:\n%s", text, diagnostic.Detail())
				}
			}
		})
	}
}
