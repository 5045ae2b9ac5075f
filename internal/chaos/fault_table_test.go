package chaos_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"
)

// moment is when a fault strikes. A late effect comes after the client has given up.
type moment int

const (
	before moment = iota
	after
	late
)

func (m moment) String() string {
	return [...]string{"before the effect", "after the effect", "with a late effect"}[m]
}

// faultKind is a way in which a request can fail.
type faultKind struct {
	name string
	// weight is how often it is drawn, compared with the others.
	weight int
	// at are the moments at which it can strike.
	at []moment
	// writes limits the fault to requests that change something.
	writes bool
	// strike ends the request. The response is that of the API, empty if the request had no effect.
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
	{name: "truncated JSON, connection closed", weight: 6, at: afterOnly, strike: cutOff},
	{name: "truncated JSON", weight: 6, at: afterOnly, strike: truncated},
	{name: "wrong content type", weight: 4, at: afterOnly, strike: wrongType},
	{name: "empty body", weight: 6, at: either, strike: emptyBody},
	{name: "JSON of nothing", weight: 4, at: either, strike: null},
	{name: "endless body", weight: 3, at: either, strike: endless},
	{name: "request delivered twice", weight: 4, at: afterOnly, writes: true, strike: pass},
	{name: "response sent twice", weight: 4, at: afterOnly, strike: twice},
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

// status sends an error in Pulumi Cloud's form, with the secrets of the request in it.
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

// echoOf returns the secrets that a careless server repeats: the credentials and the response, also in Base64.
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

// endless sends JSON that never ends. A list is sent slowly, because its size bound is large.
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

// twice sends the response two times.
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

// pick draws a fault for a read or a write.
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
