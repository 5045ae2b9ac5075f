package main

import (
	"context"
	"crypto/rand"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const organization = "acme"

// api is an emulated Pulumi Cloud that counts what reaches it.
type api struct {
	cloud            *emulator.Server
	closeServer      func() error
	url, accessToken string

	latency atomic.Int64 // nanoseconds

	mu      sync.Mutex
	traffic traffic
	open    map[net.Conn]struct{}
}

// traffic is what one command has sent.
type traffic struct {
	// requests are counted by method.
	requests map[string]int
	// connections are all that were opened, atOnce the most that were open at the same time.
	connections, atOnce int
}

func newAPI(ctx context.Context, logger hclog.Logger) (*api, error) {
	a := &api{accessToken: "bench-" + rand.Text()}
	a.reset()
	var err error
	a.cloud, err = emulator.New(emulator.Options{
		AccessToken:            a.accessToken,
		Organizations:          []string{organization},
		SkipResponseValidation: true,
		NoRequestLog:           true,
	})
	if err != nil {
		return nil, err
	}
	a.cloud.Use(a.delayed)
	if a.url, a.closeServer, err = emulator.ServeLoopback(ctx, a.cloud, a.connState, logger); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *api) close() error { return a.closeServer() }

// delayed counts a request and holds it up. The emulator's own latency can't change while it runs.
func (a *api) delayed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.traffic.requests[r.Method]++
		a.mu.Unlock()
		if latency := time.Duration(a.latency.Load()); latency > 0 {
			timer := time.NewTimer(latency)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (a *api) connState(conn net.Conn, state http.ConnState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch state {
	case http.StateNew:
		a.open[conn] = struct{}{}
		a.traffic.connections++
		a.traffic.atOnce = max(a.traffic.atOnce, len(a.open))
	case http.StateClosed:
		delete(a.open, conn)
	default:
	}
}

// reset forgets the traffic so far, and the connections of programs that have ended.
func (a *api) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.traffic = traffic{requests: make(map[string]int)}
	a.open = make(map[net.Conn]struct{})
}

// seen is the traffic since the last reset.
func (a *api) seen() traffic {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.traffic
	seen.requests = maps.Clone(seen.requests)
	return seen
}
