// Package cloud is a client of Pulumi Cloud's agent-pool API (the REST API behind self-hosted deployment
// runners), and of what finding it takes: credentials, default organization, retries. It knows nothing of
// Terraform.
package cloud

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-retryablehttp"
)

const (
	// DefaultRequestTimeout bounds one attempt of a request, from dialling to the last byte of the answer.
	DefaultRequestTimeout = 60 * time.Second
	// DefaultMaxRetries is how often a request is sent again after its first attempt.
	DefaultMaxRetries = 4
	// DefaultListMaxAge is how long one list of an organization's pools may answer reads of them: the length
	// of a refresh of thousands of pools, and far less than an apply that could outdate it.
	DefaultListMaxAge = 10 * time.Second

	defaultRetryWaitMin = time.Second
	defaultRetryWaitMax = 30 * time.Second

	maxBodyBytes     = 1 << 20
	maxListBodyBytes = 64 << 20
)

// Config says where Pulumi Cloud is and how to talk to it. BaseURL and AccessToken are required.
type Config struct {
	// BaseURL is what stands before "/api", as [ParseBaseURL] returns it.
	BaseURL *url.URL
	// AccessToken authenticates every request, unless Tokens is set.
	AccessToken string
	// Tokens provides the access token where it does not stay the same.
	Tokens TokenSource
	// UserAgent names the program to the server.
	UserAgent string
	// RootCAs are the certificate authorities to trust; nil means the system's.
	RootCAs *x509.CertPool
	// RequestTimeout bounds each attempt of a request; 0 means [DefaultRequestTimeout].
	RequestTimeout time.Duration
	// MaxRetries is how often a request may be sent again after its first attempt.
	MaxRetries int
	// RetryWaitMin and RetryWaitMax bound the exponential backoff between attempts; 0 means 1 and 30 seconds.
	// A server's Retry-After takes precedence.
	RetryWaitMin, RetryWaitMax time.Duration
	// ListMaxAge is how long one list answers [Client.AgentPools] and [Client.ReadAgentPool]; 0 means that each
	// of them asks the server.
	ListMaxAge time.Duration
	// Logger returns the logger for a request made with the given context; nil means no logging.
	Logger func(context.Context) hclog.Logger
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
}

// Client is safe for concurrent use.
type Client struct {
	config   Config
	http     *http.Client
	redactor *redactor
	// transport is http's. http can't close its idle connections: the retry engine would, whenever a call fails.
	transport *http.Transport

	lists               sharedReads[*AgentPoolList] // by organization
	defaultOrganization sharedReads[string]
}

// New returns a client. It opens no connection: the first request does.
func New(config Config) *Client {
	if config.RequestTimeout == 0 {
		config.RequestTimeout = DefaultRequestTimeout
	}
	if config.RetryWaitMin == 0 {
		config.RetryWaitMin = defaultRetryWaitMin
	}
	if config.RetryWaitMax == 0 {
		config.RetryWaitMax = defaultRetryWaitMax
	}
	if config.Tokens == nil {
		config.Tokens = StaticToken(config.AccessToken)
	}
	if config.Logger == nil {
		config.Logger = func(context.Context) hclog.Logger { return hclog.NewNullLogger() }
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	dialer := newDialer()
	transport := newTransport(config.RootCAs, dialer)
	return &Client{
		config: config,
		http: &http.Client{
			Transport:     &bufferingTransport{base: transport, dialer: dialer},
			CheckRedirect: checkRedirect,
			Timeout:       config.RequestTimeout,
		},
		redactor:  newRedactor(config.AccessToken),
		transport: transport,

		lists:               sharedReads[*AgentPoolList]{now: config.Now},
		defaultOrganization: sharedReads[string]{now: config.Now},
	}
}

// Close gives up the connections that are idle.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// call is one operation of the API.
type call struct {
	method string
	// path holds the segments below the base URL, as they are meant, not as they are escaped.
	path  []string
	query url.Values
	body  any
	// spent are the attempts that calls before it have used of those that it may take.
	spent int
	// maxBody bounds a successful answer, in bytes; 0 means maxBodyBytes.
	maxBody int64
	// anonymous calls carry no access token.
	anonymous bool
	// repeatable tells that a POST does no harm when it is carried out twice.
	repeatable bool
}

// answer is a successful response.
type answer struct {
	endpoint Endpoint
	status   int
	header   http.Header
	body     []byte
	received time.Time
	// requestID and contentType are safe to show.
	requestID, contentType string
}

// do sends a call, again where that is safe, until it is answered. The error is an *[APIError], a
// *[TransportError] or an *[AuthenticationError].
func (c *Client) do(ctx context.Context, o call) (*answer, error) {
	answer, _, err := c.doCounting(ctx, o)
	return answer, err
}

// doCounting is do, and tells how often the request was sent.
func (c *Client) doCounting(ctx context.Context, o call) (*answer, int, error) {
	if o.anonymous {
		return c.send(ctx, o, "")
	}
	token, err := c.config.Tokens.accessToken(ctx, c, "")
	if err != nil {
		return nil, 0, &AuthenticationError{Err: err}
	}
	answer, attempts, err := c.send(ctx, o, token)
	if !hasStatus(err, http.StatusUnauthorized) {
		return answer, attempts, err
	}
	// A request with a token that was refused was not carried out.
	renewed, renewalErr := c.config.Tokens.accessToken(ctx, c, token)
	switch {
	case renewalErr != nil:
		return nil, attempts, &AuthenticationError{Err: renewalErr}
	case renewed == token:
		return nil, attempts, err
	}
	answer, more, err := c.send(ctx, o, renewed)
	return answer, attempts + more, err
}

// send is do with a given access token.
func (c *Client) send(ctx context.Context, o call, token string) (*answer, int, error) {
	target := c.url(o)
	endpoint := Endpoint{Method: o.method, Path: target.EscapedPath()}

	x := &exchange{client: c, logger: c.config.Logger(ctx), call: o, endpoint: endpoint}
	var body any // stays nil where there is none: an empty []byte would be one
	if o.body != nil {
		encoded, err := json.Marshal(o.body)
		if err != nil {
			return nil, 0, err
		}
		x.requestBody, body = encoded, encoded
	}
	ctx = context.WithValue(ctx, exchangeKey{}, x)
	req, err := retryablehttp.NewRequestWithContext(ctx, o.method, target.String(), body)
	if err != nil {
		return nil, 0, err
	}
	if !o.anonymous {
		req.Header.Set("Authorization", "token "+token)
	}
	req.Header.Set("Accept", "application/vnd.pulumi+9")
	req.Header.Set("X-Pulumi-Source", "provider")
	if c.config.UserAgent != "" {
		req.Header.Set("User-Agent", c.config.UserAgent)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}

	engine := retryablehttp.Client{
		HTTPClient:     c.http,
		RetryWaitMin:   c.config.RetryWaitMin,
		RetryWaitMax:   c.config.RetryWaitMax,
		RetryMax:       c.config.MaxRetries - o.spent,
		RequestLogHook: x.sending,
		CheckRetry:     x.shouldRetry,
		Backoff:        c.backoff,
		// The last answer is worth more than the engine's own "giving up".
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	resp, err := engine.Do(req)
	if err != nil {
		return nil, x.attempts, x.transportError(ctx, err)
	}
	received := c.config.Now()
	_ = resp.Body.Close() // The transport has read it already: x.body.
	for _, warning := range resp.Header.Values("X-Pulumi-Warning") {
		if warning = c.redactor.clean(warning); warning != "" {
			addWarning(ctx, warning)
		}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, x.attempts, x.apiError(resp)
	}
	return &answer{
		endpoint: endpoint, status: resp.StatusCode, header: resp.Header, body: x.body, received: received,
		requestID: c.redactor.clean(requestID(resp)), contentType: c.redactor.clean(resp.Header.Get("Content-Type")),
	}, x.attempts, nil
}

// url escapes each segment of the call's path by itself, so that none can become another path.
func (c *Client) url(o call) *url.URL {
	target := *c.config.BaseURL
	plain := append([]string{strings.TrimSuffix(target.Path, "/")}, o.path...)
	escaped := []string{strings.TrimSuffix(target.EscapedPath(), "/")}
	for _, segment := range o.path {
		escaped = append(escaped, url.PathEscape(segment))
	}
	target.Path, target.RawPath = strings.Join(plain, "/"), strings.Join(escaped, "/")
	target.RawQuery = o.query.Encode()
	return &target
}

// indexed is a JSON array. encoding/json doesn't say which of its elements has the wrong type; this does.
type indexed[T any] []T

// UnmarshalJSON implements [json.Unmarshaler].
func (s *indexed[T]) UnmarshalJSON(text []byte) error {
	err := json.Unmarshal(text, (*[]T)(s))
	var elements []json.RawMessage
	if err == nil || json.Unmarshal(text, &elements) != nil {
		return err
	}
	for i, element := range elements {
		var one T
		if typeErr, ok := errors.AsType[*json.UnmarshalTypeError](json.Unmarshal(element, &one)); ok {
			field := fmt.Sprintf("[%d]", i)
			if typeErr.Field != "" {
				field += "." + typeErr.Field
			}
			return &json.UnmarshalTypeError{Value: typeErr.Value, Type: typeErr.Type, Field: field}
		}
	}
	return err
}

// decode reads a successful answer's JSON. The error is a *[ResponseError].
func (a *answer) decode(into any) error {
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	err := decoder.Decode(into)
	if err == nil {
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			return a.errorf("", "has something after its JSON")
		}
		return nil
	}
	if typeErr, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		// Value may go on with the value itself ("number 12").
		kind, _, _ := strings.Cut(typeErr.Value, " ")
		field := strings.ReplaceAll(typeErr.Field, ".[", "[")
		return a.errorf(field, "is of the JSON type %s, which is not what the API describes", kind)
	}
	return a.errorf("", "is not whole JSON (Content-Type %q, %d bytes)", a.contentType, len(a.body))
}
