package emulator

import (
	"bytes"
	"context"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

//go:embed openapi.yaml
var openAPIDocument []byte

const (
	jsonMediaType   = "application/json"
	pulumiMediaType = "application/vnd.pulumi+9"
)

// operation answers a request that agrees with the description: with a value that becomes the JSON body of a 200, or
// with nil for a 204. A refusal is an [Error].
type operation func(r *http.Request) (any, error)

// newMux routes every operation of the description. [http.ServeMux] matches the escaped path segment by segment, so an
// escaped slash never splits one.
func (s *Server) newMux() (*http.ServeMux, error) {
	document, err := openapi3.NewLoader().LoadFromData(openAPIDocument)
	if err != nil {
		return nil, fmt.Errorf("reading the OpenAPI description: %w", err)
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("the OpenAPI description is invalid: %w", err)
	}

	operations := s.operations()
	mux := http.NewServeMux()
	for path, item := range document.Paths.Map() {
		for method, described := range item.Operations() {
			operation, ok := operations[described.OperationID]
			if !ok {
				return nil, fmt.Errorf("operation %s is described but not implemented", described.OperationID)
			}
			delete(operations, described.OperationID)
			mux.Handle(method+" "+path, s.serve(operation, &routers.Route{
				Spec: document, Path: path, PathItem: item, Method: method, Operation: described,
			}))
		}
	}
	for id := range operations {
		return nil, fmt.Errorf("operation %s is implemented but not described", id)
	}
	return mux, nil
}

func (s *Server) operations() map[string]operation {
	return map[string]operation{
		"exchangeToken":            s.exchangeToken,
		"getDefaultOrganization":   s.getDefaultOrganization,
		"updateOrganization":       s.updateOrganization,
		"listAgentPools":           s.listAgentPools,
		"createAgentPool":          s.createAgentPool,
		"getAgentPool":             s.getAgentPool,
		"updateAgentPool":          s.updateAgentPool,
		"deleteAgentPool":          s.deleteAgentPool,
		"getDeploymentSettings":    s.getDeploymentSettings,
		"updateDeploymentSettings": s.updateDeploymentSettings,
		"getHealth":                s.getHealth,
		"connectAgent":             s.connectAgent,
		"disconnectAgent":          s.disconnectAgent,
	}
}

func (s *Server) serve(operation operation, route *routers.Route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		input := &openapi3filter.RequestValidationInput{
			Request:    r,
			PathParams: make(map[string]string),
			Route:      route,
			Options: &openapi3filter.Options{
				AuthenticationFunc:                s.authenticate,
				IncludeResponseStatus:             true,
				RejectWhenRequestBodyNotSpecified: true,
				SkipSettingDefaults:               true,
			},
		}
		// The values of a request or an answer stay out of messages: the answer to a creation holds a token.
		input.Options.WithCustomSchemaErrorFunc(describeSchemaError)
		for _, parameter := range route.PathItem.Parameters {
			if parameter.Value.In == openapi3.ParameterInPath {
				input.PathParams[parameter.Value.Name] = r.PathValue(parameter.Value.Name)
			}
		}

		status, body, err := s.answer(operation, input)
		if err == nil && !s.options.SkipResponseValidation {
			err = validateResponse(input, w.Header(), status, body)
		}
		if err != nil {
			s.logger.Error("internal error", "operation", route.Operation.OperationID, "error", err)
			writeError(w, refuse(http.StatusInternalServerError, "%v", err))
			return
		}
		writeBody(w, status, body)
	}
}

// answer returns the status and JSON body for a request, which may be a refusal's. Its error is a failure of the
// emulator's own.
func (s *Server) answer(operation operation, input *openapi3filter.RequestValidationInput) (int, []byte, error) {
	result, err := func() (any, error) {
		if err := validateRequest(input); err != nil {
			return nil, err
		}
		return operation(input.Request)
	}()
	if refusal, ok := errors.AsType[*Error](err); ok {
		body, err := json.Marshal(refusal)
		return refusal.Code, body, err
	}
	if err != nil {
		return 0, nil, err
	}
	if result == nil {
		return http.StatusNoContent, nil, nil
	}
	body, err := json.Marshal(result)
	return http.StatusOK, body, err
}

func validateRequest(input *openapi3filter.RequestValidationInput) error {
	r := input.Request
	err := openapi3filter.ValidateRequest(r.Context(), input)
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal
	}
	if _, ok := errors.AsType[*openapi3filter.SecurityRequirementsError](err); ok {
		return refuse(http.StatusUnauthorized, "the access token is missing or not valid here")
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	if !strings.HasPrefix(input.Route.Path, "/api/") {
		return nil
	}
	// OpenAPI can't describe the Accept header, nor kin-openapi a header that must not match.
	if !accepts(r.Header, pulumiMediaType) {
		return refuse(http.StatusBadRequest, "the Accept header must name %s", pulumiMediaType)
	}
	if strings.HasPrefix(r.UserAgent(), "Go-http-client/") {
		return refuse(http.StatusBadRequest, "the User-Agent is that of Go's HTTP library, not the client's own")
	}
	return nil
}

func validateResponse(input *openapi3filter.RequestValidationInput, header http.Header, status int, body []byte) error {
	header = header.Clone()
	header.Set("Content-Type", jsonMediaType)
	err := openapi3filter.ValidateResponse(input.Request.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 status,
		Header:                 header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options:                input.Options,
	})
	if err != nil {
		return fmt.Errorf("the answer, status %d, breaks the OpenAPI description: %w", status, err)
	}
	return nil
}

func describeSchemaError(err *openapi3.SchemaError) string {
	if path := err.JSONPointer(); len(path) > 0 {
		return strings.Join(path, ".") + ": " + err.Reason
	}
	return err.Reason
}

var errUnauthenticated = errors.New("unauthenticated")

func (s *Server) authenticate(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	request := input.RequestValidationInput
	scheme, token, _ := strings.Cut(request.Request.Header.Get("Authorization"), " ")
	if scheme != "token" {
		return errUnauthenticated
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(s.options.AccessToken)) == 1 {
		return nil
	}
	issued, ok := s.exchange.lookUp(token, s.now())
	if !ok {
		return errUnauthenticated
	}
	return issued.authorize(request.Route.Path, request.PathParams)
}

// accepts tells whether an Accept header names the media type itself; a wildcard does not.
func accepts(header http.Header, mediaType string) bool {
	for _, value := range header.Values("Accept") {
		for accepted := range strings.SplitSeq(value, ",") {
			name, _, _ := strings.Cut(accepted, ";")
			if strings.EqualFold(strings.TrimSpace(name), mediaType) {
				return true
			}
		}
	}
	return false
}

func decodeBody(r *http.Request, into any) error {
	// Unlike a decoder, which the validation uses, this refuses what follows the first value.
	data, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "failed to decode request body: %v", err)
	}
	return nil
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	if body != nil {
		w.Header().Set("Content-Type", jsonMediaType)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	// A client that went away gets nothing, and there is nobody else to tell.
	_, _ = w.Write(body)
}

func writeError(w http.ResponseWriter, refusal *Error) {
	// A struct of an int and a string always has a JSON form.
	body, _ := json.Marshal(refusal)
	writeBody(w, refusal.Code, body)
}
