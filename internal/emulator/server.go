// Package emulator is Pulumi Cloud's agent-pool API on loopback: an [http.Handler] that keeps organizations, agent
// pools, their agents and the deployment settings of stacks, in memory or in a file, and that exchanges ID tokens of
// OpenID Connect issuers for access tokens.
//
// What it accepts and answers is laid down in openapi.yaml: a request that disagrees with it is refused with a 400 that
// says why, and an answer that disagrees is a defect of the emulator, answered with a 500. A missing token, an unknown
// organization and the like are refused as Pulumi Cloud does. Anything that is not in the description is an unknown
// route, answered with a 404 in plain text.
//
// For tests there are a log of requests, hooks, random faults, and methods that look at and change the state without a
// request.
package emulator

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
)

const (
	maxRequestBody = 1 << 20

	requestIDHeader = "X-Pulumi-Request-ID"
)

// Options configure a [Server].
type Options struct {
	// AccessToken is the token that requests must carry, unless they carry one that was issued in exchange for an ID
	// token. Required.
	AccessToken string
	// TrustPolicies say which ID tokens are exchanged for access tokens. Those tokens are kept in memory alone.
	TrustPolicies []TrustPolicy
	// Organizations exist from the start, and the first is the user's default; {"acme"} if empty. Those that DataFile
	// knows exist as well.
	Organizations []string
	// Milliseconds makes every timestamp count milliseconds since 1970 instead of seconds.
	Milliseconds bool
	// Latency is added to every request to Pulumi's API, before it takes effect. It ends early, and the request has no
	// effect, when the client goes away.
	Latency time.Duration
	// DataFile is a bbolt database that holds the state; it is created if it does not exist. Without one the state is
	// in memory alone. A write is on disk before it is answered.
	DataFile string
	// Faults are the rates of random failures.
	Faults Faults
	// Seed makes the random faults repeatable. 0 picks one at random.
	Seed uint64
	// Lenient supplies the headers that an API client sends and a bare curl does not: Accept, Content-Type,
	// User-Agent and X-Pulumi-Source. Otherwise a request without them is refused.
	Lenient bool
	// SkipResponseValidation leaves answers unchecked. It is for benchmarks, where checking a list of thousands of
	// pools would take longer than all else.
	SkipResponseValidation bool
	// NoRequestLog leaves [Server.Requests] empty, for a server that runs long.
	NoRequestLog bool
	// Logger gets a line per request, without bodies or credentials. nil discards them.
	Logger hclog.Logger
	// Now is the clock of timestamps, of the Date header, and of the tokens' expiry. nil is [time.Now].
	Now func() time.Time
}

// Server is the emulated API. It is safe for concurrent use.
type Server struct {
	options  Options
	logger   hclog.Logger
	now      func() time.Time
	state    *state
	exchange *tokenExchange
	dice     *faultDice
	log      requestLog

	defaultOrganization atomic.Pointer[string]

	mux *http.ServeMux
	// hooked is mux as wrapped by the hooks.
	hooked   atomic.Pointer[http.Handler]
	hookLock sync.Mutex

	closing   chan struct{}
	closeOnce func() error
}

// New returns a server with the state of options.DataFile, or an empty one.
func New(options Options) (*Server, error) {
	if options.AccessToken == "" {
		return nil, errors.New("an access token is required")
	}
	if err := options.Faults.validate(); err != nil {
		return nil, err
	}
	if options.Latency < 0 {
		return nil, errors.New("the latency is negative")
	}
	if len(options.Organizations) == 0 {
		options.Organizations = []string{"acme"}
	}
	if options.Logger == nil {
		options.Logger = hclog.NewNullLogger()
	}
	if options.Now == nil {
		options.Now = time.Now
	}

	s := &Server{
		options: options,
		logger:  options.Logger,
		now:     options.Now,
		dice:    newFaultDice(options.Faults, options.Seed),
		closing: make(chan struct{}),
	}
	s.SetDefaultOrganization(options.Organizations[0])

	var err error
	if s.exchange, err = newTokenExchange(options.TrustPolicies); err != nil {
		return nil, err
	}
	if s.mux, err = s.newMux(); err != nil {
		return nil, err
	}
	var handler http.Handler = http.HandlerFunc(s.route)
	s.hooked.Store(&handler)

	if s.state, err = newState(options.Organizations, options.DataFile); err != nil {
		return nil, err
	}
	s.closeOnce = sync.OnceValue(func() error {
		close(s.closing)
		return s.state.close()
	})
	return s, nil
}

// Close ends the requests that a fault left hanging and closes the data file. A write after that fails.
func (s *Server) Close() error { return s.closeOnce() }

// Use wraps Pulumi's API, all but /emulator/, with middleware: to answer in its stead before a request takes effect, to
// change or drop the answer after it did, or to watch. What is added last sees a request first. It may be called while
// requests are served; those under way are not affected. The request's body can be read; to let the API read it
// afterwards, put it back.
func (s *Server) Use(middleware func(next http.Handler) http.Handler) {
	s.hookLock.Lock()
	defer s.hookLock.Unlock()
	handler := middleware(*s.hooked.Load())
	s.hooked.Store(&handler)
}

// Requests returns the requests so far, in the order in which they arrived.
func (s *Server) Requests() []Request { return s.log.snapshot() }

// ResetRequests empties the request log.
func (s *Server) ResetRequests() { s.log.reset() }

// ServeHTTP answers a request. To drop a connection it panics with [http.ErrAbortHandler], as [http.Server] expects.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	id := uuid.NewString()
	w.Header().Set(requestIDHeader, id)
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))

	// net/http notices that a client went away only once the body has been read.
	body, bodyErr := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody))
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))

	entry := &Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.Query(), RequestID: id}
	switch _, pattern := s.mux.Handler(r); pattern {
	case "":
	case exchangePattern:
		entry.Body = redactTokenExchange(body)
	default:
		entry.Body = string(body)
	}
	if !s.options.NoRequestLog {
		s.log.arrived(entry, r.Header)
	}
	recorder := &statusRecorder{ResponseWriter: w, answered: func(status int) { s.log.answered(entry, status) }}
	defer func() {
		s.logger.Info("request", "method", entry.Method, "path", entry.Path, "status", recorder.status,
			"duration", time.Since(started), "request_id", id)
	}()

	if _, ok := errors.AsType[*http.MaxBytesError](bodyErr); ok {
		writeError(recorder, refuse(http.StatusBadRequest, "the body is larger than %d bytes", maxRequestBody))
		return
	}
	if bodyErr != nil {
		panic(http.ErrAbortHandler)
	}
	s.handle(recorder, r)
	// A hook may have returned without a word, which net/http takes for a 200.
	recorder.record(http.StatusOK)
}

func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.EscapedPath(), "/emulator/") {
		s.route(w, r)
		return
	}
	if s.options.Lenient {
		supplyHeaders(r.Header, r.ContentLength > 0)
	}
	s.delay(r)
	s.injectFaults(func(w http.ResponseWriter, r *http.Request) {
		(*s.hooked.Load()).ServeHTTP(w, r)
	})(w, r)
}

// route answers with an operation of the description or, as Pulumi Cloud does where it has none, in plain text.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	// ServeMux would redirect a path with empty or dot segments.
	if escaped := r.URL.EscapedPath(); path.Clean(escaped) != escaped {
		http.NotFound(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Server) delay(r *http.Request) {
	if s.options.Latency == 0 {
		return
	}
	timer := time.NewTimer(s.options.Latency)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

func supplyHeaders(header http.Header, hasBody bool) {
	header.Set("Accept", pulumiMediaType)
	header.Set("X-Pulumi-Source", "provider")
	header.Set("User-Agent", "lenient")
	if hasBody {
		header.Set("Content-Type", jsonMediaType)
	}
}

func (s *Server) getHealth(*http.Request) (any, error) {
	return map[string]string{"status": "ok"}, nil
}
