package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// SetDefaultAgentPool makes a pool the one that an organization's stacks use unless they name another; an empty id goes
// back to the Pulumi-hosted pool (PATCH /api/orgs/{org}).
//
// Errors: *[AgentPoolNotFoundError] if the organization has no such pool, *[OrganizationNotFoundError], *[APIError],
// *[TransportError], *[AuthenticationError], *[ResponseError], *[ArgumentError], and the context's.
func (c *Client) SetDefaultAgentPool(ctx context.Context, organization, id string) error {
	if err := checkSegment("organization", organization); err != nil {
		return err
	}
	defer c.lists.write(organization)()
	answer, err := c.do(ctx, call{
		method: http.MethodPatch, path: []string{"api", "orgs", organization},
		body: struct {
			ID string `json:"setDefaultAgentPoolID"`
		}{id},
	})
	switch {
	case err == nil && len(answer.body) > 0 && !json.Valid(answer.body):
		// A proxy's page is a success by its status, too. What Pulumi Cloud puts into the answer is not described.
		return answer.errorf("", "is not JSON (Content-Type %q, %d bytes)", answer.contentType, len(answer.body))
	case hasStatus(err, http.StatusNotFound):
		return &OrganizationNotFoundError{Organization: organization, Err: err}
	case hasStatus(err, http.StatusBadRequest) && id != "":
		// The refusal says only that the settings are invalid; whether the pool is there tells why.
		var missing *AgentPoolNotFoundError
		if _, lookupErr := c.GetAgentPool(ctx, organization, id); errors.As(lookupErr, &missing) {
			return &AgentPoolNotFoundError{Organization: organization, ID: id, Err: err}
		}
	}
	return err
}
