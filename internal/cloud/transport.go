package cloud

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

const (
	// maxConnections is above any parallelism that Terraform is run with in practice; idle connections are kept
	// up to the same number, so that none is closed between two operations only to be dialled again.
	maxConnections = 256
	// maxErrorBodyBytes is what is kept of an answer that is no success.
	maxErrorBodyBytes = 64 << 10
	maxRedirects      = 10
)

func newTransport(roots *x509.CertPool, dialer *dialer) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.dial,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           maxConnections,
		MaxIdleConnsPerHost:    maxConnections,
		MaxConnsPerHost:        maxConnections,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// checkRedirect follows a redirect only where the request stays what it was: net/http turns a redirected POST,
// PATCH or DELETE into a GET, whose success would pass for the write's.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet {
		return http.ErrUseLastResponse
	}
	if req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host {
		return http.ErrUseLastResponse // The access token would travel along.
	}
	if len(via) >= maxRedirects {
		return errTooManyRedirects
	}
	return nil
}

var errTooManyRedirects = fmt.Errorf("more than %d redirects", maxRedirects)

var errBodyTooLarge = errors.New("the answer is larger than any that the API describes")

// dialer opens a connection only while the requests under way outnumber the connections. net/http itself dials
// whenever no connection is idle at that moment, and keeps the new one although another came free first: it ends up
// with more connections than there ever were requests at a time.
type dialer struct {
	net.Dialer

	mu                    sync.Mutex
	requests, connections int
	changed               chan struct{} // closed, and replaced, when either number changes
}

func newDialer() *dialer {
	return &dialer{
		Dialer:  net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second},
		changed: make(chan struct{}),
	}
}

// waiting tells whether a request waits for a connection. net/http may ask for another one within the same attempt, if
// the server has closed the first.
type waiting struct {
	mu     sync.Mutex
	served chan struct{} // closed while there is nothing to wait for
}

type waitingKey struct{}

func (w *waiting) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.served = make(chan struct{})
}

func (w *waiting) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.served:
	default:
		close(w.served)
	}
}

func (w *waiting) ended() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.served
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	//nolint:forcetypeassert // Only bufferingTransport dials, and it always puts one there.
	served := ctx.Value(waitingKey{}).(*waiting).ended()
	for {
		changed, free := d.claim()
		if free {
			break
		}
		select {
		case <-changed:
		case <-served:
			return nil, errServed
		}
	}
	conn, err := d.DialContext(ctx, network, address)
	release := sync.OnceFunc(func() { d.count(0, -1) })
	if err != nil {
		release()
		return nil, err
	}
	return &countedConn{Conn: conn, release: release}, nil
}

// claim counts one more connection if there may be one more.
func (d *dialer) claim() (changed <-chan struct{}, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.connections >= d.requests {
		return d.changed, false
	}
	d.connections++
	return nil, true
}

func (d *dialer) count(requests, connections int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests += requests
	d.connections += connections
	close(d.changed)
	d.changed = make(chan struct{})
}

type countedConn struct {
	net.Conn
	release func()
}

func (c *countedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// errServed ends the dialling for a request that has another connection already, or none to wait for any more.
var errServed = errors.New("the request needs no new connection any more")

// bufferingTransport reads an answer to its end before it returns, so that one cut off half-way is a failed
// attempt like any other.
type bufferingTransport struct {
	base   *http.Transport
	dialer *dialer
}

func (t *bufferingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeFrom(req.Context())
	t.dialer.count(1, 0)
	defer t.dialer.count(-1, 0)
	wait := &waiting{}
	wait.begin()
	defer wait.end()
	ctx := httptrace.WithClientTrace(context.WithValue(req.Context(), waitingKey{}, wait), &httptrace.ClientTrace{
		GetConn: func(string) { wait.begin() },
		GotConn: func(httptrace.GotConnInfo) {
			// From here on there is something to write the request to, and so a server that may act on it.
			x.sent = true
			wait.end()
		},
	})
	resp, err := t.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	resp.Request = req

	success := resp.StatusCode >= 200 && resp.StatusCode <= 299
	limit := cmp.Or(x.call.maxBody, maxBodyBytes)
	if !success {
		limit = maxErrorBodyBytes
	}
	body, ended, err := readUpTo(limit, resp)
	_ = resp.Body.Close()
	// An answer that is no success has said what counts by its status: a body cut off or too large changes nothing.
	if err == nil && !ended && success {
		err = errBodyTooLarge
	}
	if err != nil && success {
		return nil, err
	}
	x.body = body
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// readUpTo reads at most limit bytes of the body, and tells whether that was all.
func readUpTo(limit int64, resp *http.Response) (body []byte, ended bool, err error) {
	var buffer bytes.Buffer
	if resp.ContentLength > 0 {
		buffer.Grow(int(min(resp.ContentLength, limit)) + bytes.MinRead)
	}
	n, err := buffer.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if n > limit {
		buffer.Truncate(int(limit))
		return buffer.Bytes(), false, err
	}
	return buffer.Bytes(), err == nil, err
}
