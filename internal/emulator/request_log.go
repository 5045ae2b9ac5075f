package emulator

import (
	"net/http"
	"net/url"
	"sync"
)

// Request is an entry of the request log.
type Request struct {
	Method string
	// Path is escaped, as it was sent.
	Path  string
	Query url.Values
	// Header lacks the headers that carry credentials.
	Header http.Header
	// Body is kept for the operations of the description alone. Of a token exchange it lacks the ID token.
	Body string
	// Status is 0 while the request is under way, and stays 0 if the connection was dropped instead of an answer.
	Status int
	// RequestID is the answer's X-Pulumi-Request-ID.
	RequestID string
}

var credentialHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie"}

type requestLog struct {
	mu      sync.Mutex
	entries []*Request
}

func (l *requestLog) arrived(request *Request, header http.Header) {
	request.Header = header.Clone()
	for _, name := range credentialHeaders {
		request.Header.Del(name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, request)
}

func (l *requestLog) answered(request *Request, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	request.Status = status
}

func (l *requestLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = nil
}

func (l *requestLog) snapshot() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	requests := make([]Request, len(l.entries))
	for i, entry := range l.entries {
		requests[i] = *entry
	}
	return requests
}

// statusRecorder reports the status of an answer before any of it reaches the client.
type statusRecorder struct {
	http.ResponseWriter
	status   int
	answered func(status int)
}

func (w *statusRecorder) record(status int) {
	// Informational answers are followed by the real one.
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
		w.answered(status)
	}
}

func (w *statusRecorder) WriteHeader(status int) {
	w.record(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusRecorder) Write(p []byte) (int, error) {
	w.record(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
