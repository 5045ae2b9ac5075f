package pulumiapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	requestIDHeader   = "X-Pulumi-Request-ID"
	maxErrorBodyBytes = 64 << 10 // A longer body is not an error from Pulumi Cloud.
	maxErrorDetails   = 10
)

// APIError reports a response whose status is not a success, from Pulumi Cloud or from a proxy in front of it. All its
// texts are safe to print.
type APIError struct {
	Endpoint   string // method and path
	StatusCode int
	// IsAPIResponse reports whether the body has the JSON form of errors from Pulumi Cloud. Otherwise a proxy
	// responded, or the URL is wrong, and the status does not concern any agent pool.
	IsAPIResponse    bool
	Message          string        // from Pulumi Cloud, empty unless IsAPIResponse
	DocumentationURL string        // link to an explanation, or empty
	Details          []ErrorDetail // errors about single attributes of the request
	ContentType      string        // media type of the response
	Location         string        // target of a redirect that was not followed
	RequestID        string        // identifies the request for Pulumi's support, or is empty
	RetryAfter       time.Duration // wait that the response requests, 0 for none
	Attempts         int           // of the operation
}

// ErrorDetail is an error about one attribute of a request.
type ErrorDetail struct {
	Resource  string `json:"resource"`
	Attribute string `json:"attribute"`
	Type      string `json:"errorType"`
	Message   string `json:"customMessage"`
}

func (e *APIError) Error() string {
	// The message normally starts with the status text.
	text := strings.TrimSpace(fmt.Sprintf("%s: %d %s", e.Endpoint, e.StatusCode, cmp.Or(e.Message, http.StatusText(e.StatusCode))))
	if !e.IsAPIResponse {
		text += fmt.Sprintf(" (not an error from Pulumi Cloud, content type %q)", e.ContentType)
	}
	return text + requestSuffix(e.RequestID)
}

func requestSuffix(id string) string {
	if id == "" {
		return ""
	}
	return fmt.Sprintf(" (request ID %s)", id)
}

// TransportError reports a request without a complete response: no connection, a timeout, a dropped connection. It
// wraps the cause, such as [context.Canceled].
type TransportError struct {
	WrappedError

	Endpoint  string        // method and path
	Attempts  int           // of the operation
	Timeout   time.Duration // request timeout if the last attempt exceeded it, else 0
	Ambiguous bool          // whether an attempt may have taken effect
}

func (e *TransportError) Error() string { return fmt.Sprintf("%s: %s", e.Endpoint, e.Err) }

// sanitizedError has a text that is safe to print: net/http quotes what it cannot parse.
type sanitizedError struct {
	WrappedError

	text string
}

func (e *sanitizedError) Error() string { return e.text }

// ResponseError reports a response with a success status that is not the one that the API describes.
type ResponseError struct {
	Endpoint    string // method and path
	Field       string // JSON path of the invalid field, empty for the whole response
	Reason      string // completes the sentence "the response …" or "the response field …"
	ContentType string // media type of the response
	RequestID   string // identifies the request for Pulumi's support, or is empty
}

func (e *ResponseError) Error() string {
	subject := "the response"
	if e.Field != "" {
		subject = fmt.Sprintf("the response field %q", e.Field)
	}
	return fmt.Sprintf("%s: %s %s%s", e.Endpoint, subject, e.Reason, requestSuffix(e.RequestID))
}

// ArgumentError reports a value that a request cannot contain. Argument is its name, such as "organization".
type ArgumentError struct{ Argument, Reason string }

func (e *ArgumentError) Error() string { return e.Argument + " " + e.Reason }

// WrappedError is embedded in errors that explain a different one. Its text is safe to print.
type WrappedError struct{ Err error }

func (e WrappedError) Error() string { return e.Err.Error() }

func (e WrappedError) Unwrap() error { return e.Err }

// AgentPoolNotFoundError reports that, according to a 404 from Pulumi Cloud and to the list, an agent pool does not exist.
type AgentPoolNotFoundError struct {
	WrappedError

	ID string
}

// OrganizationNotFoundError reports an organization that does not exist or that the access token cannot see.
type OrganizationNotFoundError struct{ WrappedError }

// StackNotFoundError reports that Pulumi Cloud itself says that a stack, or its deployment settings, do not exist.
type StackNotFoundError struct{ WrappedError }

// FeatureNotAvailableError reports an organization whose edition of Pulumi Cloud does not include agent pools.
type FeatureNotAvailableError struct{ WrappedError }

// AgentPoolExistsError reports that Pulumi Cloud refuses a name as taken.
type AgentPoolExistsError struct {
	WrappedError

	Name     string
	ID       string     // of the agent pool to rename, empty for a create
	Existing *AgentPool // nil if it is not known, or if there is no such agent pool
	Reserved bool       // whether no agent pool has the name, although Pulumi Cloud refuses it as taken
}

// TokenLostError reports an agent pool that was created although the response, and with it the token, was lost.
type TokenLostError struct {
	WrappedError

	Pool AgentPool
}

// AmbiguousAssignmentError reports an assignment of an agent pool that failed, but may have taken effect.
type AmbiguousAssignmentError struct{ WrappedError }

// UnknownOutcomeError reports a create that may or may not have taken effect.
type UnknownOutcomeError struct {
	WrappedError

	Name      string
	LookupErr error      // reason that the list could not be read, nil if it was read
	Candidate *AgentPool // agent pool with the name that may be the one, nil if the list has none
}

func (e *UnknownOutcomeError) Unwrap() []error { return []error{e.Err, e.LookupErr} }

// AuthenticationError reports that no access token could be obtained, so that the request was not sent. It does not
// unwrap: the response to the token exchange does not concern the operation.
type AuthenticationError struct{ Err error }

func (e *AuthenticationError) Error() string { return e.Err.Error() }

// hasStatus reports whether err is a response with one of the status codes from Pulumi Cloud itself.
func hasStatus(err error, codes ...int) bool {
	apiErr, ok := errors.AsType[*APIError](err)
	return ok && apiErr.IsAPIResponse && slices.Contains(codes, apiErr.StatusCode)
}

// failure returns the error for the last attempt.
func (o *operation) failure(a *attempt) error {
	switch {
	case errors.Is(a.err, errTooLarge), errors.Is(a.err, errTruncated):
		return o.responseErrorf("", "is %s (%d bytes)", a.err.Error(), len(a.body))
	case a.err != nil:
		return o.transportError(a.err)
	case a.status >= 200 && a.status <= 299:
		return o.responseErrorf("", "has the unexpected status %d", a.status)
	}
	return o.apiError(a)
}

// explain returns a more specific error for a 402, 403 or 404. An organization that the access token cannot see and a
// replica that lags behind also result in 404. The list distinguishes them.
func (o *operation) explain(ctx context.Context, err error) error {
	switch {
	case o.organization == "":
		return err
	case hasStatus(err, http.StatusPaymentRequired, http.StatusForbidden) && o.client.lacksAgentPools(ctx, o.organization):
		return &FeatureNotAvailableError{WrappedError{err}}
	case !hasStatus(err, http.StatusNotFound):
		return err
	case o.id == "" && !o.isStack:
		return &OrganizationNotFoundError{WrappedError{err}}
	}
	list, listErr := o.client.AgentPools(ctx, o.organization)
	if list.ByID(o.id) != nil { // It may be from before a delete.
		list, listErr = o.client.RefreshAgentPools(ctx, o.organization)
	}
	switch {
	case listErr != nil:
		return listErr
	case o.isStack:
		return &StackNotFoundError{WrappedError{err}}
	case list.ByID(o.id) != nil:
		return err
	}
	return &AgentPoolNotFoundError{WrappedError{err}, o.id}
}

// waitError returns the error for a wait that was canceled. It wraps the error of the attempt before the wait, if any.
func (o *operation) waitError(err error) error {
	if o.last != nil && !errors.Is(o.last.err, err) {
		err = fmt.Errorf("%w, after %w", err, o.failure(o.last))
	}
	return o.transportError(err)
}

func (o *operation) transportError(err error) *TransportError {
	cause := WrappedError{&sanitizedError{WrappedError{err}, o.sanitize(err.Error())}}
	result := &TransportError{WrappedError: cause, Endpoint: o.endpoint, Attempts: o.attempts, Ambiguous: o.ambiguous}
	if errors.Is(err, errRequestTimeout) {
		result.Timeout = o.client.config.RequestTimeout
	}
	return result
}

// responseErrorf returns an error for the last response. A proxy may have replaced it, so that the request may have taken
// effect.
func (o *operation) responseErrorf(field, format string, arguments ...any) error {
	o.ambiguous = true
	return &ResponseError{
		Endpoint: o.endpoint, Field: field, Reason: fmt.Sprintf(format, arguments...),
		ContentType: o.contentType(o.last), RequestID: o.sanitize(o.last.header.Get(requestIDHeader)),
	}
}

func (o *operation) contentType(a *attempt) string {
	mediaType, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	return o.sanitize(strings.TrimSpace(mediaType))
}

// apiError decodes the two forms of errors: {"code", "message", …} and, for token exchanges, {"error", …}.
func (o *operation) apiError(a *attempt) *APIError {
	result := &APIError{
		Endpoint: o.endpoint, StatusCode: a.status, ContentType: o.contentType(a),
		Location: o.sanitize(a.header.Get("Location")), RequestID: o.sanitize(a.header.Get(requestIDHeader)),
		RetryAfter: a.retryAfter, Attempts: o.attempts,
	}
	var body struct {
		Code             int           `json:"code"`
		Message          string        `json:"message"`
		DocumentationURL string        `json:"documentationUrl"`
		Errors           []ErrorDetail `json:"errors"`
		OAuthCode        string        `json:"error"`
		OAuthDescription string        `json:"error_description"`
	}
	// Invalid JSON leaves all fields empty, and a field of a different type only itself.
	_ = json.Unmarshal(a.body[:min(len(a.body), maxErrorBodyBytes)], &body)
	switch {
	case body.Code == a.status && body.Message != "":
		result.Message = o.sanitize(body.Message)
	case o.isTokenExchange && body.OAuthCode != "":
		result.Message = o.sanitize(body.OAuthCode + ": " + body.OAuthDescription)
	default:
		return result
	}
	result.IsAPIResponse = true
	result.DocumentationURL = o.sanitize(body.DocumentationURL)
	for _, detail := range body.Errors[:min(len(body.Errors), maxErrorDetails)] {
		result.Details = append(result.Details, ErrorDetail{
			Resource: o.sanitize(detail.Resource), Attribute: o.sanitize(detail.Attribute),
			Type: o.sanitize(detail.Type), Message: o.sanitize(detail.Message),
		})
	}
	return result
}
