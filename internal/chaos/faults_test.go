package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// hidingTime is the longest time for which reads do not show a new pool.
const hidingTime = 5 * time.Second

// faultInjector breaks the requests of one workspace. The fault of a request depends on the seed, the workspace, the
// subject of the request and the number of earlier requests on that subject. So it is the same in every run, in
// whatever order concurrent requests arrive.
type faultInjector struct {
	w    *workspace
	seed uint64
	// hides makes new pools missing from the first reads.
	hides bool
	mu    sync.Mutex
	// rate is the share of requests that fail.
	rate     float64
	ordinals map[string]int
	// subjects maps the IDs of pools, which are random, to the names under which they were created.
	subjects map[string]string
	hidden   map[string]*hiding
	delayed  []*delayedRequest
}

// hiding is a pool that the next reads do not show.
type hiding struct {
	reads int
	until time.Time
}

// delayedRequest takes effect after a number of further requests, or at the end of the run.
type delayedRequest struct {
	arrivals int
	perform  func() *httptest.ResponseRecorder
}

func newFaultInjector(w *workspace, seed uint64, hides bool) *faultInjector {
	return &faultInjector{
		w: w, seed: seed, hides: hides,
		ordinals: make(map[string]int), subjects: make(map[string]string), hidden: make(map[string]*hiding),
	}
}

// begin sets the share of requests that fail.
func (f *faultInjector) begin(rate float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rate = rate
}

// end lets the delayed requests take effect.
func (f *faultInjector) end() {
	f.mu.Lock()
	delayed := f.delayed
	f.delayed = nil
	f.mu.Unlock()
	for _, request := range delayed {
		request.perform()
	}
}

// showAll ends the time in which new pools are missing.
func (f *faultInjector) showAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.hidden)
}

// draw returns the fault of a request, the number of reads that do not show the pool that it creates, the number of
// further requests by which a late effect is delayed, and the delayed requests that take effect now.
func (f *faultInjector) draw(r *http.Request, subject string) (
	kind *faultKind, at moment, hide, delay int, due []*delayedRequest,
) {
	f.mu.Lock()
	defer f.mu.Unlock()
	hash := fnv.New64a()
	_, _ = fmt.Fprintf(hash, "%s %s %d", f.w.name, subject, f.ordinals[subject]) // A hash does not fail.
	f.ordinals[subject]++
	random := rand.New(rand.NewPCG(f.seed, hash.Sum64()))

	kind = &faultKind{at: afterOnly, strike: pass}
	if random.Float64() < f.rate {
		kind = pick(random, r.Method != http.MethodGet)
	}
	at = oneOf(random, kind.at...)
	if kind.name != "" {
		f.w.stats.addFault(kind.name, at)
	}
	if f.hides && f.rate > 0 && random.Float64() < 0.4 {
		hide = 1 + random.IntN(2)
	}
	f.delayed = slices.DeleteFunc(f.delayed, func(request *delayedRequest) bool {
		request.arrivals--
		if request.arrivals < 0 {
			due = append(due, request)
		}
		return request.arrivals < 0
	})
	return kind, at, hide, random.IntN(4), due
}

func isList(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/agent-pools")
}

// subjectOf returns the name of a request's pool, or the path of other requests. Unlike IDs, names are not random.
func (f *faultInjector) subjectOf(r *http.Request, body []byte) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id := poolID(r); id != "" {
		return f.subjects[id]
	}
	var pool struct{ Name string }
	if r.Method == http.MethodPost && json.Unmarshal(body, &pool) == nil {
		return pool.Name
	}
	return r.URL.Path
}

// middleware wraps the emulated API.
func (f *faultInjector) middleware(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		subject := f.subjectOf(r, body)
		kind, at, hide, delay, due := f.draw(r, r.Method+" "+subject)
		for _, request := range due {
			request.perform()
		}
		headers := w.Header().Clone() // The API may set them differently.
		// perform carries out the request whether or not the client still waits for the response.
		perform := func() *httptest.ResponseRecorder {
			request := r.Clone(context.WithoutCancel(r.Context()))
			request.Body = io.NopCloser(bytes.NewReader(body))
			response := httptest.NewRecorder()
			maps.Copy(response.Header(), headers)
			api.ServeHTTP(response, request)
			f.w.note("%s %s: %d", r.Method, subject, response.Code)
			return f.show(r, subject, response, hide)
		}
		response := httptest.NewRecorder()
		switch at {
		case before:
		case after:
			response = perform()
			if kind.name == deliveredTwice {
				response = perform()
			}
		case late:
			f.mu.Lock()
			f.delayed = append(f.delayed, &delayedRequest{delay, perform})
			f.mu.Unlock()
		}
		f.w.note("%s %s: %s, %s", r.Method, subject, kind.name, at)
		kind.strike(w, r, response)
	})
}

// show remembers the subject of a new pool, and removes pools from a response that reads do not show yet.
func (f *faultInjector) show(
	r *http.Request, subject string, response *httptest.ResponseRecorder, hide int,
) *httptest.ResponseRecorder {
	f.mu.Lock()
	defer f.mu.Unlock()
	code, content := response.Code, response.Body.Bytes()
	switch {
	case code == http.StatusOK && r.Method == http.MethodPost:
		var created struct{ ID string }
		if err := json.Unmarshal(content, &created); err != nil {
			return response
		}
		f.subjects[created.ID] = subject
		if hide > 0 {
			f.w.stats.addFault(hiddenName, after)
			f.hidden[created.ID] = &hiding{reads: hide, until: time.Now().Add(hidingTime)}
		}
		return response
	case code == http.StatusOK && isList(r):
		var list map[string]any
		if err := json.Unmarshal(content, &list); err != nil {
			return response
		}
		pools, _ := list["agentPools"].([]any)
		list["agentPools"] = slices.DeleteFunc(pools, func(pool any) bool {
			fields, _ := pool.(map[string]any)
			id, _ := fields["id"].(string)
			return f.isHidden(id)
		})
		content, _ = json.Marshal(list) // It was JSON.
	case code == http.StatusOK && r.Method == http.MethodGet && f.isHidden(poolID(r)):
		code, content = http.StatusNotFound, []byte(`{"code":404,"message":"Not Found: not yet"}`)
	default:
		return response
	}
	replaced := httptest.NewRecorder()
	send(replaced, code, "application/json", content)
	return replaced
}

// isHidden counts a read of a pool, and reports whether the read misses it. The caller holds the lock.
func (f *faultInjector) isHidden(id string) bool {
	hiding := f.hidden[id]
	if hiding == nil || hiding.reads == 0 || time.Now().After(hiding.until) {
		return false
	}
	hiding.reads--
	return true
}
