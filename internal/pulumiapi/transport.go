package pulumiapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-cleanhttp"
)

const (
	// maxConnections exceeds every parallelism used in practice. As many connections may be idle, so that none is
	// closed between two requests.
	maxConnections = 256
	maxRedirects   = 10
	maxBodyBytes   = 16 << 20 // for a list of 60,000 agent pools
)

var (
	errRequestTimeout = errors.New("no complete response within the request timeout")
	errTooLarge       = errors.New("larger than any response of the API")
	errTruncated      = errors.New("incomplete JSON")

	// ErrProxyAuthentication indicates that a proxy requires a user name and a password.
	ErrProxyAuthentication = errors.New("proxy authentication required")
)

func newTransport(roots *x509.CertPool, requestTimeout time.Duration) *http.Transport {
	// HTTP/2 must notice a connection that died silently before the request timeout, because a retry would use it again.
	pingTimeout := min(15*time.Second, requestTimeout/3)
	transport := cleanhttp.DefaultPooledTransport()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingTimeout, PingTimeout: pingTimeout}
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = maxConnections, maxConnections
	transport.MaxConnsPerHost = maxConnections
	transport.MaxResponseHeaderBytes = 64 << 10
	// net/http returns the status as a text only.
	transport.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
		if resp.StatusCode == http.StatusProxyAuthRequired {
			return ErrProxyAuthentication
		}
		return nil
	}
	return transport
}

// checkRedirect follows redirects of GET requests on the same host. net/http turns a redirected write into a GET, whose
// success would look like that of the write, and a different host must not receive the access token.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet || req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host ||
		len(via) >= maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

// attempt is one HTTP request and its outcome.
type attempt struct {
	// started is the time before dialing, sent the time when a connection was available. sent is zero if there was none,
	// so that the server cannot have received the request.
	started, sent, received time.Time
	status                  int // 0 without a response
	header                  http.Header
	body                    []byte
	retryAfter              time.Duration // wait that the response requests, 0 for none
	err                     error         // no complete response, errTooLarge, or errTruncated
}

// send makes one attempt and reads the response to its end.
func (c *Client) send(req *http.Request) *attempt {
	a := &attempt{started: c.config.Now()}
	ctx, cancel := context.WithTimeoutCause(req.Context(), c.config.RequestTimeout, errRequestTimeout)
	defer cancel()
	var sent atomic.Value // a time.Time
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		sent.CompareAndSwap(nil, c.config.Now()) // net/http itself repeats a request on a connection that was closed while idle.
	}})
	resp, err := c.http.Do(req.WithContext(traced)) //nolint:bodyclose,gosec // read closes it. Users configure the URL.
	if err == nil {
		err = a.read(resp)
	}
	a.sent, _ = sent.Load().(time.Time)
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err // Endpoint has the URL.
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the server closed the connection: %w", err)
	}
	a.received, a.err = c.config.Now(), err
	a.retryAfter = retryAfter(a.header, a.received)
	if err != nil && context.Cause(ctx) == errRequestTimeout { //nolint:errorlint // It is not wrapped.
		a.err = fmt.Errorf("%w of %s", errRequestTimeout, c.config.RequestTimeout)
		c.http.CloseIdleConnections() // They may have died silently too, and the retry must use a new one.
	}
	return a
}

// read reads a response. It returns an error only if the outcome is unknown without the rest of the body.
func (a *attempt) read(resp *http.Response) (err error) {
	defer func() { _ = resp.Body.Close() }()
	a.status, a.header = resp.StatusCode, resp.Header
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil // Its body is the connection, which does not end.
	}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBodyBytes+1))
	switch {
	case resp.StatusCode < 200, resp.StatusCode > 299:
		return nil
	case len(a.body) > maxBodyBytes:
		return errTooLarge
	case json.Valid(a.body): // It needs no proper end of the connection, and may be the only copy of a token.
		return nil
	case err == nil && (bytes.HasPrefix(a.body, []byte("{")) || bytes.HasPrefix(a.body, []byte("["))):
		return errTruncated
	}
	return err
}

// isPermanent reports whether a retry cannot succeed: an untrusted certificate, plain HTTP on an https URL, too large a
// response.
func isPermanent(err error) bool {
	_, isCertificateErr := errors.AsType[*tls.CertificateVerificationError](err)
	return isCertificateErr || errors.Is(err, http.ErrSchemeMismatch) || errors.Is(err, errTooLarge)
}
