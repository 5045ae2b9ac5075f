package emulator_test

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestServeLoopback(t *testing.T) {
	var log lockedBuffer
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &log})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		w.WriteHeader(http.StatusAccepted) // net/http logs this.
	})
	var connected atomic.Bool
	connState := func(net.Conn, http.ConnState) { connected.Store(true) }
	url, closeServer, err := emulator.ServeLoopback(t.Context(), handler, connState, logger)
	mustDo(t, err)
	address, err := netip.ParseAddrPort(strings.TrimPrefix(url, "http://"))
	if err != nil || !address.Addr().IsLoopback() || address.Port() == 0 {
		t.Errorf("URL %q (%v), want a port of loopback", url, err)
	}
	a := &api{url: url, client: http.DefaultClient}
	if got := a.send(t, http.MethodGet, "/", nil); got.status != http.StatusAccepted || !connected.Load() {
		t.Errorf("status %d, connection reported: %t; want 202 and true", got.status, connected.Load())
	}
	if !strings.Contains(log.String(), "[DEBUG] http: superfluous response.WriteHeader") {
		t.Errorf("the log lacks the error of net/http at level debug:\n%s", log.String())
	}
	mustDo(t, closeServer())
	if _, err := a.try(a.newRequest(t, http.MethodGet, "/", nil)); err == nil {
		t.Error("the server responds after it was closed")
	}
	if strings.Contains(log.String(), "[ERROR]") {
		t.Errorf("closing the server logged an error:\n%s", log.String())
	}
}
