package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"
)

// fault is a way in which a request fails.
type fault struct {
	name string
	// effects is how many times the request takes effect. Two models a proxy that repeats a request.
	effects    int
	writesOnly bool
	respond    func(broken)
}

// late, as the effects of a fault, models a service that is still busy with a request that the client has given up.
const late = -1

// broken is a request that suffers a fault.
type broken struct {
	w http.ResponseWriter
	r *http.Request
	// response is the response of the API. It is empty if the request had no effect.
	response *httptest.ResponseRecorder
	// echo holds the secrets of the request and its response, for error messages that repeat them.
	echo string
}

var faultTable = slices.Concat(
	// Connections that break, with and without a sign of it.
	beforeAndAfter("drop", dropConnection),
	beforeAndAfter("reset", resetConnection),
	beforeAndAfter("hang", hang),
	[]fault{{name: "late", effects: late, writesOnly: true, respond: hang}},

	// Rate limits. Retry-After can be absent, in seconds, or a date.
	[]fault{
		{name: "429", respond: sendError(429, "")},
		{name: "429-retry-after-0", respond: sendError(429, "0")},
		{name: "429-retry-after-1", respond: sendError(429, "1")},
		{name: "429-retry-after-date", respond: sendError(429, "Thu, 01 Jan 2026 00:00:00 GMT")},
	},

	// Errors of the service, in its own form. A replica that lags behind sends 404, and a service that still reserves
	// the name of a deleted agent pool sends 409.
	[]fault{
		{name: "404", respond: sendError(404, "")},
		{name: "409", writesOnly: true, respond: sendError(409, "")},
	},
	beforeAndAfter("500", sendError(500, "")),
	beforeAndAfter("502", sendError(502, "")),
	beforeAndAfter("503", sendError(503, "")),
	beforeAndAfter("504", sendError(504, "")),

	// Pages of a proxy or a captive portal.
	beforeAndAfter("html-200", sendPage(200)),
	beforeAndAfter("html-403", sendPage(403)),
	beforeAndAfter("html-404", sendPage(404)),
	beforeAndAfter("html-502", sendPage(502)),
	beforeAndAfter("html-503", sendPage(503)),

	beforeAndAfter("101", switchProtocols),

	// Bodies that are incomplete or not what the API describes.
	beforeAndAfter("empty-body", sendBody("")),
	beforeAndAfter("null-body", sendBody("null")),
	beforeAndAfter("endless-body", sendEndlessBody),
	[]fault{
		{name: "truncate-after", effects: 1, respond: truncate},
		{name: "no-end-after", effects: 1, respond: sendWithoutEnd},
		{name: "half-json-after", effects: 1, respond: sendHalf},
		{name: "content-type-after", effects: 1, respond: sendAsHTML},
		{name: "repeat-response-after", effects: 1, respond: sendTwice},
		{name: "repeat-request-after", effects: 2, writesOnly: true, respond: sendResponse},
		{name: "repeat-pools-after", effects: 1, respond: editList(repeatPools)},
		{name: "uppercase-ids-after", effects: 1, respond: editList(uppercaseIDs)},
	},
)

func beforeAndAfter(name string, respond func(broken)) []fault {
	return []fault{{name: name, respond: respond}, {name: name + "-after", effects: 1, respond: respond}}
}

func dropConnection(broken) { panic(http.ErrAbortHandler) }

func resetConnection(b broken) {
	conn := b.hijack()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // The connection ends in any case.
	}
	_ = conn.Close()
}

func hang(b broken) {
	<-b.r.Context().Done()
	panic(http.ErrAbortHandler)
}

func sendError(status int, retryAfter string) func(broken) {
	return func(b broken) {
		if retryAfter != "" {
			b.w.Header().Set("Retry-After", retryAfter)
		}
		err := errorf(status, "%s", strings.TrimSpace("injected "+b.echo))
		if b.echo != "" {
			b.w.Header().Set("X-Pulumi-Warning", b.echo)
			err.Errors = []errorDetail{{Resource: "agentPool", Attribute: b.echo, ErrorType: "injected"}}
		}
		writeError(b.w, err)
	}
}

func sendPage(status int) func(broken) {
	return func(b broken) {
		page := fmt.Sprintf("<html><body><h1>%d %s</h1>%s</body></html>", status, http.StatusText(status), b.echo)
		send(b.w, status, "text/html; charset=utf-8", []byte(page))
	}
}

func sendBody(body string) func(broken) {
	return func(b broken) { send(b.w, http.StatusOK, jsonMediaType, []byte(body)) }
}

func switchProtocols(b broken) {
	conn := b.hijack()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: none\r\n\r\n")
	_ = conn.Close()
}

func isList(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/agent-pools")
}

// sendEndlessBody sends JSON that does not end. A list trickles, because clients accept long ones.
func sendEndlessBody(b broken) {
	chunk, interval := bytes.Repeat([]byte(" "), 64<<10), time.Microsecond
	if isList(b.r) {
		chunk, interval = []byte(" "), 20*time.Millisecond
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	b.w.Header().Set("Content-Type", jsonMediaType)
	b.w.WriteHeader(http.StatusOK)
	_, err := io.WriteString(b.w, `{"agentPools":[`)
	for err == nil {
		select {
		case <-ticker.C:
			_, err = b.w.Write(chunk)
			_ = http.NewResponseController(b.w).Flush() // The next Write fails.
		case <-b.r.Context().Done():
			err = b.r.Context().Err()
		}
	}
	panic(http.ErrAbortHandler)
}

// truncate closes the connection in the middle of the body. A response without a body is lost.
func truncate(b broken) { sendPart(b, b.response.Body.Len()/2) }

// sendWithoutEnd closes the connection after the body without the end mark of the transfer encoding.
func sendWithoutEnd(b broken) { sendPart(b, b.response.Body.Len()) }

func sendPart(b broken, length int) {
	if body := b.response.Body.Bytes(); len(body) > 0 {
		maps.Copy(b.w.Header(), b.response.Header())
		b.w.Header().Del("Content-Length")
		b.w.WriteHeader(b.response.Code)
		_, _ = b.w.Write(body[:length]) // The connection ends in any case.
		_ = http.NewResponseController(b.w).Flush()
	}
	panic(http.ErrAbortHandler)
}

// sendHalf sends half of the body in a response that is complete as far as HTTP is concerned.
func sendHalf(b broken) {
	body := b.response.Body.Bytes()
	send(b.w, http.StatusOK, jsonMediaType, body[:len(body)/2])
}

// editList changes a list of agent pools.
func editList(edit func(pools []AgentPool) []AgentPool) func(broken) {
	return func(b broken) {
		var list agentPoolList
		if isList(b.r) && b.response.Code == http.StatusOK && json.Unmarshal(b.response.Body.Bytes(), &list) == nil {
			list.AgentPools = edit(list.AgentPools)
			body, _ := json.Marshal(list) // It was JSON.
			send(b.w, b.response.Code, jsonMediaType, body)
			return
		}
		sendResponse(b)
	}
}

func repeatPools(pools []AgentPool) []AgentPool { return append(pools, pools...) }

func uppercaseIDs(pools []AgentPool) []AgentPool {
	for i := range pools {
		pools[i].ID = strings.ToUpper(pools[i].ID)
	}
	return pools
}

func sendAsHTML(b broken) {
	if b.response.Body.Len() > 0 {
		b.response.Header().Set("Content-Type", "text/html")
	}
	sendResponse(b)
}

func sendResponse(b broken) {
	maps.Copy(b.w.Header(), b.response.Header())
	b.w.WriteHeader(b.response.Code)
	_, _ = b.w.Write(b.response.Body.Bytes()) // The client may be gone.
}

// sendTwice sends the response and then, without a request, the same response again.
func sendTwice(b broken) {
	maps.Copy(b.w.Header(), b.response.Header())
	response := http.Response{
		StatusCode: b.response.Code, ProtoMajor: 1, ProtoMinor: 1, Header: b.w.Header(),
		ContentLength: int64(b.response.Body.Len()), Body: io.NopCloser(b.response.Body),
	}
	var raw bytes.Buffer
	_ = response.Write(&raw) // A buffer takes everything.
	conn := b.hijack()
	_, _ = conn.Write(bytes.Repeat(raw.Bytes(), 2)) // The client may be gone.
	_ = conn.Close()
}

func (b broken) hijack() net.Conn {
	conn, _, err := http.NewResponseController(b.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // The server is closing.
	}
	return conn
}
