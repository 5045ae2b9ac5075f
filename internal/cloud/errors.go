package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Endpoint is what was asked of the API.
type Endpoint struct {
	Method string
	// Path is the URL's path, escaped as it was sent.
	Path string
}

func (e Endpoint) String() string { return e.Method + " " + e.Path }

// APIError is an answer other than success, from Pulumi Cloud or from something in front of it.
type APIError struct {
	Endpoint Endpoint
	// StatusCode is the HTTP status, e.g. 404.
	StatusCode int
	// FromPulumi tells that the body was the JSON that Pulumi Cloud describes errors with. If it was not, then a
	// proxy answered, or api_url leads elsewhere, and the status says nothing of any pool.
	FromPulumi bool
	// Message is Pulumi's own, made safe to print; empty unless FromPulumi.
	Message string
	// DocumentationURL is where Pulumi explains the error, if it says.
	DocumentationURL string
	// Details are what Pulumi says of single attributes, if it does.
	Details []ErrorDetail
	// ContentType is the answer's media type, for telling what answered if Pulumi did not.
	ContentType string
	// Location is where a redirect that was not followed leads.
	Location string
	// RequestID is what Pulumi's support asks for; empty if there was none.
	RequestID string
	// RetryAfter is the wait that the server asked for, 0 if it asked for none.
	RetryAfter time.Duration
	// Attempts is how often the request was sent.
	Attempts int
	// Uncertain tells that an attempt may have taken effect all the same.
	Uncertain bool
}

// ErrorDetail is what Pulumi Cloud says of one attribute of a request.
type ErrorDetail struct {
	Resource, Attribute, Type, Message string
}

func (e *APIError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s", e.Endpoint, statusText(e.StatusCode))
	switch {
	case e.Message != "":
		// Pulumi's message normally opens with the status text itself.
		fmt.Fprintf(&text, ": %s", strings.TrimPrefix(e.Message, http.StatusText(e.StatusCode)+": "))
	case !e.FromPulumi && e.ContentType != "":
		fmt.Fprintf(&text, " (%s, not Pulumi Cloud's JSON)", e.ContentType)
	case !e.FromPulumi:
		text.WriteString(" (not Pulumi Cloud's JSON)")
	}
	if e.RequestID != "" {
		fmt.Fprintf(&text, " (request %s)", e.RequestID)
	}
	return text.String()
}

func statusText(code int) string {
	if text := http.StatusText(code); text != "" {
		return fmt.Sprintf("%d %s", code, text)
	}
	return fmt.Sprintf("status %d", code)
}

// TransportError is a request without a whole answer: no connection, a time-out, a connection cut. It wraps the cause,
// [context.Canceled] among others.
type TransportError struct {
	Endpoint Endpoint
	// Attempts is how often the request was sent.
	Attempts int
	// Uncertain tells that an attempt may have reached the server and taken effect.
	Uncertain bool
	// Timeout is the time that the last attempt was given, if that ran out; else 0.
	Timeout time.Duration
	// Err is the cause, its text made safe to print.
	Err error
}

func (e *TransportError) Error() string {
	if e.Timeout > 0 {
		return fmt.Sprintf("%s: no answer within %s", e.Endpoint, e.Timeout)
	}
	return fmt.Sprintf("%s: %s", e.Endpoint, e.Err)
}

func (e *TransportError) Unwrap() error { return e.Err }

// cleanError shows an error by a text that is safe to print: net/http quotes what it can't make sense of.
type cleanError struct {
	text string
	err  error
}

func (e *cleanError) Error() string { return e.text }

func (e *cleanError) Unwrap() error { return e.err }

// ResponseError is a success by its status whose body is not what the API describes.
type ResponseError struct {
	Endpoint Endpoint
	// Field is the path of the field at fault, e.g. "agentPools[3].id"; empty for the whole body.
	Field     string
	Reason    string
	RequestID string
}

func (e *ResponseError) Error() string {
	subject := "the answer"
	if e.Field != "" {
		subject = fmt.Sprintf("the answer's field %q", e.Field)
	}
	text := fmt.Sprintf("%s: %s %s", e.Endpoint, subject, e.Reason)
	if e.RequestID != "" {
		text += fmt.Sprintf(" (request %s)", e.RequestID)
	}
	return text
}

// ArgumentError is a value that no request can carry.
type ArgumentError struct {
	// Argument names what it stands for, e.g. "organization".
	Argument string
	Reason   string
}

func (e *ArgumentError) Error() string { return e.Argument + " " + e.Reason }

// AgentPoolNotFoundError is an organization without that pool, on Pulumi Cloud's own word.
type AgentPoolNotFoundError struct {
	Organization, ID string
	Err              error
}

func (e *AgentPoolNotFoundError) Error() string {
	return fmt.Sprintf("organization %q has no agent pool %q", e.Organization, e.ID)
}

func (e *AgentPoolNotFoundError) Unwrap() error { return e.Err }

// OrganizationNotFoundError is an organization that does not exist, or that the access token's owner can't see.
type OrganizationNotFoundError struct {
	Organization string
	Err          error
}

func (e *OrganizationNotFoundError) Error() string {
	return fmt.Sprintf("organization %q was not found: %s", e.Organization, e.Err)
}

func (e *OrganizationNotFoundError) Unwrap() error { return e.Err }

// AgentPoolExistsError is a name that another pool of the organization has.
type AgentPoolExistsError struct {
	Organization, Name string
	// Existing is the pool that has the name, nil if it could not be looked up.
	Existing *AgentPool
	Err      error
}

func (e *AgentPoolExistsError) Error() string {
	return fmt.Sprintf("organization %q has an agent pool named %q already: %s", e.Organization, e.Name, e.Err)
}

func (e *AgentPoolExistsError) Unwrap() error { return e.Err }

// TokenLostError is a pool that a create has made although its answer, and with it the pool's token, was lost.
type TokenLostError struct {
	Organization string
	Pool         AgentPool
	// Err is why the answer was lost.
	Err error
}

func (e *TokenLostError) Error() string {
	return fmt.Sprintf("agent pool %q (%s) was created in organization %q, but its token was lost: %s",
		e.Pool.Name, e.Pool.ID, e.Organization, e.Err)
}

func (e *TokenLostError) Unwrap() error { return e.Err }

// UnknownOutcomeError is a create of which it could not be found out whether it took effect.
type UnknownOutcomeError struct {
	Organization, Name string
	// Err is why the create's answer was lost.
	Err error
	// LookupErr is why looking for the pool did not tell; nil if it was looked for and not there (yet).
	LookupErr error
	// Candidate is a pool of that name that may be the one; nil if none was seen.
	Candidate *AgentPool
}

func (e *UnknownOutcomeError) Error() string {
	return fmt.Sprintf("agent pool %q may or may not have been created in organization %q: %s", e.Name, e.Organization, e.Err)
}

func (e *UnknownOutcomeError) Unwrap() []error {
	if e.LookupErr == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.LookupErr}
}

// AuthenticationError is an access token that could not be had, so that a request was not sent. It does not unwrap to its
// cause: what was answered to the exchange of a token says nothing about the request.
type AuthenticationError struct{ Err error }

func (e *AuthenticationError) Error() string { return e.Err.Error() }

// mayHaveTakenEffect tells whether the request behind a failed call may have been carried out.
func mayHaveTakenEffect(err error) bool {
	var apiErr *APIError
	var transportErr *TransportError
	var responseErr *ResponseError
	switch {
	case errors.As(err, &apiErr):
		return apiErr.Uncertain
	case errors.As(err, &transportErr):
		return transportErr.Uncertain
	default:
		return errors.As(err, &responseErr)
	}
}

// hasStatus tells whether err is Pulumi Cloud's own answer with that status.
func hasStatus(err error, code int) bool {
	var apiErr *APIError
	return errors.As(err, &apiErr) && apiErr.FromPulumi && apiErr.StatusCode == code
}

func (x *exchange) transportError(ctx context.Context, err error) error {
	result := &TransportError{Endpoint: x.endpoint, Attempts: x.attempts, Uncertain: x.uncertain}
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		// Dialling and the caller's context have time limits of their own.
		if urlErr.Timeout() && ctx.Err() == nil && time.Since(x.started) >= x.client.config.RequestTimeout {
			result.Timeout = x.client.config.RequestTimeout
		}
		err = urlErr.Err // The URL around it is in Endpoint already.
	}
	result.Err = &cleanError{text: x.client.redactor.clean(err.Error()), err: err}
	return result
}

func (x *exchange) apiError(resp *http.Response) error {
	clean := x.client.redactor.clean
	contentType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	result := &APIError{
		Endpoint:    x.endpoint,
		StatusCode:  resp.StatusCode,
		ContentType: clean(strings.TrimSpace(contentType)),
		Location:    clean(resp.Header.Get("Location")),
		RequestID:   clean(requestID(resp)),
		RetryAfter:  x.client.retryAfter(resp),
		Attempts:    x.attempts,
		Uncertain:   x.uncertain,
	}
	var oauth struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	if x.endpoint.Path == "/api/oauth/token" && json.Unmarshal(x.body, &oauth) == nil && oauth.Code != "" {
		result.FromPulumi, result.Message = true, clean(oauth.Code+": "+oauth.Description)
		return result
	}
	var body struct {
		Code             int    `json:"code"`
		Message          string `json:"message"`
		DocumentationURL string `json:"documentationUrl"`
		Errors           []struct {
			Resource      string `json:"resource"`
			Attribute     string `json:"attribute"`
			ErrorType     string `json:"errorType"`
			CustomMessage string `json:"customMessage"`
		} `json:"errors"`
	}
	// A field of another type than described does not make the rest less Pulumi's.
	err := json.Unmarshal(x.body, &body)
	var typeErr *json.UnmarshalTypeError
	if err != nil && !errors.As(err, &typeErr) || body.Code != resp.StatusCode || body.Message == "" {
		return result
	}
	result.FromPulumi = true
	result.Message = clean(body.Message)
	result.DocumentationURL = clean(body.DocumentationURL)
	for _, detail := range body.Errors[:min(len(body.Errors), maxErrorDetails)] {
		result.Details = append(result.Details, ErrorDetail{
			Resource:  clean(detail.Resource),
			Attribute: clean(detail.Attribute),
			Type:      clean(detail.ErrorType),
			Message:   clean(detail.CustomMessage),
		})
	}
	return result
}

const maxErrorDetails = 10

func requestID(resp *http.Response) string { return resp.Header.Get("X-Pulumi-Request-ID") }

func (a *answer) errorf(field, format string, arguments ...any) error {
	return &ResponseError{Endpoint: a.endpoint, Field: field, Reason: fmt.Sprintf(format, arguments...), RequestID: a.requestID}
}
