package pulumiapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/pulumi/pulumi-cloud-sdk/go/apitype"
)

// validID matches an ID from the server that can be part of URLs, commands and the state. Pulumi Cloud uses UUIDs.
var validID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._:-]{0,99}$`)

// AgentPool is an agent pool as the list returns it.
type AgentPool struct {
	ID, Name, Description string
	Status                string // "online" while at least one agent is, else "offline", other values are passed on
	IsDefault             bool   // whether stacks that are not assigned to an agent pool use this one
	// CreatedAt, LastSeenAt and LastDeploymentAt are in UTC. The zero time means never.
	CreatedAt, LastSeenAt, LastDeploymentAt time.Time
}

// Agent is a runner of an agent pool. It stays listed for an hour or two after it went offline.
type Agent struct {
	Hostname, IP, Platform, Version string
	PID                             string    // process ID, which the API sends as a string
	Status                          string    // "online" or "offline", other values are passed on
	LastSeenAt                      time.Time // in UTC, the zero time means never
}

// GetAgentPool returns an agent pool and its agents (GET /api/orgs/{org}/agent-pools/{poolId}). The agents determine
// Status and LastSeenAt. IsDefault and LastDeploymentAt are not known. It adds the error *[AgentPoolNotFoundError].
func (c *Client) GetAgentPool(ctx context.Context, organization, id string) (AgentPool, []Agent, error) {
	o := c.newOperation(organization)
	o.id = id
	response, err := o.sdk().GetAgentPool(ctx, organization, id)
	switch err = o.result(err); {
	case err != nil:
		return AgentPool{}, nil, err
	case !strings.EqualFold(response.ID, id):
		return AgentPool{}, nil, o.responseErrorf("id", "is that of a different agent pool")
	case response.Name == "":
		return AgentPool{}, nil, o.responseErrorf("name", "is missing")
	}
	pool := AgentPool{
		ID: response.ID, Name: response.Name, Description: response.Description, Status: "offline",
		CreatedAt: unixTime(response.Created),
	}
	agents := make([]Agent, len(response.Agents))
	for i, agent := range response.Agents {
		if agent == nil {
			return AgentPool{}, nil, o.responseErrorf(fmt.Sprintf("agents[%d]", i), "is null")
		}
		agents[i] = Agent{
			Hostname: agent.Hostname, IP: agent.IP, Platform: agent.Platform, Version: agent.Version, PID: agent.PID,
			Status: string(agent.Status), LastSeenAt: unixTime(agent.LastSeen),
		}
		if agent.Status == "online" {
			pool.Status = "online"
		}
		if seen := agents[i].LastSeenAt; seen.After(pool.LastSeenAt) {
			pool.LastSeenAt = seen
		}
	}
	return pool, agents, nil
}

// UpdateAgentPool sets the name and description of an agent pool (PATCH /api/orgs/{org}/agent-pools/{poolId}) and
// returns the ID and the values that Pulumi Cloud stored. It adds the errors *[AgentPoolNotFoundError] and, if the name
// is taken, *[AgentPoolExistsError].
func (c *Client) UpdateAgentPool(ctx context.Context, organization, id, name, description string) (AgentPool, error) {
	o := c.newOperation(organization)
	o.id = id
	for {
		updated, err := o.sdk().PatchOrgAgentPool(ctx, organization, id,
			apitype.CreateOrgAgentPoolRequest{Name: name, Description: description})
		switch err = o.result(err); {
		case err == nil && updated.Name != "":
			return AgentPool{ID: id, Name: updated.Name, Description: updated.Description}, nil
		case err == nil:
			err = o.responseErrorf("name", "is missing")
		}
		conflict := hasStatus(err, http.StatusConflict)
		if !conflict && !o.ambiguous {
			return AgentPool{}, err
		}
		// A lost response, or a refusal because an earlier attempt already succeeded: the list shows which.
		list, _ := c.RefreshAgentPools(ctx, organization)
		if pool := list.ByID(id); pool != nil && pool.Name == name && pool.Description == description {
			return *pool, nil
		}
		if conflict {
			err = o.resolveConflict(ctx, name, list, err)
		}
		if err != nil {
			return AgentPool{}, err
		}
	}
}

// resolveConflict handles the 409 to a create or a rename: the name is taken. It returns nil after a wait if the request
// should be sent again, because Pulumi Cloud may still refuse the name of an agent pool that was just deleted. list is
// nil if it could not be read.
func (o *operation) resolveConflict(ctx context.Context, name string, list *AgentPoolList, err error) error {
	exists := &AgentPoolExistsError{WrappedError: WrappedError{err}, Name: name, ID: o.id}
	if list == nil {
		return exists
	}
	switch pools := list.ByName(name); {
	case len(pools) == 0 && o.mayRetry():
		if err := o.waitForRetry(ctx); err != nil {
			return o.waitError(err)
		}
		return nil
	case len(pools) == 0:
		exists.Reserved = true
	case len(pools) == 1 && strings.EqualFold(pools[0].ID, o.id):
		return err // It has the name itself: the 409 has a different reason.
	case len(pools) == 1:
		exists.Existing = &pools[0]
	}
	return exists
}

// DeleteAgentPool deletes an agent pool (DELETE /api/orgs/{org}/agent-pools/{poolId}). It succeeds if the agent pool
// does not exist. Without force, the error is an *[APIError] with status 400 while stacks use it.
func (c *Client) DeleteAgentPool(ctx context.Context, organization, id string, force bool) error {
	var forceParameter *bool // The SDK sends force=false for a pointer to false.
	if force {
		forceParameter = &force
	}
	o := c.newOperation(organization)
	o.id, o.wantStatus = id, http.StatusNoContent
	err := o.result(o.sdk().DeleteOrgAgentPool(ctx, organization, id, forceParameter))
	if _, gone := errors.AsType[*AgentPoolNotFoundError](err); gone || err != nil && o.ambiguous && c.isGone(ctx, organization, id) {
		return nil
	}
	return err
}

// isGone reports whether a read says that an agent pool does not exist.
func (c *Client) isGone(ctx context.Context, organization, id string) bool {
	_, _, err := c.GetAgentPool(ctx, organization, id)
	_, gone := errors.AsType[*AgentPoolNotFoundError](err)
	return gone
}

// unixTime returns the UTC time for a Unix time in seconds or milliseconds, both of which the API sends. 0 and values
// that cannot be a time mean never, the zero time.
func unixTime(value int64) time.Time {
	const firstMillisecond = 100_000_000_000 // In seconds it would be in the year 5138.
	at := time.Unix(value, 0).UTC()
	if value >= firstMillisecond {
		at = time.UnixMilli(value).UTC()
	}
	if value <= 0 || at.Year() > 9999 { // RFC 3339 cannot express later years.
		return time.Time{}
	}
	return at
}
