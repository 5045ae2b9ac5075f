package cloud

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-retryablehttp"
)

// maxRetryAfter is the longest wait that a server may ask for. A longer one is for the user to decide on: the
// answer is returned, and says when to try again.
const maxRetryAfter = 5 * time.Minute

// exchange follows one call through its attempts. It travels in the request's context, so that the transport can
// leave in it what net/http has no place for.
type exchange struct {
	client   *Client
	logger   hclog.Logger
	call     call
	endpoint Endpoint
	// requestBody is the JSON to send, nil for none.
	requestBody []byte

	attempts int
	// uncertain tells that an attempt, not necessarily the last, may have taken effect although none succeeded.
	uncertain bool

	// Of the attempt under way:
	started time.Time
	sent    bool   // the server may have received it
	body    []byte // its answer's
}

type exchangeKey struct{}

func exchangeFrom(ctx context.Context) *exchange {
	//nolint:forcetypeassert // Only Client.do uses the transport, and it always puts one there.
	return ctx.Value(exchangeKey{}).(*exchange)
}

func (x *exchange) sending(_ retryablehttp.Logger, req *http.Request, attempt int) {
	x.attempts = attempt + 1
	x.started, x.sent, x.body = time.Now(), false, nil
	if x.logger.IsTrace() {
		x.logger.Trace("sending request", "method", x.endpoint.Method, "path", x.endpoint.Path, "query", req.URL.RawQuery,
			"attempt", x.attempts, "body", x.client.redactor.body(x.requestBody))
	}
}

// shouldRetry logs an attempt's outcome and decides whether another may follow. It never returns an error: that
// would take the place of an answer, and an answer may hold a pool's only token.
func (x *exchange) shouldRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if err != nil && x.sent || err == nil && (resp.StatusCode >= 500 || resp.StatusCode == http.StatusRequestTimeout) {
		x.uncertain = true
	}
	retry := ctx.Err() == nil && x.retryable(resp, err)
	fields := []any{
		"method", x.endpoint.Method, "path", x.endpoint.Path, "attempt", x.attempts,
		"duration_ms", time.Since(x.started).Milliseconds(), "retryable", retry,
	}
	if err != nil {
		x.logger.Warn("request failed", append(fields, "error", x.client.redactor.clean(err.Error()))...)
		return retry, nil
	}
	fields = append(fields, "status", resp.StatusCode, "request_id", x.client.redactor.clean(requestID(resp)))
	if retry {
		x.logger.Warn("request answered", fields...)
	} else {
		x.logger.Debug("request answered", fields...)
	}
	if x.logger.IsTrace() {
		x.logger.Trace("response body", append(fields, "body", x.client.redactor.body(x.body))...)
	}
	return retry, nil
}

// retryable tells whether the attempt may be repeated: after 429 always, since it was not carried out; after a
// failure only where carrying it out twice does no harm or where it never left this machine.
func (x *exchange) retryable(resp *http.Response, err error) bool {
	idempotent := x.call.method != http.MethodPost || x.call.repeatable
	if err != nil {
		return !permanent(err) && (idempotent || !x.sent)
	}
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		return x.client.retryAfter(resp) <= maxRetryAfter
	case resp.StatusCode >= 500:
		return idempotent && resp.StatusCode != http.StatusNotImplemented && x.client.retryAfter(resp) <= maxRetryAfter
	case resp.StatusCode == http.StatusOK:
		return idempotent && truncated(x.body)
	}
	return false
}

// permanent tells the failures that another attempt can't mend: a certificate that is not trusted, plain HTTP
// behind https, redirects without an end, an answer without an end.
func permanent(err error) bool {
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &certificate) || errors.Is(err, errTooManyRedirects) ||
		errors.Is(err, http.ErrSchemeMismatch) || errors.Is(err, errBodyTooLarge)
}

// truncated tells JSON that was cut off from JSON and from what was never meant to be JSON.
func truncated(body []byte) bool {
	return len(body) > 0 && (body[0] == '{' || body[0] == '[') && !json.Valid(body)
}

// backoff is how long to wait before the next attempt: what the server asks for in either form of Retry-After,
// else exponential.
func (c *Client) backoff(lowest, highest time.Duration, attempt int, resp *http.Response) time.Duration {
	if wait := c.retryAfter(resp); wait > 0 {
		return wait + rand.N(lowest/4+1)
	}
	return backoff(lowest, highest, attempt)
}

func (c *Client) retryAfter(resp *http.Response) time.Duration {
	if resp == nil {
		return 0
	}
	return retryAfter(resp.Header, c.config.Now())
}

// backoff grows exponentially. Half of it is random, so that runs that failed together do not come back together.
func backoff(lowest, highest time.Duration, attempt int) time.Duration {
	wait := retryablehttp.DefaultBackoff(lowest, highest, attempt, nil)
	return wait/2 + rand.N(wait/2+1)
}

// pause waits as long as before a retry of that number, counted from 0, or until the context ends.
func (c *Client) pause(ctx context.Context, retry int) error {
	timer := time.NewTimer(backoff(c.config.RetryWaitMin, c.config.RetryWaitMax, retry))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter is the wait that the server asks for, 0 if it asks for none. Numbers too large for a duration saturate
// it: overflowing, they would turn into a short wait.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, _ := strconv.ParseUint(value, 10, 64) // Out of range, it returns the largest number.
		return time.Duration(min(seconds, uint64(math.MaxInt64/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	// By the server's own clock, where it says.
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	return max(0, at.Sub(now))
}
