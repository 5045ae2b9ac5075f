package pulumiapi

import (
	"context"
	"sync"
	"time"
)

// The rate in requests per second after the first 429, and its growth with each request that waits. At first it doubles
// in about two seconds, later it grows by 2 percent in 10 seconds. Each further 429 multiplies it by decrease, or by
// fastDecrease if it is far above the limit, so that few requests were accepted.
const (
	initialRate   = 10
	initialGrowth = 0.3
	minGrowth     = 0.002
	decrease      = 0.92
	fastDecrease  = 0.7
	fewAccepted   = 10
)

// throttle holds back all requests of a client after a 429. Without it, all requests that were refused together would
// be sent again together, and refused again.
//
// It searches for the rate that the limit allows. The rate grows while requests wait for their turn, at first fast, and
// after each 429 it falls and then grows more slowly.
type throttle struct {
	client *Client
	turn   chan struct{} // held by the request that is next, the others queue for it

	mu       sync.Mutex
	rate     float64 // requests per second, 0 before the first 429
	growth   float64 // of the rate, for each request that waited
	next     time.Time
	opened   time.Time // when the wait after the last 429 ended or will end
	accepted int       // responses other than 429 since then
	refusals int       // consecutive waits after which no request was accepted
}

// wait returns when the next request may be sent.
func (t *throttle) wait(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for waited := false; ; waited = true {
		wait := t.reserve(waited)
		if wait <= 0 {
			return ctx.Err()
		}
		// A 429 may arrive meanwhile, which is why the loop checks again.
		if err := t.client.config.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// reserve returns the time until the next request may be sent. If that is now, it counts the request as sent.
func (t *throttle) reserve(waited bool) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.client.config.Now()
	if wait := t.next.Sub(now); wait > 0 {
		return wait
	}
	if t.rate > 0 {
		if waited {
			t.rate += t.growth
		}
		t.next = now.Add(time.Duration(float64(time.Second) / t.rate))
	}
	return 0
}

// recordResponse records a response other than 429 to a request sent at the given time.
func (t *throttle) recordResponse(sent time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !sent.Before(t.opened) {
		t.accepted++
		t.refusals = 0
	}
}

// recordRateLimit records a 429 to a request sent at the given time. All requests then wait, at least as long as the response
// requests.
func (t *throttle) recordRateLimit(sent time.Time, retryAfter time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if sent.Before(t.opened) {
		return // The requests that were sent together count once.
	}
	switch {
	case t.rate == 0:
		t.rate, t.growth = initialRate, initialGrowth
	case t.accepted > 0:
		factor := decrease
		if t.accepted < fewAccepted {
			factor = fastDecrease
		}
		t.rate *= factor
		t.growth = max(t.growth/10, minGrowth)
	}
	t.opened = t.client.config.Now().Add(max(retryAfter, t.client.backoff(t.refusals)))
	t.next = t.opened
	t.refusals++
	t.accepted = 0
}
