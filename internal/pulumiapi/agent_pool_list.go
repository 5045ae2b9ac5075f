package pulumiapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// AgentPoolList is all agent pools of an organization. Readers share it and must not change it.
type AgentPoolList struct {
	Pools     []AgentPool
	DefaultID string // ID of the organization's default agent pool, empty for the Pulumi-hosted pool

	byID     map[string]*AgentPool // by ID in lowercase
	received time.Time             // on the local clock
	date     time.Time             // when it was sent, on the clock of the server, or zero
}

// ByID returns the agent pool with the ID, in any case, or nil. A nil list has none.
func (l *AgentPoolList) ByID(id string) *AgentPool {
	if l == nil {
		return nil
	}
	return l.byID[strings.ToLower(id)]
}

// ByName returns the agent pools with the name: at most one while the server keeps names unique.
func (l *AgentPoolList) ByName(name string) []AgentPool {
	var found []AgentPool
	for _, pool := range l.Pools {
		if pool.Name == name {
			found = append(found, pool)
		}
	}
	return found
}

// AgentPools returns all agent pools of an organization (GET /api/orgs/{org}/agent-pools). Calls share a list with each
// other and with [Client.ReadAgentPool] for [Config].ListMaxAge, but never one from before the latest write of this
// client to the organization.
func (c *Client) AgentPools(ctx context.Context, organization string) (*AgentPoolList, error) {
	isFresh := func(_ *AgentPoolList, age time.Duration) bool { return age < c.config.ListMaxAge }
	return c.lists.get(ctx, organization, isFresh, func(ctx context.Context) (*AgentPoolList, error) {
		return c.RefreshAgentPools(ctx, organization)
	})
}

// RefreshAgentPools is [Client.AgentPools] without the shared list, which it does not change. Use it before reporting that
// an agent pool does not exist: each provider block is a separate process, whose writes do not invalidate the shared list.
func (c *Client) RefreshAgentPools(ctx context.Context, organization string) (*AgentPoolList, error) {
	o := c.newOperation(organization)
	response, err := o.sdk().ListOrgAgentPool(ctx, organization)
	if err = o.result(err); err == nil {
		err = o.checkPages()
	}
	if err != nil {
		return nil, err
	}
	list := &AgentPoolList{
		Pools: make([]AgentPool, len(response.AgentPools)), byID: make(map[string]*AgentPool, len(response.AgentPools)),
		received: o.last.received,
	}
	if response.DefaultAgentPoolID != nil {
		list.DefaultID = *response.DefaultAgentPoolID
	}
	list.date, _ = http.ParseTime(o.last.header.Get("Date"))
	if list.DefaultID != "" && !validID.MatchString(list.DefaultID) {
		return nil, o.responseErrorf("defaultAgentPoolID", "is not a valid ID")
	}
	for i, pool := range response.AgentPools {
		switch {
		case pool == nil:
			return nil, o.responseErrorf(fmt.Sprintf("agentPools[%d]", i), "is null")
		case !validID.MatchString(pool.ID):
			return nil, o.responseErrorf(fmt.Sprintf("agentPools[%d].id", i), "is not a valid ID")
		case list.ByID(pool.ID) != nil: // Neither entry can be trusted.
			return nil, o.responseErrorf(fmt.Sprintf("agentPools[%d].id", i), "occurs twice")
		case pool.Name == "":
			return nil, o.responseErrorf(fmt.Sprintf("agentPools[%d].name", i), "is missing")
		}
		list.Pools[i] = AgentPool{
			ID: pool.ID, Name: pool.Name, Description: pool.Description, Status: string(pool.Status),
			IsDefault: pool.IsDefault, CreatedAt: unixTime(pool.Created), LastSeenAt: unixTime(pool.LastSeen),
		}
		if pool.LastDeployment != nil {
			list.Pools[i].LastDeploymentAt = unixTime(*pool.LastDeployment)
		}
		list.byID[strings.ToLower(pool.ID)] = &list.Pools[i]
	}
	return list, nil
}

// checkPages returns an error if the list is missing, where null is an empty list, and for signs of further pages. The
// API has no pages today, and a part of the list could hide an agent pool. If the API gets pages, RefreshAgentPools must
// request all of them.
func (o *operation) checkPages() error {
	var page struct {
		AgentPools                         json.RawMessage
		ContinuationToken, NextToken, Next string
	}
	err := json.Unmarshal(o.last.body, &page) // The SDK has decoded it, so that only the type of a field can be wrong.
	links := strings.Join(o.last.header.Values("Link"), ",")
	switch {
	case page.AgentPools == nil:
		return o.responseErrorf("agentPools", "is missing")
	case err != nil, page.ContinuationToken+page.NextToken+page.Next != "", strings.Contains(links, "next"):
		return o.responseErrorf("agentPools", "has further pages, which this provider version does not read")
	}
	return nil
}

// ReadAgentPool returns an agent pool from the shared list (see [Client.AgentPools]), so that reading all agent pools
// of an organization is one request. An agent pool that the list does not have, or every one if the list has an
// unexpected form, is read by itself (GET /api/orgs/{org}/agent-pools/{poolId}). It adds the error
// *[AgentPoolNotFoundError].
func (c *Client) ReadAgentPool(ctx context.Context, organization, id string) (AgentPool, error) {
	list, listErr := c.AgentPools(ctx, organization)
	if _, unexpected := errors.AsType[*ResponseError](listErr); listErr != nil && !unexpected {
		return AgentPool{}, listErr
	}
	if pool := list.ByID(id); pool != nil {
		return *pool, nil
	}
	pool, _, err := c.GetAgentPool(ctx, organization, id)
	return pool, err
}
