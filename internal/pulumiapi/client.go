// Package pulumiapi is a client for the agent-pool API of Pulumi Cloud. It runs Pulumi's official SDK on an executor
// that authenticates, retries where that is safe, redacts secrets and returns typed errors.
//
// The path of a request: an exported method creates an [operation], hands its execute method to the SDK as Executor,
// and turns the SDK's result into the types of this package. See operation.go for the attempts, agent_pool_create.go
// for creates whose response was lost, read_cache.go for the list that reads share, and throttle.go for rate limits.
//
// Every method can return an *[APIError], *[TransportError], *[ResponseError], *[AuthenticationError] or
// *[ArgumentError]. Methods with an organization can also return an *[OrganizationNotFoundError] or
// *[FeatureNotAvailableError]. The methods document the errors that they add.
package pulumiapi

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Config configures a [Client]. Start from [DefaultConfig], and set BaseURL and one of AccessToken or Exchange.
type Config struct {
	BaseURL     *url.URL       // URL of Pulumi Cloud without "/api", may have a path
	AccessToken string         // for every request, unless Exchange is set
	Exchange    *TokenExchange // obtains short-lived access tokens for OIDC ID tokens
	Secrets     []string       // further values to redact from errors and logs
	UserAgent   string
	RootCAs     *x509.CertPool // trusted certificate authorities, nil means those of the system

	RequestTimeout             time.Duration // for each attempt from dialing to the end of the body
	MaxRetries                 int           // of an operation, without waits for a rate limit. 0 also disables those.
	RetryWaitMin, RetryWaitMax time.Duration // of the exponential backoff
	GracePeriod                time.Duration // for a create after its context was canceled
	ListMaxAge                 time.Duration // how long reads share one list, 0 disables sharing
	Logger                     hclog.Logger  // receives one line per attempt

	Now   func() time.Time // the clock, together with Sleep
	Sleep func(context.Context, time.Duration) error
}

// DefaultConfig returns a configuration with defaults.
func DefaultConfig() Config {
	return Config{
		RequestTimeout: 60 * time.Second,
		MaxRetries:     4,
		RetryWaitMin:   time.Second,
		RetryWaitMax:   30 * time.Second,
		GracePeriod:    10 * time.Second, // CI systems kill a job soon after they interrupt it.
		ListMaxAge:     10 * time.Second, // It covers the refresh of thousands of agent pools, and ends long before an apply.
		Logger:         hclog.NewNullLogger(),
		Now:            time.Now,
		Sleep:          sleep,
	}
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
