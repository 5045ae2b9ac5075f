package chaos_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
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
	// skew is how far the clock is ahead, in nanoseconds.
	skew atomic.Int64
}

// startPulumiCloud starts an emulator behind an interceptor.
func startPulumiCloud(
	tb testing.TB, intercept func(http.Handler) http.Handler, options emulator.Options,
) *pulumiCloud {
	tb.Helper()
	p := &pulumiCloud{}
	options.AccessToken, options.Organizations, options.NoRequestLog = accessToken, []string{organization}, true
	options.Now = func() time.Time { return time.Now().Add(time.Duration(p.skew.Load())) }
	var err error
	if p.Server, err = emulator.New(options); err != nil {
		tb.Fatal(err)
	}
	p.http = httptest.NewServer(intercept(p.Server))
	tb.Cleanup(func() {
		p.http.CloseClientConnections()
		p.http.Close()
	})
	return p
}

// pools returns the pools that exist, by ID.
func (p *pulumiCloud) pools() map[string]emulator.AgentPool {
	pools := make(map[string]emulator.AgentPool)
	for _, pool := range p.AgentPools(organization) {
		pools[pool.ID] = pool
	}
	return pools
}
