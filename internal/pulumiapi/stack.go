package pulumiapi

import (
	"context"
	"errors"
	"strings"

	"github.com/pulumi/pulumi-cloud-sdk/go/apitype"
	"github.com/pulumi/pulumi-cloud-sdk/go/apitype/jsonvalue"
)

// Stack identifies a stack.
type Stack struct{ Organization, Project, Name string }

func (s Stack) String() string { return s.Organization + "/" + s.Project + "/" + s.Name }

// StackAgentPool returns the ID of the agent pool in the deployment settings of a stack, which is empty if they do not
// have one (GET /api/stacks/{org}/{project}/{stack}/deployments/settings). It adds the error *[StackNotFoundError].
func (c *Client) StackAgentPool(ctx context.Context, stack Stack) (string, error) {
	o := c.newOperation(stack.Organization)
	o.isStack = true
	_, err := o.sdk().GetDeploymentSettings(ctx, stack.Organization, stack.Project, stack.Name)
	var body struct {
		AgentPoolID string `json:"agentPoolID"`
	}
	if err := o.decode(err, &body); err != nil {
		return "", err
	}
	if body.AgentPoolID != "" && !validID.MatchString(body.AgentPoolID) {
		return "", o.responseErrorf("agentPoolID", "is not a valid ID")
	}
	return body.AgentPoolID, nil
}

// SetStackAgentPool sets the agent pool in the deployment settings of a stack and leaves all other settings as they are
// (POST /api/stacks/{org}/{project}/{stack}/deployments/settings). It adds the errors *[StackNotFoundError],
// *[AgentPoolNotFoundError] and *[AmbiguousAssignmentError].
func (c *Client) SetStackAgentPool(ctx context.Context, stack Stack, id string) error {
	return c.patchStack(ctx, stack, jsonvalue.NotNull(id), nil)
}

// ClearStackAgentPool removes the agent pool with the ID from the deployment settings of a stack, if they have it. It
// reads the settings before each attempt, so that it does not undo a change by a different user. It succeeds if
// the stack or its settings do not exist.
func (c *Client) ClearStackAgentPool(ctx context.Context, stack Stack, id string) error {
	err := c.patchStack(ctx, stack, jsonvalue.Null[string](), func(ctx context.Context) (bool, error) {
		current, err := c.StackAgentPool(ctx, stack)
		return strings.EqualFold(current, id), err
	})
	if _, notFound := errors.AsType[*StackNotFoundError](err); notFound {
		return nil
	}
	return err
}

// patchStack sends a merge patch with one field, so that it may be repeated.
func (c *Client) patchStack(
	ctx context.Context, stack Stack, id jsonvalue.Value[string], isNeeded func(context.Context) (bool, error),
) error {
	o := c.newOperation(stack.Organization)
	o.isStack, o.isNeeded = true, isNeeded
	_, err := o.sdk().PatchDeploymentSettings(ctx, stack.Organization, stack.Project, stack.Name,
		apitype.DeploymentSettingsRequest{AgentPoolID: id})
	return o.assignmentResult(ctx, id.ValueOrDefault(), err)
}
