package emulator_test

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// lockedBuffer takes what a server logs in the background.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestServeLoopback(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &log})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		w.WriteHeader(http.StatusAccepted) // net/http reports it.
	})
	var connected atomic.Bool
	connState := func(net.Conn, http.ConnState) { connected.Store(true) }
	url, closeServer, err := emulator.ServeLoopback(t.Context(), handler, connState, logger)
	if err != nil {
		t.Fatal(err)
	}
	address, err := netip.ParseAddrPort(strings.TrimPrefix(url, "http://"))
	if err != nil || !address.Addr().IsLoopback() || address.Port() == 0 {
		t.Errorf("it serves at %q (%v), want a port of loopback", url, err)
	}
	response, err := get(t, url)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusAccepted {
		t.Errorf("the handler's answer came as %s", response.Status)
	}
	if !connected.Load() {
		t.Error("no connection was told of")
	}
	if !strings.Contains(log.String(), "[DEBUG] http: superfluous response.WriteHeader") {
		t.Errorf("what net/http reports is not in the log at level debug:\n%s", &log)
	}

	if err := closeServer(); err != nil {
		t.Error(err)
	}
	if _, err := get(t, url); err == nil {
		t.Error("it answers after it was closed")
	}
	if strings.Contains(log.String(), "[ERROR]") {
		t.Errorf("it ended as if it had failed:\n%s", &log)
	}
}

func get(t *testing.T, url string) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		response.Body.Close()
	}
	return response, err
}
