package emulator

import (
	"fmt"
	"net/http"
)

// Error is an error response in the form of Pulumi Cloud's API. Methods that change the state directly return it too.
type Error struct {
	// Code is the HTTP status.
	Code int `json:"code"`
	// Message starts with the text of the HTTP status.
	Message string        `json:"message"`
	Errors  []errorDetail `json:"errors,omitempty"`

	// oauthCode is the code of RFC 6749 for an error of the token endpoint.
	oauthCode string
}

type errorDetail struct {
	Resource  string `json:"resource"`
	Attribute string `json:"attribute,omitempty"`
	ErrorType string `json:"errorType"`
}

func (e *Error) Error() string { return e.Message }

// body returns what becomes the JSON body. The token endpoint follows RFC 6749 rather than Pulumi Cloud's own form.
func (e *Error) body() any {
	if e.oauthCode != "" {
		return map[string]string{"error": e.oauthCode, "error_description": e.Message}
	}
	return e
}

func errorf(status int, format string, args ...any) *Error {
	return &Error{Code: status, Message: http.StatusText(status) + ": " + fmt.Sprintf(format, args...)}
}

func oauthErrorf(code, format string, args ...any) *Error {
	return &Error{Code: http.StatusBadRequest, Message: fmt.Sprintf(format, args...), oauthCode: code}
}
