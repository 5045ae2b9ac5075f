// Package emulator serves the parts of Pulumi Cloud's API that concern agent pools, for tests and for trials without an
// account. [Server] is an [http.Handler] that keeps organizations, agent pools, stacks with their deployment settings,
// and deployments in memory. It exchanges ID tokens of OpenID Connect issuers for access tokens.
//
// The file openapi.yaml describes the API. Requests that do not match the description fail with 400, and responses that
// do not match it are a bug of the emulator, which it reports with 500. Every client of Pulumi Cloud can use the
// emulator: it requires no headers but Authorization, and ignores fields that it does not know.
//
// Options and methods make the API fail in the ways in which Pulumi Cloud, or a network in front of it, is known to
// fail: [Mode] models conditions of the account, [Faults] single requests that break.
package emulator

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"
)

const maxRequestBody = 1 << 20

// Options configure a [Server].
type Options struct {
	// AccessToken is the access token of the emulated user. Required.
	AccessToken string
	// Organizations are those of the user, who administers them. The first is the user's default. Defaults to "acme".
	Organizations []string
	// Modes are the modes that are on at first.
	Modes []Mode
	// TrustPolicies decide which ID tokens are exchanged for access tokens. Without any, none is.
	TrustPolicies []TrustPolicy
	// MaxTokenLifetime limits the lifetime of exchanged access tokens, as an issuer's maximum does. A client can ask
	// for more and gets less. Defaults to 25 hours.
	MaxTokenLifetime time.Duration
	// Milliseconds returns times in milliseconds. Pulumi's API description says seconds, while older samples of
	// responses have milliseconds, so that clients must understand both.
	Milliseconds bool
	// Latency delays the effect of every request to the API. A client that goes away meanwhile prevents the effect.
	Latency time.Duration
	// RateLimit is the number of requests per second above which the API responds with 429. 0 means no limit.
	RateLimit int
	// Faults make single requests fail at random.
	Faults Faults
	// Seed makes the faults repeatable. 0 chooses a random seed.
	Seed uint64
	// EchoSecrets repeats credentials and response bodies in error messages that Faults cause, as a careless proxy
	// would. It serves tests that look for secrets in what a client prints.
	EchoSecrets bool
	// SkipResponseValidation keeps the validation of long lists out of benchmarks.
	SkipResponseValidation bool
	// NoRequestLog leaves [Server.Requests] empty, which saves memory in long runs.
	NoRequestLog bool
	// Logger gets a line for each request, without bodies and credentials. Defaults to none.
	Logger hclog.Logger
	// Now is the clock of all times in responses and of the expiry of tokens. Defaults to [time.Now].
	Now func() time.Time
}

// timestamp returns the current time in the form of the API.
func (o *Options) timestamp() int64 {
	if o.Milliseconds {
		return o.Now().UnixMilli()
	}
	return o.Now().Unix()
}

// Server is the emulated API. It is safe for concurrent use.
type Server struct {
	options   Options
	templates templates
	modes     atomic.Pointer[[]Mode]
	mux       *http.ServeMux
	limiter   *rate.Limiter

	// mu guards what follows, including the organizations themselves.
	mu                  sync.Mutex
	organizations       map[string]*organization
	defaultOrganization string
	issuedTokens        map[tokenHash]issuedToken
	faults              *faultInjector
	// api is mux with the middleware around it.
	api      http.Handler
	requests []*Request
}

// New returns a server without agent pools.
func New(options Options) (*Server, error) {
	if options.AccessToken == "" {
		return nil, errors.New("an access token is required")
	}
	if err := options.Faults.validate(); err != nil {
		return nil, err
	}
	for i, policy := range options.TrustPolicies {
		if err := policy.validate(); err != nil {
			return nil, fmt.Errorf("trust policy %d: %w", i+1, err)
		}
	}
	if len(options.Organizations) == 0 {
		options.Organizations = []string{"acme"}
	}
	options.MaxTokenLifetime = cmp.Or(options.MaxTokenLifetime, defaultMaxTokenLifetime)
	if options.Logger == nil {
		options.Logger = hclog.NewNullLogger()
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	limit := rate.Inf
	if options.RateLimit > 0 {
		limit = rate.Limit(options.RateLimit)
	}
	s := &Server{
		options:             options,
		limiter:             rate.NewLimiter(limit, options.RateLimit),
		faults:              newFaultInjector(options.Faults, options.Seed),
		organizations:       make(map[string]*organization),
		defaultOrganization: options.Organizations[0],
		issuedTokens:        make(map[tokenHash]issuedToken),
	}
	if err := json.Unmarshal(templatesJSON, &s.templates); err != nil {
		return nil, fmt.Errorf("reading the templates: %w", err)
	}
	for _, name := range options.Organizations {
		if name == "" {
			return nil, errors.New("the name of an organization must not be empty")
		}
		s.organizations[name] = &organization{
			name: name, options: &s.options, stacks: make(map[stackName]*stack),
			metadata: maps.Clone(s.templates.Organization),
		}
	}
	err := s.SetModes(options.Modes...)
	if err != nil {
		return nil, err
	}
	if s.mux, err = s.newMux(); err != nil {
		return nil, err
	}
	s.api = http.HandlerFunc(s.route)
	return s, nil
}

// Use wraps the API, but not the operations below /emulator/, with middleware. The middleware that was added last sees
// a request first. Requests that are being served are not affected. Middleware may read the body if it puts it back.
func (s *Server) Use(middleware func(next http.Handler) http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.api = middleware(s.api)
}

// ServeHTTP implements [http.Handler]. It panics with [http.ErrAbortHandler] to close a connection.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	id := uuid.NewString()
	w.Header().Set("X-Pulumi-Request-ID", id)
	w.Header().Set("Date", s.options.Now().UTC().Format(http.TimeFormat))

	// Reading all of the body now also lets net/http notice that a client goes away.
	body, bodyErr := readBody(w, r)
	r = r.Clone(r.Context())
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	r.ContentLength = int64(len(body))
	r.Header.Del("Content-Encoding")

	entry := &Request{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.Query(), Header: r.Header.Clone(),
		Body: loggableBody(r, body), RequestID: id,
	}
	s.logRequest(entry)
	recorder := &statusRecorder{ResponseWriter: w, server: s, request: entry}
	defer func() {
		s.options.Logger.Info("request", "method", entry.Method, "path", entry.Path, "status", entry.Status,
			"duration", time.Since(started), "request_id", id)
	}()

	switch {
	case bodyErr != nil:
		writeError(recorder, errorf(http.StatusBadRequest, "reading the body: %v", bodyErr))
	case strings.HasPrefix(r.URL.EscapedPath(), "/emulator/"):
		s.route(recorder, r)
	default:
		s.serveAPI(recorder, r)
	}
}

// readBody returns the body of a request, which the Pulumi CLI compresses.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body := r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		uncompressed, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = uncompressed
	}
	return io.ReadAll(http.MaxBytesReader(w, body, maxRequestBody))
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	if s.options.Latency > 0 {
		select {
		case <-time.After(s.options.Latency):
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	s.mu.Lock()
	api := s.api
	limited := !s.limiter.AllowN(s.options.Now(), 1)
	if limited {
		s.faults.counts["rate-limit"]++
	}
	s.mu.Unlock()
	if limited {
		w.Header().Set("Retry-After", "1")
		writeError(w, errorf(http.StatusTooManyRequests, "rate limit exceeded"))
		return
	}
	s.serveWithFaults(api, w, r)
}

// route serves an operation of the description. Like Pulumi Cloud, it responds to all other requests in plain text.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	// ServeMux would redirect a path with empty or dot segments.
	if escaped := r.URL.EscapedPath(); path.Clean(escaped) != escaped {
		http.NotFound(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Server) getHealth(*http.Request) (any, error) {
	return map[string]string{"status": "ok"}, nil
}
