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
	mu sync.Mutex
	// arrivals counts down to the request that interrupts the run.
	arrivals    int
	afterEffect bool
	stop        func()
}

// interrupt calls stop before or after the effect of a later request.
func (q *requests) interrupt(arrivals int, afterEffect bool, stop func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.arrivals, q.afterEffect, q.stop = arrivals, afterEffect, stop
}

// next returns the interruption by this request, or nil.
func (q *requests) next() (stop func(), afterEffect bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.arrivals--
	if q.arrivals != 0 {
		return nil, false
	}
	return q.stop, q.afterEffect
}

// intercept sees each request before it suffers a fault. It interrupts runs, and reports what no one asked for: Pulumi
// Cloud refuses to delete a pool that is in use unless it is forced.
func (w *workspace) intercept(api http.Handler) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, r *http.Request) {
		w.active.RLock()
		defer w.active.RUnlock()
		w.stats.add("requests", 1)
		_, id, _ := strings.Cut(r.URL.Path, "/agent-pools/")
		w.mu.Lock()
		forced := w.forced[id]
		w.mu.Unlock()
		if r.URL.Query().Get("force") == "true" && !forced {
			w.violate(destroyedPools, "%s is deleted by force, which is not configured", id)
		}
		stop, afterEffect := w.requests.next()
		if stop == nil {
			api.ServeHTTP(response, r)
			return
		}
		w.stats.add("interruptions", 1)
		if afterEffect {
			serveWithoutResponse(api, r)
		}
		stop()
		hold(r) // A response might come before or after the interruption.
	})
}

// serveWithoutResponse serves a request as if the response were lost.
func serveWithoutResponse(api http.Handler, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	defer func() { _ = recover() }() // A fault may abort the handler.
	api.ServeHTTP(httptest.NewRecorder(), r)
}

// hold ends a request when the client gives up.
func hold(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // net/http notices that a client is gone only after the body was read.
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// learnTokens adds the tokens of new pools to the secrets.
func (s *secrets) learnTokens(api http.Handler) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		maps.Copy(recorder.Header(), response.Header())
		api.ServeHTTP(recorder, r)
		var created struct{ TokenValue string }
		if json.Unmarshal(recorder.Body.Bytes(), &created) == nil && created.TokenValue != "" {
			s.add(created.TokenValue)
		}
		maps.Copy(response.Header(), recorder.Header())
		response.WriteHeader(recorder.Code)
		_, _ = recorder.Body.WriteTo(response) // The client may be gone.
	})
}
