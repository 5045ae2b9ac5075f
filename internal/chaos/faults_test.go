package chaos_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// weights are how often faults of the emulator are drawn, compared with all others, which have the weight 3.
var weights = emulator.Faults{
	"hang": 2, "hang-after": 2, "late": 6, "409": 6, "429": 6, "429-retry-after-1": 1, "endless-body": 1,
	"endless-body-after": 1, "truncate-after": 6, "no-end-after": 6, "half-json-after": 6, "repeat-pools-after": 6,
	emulator.StaleReads: 0,
}

const (
	missingDate = "Date header missing"
	skewedDate  = "Date header skewed"
)

// setFaults sets the share of requests that fail. Delayed requests take effect.
func (w *workspace) setFaults(rate float64) {
	w.rate = rate
	faults, total := make(emulator.Faults), 0.0
	for _, name := range emulator.FaultNames() {
		faults[name] = 3
		if weight, ok := weights[name]; ok {
			faults[name] = weight
		}
		total += faults[name]
	}
	for name := range faults {
		faults[name] *= rate / total
	}
	faults[emulator.StaleReads] = 1e-12 // With 0, all new pools would be shown again.
	if rate > 0 {
		faults[emulator.StaleReads] = 0.4
	}
	w.must(w.pulumi.SetFaults(faults))
}

// plot holds the scheduled interruptions of one walk, in addition to the faults of the emulator.
type plot struct {
	// arrivals counts down to the request that never gets a response, because stop is called before or after its effect.
	arrivals atomic.Int64
	stop     func(*http.Request)
	after    bool
	// matches selects the requests whose first attempts get the statuses, without an effect. With the first, act is what
	// another user does meanwhile.
	matches  func(r *http.Request, body []byte) bool
	act      func(body []byte)
	statuses []int
	attempts atomic.Int64
}

// status returns the status of a request that is selected, or 0.
func (p *plot) status(r *http.Request, body []byte) int {
	if p.matches == nil || !p.matches(r, body) {
		return 0
	}
	attempt := int(p.attempts.Add(1))
	if attempt == 1 {
		p.act(body)
	}
	if attempt > len(p.statuses) {
		return 0
	}
	return p.statuses[attempt-1]
}

func poolID(r *http.Request) string {
	_, id, _ := strings.Cut(r.URL.Path, "/agent-pools/")
	return strings.ToLower(id)
}

func isCreate(r *http.Request, _ []byte) bool { return r.Method == http.MethodPost }

func clearsDefault(r *http.Request, body []byte) bool {
	return r.Method == http.MethodPatch && bytes.Contains(body, []byte(`"setDefaultAgentPoolID":""`))
}

// createForAnother creates the pool of a request for another user, and lets time pass.
func (w *workspace) createForAnother(body []byte) {
	var pool struct{ Name, Description string }
	w.must(json.Unmarshal(body, &pool))
	if created, _, err := w.pulumi.CreateAgentPool(organization, pool.Name, pool.Description); err == nil {
		w.note("another user has created %v during a wait", created)
		w.stats.addFault("pool of another user created during a wait")
		w.mu.Lock()
		w.foreign[created.ID] = true
		w.mu.Unlock()
	}
	w.advance(10 * time.Second)
}

// intercept sees each request before it suffers a fault. It reports what was not asked for: Pulumi Cloud refuses to
// delete a pool that is in use unless it is forced.
func (w *workspace) intercept(api http.Handler) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, r *http.Request) {
		w.active.RLock()
		defer w.active.RUnlock()
		// net/http notices that a client is gone only after the body was read.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		w.stats.add("requests")
		w.note("%s %s %s", r.Method, r.URL, body)
		w.mu.Lock()
		forced := w.forced[poolID(r)]
		w.mu.Unlock()
		if r.URL.Query().Get("force") == "true" && !forced {
			w.violate(destroyedPools, "%s is deleted by force, which is not configured", poolID(r))
		}
		if clearsDefault(r, body) && w.pulumi.pools()[w.otherDefault].IsDefault {
			w.violate(clearedDefaults, "the default of another user is cleared")
		}
		if status := w.plot.status(r, body); status != 0 {
			response.WriteHeader(status)
			_, _ = fmt.Fprintf(response, `{"code":%d,"message":"%s"}`, status, http.StatusText(status))
			return
		}
		if w.plot.arrivals.Add(-1) != 0 {
			api.ServeHTTP(response, r)
			return
		}
		if w.plot.after {
			serveUnseen(api, r)
		}
		w.plot.stop(r)
		// A response might come before or after the interruption.
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
}

// serveUnseen serves a request whose response does not reach the client.
func serveUnseen(api http.Handler, r *http.Request) {
	defer func() { _ = recover() }() // A fault may abort the handler.
	api.ServeHTTP(httptest.NewRecorder(), r)
}

// changeDates removes or changes the Date header of responses.
func (w *workspace) changeDates(api http.Handler) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, r *http.Request) {
		switch w.date {
		case missingDate:
			response.Header()["Date"] = nil
		case skewedDate:
			response.Header().Set("Date", w.pulumi.now().Add(w.dateSkew).UTC().Format(http.TimeFormat))
		}
		api.ServeHTTP(response, r)
	})
}

// silentListener accepts connections that can fall silent, as they do when a router restarts.
type silentListener struct{ net.Listener }

// Accept implements [net.Listener].
func (l silentListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return &silentConn{Conn: conn}, err
}

type silentConn struct {
	net.Conn

	silent atomic.Bool
}

// Write implements [net.Conn].
func (c *silentConn) Write(b []byte) (int, error) {
	if c.silent.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// silence makes the connection of a request silent: no response arrives any more, and the client gets no error.
func silence(r *http.Request) {
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	if encrypted, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = encrypted.NetConn()
	}
	if silent, ok := conn.(*silentConn); ok {
		silent.silent.Store(true)
	}
}

// connKey is the key of a connection in the context of its requests.
type connKey struct{}
