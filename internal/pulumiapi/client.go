// Package pulumiapi is a client for the agent-pool API of Pulumi Cloud. It runs Pulumi's official SDK on an executor
// that authenticates, retries where that is safe, redacts secrets and returns typed errors.
//
// The path of a request: an exported method creates an [operation], hands its execute method to the SDK as Executor,
// and turns the SDK's result into the types of this package. See operation.go for the attempts, agent_pool_create.go
// for creates whose response was lost, read_cache.go for the list that reads share, and throttle.go for rate limits.
//
// Every method can return an *[APIError], *[TransportError], *[ResponseError], *[AuthenticationError] or
// *[ArgumentError]. Methods for agent pools can also return an *[OrganizationNotFoundError] or
// *[FeatureNotAvailableError]. The methods document the errors that they add.
package pulumiapi

import (
	"cmp"
	"context"
	"crypto/x509"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Defaults for [Config].
const (
	DefaultRequestTimeout = 60 * time.Second
	DefaultMaxRetries     = 4
	DefaultListMaxAge     = 10 * time.Second // covers the refresh of thousands of agent pools, far shorter than an apply
	DefaultGracePeriod    = 10 * time.Second // CI systems kill a job soon after they interrupt it
)

// Config configures a [Client]. BaseURL and one of AccessToken or Exchange are required.
type Config struct {
	BaseURL     *url.URL       // URL of Pulumi Cloud without "/api", may have a path
	AccessToken string         // for every request, unless Exchange is set
	Exchange    *TokenExchange // obtains short-lived access tokens for OIDC ID tokens
	Secrets     []string       // further values to redact from errors and logs
	UserAgent   string
	RootCAs     *x509.CertPool // trusted certificate authorities, nil means those of the system

	RequestTimeout             time.Duration // for each attempt from dialing to the end of the body, 0 means the default
	MaxRetries                 int           // of an operation, not counting waits for a rate limit, which 0 disables too
	RetryWaitMin, RetryWaitMax time.Duration // of the exponential backoff, 0 means 1 and 30 seconds
	GracePeriod                time.Duration // for a create after its context was canceled, 0 means the default
	ListMaxAge                 time.Duration // how long reads share one list, 0 disables sharing
	Logger                     hclog.Logger  // receives one line per attempt, nil disables logging

	// Now and Sleep are the clock. Nil means the real one.
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
}

// Client is a client for one Pulumi Cloud and one identity. It is safe for concurrent use.
type Client struct {
	config   Config
	http     *http.Client
	redactor *redactor
	throttle throttle

	created             sync.Map                   // IDs of the agent pools that this client created, in lowercase
	lists               *readCache[*AgentPoolList] // by organization
	editions            *readCache[bool]           // by organization: whether its edition lacks agent pools
	defaultOrganization *readCache[string]
	accessTokens        *readCache[accessToken] // one, unless it is static

	mu       sync.Mutex
	warnings []string
	returned int // of warnings
}

// New returns a client. It makes no request.
func New(config Config) *Client {
	config.RequestTimeout = cmp.Or(config.RequestTimeout, DefaultRequestTimeout)
	config.RetryWaitMin = cmp.Or(config.RetryWaitMin, time.Second)
	config.RetryWaitMax = cmp.Or(config.RetryWaitMax, 30*time.Second)
	config.GracePeriod = cmp.Or(config.GracePeriod, DefaultGracePeriod)
	config.Logger = cmp.Or(config.Logger, hclog.NewNullLogger())
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Sleep == nil {
		config.Sleep = sleep
	}
	c := &Client{
		config:              config,
		redactor:            newRedactor(append(slices.Clone(config.Secrets), config.AccessToken)...),
		lists:               newReadCache[*AgentPoolList](config.Now),
		editions:            newReadCache[bool](config.Now),
		defaultOrganization: newReadCache[string](config.Now),
		accessTokens:        newReadCache[accessToken](config.Now),
	}
	c.http = &http.Client{Transport: newTransport(config.RootCAs, config.RequestTimeout), CheckRedirect: checkRedirect}
	c.throttle = throttle{client: c, turn: make(chan struct{}, 1)}
	return c
}

// maxWarnings bounds the number of different warnings that a client keeps.
const maxWarnings = 100

// Warnings returns the warnings from Pulumi Cloud since the last call (response header X-Pulumi-Warning). It returns
// each text once in the lifetime of the client.
func (c *Client) Warnings() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	latest := slices.Clone(c.warnings[c.returned:])
	c.returned = len(c.warnings)
	return latest
}

func (c *Client) addWarnings(texts ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, text := range texts {
		text = c.redactor.sanitize(text)
		if text != "" && len(c.warnings) < maxWarnings && !slices.Contains(c.warnings, text) {
			c.warnings = append(c.warnings, text)
		}
	}
}
