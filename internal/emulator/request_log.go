package emulator

import (
	"net/http"
	"net/url"
)

// Request is an entry of the request log.
type Request struct {
	Method string
	// Path is escaped as in the request.
	Path  string
	Query url.Values
	// Header lacks the headers with credentials.
	Header http.Header
	// Body lacks the ID token of a token exchange.
	Body string
	// Status is 0 until there is a response. It stays 0 if the connection is closed without one.
	Status int
	// RequestID is the X-Pulumi-Request-ID of the response.
	RequestID string
}

var credentialHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie"}

func (s *Server) logRequest(request *Request) {
	for _, name := range credentialHeaders {
		request.Header.Del(name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.options.NoRequestLog {
		s.requests = append(s.requests, request)
	}
}

func (s *Server) setStatus(request *Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	request.Status = status
}

// Requests returns the requests so far in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := make([]Request, len(s.requests))
	for i, request := range s.requests {
		requests[i] = *request
	}
	return requests
}

// ResetRequests clears the request log.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// statusRecorder reports the status of a response before the client sees any of it.
type statusRecorder struct {
	http.ResponseWriter

	status   int
	onStatus func(status int)
}

func (w *statusRecorder) record(status int) {
	// The response proper follows informational ones.
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
		w.onStatus(status)
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
