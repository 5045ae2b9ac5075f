package chaos_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// moment is when a fault strikes: whether the request has taken effect, or does once the client has given it up.
type moment int

const (
	before moment = iota
	after
	late
	moments
)

func (m moment) String() string { return [...]string{"before", "after", "late"}[m] }

// faultKind is a way in which a request can fail.
type faultKind struct {
	name string
	// weight is how often it is drawn, compared with the others.
	weight int
	// at are the moments at which it can strike.
	at []moment
	// writes tells that it only befalls requests that change something.
	writes bool
	// strike ends the exchange. The answer is what the API said, empty if the request had no effect.
	strike func(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder)
}

var (
	beforeOnly = []moment{before}
	afterOnly  = []moment{after}
	either     = []moment{before, after}
)

var faultKinds = []faultKind{
	{name: "connection reset", weight: 8, at: either, strike: reset},
	{name: "connection closed", weight: 8, at: either, strike: abort},
	{name: "hang past the time-out", weight: 4, at: either, strike: hang},
	{name: "slower than the time-out", weight: 6, at: []moment{late}, writes: true, strike: hang},
	{name: "429", weight: 6, at: beforeOnly, strike: status(429, nil)},
	{name: "429, Retry-After: 0", weight: 4, at: beforeOnly, strike: status(429, header("Retry-After", "0"))},
	{name: "429, Retry-After: 1", weight: 1, at: beforeOnly, strike: status(429, header("Retry-After", "1"))},
	{name: "429, Retry-After a date", weight: 4, at: beforeOnly, strike: status(429, func() http.Header {
		return http.Header{"Retry-After": {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)}}
	})},
	{name: "500", weight: 6, at: either, strike: status(500, nil)},
	{name: "502", weight: 4, at: either, strike: status(502, nil)},
	{name: "503", weight: 4, at: either, strike: status(503, nil)},
	{name: "504", weight: 4, at: either, strike: status(504, nil)},
	{name: "502 in HTML", weight: 4, at: either, strike: page(502)},
	{name: "503 in HTML", weight: 4, at: either, strike: page(503)},
	{name: "404 in HTML", weight: 6, at: either, strike: page(404)},
	{name: "403 in HTML", weight: 4, at: either, strike: page(403)},
	{name: "200 in HTML", weight: 4, at: either, strike: page(200)},
	{name: "JSON cut off with the connection", weight: 6, at: afterOnly, strike: cutOff},
	{name: "JSON cut off, else whole", weight: 6, at: afterOnly, strike: truncated},
	{name: "wrong content type", weight: 4, at: afterOnly, strike: wrongType},
	{name: "empty body", weight: 6, at: either, strike: emptyBody},
	{name: "JSON of nothing", weight: 4, at: either, strike: null},
	{name: "body without an end", weight: 3, at: either, strike: endless},
	{name: "request delivered twice", weight: 4, at: afterOnly, writes: true, strike: pass},
	{name: "answer sent twice", weight: 4, at: afterOnly, strike: twice},
}

const (
	deliveredTwice = "request delivered twice"
	refusedName    = "connections refused"
	hiddenName     = "new pool not shown yet"
	cancelledName  = "run interrupted"
)

func header(name, value string) func() http.Header {
	return func() http.Header { return http.Header{name: {value}} }
}

func abort(http.ResponseWriter, *http.Request, *httptest.ResponseRecorder) {
	panic(http.ErrAbortHandler)
}

func reset(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder) {
	connection := hijack(w)
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // What is not a reset is still the end of the connection.
	}
	_ = connection.Close()
}

func hang(_ http.ResponseWriter, r *http.Request, _ *httptest.ResponseRecorder) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// status answers as Pulumi Cloud words its errors, with the request's secrets in it.
func status(code int, headers func() http.Header) func(http.ResponseWriter, *http.Request, *httptest.ResponseRecorder) {
	return func(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder) {
		if headers != nil {
			maps.Copy(w.Header(), headers())
		}
		echo := echoOf(r, answer)
		w.Header().Set("X-Pulumi-Warning", echo)
		body, _ := json.Marshal(map[string]any{
			"code": code, "message": http.StatusText(code) + ": injected: " + echo, "documentationUrl": "https://example.com/?" + echo,
			"errors": []map[string]string{{"resource": "agentPool", "errorType": "injected", "customMessage": echo}},
		})
		send(w, code, "application/json", body)
	}
}

// echoOf is what a careless server repeats: the credentials and the answer, plain and encoded.
func echoOf(r *http.Request, answer *httptest.ResponseRecorder) string {
	said := strings.TrimSpace(r.Header.Get("Authorization") + " " + answer.Body.String())
	return said + " " + base64.StdEncoding.EncodeToString([]byte(said))
}

func page(code int) func(http.ResponseWriter, *http.Request, *httptest.ResponseRecorder) {
	return func(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder) {
		send(w, code, "text/html; charset=utf-8", fmt.Appendf(nil, "<html><body><h1>%d</h1>%s</body></html>", code, echoOf(r, answer)))
	}
}

func cutOff(w http.ResponseWriter, _ *http.Request, answer *httptest.ResponseRecorder) {
	body := answer.Body.Bytes()
	if len(body) > 0 {
		copyHeader(w, answer)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body[:len(body)/2]) // The connection ends whether or not it arrives.
		_ = http.NewResponseController(w).Flush()
	}
	panic(http.ErrAbortHandler)
}

func truncated(w http.ResponseWriter, _ *http.Request, answer *httptest.ResponseRecorder) {
	send(w, http.StatusOK, "application/json", answer.Body.Bytes()[:answer.Body.Len()/2])
}

func wrongType(w http.ResponseWriter, _ *http.Request, answer *httptest.ResponseRecorder) {
	if answer.Body.Len() == 0 {
		pass(w, nil, answer)
		return
	}
	send(w, answer.Code, "text/html", answer.Body.Bytes())
}

func emptyBody(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder) {
	send(w, http.StatusOK, "application/json", nil)
}

func null(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder) {
	send(w, http.StatusOK, "application/json", []byte("null"))
}

// endless sends JSON that never closes: as fast as it is read, but for a list, whose bound is far away, slowly.
func endless(w http.ResponseWriter, r *http.Request, _ *httptest.ResponseRecorder) {
	w.Header().Set("Content-Type", "application/json")
	space := bytes.Repeat([]byte(" "), 64<<10)
	pace := time.NewTicker(time.Microsecond)
	if isList(r) {
		space = space[:1]
		pace.Reset(20 * time.Millisecond)
	}
	defer pace.Stop()
	_, err := io.WriteString(w, `{"agentPools":[`)
	for err == nil && r.Context().Err() == nil {
		if _, err = w.Write(space); err == nil {
			err = http.NewResponseController(w).Flush()
		}
		select {
		case <-pace.C:
		case <-r.Context().Done():
		}
	}
	panic(http.ErrAbortHandler)
}

func pass(w http.ResponseWriter, _ *http.Request, answer *httptest.ResponseRecorder) {
	copyHeader(w, answer)
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // A client that went away gets nothing.
}

// twice sends the answer and, unasked, the same again.
func twice(w http.ResponseWriter, _ *http.Request, answer *httptest.ResponseRecorder) {
	copyHeader(w, answer)
	response := http.Response{
		StatusCode: answer.Code, ProtoMajor: 1, ProtoMinor: 1, Header: w.Header(),
		ContentLength: int64(answer.Body.Len()),
	}
	var raw bytes.Buffer
	for range 2 {
		response.Body = io.NopCloser(bytes.NewReader(answer.Body.Bytes()))
		_ = response.Write(&raw) // It writes to memory.
	}
	connection := hijack(w)
	_, _ = raw.WriteTo(connection) // A client that went away gets nothing.
	_ = connection.Close()
}

func hijack(w http.ResponseWriter) net.Conn {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // The server is closing.
	}
	return connection
}

func copyHeader(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), answer.Header())
}

func send(w http.ResponseWriter, code int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

// faults breaks what one worker's provider exchanges with its Pulumi Cloud. Which fault befalls a request is drawn from
// the seed, the worker, what the request is about and how many such came before, so that it is the same in each run
// however the requests interleave.
type faults struct {
	seed    uint64
	worker  string
	pulumi  *pulumiCloud
	secrets *secrets
	log     func(format string, arguments ...any)
	watch   func(*http.Request)
	// hides tells that new pools may be missing from reads at first.
	hides bool

	mu sync.Mutex
	// rate is the share of requests that suffer a fault.
	rate     float64
	requests int
	counts   map[string]*[moments]int
	ordinals map[string]int
	// subjects names pools, whose ids are random, by what they were created as.
	subjects map[string]string
	hidden   map[string]*hiding
	// interruption is nil unless the run is to be interrupted.
	interruption *interruption
	// delayed are requests that take effect after the client gave them up.
	delayed []*delayedRequest

	// inFlight is how many requests are under way; idle is signalled when it becomes 0.
	inFlight int
	idle     *sync.Cond
}

// hiding is a pool that reads do not show yet.
type hiding struct {
	reads int
	until time.Time
}

// interruption stops the provider when a request arrives, or before it is answered.
type interruption struct {
	// arrivals counts down to that request.
	arrivals int
	at       moment
	stop     func()
}

// delayedRequest takes effect when so many more requests have arrived, or the operation has ended.
type delayedRequest struct {
	arrivals int
	effect   func()
}

// begin sets the share of requests that fail, and the interruption of what follows if there is to be one.
func (f *faults) begin(rate float64, i *interruption) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rate, f.interruption = rate, i
}

// end waits until no request is under way, and lets the delayed ones take effect.
func (f *faults) end() {
	f.pulumi.closeIdle()
	f.mu.Lock()
	for f.inFlight > 0 {
		f.idle.Wait()
	}
	delayed := f.delayed
	f.delayed, f.interruption = nil, nil
	f.mu.Unlock()
	for _, request := range delayed {
		request.effect()
	}
}

func (f *faults) count(name string, at moment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.countLocked(name, at)
}

func (f *faults) countLocked(name string, at moment) {
	counts := f.counts[name]
	if counts == nil {
		counts = new([moments]int)
		f.counts[name] = counts
	}
	counts[at]++
}

// drawn is what befalls a request.
type drawn struct {
	kind *faultKind // nil for none
	at   moment
	// hide is for how many reads the pool that the request creates is hidden, delay for how many requests it is late.
	hide, delay int
	// stop interrupts the run, nil if it goes on.
	stop   func()
	stopAt moment
	due    []*delayedRequest
	label  string
}

func (f *faults) draw(r *http.Request, body []byte) drawn {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	f.inFlight++
	subject := f.subjectOf(r, body)
	ordinal := f.ordinals[subject]
	f.ordinals[subject]++
	d := drawn{label: fmt.Sprintf("%s #%d", subject, ordinal)}

	hash := fnv.New64a()
	_, _ = fmt.Fprintf(hash, "%s %s %d", f.worker, subject, ordinal) // A hash takes everything.
	random := rand.New(rand.NewPCG(f.seed, hash.Sum64()))
	if i := f.interruption; i != nil {
		i.arrivals--
		if i.arrivals == 0 {
			d.stop, d.stopAt = i.stop, i.at
			f.interruption = nil
			f.countLocked(cancelledName, i.at)
		}
	}
	if random.Float64() < f.rate && d.stop == nil {
		d.kind = pick(random, r.Method != http.MethodGet)
		d.at = d.kind.at[random.IntN(len(d.kind.at))]
		f.countLocked(d.kind.name, d.at)
	}
	if f.hides && f.rate > 0 && r.Method == http.MethodPost && random.Float64() < 0.4 {
		d.hide = 1 + random.IntN(2)
	}
	d.delay = random.IntN(4)

	f.delayed = slices.DeleteFunc(f.delayed, func(request *delayedRequest) bool {
		request.arrivals--
		if request.arrivals < 0 {
			d.due = append(d.due, request)
		}
		return request.arrivals < 0
	})
	return d
}

func (f *faults) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inFlight--
	if f.inFlight == 0 {
		f.idle.Broadcast()
	}
}

func pick(random *rand.Rand, write bool) *faultKind {
	total := 0
	for i := range faultKinds {
		if write || !faultKinds[i].writes {
			total += faultKinds[i].weight
		}
	}
	n := random.IntN(total)
	for i := range faultKinds {
		if faultKinds[i].writes && !write {
			continue
		}
		if n -= faultKinds[i].weight; n < 0 {
			return &faultKinds[i]
		}
	}
	panic("unreachable")
}

func isList(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/agent-pools")
}

func poolID(r *http.Request) string {
	_, id, _ := strings.Cut(r.URL.Path, "/agent-pools/")
	return id
}

func (f *faults) subjectOf(r *http.Request, body []byte) string {
	if id := poolID(r); id != "" {
		return r.Method + " " + f.subjects[id]
	}
	if r.Method == http.MethodPost {
		return "POST " + nameIn(body)
	}
	return r.Method + " " + r.URL.Path
}

func nameIn(body []byte) string {
	var pool struct{ Name string }
	_ = json.Unmarshal(body, &pool) // The API refuses what it can't read.
	return pool.Name
}

// middleware goes around the emulated API.
func (f *faults) middleware(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		f.watch(r)
		d := f.draw(r, body)
		defer f.leave()
		for _, request := range d.due {
			request.effect()
		}
		headers := w.Header().Clone() // The API has its own say of them.
		// A request takes effect whether or not somebody waits for the answer.
		perform := func() *httptest.ResponseRecorder {
			copied := r.Clone(context.WithoutCancel(r.Context()))
			copied.Body = io.NopCloser(bytes.NewReader(body))
			answer := httptest.NewRecorder()
			maps.Copy(answer.Header(), headers)
			api.ServeHTTP(answer, copied)
			return f.shown(r, body, answer, d.hide)
		}
		switch {
		case d.stop != nil:
			f.interrupt(r, d, perform)
		case d.kind == nil:
			answer := perform()
			f.log("%s: %d", d.label, answer.Code)
			pass(w, r, answer)
		default:
			d.kind.strike(w, r, f.befall(d, perform))
		}
	})
}

// interrupt stops the run, and leaves the request without an answer: what came first would be chance.
func (f *faults) interrupt(r *http.Request, d drawn, perform func() *httptest.ResponseRecorder) {
	if d.stopAt == after {
		f.log("%s: had answered %d", d.label, perform().Code)
	}
	f.log("%s: interrupted, %s", d.label, d.stopAt)
	d.stop()
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// befall returns what the API says to a request that suffers a fault, empty if it never hears of it or not yet.
func (f *faults) befall(d drawn, perform func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	f.log("%s: %s, %s", d.label, d.kind.name, d.at)
	answer := httptest.NewRecorder()
	if d.at == late {
		f.delay(d, perform)
	}
	if d.at == after {
		answer = perform()
		if d.kind.name == deliveredTwice {
			answer = perform()
		}
		f.log("%s: had answered %d", d.label, answer.Code)
	}
	return answer
}

func (f *faults) delay(d drawn, perform func() *httptest.ResponseRecorder) {
	effect := func() { f.log("%s: took effect late, and was answered %d", d.label, perform().Code) }
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delayed = append(f.delayed, &delayedRequest{arrivals: d.delay, effect: effect})
}

// shown takes note of a new pool, and takes from an answer the pools that are not to be seen yet.
func (f *faults) shown(
	r *http.Request, body []byte, answer *httptest.ResponseRecorder, hide int,
) *httptest.ResponseRecorder {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch id := poolID(r); {
	case answer.Code != http.StatusOK:
	case r.Method == http.MethodPost:
		var created struct{ ID, TokenValue string }
		if json.Unmarshal(answer.Body.Bytes(), &created) != nil {
			return answer
		}
		f.secrets.add(created.TokenValue)
		f.subjects[created.ID] = nameIn(body)
		if hide > 0 {
			f.countLocked(hiddenName, after)
			f.hidden[created.ID] = &hiding{reads: hide, until: time.Now().Add(hidingTime)}
		}
	case isList(r):
		var list map[string]any
		if json.Unmarshal(answer.Body.Bytes(), &list) != nil {
			return answer
		}
		pools, _ := list["agentPools"].([]any)
		list["agentPools"] = slices.DeleteFunc(pools, func(pool any) bool {
			fields, _ := pool.(map[string]any)
			id, _ := fields["id"].(string)
			return f.hiddenLocked(id)
		})
		replaced := httptest.NewRecorder()
		body, _ := json.Marshal(list)
		send(replaced, http.StatusOK, "application/json", body)
		return replaced
	case r.Method == http.MethodGet && f.hiddenLocked(id):
		replaced := httptest.NewRecorder()
		send(replaced, http.StatusNotFound, "application/json", []byte(`{"code":404,"message":"Not Found: not yet"}`))
		return replaced
	}
	return answer
}

// showAll ends the time in which new pools are missing.
func (f *faults) showAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.hidden)
}

// hidingTime is how long a new pool is missing at most.
const hidingTime = 5 * time.Second

func (f *faults) hiddenLocked(id string) bool {
	hiding := f.hidden[id]
	if hiding == nil || hiding.reads == 0 || time.Now().After(hiding.until) {
		return false
	}
	hiding.reads--
	return true
}
