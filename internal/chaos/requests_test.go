package chaos_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// requests are the requests of a run, which one of them can interrupt.
type requests struct {
	active sync.RWMutex // locked for reading during each request

	mu sync.Mutex
	// arrivals counts down to the request that interrupts the run.
	arrivals int
	at       moment
	stop     func()
}

// interrupt calls stop before or after the effect of a later request.
func (q *requests) interrupt(arrivals int, at moment, stop func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.arrivals, q.at, q.stop = arrivals, at, stop
}

// next returns the interruption by this request, or nil.
func (q *requests) next() (stop func(), at moment) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.arrivals--
	if q.arrivals != 0 {
		return nil, q.at
	}
	return q.stop, q.at
}

// wait waits for the requests in progress.
func (q *requests) wait() {
	q.active.Lock()
	q.active.Unlock() //nolint:staticcheck // It has waited.
}

func poolID(r *http.Request) string {
	_, id, _ := strings.Cut(r.URL.Path, "/agent-pools/")
	return id
}

// intercept sees each request before it suffers a fault. It interrupts runs, and reports what no one asked for: Pulumi
// Cloud refuses to delete a pool that is in use unless it is forced.
func (w *workspace) intercept(api http.Handler) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, r *http.Request) {
		w.requests.active.RLock()
		defer w.requests.active.RUnlock()
		// net/http notices that a client is gone only after the body was read.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		w.stats.add("requests")
		w.mu.Lock()
		forced := w.forced[poolID(r)]
		w.mu.Unlock()
		if r.URL.Query().Get("force") == "true" && !forced {
			w.violate(destroyedPools, "%s is deleted by force, which is not configured", poolID(r))
		}
		stop, at := w.requests.next()
		if stop == nil {
			api.ServeHTTP(response, r)
			return
		}
		w.stats.addFault("interruption", at)
		if at == after {
			serveUnseen(api, r)
		}
		stop()
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

// learnTokens records the tokens of new pools.
func (w *workspace) learnTokens(api http.Handler) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			api.ServeHTTP(response, r)
			return
		}
		recorder := httptest.NewRecorder()
		maps.Copy(recorder.Header(), response.Header())
		api.ServeHTTP(recorder, r)
		var created struct{ TokenValue string }
		if json.Unmarshal(recorder.Body.Bytes(), &created) == nil && created.TokenValue != "" {
			w.secrets.add(created.TokenValue)
		}
		maps.Copy(response.Header(), recorder.Header())
		response.WriteHeader(recorder.Code)
		_, _ = recorder.Body.WriteTo(response) // The client may be gone.
	})
}
