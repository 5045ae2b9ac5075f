package pulumiapi

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	maxRateLimitWait = 10 * time.Minute // for one operation, in addition to its retries

	// MaxRetryAfter is the longest Retry-After that the client waits for.
	MaxRetryAfter = 5 * time.Minute
)

// backoff returns the wait before a retry, counted from 0: exponential, and half of it random so that runs that failed
// together do not retry together.
func (c *Client) backoff(retry int) time.Duration {
	wait := min(c.config.RetryWaitMin<<min(retry, 16), c.config.RetryWaitMax)
	return wait/2 + rand.N(wait/2+1)
}

// mayRetry reports whether MaxRetries and the last response allow one more attempt. There is no last response if the
// operation failed before it sent a request.
func (o *operation) mayRetry() bool {
	return o.last != nil && o.retriesUsed < o.client.config.MaxRetries && o.last.retryAfter <= MaxRetryAfter
}

// waitForRetry counts a retry, which mayRetry allows, and waits for it.
func (o *operation) waitForRetry(ctx context.Context) error {
	wait := max(o.last.retryAfter, o.client.backoff(o.retriesUsed))
	o.retriesUsed++
	return o.client.config.Sleep(ctx, wait)
}

// sleep waits. It returns the error of ctx if that ends first.
func sleep(ctx context.Context, wait time.Duration) error {
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// retryAfter returns the wait that a response requests, 0 for none. It ignores seconds beyond 32 bits.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	return max(0, at.Sub(now))
}

// withGracePeriod returns a context that ends the given time after ctx does, or when the returned function is called.
func withGracePeriod(ctx context.Context, period time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(period, cancel) })
	return longer, func() {
		stop()
		cancel()
	}
}
