package chaos_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const (
	// accessToken looks different in each of the forms in which it may leak.
	accessToken = "pul-0123456789abcdef/chaos+chaos=0123456789abcdef"

	organization      = "acme"
	otherOrganization = "globex"
)

// pulumiCloud is an emulator on a port of its own, which can refuse connections and whose clock can be wrong.
type pulumiCloud struct {
	*emulator.Server

	url     string
	server  *http.Server
	address string
	// skew is how far the clock is ahead, in nanoseconds.
	skew atomic.Int64

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
}

func startPulumiCloud(tb testing.TB, options emulator.Options) *pulumiCloud {
	tb.Helper()
	p := &pulumiCloud{}
	options.AccessToken = accessToken
	options.Organizations = []string{organization, otherOrganization}
	options.NoRequestLog = true
	options.Now = func() time.Time { return time.Now().Add(time.Duration(p.skew.Load())) }
	emulated, err := emulator.New(options)
	if err != nil {
		tb.Fatal(err)
	}
	p.Server = emulated
	p.server = &http.Server{
		Handler:           emulated,
		ReadHeaderTimeout: time.Minute,
		// net/http reports every connection that a fault cuts.
		ErrorLog: hclog.New(&hclog.LoggerOptions{Output: io.Discard}).StandardLogger(nil),
	}
	if err := p.listen("127.0.0.1:0"); err != nil {
		tb.Fatal(err)
	}
	p.address = p.listener.Addr().String()
	p.url = "http://" + p.address
	tb.Cleanup(func() {
		if err := p.server.Close(); err != nil {
			tb.Error(err)
		}
	})
	return p
}

func (p *pulumiCloud) listen(address string) error {
	listener, err := net.Listen("tcp", address) //nolint:noctx // It binds a port of loopback at once.
	if err != nil {
		return err
	}
	p.listener = listener
	go func() { _ = p.server.Serve(listener) }() // It ends with the listener.
	return nil
}

// refuse makes the port refuse connections, and gives up those that are idle.
func (p *pulumiCloud) refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		return
	}
	p.server.SetKeepAlivesEnabled(false)
	_ = p.listener.Close()
	p.listener = nil
}

// accept ends refuse.
func (p *pulumiCloud) accept() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		return nil
	}
	p.server.SetKeepAlivesEnabled(true)
	// A client's connection may have been given the port meanwhile, and gives it back.
	for deadline := time.Now().Add(time.Minute); ; {
		err := p.listen(p.address)
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			return err
		}
	}
}

// closeIdle closes the connections that no request uses, as the end of the client's process does.
func (p *pulumiCloud) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server.SetKeepAlivesEnabled(false)
	p.server.SetKeepAlivesEnabled(p.listener != nil)
}

// pools returns the pools that exist, by id.
func (p *pulumiCloud) pools() map[string]existingPool {
	pools := make(map[string]existingPool)
	for _, org := range []string{organization, otherOrganization} {
		for _, pool := range p.AgentPools(org) {
			pools[pool.ID] = existingPool{AgentPool: pool, organization: org}
		}
	}
	return pools
}

type existingPool struct {
	emulator.AgentPool

	organization string
}

func (p existingPool) String() string {
	return fmt.Sprintf("%q (%s) in %s", p.Name, p.ID, p.organization)
}

// createBefore creates a pool as somebody did long before.
func (p *pulumiCloud) createBefore(org, name, description string) (string, error) {
	skew := p.skew.Load()
	p.skew.Store(skew - int64(time.Hour))
	defer p.skew.Store(skew)
	pool, _, err := p.CreateAgentPool(org, name, description)
	return pool.ID, err
}
