package chaos_test

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

const (
	// accessToken looks different in each of the forms in which it may leak.
	accessToken  = "pul-0123456789abcdef/chaos+chaos=0123456789abcdef"
	organization = "acme"
)

// pulumiCloud is an emulator whose clock can be wrong.
type pulumiCloud struct {
	*emulator.Server

	http *httptest.Server
	// caCertFile is the provider argument for HTTP/2, nil for HTTP/1.1.
	caCertFile any
	// skew is how far the clock is ahead, in nanoseconds.
	skew atomic.Int64
}

// startPulumiCloud starts an emulator, with handlers around it.
func startPulumiCloud(
	tb testing.TB, options emulator.Options, http2 bool, wrappers ...func(http.Handler) http.Handler,
) *pulumiCloud {
	tb.Helper()
	p := &pulumiCloud{}
	options.AccessToken, options.Organizations = accessToken, []string{organization}
	if options.Now == nil {
		options.Now = p.now
	}
	var err error
	if p.Server, err = emulator.New(options); err != nil {
		tb.Fatal(err)
	}
	handler := http.Handler(p.Server)
	for _, wrap := range wrappers {
		handler = wrap(handler)
	}
	p.http = httptest.NewUnstartedServer(handler)
	p.http.Listener = silentListener{p.http.Listener}
	p.http.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, conn)
	}
	p.http.EnableHTTP2 = http2
	if http2 {
		p.http.StartTLS()
		file := filepath.Join(tb.TempDir(), "ca.pem")
		block := &pem.Block{Type: "CERTIFICATE", Bytes: p.http.Certificate().Raw}
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			tb.Fatal(err)
		}
		p.caCertFile = file
	} else {
		p.http.Start()
	}
	tb.Cleanup(func() {
		p.http.CloseClientConnections()
		p.http.Close()
	})
	return p
}

// newProvider starts a provider with default settings.
func (p *pulumiCloud) newProvider(tb testing.TB, option provider.Option) *acctest.Provider {
	tb.Helper()
	started := acctest.NewProvider(tb.Context(), provider.NewServer("chaos", option))
	if diagnostics := started.Configure(tb.Context(), acctest.Values{
		"access_token": accessToken, "api_url": p.http.URL, "organization": organization,
	}); diagnostics.HasError() {
		tb.Fatal(diagnostics)
	}
	return started
}

func (p *pulumiCloud) now() time.Time { return time.Now().Add(time.Duration(p.skew.Load())) }

// pools returns the pools that exist, by ID.
func (p *pulumiCloud) pools() map[string]emulator.AgentPool {
	pools := make(map[string]emulator.AgentPool)
	for _, pool := range p.AgentPools(organization) {
		pools[pool.ID] = pool
	}
	return pools
}
