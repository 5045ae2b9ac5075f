package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// AgentPool is a pool of self-hosted deployment runners, as the list of an organization's pools shows it.
type AgentPool struct {
	ID, Name, Description string
	// Status is "online" while at least one of its agents is, else "offline". Values unknown to this client are
	// passed on.
	Status string
	// IsDefault tells that stacks which name no pool use this one.
	IsDefault bool
	// CreatedAt, LastSeenAt and LastDeploymentAt are in UTC; the zero time means never.
	CreatedAt, LastSeenAt, LastDeploymentAt time.Time
}

// AgentPoolDetail is a pool as the API shows it alone: with its agents, without its status.
type AgentPoolDetail struct {
	ID, Name, Description string
	// CreatedAt is in UTC.
	CreatedAt time.Time
	Agents    []Agent
}

// Agent is a runner of a pool. It stays listed for an hour or two after it went offline.
type Agent struct {
	Hostname, IP, Platform, Version string
	// PID is the runner's process id, which the API sends as a string.
	PID string
	// Status is "online" or "offline"; values unknown to this client are passed on.
	Status string
	// LastSeenAt is in UTC; the zero time means never.
	LastSeenAt time.Time
}

// AgentPoolList is all pools of an organization at one moment. It is shared between readers and not to be changed.
type AgentPoolList struct {
	Pools []AgentPool
	// DefaultID is the id of the organization's default pool, empty while that is the Pulumi-hosted one.
	DefaultID string

	byID map[string]int
}

// ByID returns the pool with that id. An id that the list holds twice is not found: neither entry can be trusted.
func (l *AgentPoolList) ByID(id string) (AgentPool, bool) {
	i, ok := l.byID[id]
	if !ok || i < 0 {
		return AgentPool{}, false
	}
	return l.Pools[i], true
}

// ByName returns the pools with that name: one at most, as long as the server keeps names unique.
func (l *AgentPoolList) ByName(name string) []AgentPool {
	var found []AgentPool
	for _, pool := range l.Pools {
		if pool.Name == name {
			found = append(found, pool)
		}
	}
	return found
}

// AgentPoolUpdate is what to change of a pool. A nil field stays as it is; an empty description is cleared.
type AgentPoolUpdate struct {
	Name        *string `json:"name,omitempty"`
	Description *string `json:"description,omitempty"`
}

type agentPoolJSON struct {
	ID             *string   `json:"id"`
	Name           *string   `json:"name"`
	Description    string    `json:"description"`
	Status         string    `json:"status"`
	IsDefault      bool      `json:"isDefault"`
	Created        timestamp `json:"created"`
	LastSeen       timestamp `json:"lastSeen"`
	LastDeployment timestamp `json:"lastDeployment"`
}

type agentJSON struct {
	Hostname string    `json:"hostname"`
	IP       string    `json:"ip"`
	Platform string    `json:"platform"`
	Version  string    `json:"version"`
	PID      string    `json:"pid"`
	Status   string    `json:"status"`
	LastSeen timestamp `json:"lastSeen"`
}

// listAgentPools asks for all pools of an organization (GET /api/orgs/{org}/agent-pools).
//
// Errors: *[OrganizationNotFoundError], *[APIError], *[TransportError], *[AuthenticationError], *[ResponseError],
// *[ArgumentError].
func (c *Client) listAgentPools(ctx context.Context, organization string) (*AgentPoolList, *answer, error) {
	path, err := agentPoolsPath(organization)
	if err != nil {
		return nil, nil, err
	}
	answer, err := c.do(ctx, call{method: http.MethodGet, path: path, maxBody: maxListBodyBytes})
	if hasStatus(err, http.StatusNotFound) {
		return nil, nil, &OrganizationNotFoundError{Organization: organization, Err: err}
	}
	if err != nil {
		return nil, nil, err
	}
	list, err := decodeList(answer)
	return list, answer, err
}

func decodeList(answer *answer) (*AgentPoolList, error) {
	var body struct {
		AgentPools         *indexed[agentPoolJSON] `json:"agentPools"`
		DefaultAgentPoolID string                  `json:"defaultAgentPoolID"`
	}
	if err := answer.decode(&body); err != nil {
		return nil, err
	}
	if body.AgentPools == nil {
		return nil, answer.errorf("agentPools", "is missing")
	}
	list := &AgentPoolList{
		Pools:     make([]AgentPool, 0, len(*body.AgentPools)),
		DefaultID: body.DefaultAgentPoolID,
		byID:      make(map[string]int, len(*body.AgentPools)),
	}
	for i, pool := range *body.AgentPools {
		if err := requireFields(answer, fmt.Sprintf("agentPools[%d].", i), pool.ID, pool.Name); err != nil {
			return nil, err
		}
		if _, twice := list.byID[*pool.ID]; twice {
			list.byID[*pool.ID] = -1
		} else {
			list.byID[*pool.ID] = i
		}
		list.Pools = append(list.Pools, AgentPool{
			ID:               *pool.ID,
			Name:             *pool.Name,
			Description:      pool.Description,
			Status:           pool.Status,
			IsDefault:        pool.IsDefault,
			CreatedAt:        pool.Created.Time,
			LastSeenAt:       pool.LastSeen.Time,
			LastDeploymentAt: pool.LastDeployment.Time,
		})
	}
	return list, nil
}

func requireFields(answer *answer, prefix string, id, name *string) error {
	if id == nil || *id == "" {
		return answer.errorf(prefix+"id", "is missing")
	}
	// An id ends up in messages and commands to copy.
	if checkSegment("", *id) != nil || !utf8.ValidString(*id) || strings.ContainsFunc(*id, isUnprintable) {
		return answer.errorf(prefix+"id", "is none that a pool can have")
	}
	if name == nil {
		return answer.errorf(prefix+"name", "is missing")
	}
	return nil
}

// GetAgentPool asks for one pool and its agents (GET /api/orgs/{org}/agent-pools/{poolId}).
//
// Errors: *[AgentPoolNotFoundError], *[APIError], *[TransportError], *[AuthenticationError], *[ResponseError],
// *[ArgumentError].
func (c *Client) GetAgentPool(ctx context.Context, organization, id string) (*AgentPoolDetail, error) {
	path, err := agentPoolsPath(organization, id)
	if err != nil {
		return nil, err
	}
	answer, err := c.do(ctx, call{method: http.MethodGet, path: path})
	if hasStatus(err, http.StatusNotFound) {
		return nil, &AgentPoolNotFoundError{Organization: organization, ID: id, Err: err}
	}
	if err != nil {
		return nil, err
	}
	return decodeDetail(answer, id)
}

// minimumLooks is how often a new pool is looked for even where requests are not repeated: that is no repetition.
const minimumLooks = 3

// AwaitAgentPool asks for a pool that was just created until it is there (GET /api/orgs/{org}/agent-pools/{poolId}),
// [Config].MaxRetries times, but not fewer than three, with the pauses of retries. Errors are those of
// [Client.GetAgentPool], and the context's.
func (c *Client) AwaitAgentPool(ctx context.Context, organization, id string) (AgentPool, error) {
	looks := max(c.config.MaxRetries, minimumLooks)
	for look := 1; ; look++ {
		detail, err := c.GetAgentPool(ctx, organization, id)
		if err == nil {
			return detail.AgentPool(), nil
		}
		var missing *AgentPoolNotFoundError
		if !errors.As(err, &missing) || look == looks {
			return AgentPool{}, err
		}
		if err := c.pause(ctx, look-1); err != nil {
			return AgentPool{}, err
		}
	}
}

// AgentPool returns the pool as the list would show it, as far as its agents tell. Whether it is the default, and when it
// last ran a deployment, they do not.
func (d *AgentPoolDetail) AgentPool() AgentPool {
	pool := AgentPool{ID: d.ID, Name: d.Name, Description: d.Description, Status: "offline", CreatedAt: d.CreatedAt}
	for _, agent := range d.Agents {
		if agent.Status == "online" {
			pool.Status = agent.Status
		}
		if agent.LastSeenAt.After(pool.LastSeenAt) {
			pool.LastSeenAt = agent.LastSeenAt
		}
	}
	return pool
}

func decodeDetail(answer *answer, id string) (*AgentPoolDetail, error) {
	var body struct {
		ID          *string            `json:"id"`
		Name        *string            `json:"name"`
		Description string             `json:"description"`
		Created     timestamp          `json:"created"`
		Agents      indexed[agentJSON] `json:"agents"`
	}
	if err := answer.decode(&body); err != nil {
		return nil, err
	}
	if err := requireFields(answer, "", body.ID, body.Name); err != nil {
		return nil, err
	}
	if !strings.EqualFold(*body.ID, id) {
		return nil, answer.errorf("id", "is another pool's")
	}
	detail := &AgentPoolDetail{
		ID:          *body.ID,
		Name:        *body.Name,
		Description: body.Description,
		CreatedAt:   body.Created.Time,
		Agents:      make([]Agent, 0, len(body.Agents)),
	}
	for _, agent := range body.Agents {
		detail.Agents = append(detail.Agents, Agent{
			Hostname:   agent.Hostname,
			IP:         agent.IP,
			Platform:   agent.Platform,
			Version:    agent.Version,
			PID:        agent.PID,
			Status:     agent.Status,
			LastSeenAt: agent.LastSeen.Time,
		})
	}
	return detail, nil
}

// UpdateAgentPool changes a pool's name or description (PATCH /api/orgs/{org}/agent-pools/{poolId}) and returns it
// as the server has it now; only ID, Name and Description are set.
//
// Errors: *[AgentPoolNotFoundError], *[AgentPoolExistsError] where the name is another pool's, *[APIError],
// *[TransportError], *[AuthenticationError], *[ResponseError], *[ArgumentError].
func (c *Client) UpdateAgentPool(
	ctx context.Context, organization, id string, update AgentPoolUpdate,
) (AgentPool, error) {
	path, err := agentPoolsPath(organization, id)
	if err != nil {
		return AgentPool{}, err
	}
	defer c.lists.write(organization)()
	answer, err := c.do(ctx, call{method: http.MethodPatch, path: path, body: update})
	if err == nil {
		var pool AgentPool
		if pool, err = decodeUpdated(answer, id); err == nil {
			return pool, nil
		}
	}
	if mayHaveTakenEffect(err) && ctx.Err() == nil {
		// What the pool is now decides, not what became of the answer: an attempt whose answer was lost may also
		// be why a later one was refused.
		if detail, lookupErr := c.GetAgentPool(ctx, organization, id); lookupErr == nil && update.matches(detail) {
			return detail.AgentPool(), nil
		}
	}
	switch {
	case hasStatus(err, http.StatusNotFound):
		return AgentPool{}, &AgentPoolNotFoundError{Organization: organization, ID: id, Err: err}
	case hasStatus(err, http.StatusConflict) && update.Name != nil:
		return AgentPool{}, c.nameTaken(ctx, organization, *update.Name, err)
	}
	return AgentPool{}, err
}

func decodeUpdated(answer *answer, id string) (AgentPool, error) {
	var body struct {
		Name        *string `json:"name"`
		Description *string `json:"description"`
	}
	if err := answer.decode(&body); err != nil {
		return AgentPool{}, err
	}
	if err := requireFields(answer, "", &id, body.Name); err != nil {
		return AgentPool{}, err
	}
	if body.Description == nil {
		return AgentPool{}, answer.errorf("description", "is missing")
	}
	return AgentPool{ID: id, Name: *body.Name, Description: *body.Description}, nil
}

func (u AgentPoolUpdate) matches(pool *AgentPoolDetail) bool {
	return (u.Name == nil || *u.Name == pool.Name) && (u.Description == nil || *u.Description == pool.Description)
}

// DeleteAgentPool deletes a pool (DELETE /api/orgs/{org}/agent-pools/{poolId}); with force also while stacks'
// deployment settings name it, which then fall back to Pulumi-hosted runners. A pool that is gone already is a
// success.
//
// Errors: *[APIError], with status 400 while stacks use the pool; *[OrganizationNotFoundError],
// *[TransportError], *[AuthenticationError], *[ResponseError], *[ArgumentError].
func (c *Client) DeleteAgentPool(ctx context.Context, organization, id string, force bool) error {
	path, err := agentPoolsPath(organization, id)
	if err != nil {
		return err
	}
	var query url.Values
	if force {
		query = url.Values{"force": {"true"}}
	}
	defer c.lists.write(organization)()
	answer, err := c.do(ctx, call{method: http.MethodDelete, path: path, query: query})
	switch {
	case err == nil && answer.status == http.StatusNoContent:
		return nil
	case err == nil:
		// A proxy's page is a success by its status, too, and the pool would leave the state.
		err = answer.errorf("", "has the status %d, which the API does not give to a deletion", answer.status)
	case !hasStatus(err, http.StatusNotFound):
		return err
	}
	// "Not found" is also what somebody hears who may not see the organization. Its list tells the two apart.
	list, _, listErr := c.listAgentPools(ctx, organization)
	if listErr != nil {
		return listErr
	}
	if slices.ContainsFunc(list.Pools, func(pool AgentPool) bool { return pool.ID == id }) {
		return err
	}
	return nil
}

// nameTaken looks for the pool that has the name, so that the user can be told its id.
func (c *Client) nameTaken(ctx context.Context, organization, name string, err error) error {
	taken := &AgentPoolExistsError{Organization: organization, Name: name, Err: err}
	list, _, listErr := c.listAgentPools(ctx, organization)
	if listErr != nil {
		return taken
	}
	if pools := list.ByName(name); len(pools) == 1 {
		taken.Existing = &pools[0]
	}
	return taken
}

// agentPoolsPath is the path below the base URL. Each value becomes one segment of it, or is refused.
func agentPoolsPath(organization string, id ...string) ([]string, error) {
	if err := checkSegment("organization", organization); err != nil {
		return nil, err
	}
	path := []string{"api", "orgs", organization, "agent-pools"}
	for _, id := range id {
		if err := checkSegment("agent pool id", id); err != nil {
			return nil, err
		}
		path = append(path, id)
	}
	return path, nil
}

// checkSegment refuses what escaping can't protect: dot segments, which clients, proxies and servers resolve even
// where they are escaped, and characters that have no place in a name.
func checkSegment(argument, value string) error {
	switch {
	case value == "":
		return &ArgumentError{Argument: argument, Reason: "is empty"}
	case value == "." || value == "..":
		return &ArgumentError{Argument: argument, Reason: fmt.Sprintf("can't be %q", value)}
	case strings.ContainsFunc(value, unicode.IsControl):
		return &ArgumentError{Argument: argument, Reason: "has a control character in it"}
	}
	return nil
}

func isUnprintable(c rune) bool { return !unicode.IsPrint(c) }
