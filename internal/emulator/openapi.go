package emulator

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

//go:embed openapi.yaml
var openAPIDocument []byte

// description reads the OpenAPI description once, because that is most of the work of [New].
var description = sync.OnceValues(func() (*openapi3.T, error) {
	document, err := openapi3.NewLoader().LoadFromData(openAPIDocument)
	if err != nil {
		return nil, err
	}
	return document, document.Validate(context.Background())
})

const jsonMediaType = "application/json"

// operation handles a request that matches the description. Its result becomes the JSON body of a response with status
// 200. A nil result means status 204.
type operation func(r *http.Request) (any, error)

func (s *Server) operations() map[string]operation {
	return map[string]operation{
		"exchangeToken":             s.exchangeToken,
		"getUser":                   s.getUser,
		"getCapabilities":           s.getCapabilities,
		"getDefaultOrganization":    s.getDefaultOrganization,
		"updateDefaultOrganization": s.inOrganization(s.updateDefaultOrganization),
		"getOrganizationMetadata":   s.inOrganization(s.getOrganizationMetadata),
		"updateOrganization":        s.inOrganization(s.updateOrganization),
		"listAgentPools":            s.inOrganization(s.listAgentPools),
		"createAgentPool":           s.inOrganization(s.createAgentPool),
		"getAgentPool":              s.inOrganization(s.getAgentPool),
		"updateAgentPool":           s.inOrganization(s.updateAgentPool),
		"deleteAgentPool":           s.inOrganization(s.deleteAgentPool),
		"createStack":               s.inOrganization(s.createStack),
		"getStack":                  s.inOrganization(s.getStack),
		"getDeploymentSettings":     s.inOrganization(s.getDeploymentSettings),
		"patchDeploymentSettings":   s.inOrganization(s.writeDeploymentSettings),
		"replaceDeploymentSettings": s.inOrganization(s.writeDeploymentSettings),
		"deleteDeploymentSettings":  s.inOrganization(s.deleteDeploymentSettings),
		"listDeployments":           s.inOrganization(s.listDeployments),
		"getHealth":                 s.getHealth,
		"connectAgent":              s.inOrganization(s.connectAgent),
		"disconnectAgent":           s.inOrganization(s.disconnectAgent),
	}
}

// newMux returns a mux with every operation of the description. [http.ServeMux] matches escaped paths segment by
// segment, so that an escaped slash is part of a name.
func (s *Server) newMux() (*http.ServeMux, error) {
	document, err := description()
	if err != nil {
		return nil, fmt.Errorf("reading the OpenAPI description: %w", err)
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

func (s *Server) serve(operation operation, route *routers.Route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// Clients need not declare that a body is JSON, which is all that an operation can read. A token exchange also
		// accepts a form.
		if route.Path != exchangePath || !isForm(r) {
			r.Header.Set("Content-Type", jsonMediaType)
		}
		input := &openapi3filter.RequestValidationInput{
			Request:    r,
			PathParams: make(map[string]string),
			Route:      route,
			Options: &openapi3filter.Options{
				AuthenticationFunc:    s.authenticate,
				IncludeResponseStatus: true,
				SkipSettingDefaults:   true,
			},
		}
		// Error messages must not quote bodies, some of which hold tokens.
		input.Options.WithCustomSchemaErrorFunc(describeSchemaError)
		for _, parameter := range route.PathItem.Parameters {
			if parameter.Value.In == openapi3.ParameterInPath {
				input.PathParams[parameter.Value.Name] = r.PathValue(parameter.Value.Name)
			}
		}

		status, body, err := s.respond(operation, input)
		if err == nil && !s.options.SkipResponseValidation {
			err = validateResponse(input, status, body)
		}
		if err != nil {
			s.options.Logger.Error("internal error", "operation", route.Operation.OperationID, "error", err)
			writeError(w, errorf(http.StatusInternalServerError, "%v", err))
			return
		}
		if body == nil {
			w.WriteHeader(status)
			return
		}
		send(w, status, jsonMediaType, body)
	}
}

// respond returns the status and the JSON body of the response, which can be an error response. An error is a bug of
// the emulator.
func (s *Server) respond(operation operation, input *openapi3filter.RequestValidationInput) (int, []byte, error) {
	err := validateRequest(input)
	if err == nil {
		err = s.checkModes(input.Route.Path, input.PathParams["org"])
	}
	var result any
	if err == nil {
		result, err = operation(input.Request)
	}
	status := http.StatusOK
	if apiErr, ok := errors.AsType[*Error](err); ok {
		status, result = apiErr.Code, apiErr.body()
	} else if err != nil {
		return 0, nil, err
	} else if result == nil {
		return http.StatusNoContent, nil, nil
	}
	body, err := json.Marshal(result)
	return status, body, err
}

var errUnauthenticated = errors.New("unauthenticated")

// authenticate checks the access token of a request for [openapi3filter.ValidateRequest].
func (s *Server) authenticate(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	request := input.RequestValidationInput
	scheme, token, _ := strings.Cut(request.Request.Header.Get("Authorization"), " ")
	if scheme != "token" {
		return errUnauthenticated
	}
	if hashToken(token) == hashToken(s.options.AccessToken) {
		return nil
	}
	s.mu.Lock()
	issued, ok := s.issuedTokens[hashToken(token)]
	s.mu.Unlock()
	if !ok || !s.options.Now().Before(issued.expires) {
		return errUnauthenticated
	}
	if org, ok := request.PathParams["org"]; ok && org != issued.organization {
		// The owner of the token does not learn whether the organization exists.
		return errorf(http.StatusNotFound, "organization %q not found", org)
	}
	if issued.tokenType == TokenTypeRunner && strings.HasPrefix(request.Route.Path, "/api/") {
		return errorf(http.StatusForbidden, "a runner token does not permit this operation")
	}
	return nil
}

func validateRequest(input *openapi3filter.RequestValidationInput) error {
	err := openapi3filter.ValidateRequest(input.Request.Context(), input)
	if err == nil {
		return nil
	}
	// The error of authenticate is wrapped.
	if apiErr, ok := errors.AsType[*Error](err); ok {
		return apiErr
	}
	if _, ok := errors.AsType[*openapi3filter.SecurityRequirementsError](err); ok {
		return errorf(http.StatusUnauthorized, "the access token is missing or invalid")
	}
	if input.Route.Path == exchangePath {
		return oauthErrorf("invalid_request", "%v", err)
	}
	return errorf(http.StatusBadRequest, "%v", err)
}

func validateResponse(input *openapi3filter.RequestValidationInput, status int, body []byte) error {
	return openapi3filter.ValidateResponse(input.Request.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 status,
		Header:                 http.Header{"Content-Type": {jsonMediaType}},
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options:                input.Options,
	})
}

func describeSchemaError(err *openapi3.SchemaError) string {
	if path := err.JSONPointer(); len(path) > 0 {
		return strings.Join(path, ".") + ": " + err.Reason
	}
	return err.Reason
}

func decodeBody(r *http.Request, into any) {
	_ = json.NewDecoder(r.Body).Decode(into) // The validation of the request has decoded it, too.
}

func writeError(w http.ResponseWriter, err *Error) {
	body, _ := json.Marshal(err) // An Error always has a JSON form.
	send(w, err.Code, jsonMediaType, body)
}

func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // The client may be gone.
}
