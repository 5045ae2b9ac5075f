package pulumiapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// limiter reports whether a rate limit allows a request at the given time.
type limiter func(now time.Time) bool

// rateLimit is in requests per second.
const rateLimit = 20

// tokenBucket allows a number of requests per second, and more at once after a pause.
func tokenBucket(rate, burst float64) limiter {
	tokens, last := burst, time.Time{}
	return func(now time.Time) bool {
		if !last.IsZero() {
			tokens = min(burst, tokens+now.Sub(last).Seconds()*rate)
		}
		last = now
		if tokens < 0.999999 {
			return false
		}
		tokens--
		return true
	}
}

// fixedWindow has a limit for each second of the clock. Refused requests count.
func fixedWindow() limiter {
	requests, second := 0, time.Time{}
	return func(now time.Time) bool {
		if now.Truncate(time.Second) != second {
			requests, second = 0, now.Truncate(time.Second)
		}
		requests++
		return requests <= rateLimit
	}
}

// limitedServer creates agent pools under a rate limit. It has no connections, so that it runs in a synctest bubble.
type limitedServer struct {
	allow      limiter
	latency    time.Duration
	retryAfter string

	mu                sync.Mutex
	requests, refused int
}

func (s *limitedServer) RoundTrip(r *http.Request) (*http.Response, error) {
	httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
	<-time.After(s.latency / 2)
	s.mu.Lock()
	s.requests++
	w := httptest.NewRecorder()
	if s.allow(time.Now()) {
		_, _ = fmt.Fprintf(w, `{"id":"id-%d","tokenValue":"pul-%040x"}`, s.requests, s.requests)
	} else {
		s.refused++
		w.Header().Set("Retry-After", s.retryAfter)
		refuse(http.StatusTooManyRequests)(w, r)
	}
	s.mu.Unlock()
	<-time.After(s.latency / 2)
	_, _ = io.Copy(io.Discard, r.Body)
	return w.Result(), nil
}

// createUnderLimit runs creates with the default settings and returns how long they take.
func createUnderLimit(t *testing.T, s *limitedServer, creates, parallelism int) time.Duration {
	t.Helper()
	c := newClient(t, nil, func(config *Config) {
		*config = DefaultConfig()
		config.BaseURL = &url.URL{Scheme: "http", Host: "example.com"}
	})
	c.http.Transport = s
	start := time.Now()
	inParallel(creates, parallelism, func(i int) {
		if _, err := c.CreateAgentPool(t.Context(), "acme", fmt.Sprint("runners-", i), ""); err != nil {
			t.Error(err)
		}
	})
	return time.Since(start)
}

func TestThrottle_convergesToRateLimit(t *testing.T) {
	t.Parallel()
	const creates = 1000
	for name, test := range map[string]struct {
		limiter    func() limiter
		retryAfter string
		maxRatio   float64
	}{
		"token bucket":                {func() limiter { return tokenBucket(rateLimit, rateLimit) }, "1", 1.15},
		"large token bucket":          {func() limiter { return tokenBucket(rateLimit, 5*rateLimit) }, "1", 1.15},
		"token bucket, no header":     {func() limiter { return tokenBucket(rateLimit, rateLimit) }, "", 1.15},
		"fixed window":                {fixedWindow, "1", 1.15},
		"token bucket without bursts": {func() limiter { return tokenBucket(rateLimit, 1) }, "1", 1.2},
	} {
		for _, parallelism := range []int{10, 100} {
			t.Run(fmt.Sprint(name, " ", parallelism), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := &limitedServer{allow: test.limiter(), latency: 50 * time.Millisecond, retryAfter: test.retryAfter}
					elapsed := createUnderLimit(t, s, creates, parallelism)
					ratio := elapsed.Seconds() / (creates / rateLimit)
					t.Logf("%.2f times the limit's time, %d requests refused", ratio, s.refused)
					if ratio > test.maxRatio || s.refused > 3*parallelism+30 {
						t.Errorf("took %s and %d refused requests", elapsed, s.refused)
					}
				})
			})
		}
	}
}

// TestThrottle_slowLimit proves that no create exceeds its ten minutes.
func TestThrottle_slowLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &limitedServer{allow: tokenBucket(1, 1), latency: 50 * time.Millisecond, retryAfter: "30"}
		t.Logf("took %s, %d requests refused", createUnderLimit(t, s, 300, 10), s.refused)
	})
}

func TestThrottle_outage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		allow := func(now time.Time) bool { return now.Sub(start) > 5*time.Minute }
		s := &limitedServer{allow: allow, latency: 20 * time.Millisecond}
		if elapsed := createUnderLimit(t, s, 100, 10); elapsed > 6*time.Minute || s.refused > 60 {
			t.Errorf("took %s and %d refused requests", elapsed, s.refused)
		}
	})
}

// TestThrottle_holdsBackAllRequests proves that also requests that wait already, and those of other operations, respect
// the latest 429.
func TestThrottle_holdsBackAllRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, nil, func(config *Config) { config.Now, config.Sleep = time.Now, sleep })
		start := time.Now()
		c.throttle.recordRateLimit(start, time.Second)
		var sent []time.Duration
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 3 {
				if err := c.throttle.wait(t.Context()); err != nil {
					t.Error(err)
				}
				sent = append(sent, time.Since(start))
			}
		}()
		synctest.Wait()
		<-time.After(time.Second - 1)
		c.throttle.recordRateLimit(start, time.Hour) // It was sent before the first 429 arrived.
		<-time.After(2)
		c.throttle.recordRateLimit(time.Now(), time.Minute)
		<-done
		if len(sent) != 3 || sent[0] != time.Second || sent[1].Truncate(time.Minute) != time.Minute || sent[2] <= sent[1] {
			t.Errorf("got requests after %s", sent)
		}
	})
}

func TestThrottle_canceled(t *testing.T) {
	t.Parallel()
	c := newClient(t, newServer(t, respond(204, "")), func(config *Config) { config.Now, config.Sleep = time.Now, sleep })
	c.throttle.recordRateLimit(time.Now(), time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	for range 2 { // One is next, one is in the queue.
		go func() { errs <- c.DeleteAgentPool(ctx, "acme", poolID, false) }()
	}
	cancel()
	for range 2 {
		if err := <-errs; !errors.Is(err, ctx.Err()) || !isA[*TransportError](err) {
			t.Errorf("got %v, want that it was canceled before it was sent", err)
		}
	}
}
