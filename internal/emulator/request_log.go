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
	// Status is 0 until there is a response. It stays 0 if the connection is closed without one, or if middleware
	// responds without a status.
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

// statusRecorder logs the status of a response before the client sees any of it.
type statusRecorder struct {
	http.ResponseWriter

	server  *Server
	request *Request
}

func (w *statusRecorder) WriteHeader(status int) {
	w.server.mu.Lock()
	w.request.Status = status
	w.server.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
