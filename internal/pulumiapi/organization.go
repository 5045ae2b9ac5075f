package pulumiapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/pulumi/pulumi-cloud-sdk/go/apitype"
)

// DefaultOrganization returns the default organization of the user of the access token, empty if there is none
// (GET /api/user/organizations/default). It is requested once, even if that fails.
func (c *Client) DefaultOrganization(ctx context.Context) (string, error) {
	return c.defaultOrganization.get(ctx, "", nil, func(ctx context.Context) (string, error) {
		o := c.newOperation("")
		response, err := o.sdk().GetDefaultOrganization(ctx)
		err = o.result(err)
		apiErr, _ := errors.AsType[*APIError](err)
		switch {
		case hasStatus(err, http.StatusBadRequest),
			apiErr != nil && apiErr.StatusCode == http.StatusNotFound && apiErr.ContentType != "text/html":
			return "", nil // An older Pulumi Cloud, which lacks the endpoint, responds in plain text.
		case err != nil:
			return "", err
		case response.GitHubLogin == "" && !bytes.Contains(o.last.body, []byte("GitHubLogin")):
			return "", o.responseErrorf("GitHubLogin", "is missing")
		case response.GitHubLogin != "" && c.checkSegment(response.GitHubLogin) != "":
			return "", o.responseErrorf("GitHubLogin", "is not a valid organization name")
		}
		return response.GitHubLogin, nil
	})
}

// SetDefaultAgentPool sets the default agent pool of an organization (PATCH /api/orgs/{org}). An empty ID means the
// Pulumi-hosted pool. It adds the errors *[AgentPoolNotFoundError] and *[AmbiguousAssignmentError].
func (c *Client) SetDefaultAgentPool(ctx context.Context, organization, id string) error {
	return c.setDefaultAgentPool(ctx, organization, id, nil)
}

// ClearDefaultAgentPool makes the Pulumi-hosted pool the default of an organization if the agent pool with the ID is
// (PATCH /api/orgs/{org}). Otherwise it does nothing. It reads the list before each attempt, so that it does not undo
// a change by a different user.
func (c *Client) ClearDefaultAgentPool(ctx context.Context, organization, id string) error {
	return c.setDefaultAgentPool(ctx, organization, "", func(ctx context.Context) (bool, error) {
		list, err := c.RefreshAgentPools(ctx, organization)
		return err == nil && strings.EqualFold(list.DefaultID, id), err
	})
}

func (c *Client) setDefaultAgentPool(
	ctx context.Context, organization, id string, isNeeded func(context.Context) (bool, error),
) error {
	o := c.newOperation(organization)
	o.isNeeded = isNeeded
	_, err := o.sdk().UpdateOrganizationSettings(ctx, organization,
		apitype.UpdateOrganizationRequest{SetDefaultAgentPoolID: &id})
	return o.assignmentResult(ctx, id, err)
}

// assignmentResult is result for an operation that assigns the agent pool with the ID, if it is not empty. The body of the
// response does not matter: it lacks the default of an organization, and has the secrets of a stack as ciphertext.
func (o *operation) assignmentResult(ctx context.Context, id string, err error) error {
	var body json.RawMessage
	err = o.decode(err, &body)
	if hasStatus(err, http.StatusBadRequest) && id != "" && o.client.isGone(ctx, o.organization, id) {
		err = &AgentPoolNotFoundError{WrappedError{err}, id}
	}
	if err != nil && o.ambiguous {
		return &AmbiguousAssignmentError{WrappedError{err}}
	}
	return err
}

// lacksAgentPools reports whether the edition of an organization does not include agent pools
// (GET /api/orgs/{org}/metadata). It is requested once. If that fails, the edition is not known to lack them.
func (c *Client) lacksAgentPools(ctx context.Context, organization string) bool {
	lacks, _ := c.editions.get(ctx, organization, nil, func(ctx context.Context) (bool, error) {
		o := c.newOperation("") // Without the organization, so that explain does not wait for this lookup.
		_, err := o.sdk().GetOrganizationMetadata(ctx, organization)
		var body struct{ Features map[string]any }
		err = o.decode(err, &body)
		return body.Features["agentPoolRegistrationEnabled"] == false || body.Features["selfHostedDeploymentsEnabled"] == false, err
	})
	return lacks
}
