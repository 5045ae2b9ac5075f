package emulator

import (
	"fmt"
	"net/http"
)

// Error is a refusal as Pulumi Cloud words it. The methods that change state directly return it too.
type Error struct {
	// Code is the HTTP status.
	Code int `json:"code"`
	// Message opens with the status text.
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

func refuse(status int, format string, arguments ...any) *Error {
	return &Error{Code: status, Message: http.StatusText(status) + ": " + fmt.Sprintf(format, arguments...)}
}
