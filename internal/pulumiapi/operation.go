package pulumiapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/pulumi/pulumi-cloud-sdk/go/apiclient"
)

// operation is one operation of the API with all of its attempts. The SDK calls its execute method as the executor.
type operation struct {
	client       *Client
	organization string // empty if the path has none
	id           string // of the agent pool in the path, or empty
	isStack      bool   // whether the path has a stack
	wantStatus   int    // the only success, whereas the SDK accepts every status below 400
	idempotent   bool   // whether the request may be sent again after an attempt that may have taken effect

	isTokenExchange bool                                // the one operation without an access token, which has OAuth errors
	isNeeded        func(context.Context) (bool, error) // checked before each attempt, nil for always

	endpoint     string // method and path, for errors and logs
	attempts     int
	retriesUsed  int       // attempts after the first, without those for a renewed token and after a 429
	refusedToken string    // access token that a 401 refused, after which the operation uses a new one, once
	limitedSince time.Time // when the first 429 arrived
	ambiguous    bool      // whether an attempt that failed may have taken effect, see isAmbiguous
	last         *attempt
	err          error
}

// newOperation returns an operation that may be sent again and succeeds with status 200, as most do. organization is
// empty if the path has none.
func (c *Client) newOperation(organization string) *operation {
	return &operation{client: c, organization: organization, wantStatus: http.StatusOK, idempotent: true}
}

// sdk returns an SDK client for one use of the operation. It clears the result of the previous use.
func (o *operation) sdk() *apiclient.CloudClient {
	o.last, o.err = nil, nil
	return &apiclient.CloudClient{BaseURL: o.client.config.BaseURL.String(), Executor: o.execute}
}

// errNotNeeded ends an operation that is not needed, which is a success.
var errNotNeeded = errors.New("not needed")

// result turns the error of an SDK method into one of this package: the error of execute, or a *[ResponseError] if the
// SDK could not decode the body.
func (o *operation) result(err error) error {
	switch {
	case o.err == errNotNeeded, o.err == nil && err == nil: //nolint:errorlint // It is not wrapped.
		return nil
	case o.err != nil:
		return o.err
	case o.last == nil: // The SDK could not build the request.
		return &ArgumentError{Argument: "request", Reason: err.Error()}
	}
	if typeErr, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return o.responseErrorf(typeErr.Field, "has an unexpected JSON type")
	}
	return o.responseErrorf("", "is not the expected JSON (%d bytes)", len(o.last.body))
}

// decode is result for a response in which the SDK requires more than is needed. It decodes the response into body.
func (o *operation) decode(err error, body any) error {
	if o.err == nil && o.last != nil {
		err = json.Unmarshal(o.last.body, body)
	}
	return o.result(err)
}

// execute sends a request until it succeeds, fails for good, or must not be sent again.
func (o *operation) execute(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && !o.isStack { // Deployment settings are not in the list.
		o.client.lists.invalidate(o.organization)
		defer o.client.lists.invalidate(o.organization)
	}
	if o.err = o.run(req); o.err != nil {
		return nil, o.err
	}
	return &http.Response{
		StatusCode: o.last.status, Header: o.last.header, Request: req, Body: io.NopCloser(bytes.NewReader(o.last.body)),
	}, nil
}

func (o *operation) run(req *http.Request) error {
	c, ctx := o.client, req.Context()
	if err := o.prepare(req); err != nil {
		return err
	}
	for {
		if err := c.throttle.wait(ctx); err != nil {
			return o.waitError(err)
		}
		token, err := o.authorize(req)
		if err != nil {
			return err
		}
		if o.isNeeded != nil {
			if needed, err := o.isNeeded(ctx); err != nil || !needed {
				return cmp.Or(err, errNotNeeded)
			}
		}
		a := o.sendOnce(req)
		verdict := o.classify(a)
		o.log(req, a, verdict)
		switch {
		case verdict == succeeded:
			return nil
		case verdict == unauthorized && c.config.Exchange != nil && o.refusedToken == "":
			o.refusedToken = token
		case verdict == rateLimited && c.config.MaxRetries > 0 && a.received.Sub(o.limitedSince)+a.retryAfter < maxRateLimitWait:
			// throttle.wait waits, together with all other requests of the client.
		case verdict == retryable && o.mayRetry():
			if err := o.waitForRetry(ctx); err != nil {
				return o.waitError(err)
			}
		default:
			return o.explain(ctx, o.failure(a))
		}
	}
}

// prepare checks the arguments in the path, and adds the path of the base URL and our headers, which the SDK lacks.
func (o *operation) prepare(req *http.Request) error {
	arguments := []string{"organization", "project", "ID"} // after /api/orgs or /api/stacks, where "agent-pools" passes as well
	if o.isStack {
		arguments[2] = "stack"
	}
	segments := strings.Split(req.URL.EscapedPath(), "/")[3:]
	for i, argument := range arguments[:min(len(arguments), len(segments))] {
		value, _ := url.PathUnescape(segments[i])
		if reason := o.client.checkSegment(value); reason != "" {
			return &ArgumentError{Argument: argument, Reason: reason}
		}
	}
	base := o.client.config.BaseURL
	escaped := strings.TrimSuffix(base.EscapedPath(), "/") + req.URL.EscapedPath()
	req.URL.Path = strings.TrimSuffix(base.Path, "/") + req.URL.Path
	req.URL.RawPath = escaped
	o.endpoint = req.Method + " " + o.sanitize(escaped)
	req.Header.Set("X-Pulumi-Source", "provider")
	req.Header.Set("User-Agent", o.client.config.UserAgent)
	return nil
}

// checkSegment returns the reason that a value cannot be a segment of a path, or an empty string. Escaping is not
// enough: clients, proxies and servers resolve dot segments even if they are escaped.
func (c *Client) checkSegment(value string) string {
	switch {
	case c.redactor.redact(value) != value:
		return "contains a token"
	case value == "", value == ".", value == "..", strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Sprintf("cannot be %q", value)
	}
	return ""
}

// authorize sets the Authorization header and returns the access token, which is not refusedToken.
func (o *operation) authorize(req *http.Request) (string, error) {
	if o.isTokenExchange {
		return "", nil
	}
	token, err := o.client.accessToken(req.Context(), o.refusedToken)
	switch {
	case err == nil:
		req.Header.Set("Authorization", "token "+token)
	case req.Context().Err() != nil:
		err = o.transportError(err)
	default:
		err = &AuthenticationError{Err: err}
	}
	return token, err
}

// sendOnce makes one attempt, and records its secrets, its warnings, and its effect on the throttle and on ambiguous.
func (o *operation) sendOnce(req *http.Request) *attempt {
	c, ctx := o.client, req.Context()
	o.attempts++
	if !o.idempotent { // Only the response has the token. The second half of the grace period is for the list.
		var cancel context.CancelFunc
		ctx, cancel = withGracePeriod(ctx, c.config.GracePeriod/2)
		defer cancel()
	}
	once := req.Clone(ctx)
	if req.GetBody != nil {
		once.Body, _ = req.GetBody() // The body is in memory, so that this cannot fail.
	}
	a := c.send(once)
	o.last = a
	if req.Method == http.MethodPost { // The only responses with secrets. They must be known before anything is logged.
		var fields map[string]any
		_ = json.Unmarshal(a.body, &fields)
		for _, name := range secretFields {
			secret, _ := fields[name].(string)
			c.redactor.add(secret)
		}
	}
	switch {
	case a.status == http.StatusTooManyRequests && a.retryAfter <= MaxRetryAfter && c.config.MaxRetries > 0:
		c.throttle.recordRateLimit(a.started, a.retryAfter)
		o.limitedSince = cmp.Or(o.limitedSince, a.received)
	case a.status != 0 && a.status != http.StatusTooManyRequests:
		c.throttle.recordResponse(a.started)
	}
	o.ambiguous = o.ambiguous || o.isAmbiguous(a)
	c.addWarnings(a.header.Values("X-Pulumi-Warning")...)
	return a
}

// verdict is how an attempt ended.
type verdict string

const (
	succeeded    verdict = "succeeded"
	failed       verdict = "failed"
	ambiguous    verdict = "ambiguous" // run must not send it again
	retryable    verdict = "retryable"
	rateLimited  verdict = "rate limited"
	unauthorized verdict = "unauthorized"
)

func (o *operation) classify(a *attempt) verdict {
	switch {
	case o.isSuccess(a):
		return succeeded
	case !o.idempotent && o.isAmbiguous(a):
		return ambiguous
	case isPermanent(a.err), a.retryAfter > MaxRetryAfter:
		return failed
	case a.status == http.StatusTooManyRequests:
		return rateLimited
	case a.status == http.StatusUnauthorized && !o.isTokenExchange:
		return unauthorized
	case a.err != nil, a.status == http.StatusRequestTimeout,
		a.status >= http.StatusInternalServerError && a.status != http.StatusNotImplemented:
		return retryable
	}
	return failed
}

// isSuccess reports whether the response is the expected one, as far as the executor can know.
func (o *operation) isSuccess(a *attempt) bool { return a.err == nil && a.status == o.wantStatus }

// isAmbiguous reports whether a failed attempt may have taken effect. A proxy in front of Pulumi Cloud may have
// forwarded the request and replaced the response. It does not forward what it redirects or rejects by itself.
func (o *operation) isAmbiguous(a *attempt) bool {
	switch {
	case o.isSuccess(a):
		return false
	case a.err != nil:
		return !a.sent.IsZero()
	case a.status < 300, a.status >= 500, a.status == http.StatusRequestTimeout:
		return true
	case a.status < 400, a.status == http.StatusTooManyRequests, a.status == http.StatusProxyAuthRequired:
		return false
	}
	return !o.apiError(a).IsAPIResponse
}
