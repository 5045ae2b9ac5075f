package cloud

import (
	"context"
	"errors"
	"net/http"
)

// AgentPools returns all pools of an organization (GET /api/orgs/{org}/agent-pools). Calls share the list with each
// other and with [Client.ReadAgentPool] for up to [Config].ListMaxAge; none is answered with what was true before
// this client's latest write to that organization.
//
// Errors: *[OrganizationNotFoundError], *[APIError], *[TransportError], *[AuthenticationError], *[ResponseError],
// *[ArgumentError], and the context's.
func (c *Client) AgentPools(ctx context.Context, organization string) (*AgentPoolList, error) {
	if c.config.ListMaxAge <= 0 {
		list, _, err := c.listAgentPools(ctx, organization)
		return list, err
	}
	return c.lists.get(ctx, organization, c.config.ListMaxAge, func(ctx context.Context) (*AgentPoolList, error) {
		list, _, err := c.listAgentPools(ctx, organization)
		return list, err
	})
}

// ReadAgentPool returns a pool's ID, Name and Description. It reads them from the shared list (see
// [Client.AgentPools]), so that reading all pools of an organization costs one request; a pool that the list lacks,
// or can't tell about, is asked for by itself (GET /api/orgs/{org}/agent-pools/{poolId}).
//
// Errors: *[AgentPoolNotFoundError], *[OrganizationNotFoundError], *[APIError], *[TransportError],
// *[AuthenticationError], *[ResponseError], *[ArgumentError], and the context's.
func (c *Client) ReadAgentPool(ctx context.Context, organization, id string) (AgentPool, error) {
	if _, err := agentPoolsPath(organization, id); err != nil {
		return AgentPool{}, err
	}
	var listErr error
	if c.config.ListMaxAge > 0 {
		var list *AgentPoolList
		if list, listErr = c.AgentPools(ctx, organization); listErr == nil {
			if pool, found := list.ByID(id); found {
				return pool, nil
			}
		} else if ctx.Err() != nil || dooms(listErr) {
			return AgentPool{}, listErr
		}
	}
	detail, err := c.GetAgentPool(ctx, organization, id)
	var missing *AgentPoolNotFoundError
	switch {
	case err == nil:
		return detail.AgentPool(), nil
	case errors.As(err, &missing) && listErr != nil:
		// "Not found" is also what somebody hears who may not see the organization, and its list did not contradict.
		return AgentPool{}, listErr
	}
	return AgentPool{}, err
}

// dooms tells whether a list failed in a way that no request to the same organization can escape: nobody answered,
// the access token is not valid or can't be had, the organization is not there (where a GET would say "not found" of the pool).
func dooms(err error) bool {
	var transport *TransportError
	var authentication *AuthenticationError
	var organization *OrganizationNotFoundError
	var argument *ArgumentError
	return errors.As(err, &transport) && !transport.Uncertain || errors.As(err, &authentication) ||
		errors.As(err, &organization) || errors.As(err, &argument) || hasStatus(err, http.StatusUnauthorized)
}
