package pulumiapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/pulumi/pulumi-cloud-sdk/go/apitype"
	"github.com/pulumi/pulumi-cloud-sdk/go/apitype/jsonvalue"
)

// Stack identifies a stack.
type Stack struct{ Organization, Project, Name string }

func (s Stack) String() string { return s.Organization + "/" + s.Project + "/" + s.Name }

// StackNotFoundError reports that Pulumi Cloud itself says that a stack, or its deployment settings, do not exist.
type StackNotFoundError struct {
	Stack Stack
	Err   error
}

func (e *StackNotFoundError) Error() string {
	return fmt.Sprintf("stack %q or its deployment settings were not found: %s", e.Stack, e.Err)
}

func (e *StackNotFoundError) Unwrap() error { return e.Err }

// StackAgentPool returns the ID of the agent pool in the deployment settings of a stack, which is empty if they do not
// have one (GET /api/stacks/{org}/{project}/{stack}/deployments/settings).
//
// Errors: *[StackNotFoundError], *[OrganizationNotFoundError], *[APIError], *[TransportError],
// *[AuthenticationError], *[ResponseError], *[ArgumentError], and that of the context.
func (c *Client) StackAgentPool(ctx context.Context, stack Stack) (string, error) {
	if err := c.checkStack(stack); err != nil {
		return "", err
	}
	o := &operation{client: c, wantStatus: http.StatusOK, idempotent: true}
	_, err := o.sdk().GetDeploymentSettings(ctx, stack.Organization, stack.Project, stack.Name)
	if o.err != nil || o.last == nil {
		err = o.result(err)
		if hasStatus(err, http.StatusNotFound) {
			// An organization that the access token cannot see also results in 404.
			if _, listErr := c.AgentPools(ctx, stack.Organization); listErr != nil {
				return "", listErr
			}
			return "", &StackNotFoundError{Stack: stack, Err: err}
		}
		return "", err
	}
	// The SDK fails for settings of a version control system that it does not know.
	var body struct {
		AgentPoolID *string `json:"agentPoolID"`
	}
	if err := json.Unmarshal(o.last.body, &body); err != nil {
		return "", o.responseErrorf("", "is not the expected JSON")
	}
	switch {
	case body.AgentPoolID == nil || *body.AgentPoolID == "":
		return "", nil
	case !validID.MatchString(*body.AgentPoolID):
		return "", o.responseErrorf("agentPoolID", "is not a valid ID")
	}
	return *body.AgentPoolID, nil
}

// SetStackAgentPool sets the agent pool in the deployment settings of a stack and leaves all other settings as they are
// (POST /api/stacks/{org}/{project}/{stack}/deployments/settings).
//
// Errors: *[StackNotFoundError], *[AgentPoolNotFoundError], *[APIError], *[TransportError], *[AuthenticationError],
// *[ResponseError], *[ArgumentError], and that of the context.
func (c *Client) SetStackAgentPool(ctx context.Context, stack Stack, id string) error {
	return c.patchStack(ctx, stack, jsonvalue.NotNull(id), nil)
}

// ClearStackAgentPool removes the agent pool with the ID from the deployment settings of a stack, if they have it. It
// reads the settings before each attempt, so that it does not undo what another user set in the meantime. It succeeds if
// the stack or its settings do not exist.
//
// Errors are those of [Client.SetStackAgentPool] and [Client.StackAgentPool].
func (c *Client) ClearStackAgentPool(ctx context.Context, stack Stack, id string) error {
	err := c.patchStack(ctx, stack, jsonvalue.Null[string](), func(ctx context.Context) error {
		current, err := c.StackAgentPool(ctx, stack)
		if err == nil && !strings.EqualFold(current, id) {
			err = errNotAssigned
		}
		return err
	})
	if _, notFound := errors.AsType[*StackNotFoundError](err); notFound || errors.Is(err, errNotAssigned) {
		return nil
	}
	return err
}

// errNotAssigned ends a ClearStackAgentPool that is not needed.
var errNotAssigned = errors.New("the stack does not use the agent pool")

func (c *Client) patchStack(
	ctx context.Context, stack Stack, id jsonvalue.Value[string], beforeAttempt func(context.Context) error,
) error {
	if err := c.checkStack(stack); err != nil {
		return err
	}
	// The request is a merge patch with one field, so that it may be repeated.
	o := &operation{client: c, wantStatus: http.StatusOK, idempotent: true, beforeAttempt: beforeAttempt}
	_, err := o.sdk().PatchDeploymentSettings(ctx, stack.Organization, stack.Project, stack.Name,
		apitype.DeploymentSettingsRequest{AgentPoolID: id})
	if err = o.result(err); err == nil || o.err == nil && json.Valid(o.last.body) {
		return nil
	}
	poolID := id.ValueOrDefault()
	_, isOrganizationNotFound := errors.AsType[*OrganizationNotFoundError](err) // from beforeAttempt
	switch {
	case isOrganizationNotFound:
	case hasStatus(err, http.StatusNotFound):
		return &StackNotFoundError{Stack: stack, Err: err}
	case hasStatus(err, http.StatusBadRequest) && poolID != "":
		_, getErr := c.GetAgentPool(ctx, stack.Organization, poolID)
		if _, notFound := errors.AsType[*AgentPoolNotFoundError](getErr); notFound {
			return &AgentPoolNotFoundError{Organization: stack.Organization, ID: poolID, Err: err}
		}
	}
	return err
}

func (c *Client) checkStack(stack Stack) error {
	for _, segment := range []struct{ argument, value string }{
		{"organization", stack.Organization}, {"project", stack.Project}, {"stack", stack.Name},
	} {
		if reason := c.checkSegment(segment.value); reason != "" {
			return &ArgumentError{Argument: segment.argument, Reason: reason}
		}
	}
	return nil
}
