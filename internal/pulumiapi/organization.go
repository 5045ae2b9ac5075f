package pulumiapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"

	"github.com/pulumi/pulumi-cloud-sdk/go/apitype"
)

// NoDefaultOrganizationError reports that Pulumi Cloud has no default organization for the user of the access token.
type NoDefaultOrganizationError struct {
	// NotSupported reports whether Pulumi Cloud lacks the endpoint, as older self-hosted installations do.
	NotSupported bool
	Err          error
}

func (e *NoDefaultOrganizationError) Error() string {
	return fmt.Sprintf("no default organization: %s", e.Err)
}

func (e *NoDefaultOrganizationError) Unwrap() error { return e.Err }

// DefaultOrganization returns the default organization of the user of the access token
// (GET /api/user/organizations/default). It is requested once. Errors, such as *[NoDefaultOrganizationError], are not
// cached.
func (c *Client) DefaultOrganization(ctx context.Context) (string, error) {
	organization, err := c.defaultOrganization.get(ctx, "", math.MaxInt64, c.getDefaultOrganization)
	if err != nil {
		c.defaultOrganization.invalidate("")
	}
	return organization, err
}

func (c *Client) getDefaultOrganization(ctx context.Context) (string, error) {
	o := &operation{client: c, wantStatus: http.StatusOK, idempotent: true}
	response, err := o.sdk().GetDefaultOrganization(ctx)
	err = o.result(err)
	apiErr, _ := errors.AsType[*APIError](err)
	switch {
	case hasStatus(err, http.StatusBadRequest):
		return "", &NoDefaultOrganizationError{Err: err}
	case apiErr != nil && apiErr.StatusCode == http.StatusNotFound && apiErr.ContentType != "text/html":
		// A Pulumi Cloud without the endpoint responds in plain text.
		return "", &NoDefaultOrganizationError{NotSupported: true, Err: err}
	case err != nil:
		return "", err
	case response.GitHubLogin == "" && !bytes.Contains(o.last.body, []byte("GitHubLogin")):
		return "", o.responseErrorf("GitHubLogin", "is missing")
	case response.GitHubLogin == "":
		return "", &NoDefaultOrganizationError{Err: errors.New("the user is a member of no organization")}
	case c.checkSegment(response.GitHubLogin) != "":
		return "", o.responseErrorf("GitHubLogin", "is not a valid organization name")
	}
	return response.GitHubLogin, nil
}

// SetDefaultAgentPool sets the default agent pool of an organization (PATCH /api/orgs/{org}). An empty ID means the
// Pulumi-hosted pool. It adds the error *[AgentPoolNotFoundError].
func (c *Client) SetDefaultAgentPool(ctx context.Context, organization, id string) error {
	return c.setDefaultAgentPool(ctx, organization, id, nil)
}

// errNotDefault ends a ClearDefaultAgentPool that is not needed.
var errNotDefault = errors.New("a different agent pool is the default")

// ClearDefaultAgentPool makes the Pulumi-hosted pool the default of an organization if the agent pool with the ID is
// (PATCH /api/orgs/{org}). Otherwise it does nothing. It reads the list before each attempt, so that it does not undo
// what another user set in the meantime.
func (c *Client) ClearDefaultAgentPool(ctx context.Context, organization, id string) error {
	err := c.setDefaultAgentPool(ctx, organization, "", func(ctx context.Context) error {
		list, err := c.RefreshAgentPools(ctx, organization)
		if err == nil && !strings.EqualFold(list.DefaultID, id) {
			err = errNotDefault
		}
		return err
	})
	if errors.Is(err, errNotDefault) {
		return nil
	}
	return err
}

func (c *Client) setDefaultAgentPool(
	ctx context.Context, organization, id string, beforeAttempt func(context.Context) error,
) error {
	o := &operation{
		client: c, organization: organization, wantStatus: http.StatusOK, idempotent: true, beforeAttempt: beforeAttempt,
	}
	_, err := o.sdk().UpdateOrganizationSettings(ctx, organization,
		apitype.UpdateOrganizationRequest{SetDefaultAgentPoolID: &id})
	if err = o.result(err); err == nil || o.err == nil && json.Valid(o.last.body) {
		return nil // The setting took effect, and the metadata in the body is not needed.
	}
	switch {
	case isResponseError(err):
		list, listErr := c.RefreshAgentPools(ctx, organization)
		if listErr == nil && strings.EqualFold(list.DefaultID, id) {
			return nil
		}
	case hasStatus(err, http.StatusBadRequest) && id != "":
		// The message reports only that the settings are invalid.
		_, getErr := c.GetAgentPool(ctx, organization, id)
		if _, ok := errors.AsType[*AgentPoolNotFoundError](getErr); ok {
			return &AgentPoolNotFoundError{Organization: organization, ID: id, Err: err}
		}
	}
	return err
}

// explain returns a more specific error for a 402, 403 or 404. The edition of the organization may have no agent pools
// (GET /api/orgs/{org}/metadata).
func (o *operation) explain(ctx context.Context, err error) error {
	c := o.client
	switch {
	case o.organization == "":
	case hasStatus(err, http.StatusNotFound) && o.id == "":
		return &OrganizationNotFoundError{Organization: o.organization, Err: err}
	case hasStatus(err, http.StatusNotFound):
		return &AgentPoolNotFoundError{Organization: o.organization, ID: o.id, Err: err}
	case hasStatus(err, http.StatusPaymentRequired, http.StatusForbidden):
		available, metadataErr := c.editions.get(ctx, o.organization, math.MaxInt64, o.hasAgentPools)
		if metadataErr == nil && !available {
			return &FeatureNotAvailableError{Organization: o.organization, Err: err}
		}
	}
	return err
}

// hasAgentPools reports whether the edition of the organization has agent pools.
func (o *operation) hasAgentPools(ctx context.Context) (bool, error) {
	metadata := &operation{client: o.client, wantStatus: http.StatusOK, idempotent: true}
	_, err := metadata.sdk().GetOrganizationMetadata(ctx, o.organization)
	if err = metadata.result(err); metadata.last == nil || metadata.err != nil {
		return false, err
	}
	// The SDK requires more of the body than this, and does not distinguish a missing field from false.
	var body struct {
		Features map[string]any `json:"features"`
	}
	_ = json.Unmarshal(metadata.last.body, &body)
	registration, hasRegistration := body.Features["agentPoolRegistrationEnabled"].(bool)
	selfHosted, hasSelfHosted := body.Features["selfHostedDeploymentsEnabled"].(bool)
	if !hasRegistration || !hasSelfHosted {
		return false, metadata.responseErrorf("features", "is incomplete")
	}
	return registration && selfHosted, nil
}
