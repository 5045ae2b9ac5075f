package emulator

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// AgentPool is an agent pool as the methods of [Server] return it.
type AgentPool struct {
	ID          string
	Name        string
	Description string
	Created     time.Time
	// LastSeen is when an agent last connected or disconnected. Zero means never.
	LastSeen time.Time
	// LastDeployment is when a deployment last started on the pool. Zero means never.
	LastDeployment time.Time
	// Online reports whether an agent of the pool is online.
	Online    bool
	IsDefault bool
	Agents    []Agent
}

type agentPool struct {
	// AgentPool lacks Online and IsDefault, which snapshot computes.
	AgentPool

	tokenHash tokenHash
}

func (s *Server) listAgentPools(_ *http.Request, org *organization) (any, error) {
	pools := make([]map[string]any, 0, len(org.pools))
	for _, pool := range org.pools {
		if s.faults.hides(pool.ID) {
			continue
		}
		item := s.poolJSON(pool)
		item["lastSeen"] = s.timestamp(pool.LastSeen)
		item["status"] = agentStatus(pool.online())
		item["isDefault"] = pool.ID == org.defaultPool
		if !pool.LastDeployment.IsZero() {
			item["lastDeployment"] = s.timestamp(pool.LastDeployment)
		}
		pools = append(pools, item)
	}
	list := map[string]any{"agentPools": pools}
	if org.defaultPool != "" {
		list["defaultAgentPoolID"] = org.defaultPool
	}
	return list, nil
}

func (s *Server) getAgentPool(r *http.Request, org *organization) (any, error) {
	pool, err := org.pool(r.PathValue("poolId"))
	if err != nil {
		return nil, err
	}
	if s.faults.hides(pool.ID) {
		return nil, errorf(http.StatusNotFound, "agent pool %q not found", pool.ID)
	}
	agents := make([]map[string]any, 0, len(pool.Agents))
	for _, agent := range pool.Agents {
		agents = append(agents, s.agentJSON(agent))
	}
	detail := s.poolJSON(pool)
	detail["agents"] = agents
	return detail, nil
}

// poolJSON returns what the list of pools and a single pool have in common.
func (s *Server) poolJSON(pool *agentPool) map[string]any {
	return map[string]any{
		"created":     s.timestamp(pool.Created),
		"id":          pool.ID,
		"name":        pool.Name,
		"description": pool.Description,
	}
}

func (s *Server) createAgentPool(r *http.Request, org *organization) (any, error) {
	var body struct{ Name, Description string }
	decodeBody(r, &body)
	pool, token, err := org.createPool(body.Name, body.Description)
	if err != nil {
		return nil, err
	}
	s.faults.hideSome(pool)
	return map[string]string{"id": pool.ID, "tokenValue": token}, nil
}

func (s *Server) updateAgentPool(r *http.Request, org *organization) (any, error) {
	var body struct{ Name, Description *string }
	decodeBody(r, &body)
	pool, err := org.updatePool(r.PathValue("poolId"), body.Name, body.Description)
	if err != nil {
		return nil, err
	}
	return map[string]string{"name": pool.Name, "description": pool.Description}, nil
}

func (s *Server) deleteAgentPool(r *http.Request, org *organization) (any, error) {
	force, _ := strconv.ParseBool(r.URL.Query().Get("force")) // The description requires a boolean.
	return nil, org.deletePool(r.PathValue("poolId"), force)
}

// AgentPools returns the agent pools of an organization in order of creation, or none if the organization is unknown.
func (s *Server) AgentPools(org string) []AgentPool {
	var pools []AgentPool
	_ = s.withOrganization(org, func(o *organization) error {
		for _, pool := range o.pools {
			pools = append(pools, o.snapshot(pool))
		}
		return nil
	})
	return pools
}

// CreateAgentPool creates an agent pool and returns its token. The name must not be empty (400) or in use (409).
func (s *Server) CreateAgentPool(org, name, description string) (created AgentPool, token string, err error) {
	err = s.withOrganization(org, func(o *organization) error {
		pool, poolToken, err := o.createPool(name, description)
		if err == nil {
			created, token = o.snapshot(pool), poolToken
		}
		return err
	})
	return created, token, err
}

// UpdateAgentPool changes the name and the description of an agent pool, except for those that are nil. The name must
// not be empty (400) or in use (409).
func (s *Server) UpdateAgentPool(org, id string, name, description *string) error {
	return s.withOrganization(org, func(o *organization) error {
		_, err := o.updatePool(id, name, description)
		return err
	})
}

// DeleteAgentPool deletes an agent pool even if stacks use it.
func (s *Server) DeleteAgentPool(org, id string) error {
	return s.withOrganization(org, func(o *organization) error { return o.deletePool(id, true) })
}

// TokenMatches reports whether token is the token of the agent pool.
func (s *Server) TokenMatches(org, poolID, token string) bool {
	matches := false
	_ = s.withOrganization(org, func(o *organization) error {
		pool, err := o.pool(poolID)
		matches = err == nil && pool.tokenHash == hashToken(token)
		return err
	})
	return matches
}

// pool returns the agent pool with the ID, which is a UUID in any case.
func (o *organization) pool(id string) (*agentPool, error) {
	i := slices.IndexFunc(o.pools, func(p *agentPool) bool { return strings.EqualFold(p.ID, id) })
	if i < 0 {
		return nil, errorf(http.StatusNotFound, "agent pool %q not found", id)
	}
	return o.pools[i], nil
}

func (o *organization) createPool(name, description string) (*agentPool, string, error) {
	if err := o.checkPoolName(name, ""); err != nil {
		return nil, "", err
	}
	token := NewAccessToken()
	pool := &agentPool{
		AgentPool: AgentPool{ID: uuid.NewString(), Name: name, Description: description, Created: o.now()},
		tokenHash: hashToken(token),
	}
	o.pools = append(o.pools, pool)
	return pool, token, nil
}

func (o *organization) updatePool(id string, name, description *string) (*agentPool, error) {
	pool, err := o.pool(id)
	if err != nil {
		return nil, err
	}
	if name != nil {
		if err := o.checkPoolName(*name, pool.ID); err != nil {
			return nil, err
		}
		pool.Name = *name
	}
	if description != nil {
		pool.Description = *description
	}
	return pool, nil
}

// checkPoolName returns an error unless the pool with this ID can have the name.
func (o *organization) checkPoolName(name, id string) error {
	if name == "" {
		return errorf(http.StatusBadRequest, "the name of an agent pool must not be empty")
	}
	if slices.ContainsFunc(o.pools, func(p *agentPool) bool { return p.Name == name && p.ID != id }) {
		return errorf(http.StatusConflict, "agent pool already exists")
	}
	return nil
}

func (o *organization) deletePool(id string, force bool) error {
	pool, err := o.pool(id)
	if err != nil {
		return err
	}
	id = pool.ID
	for name, stack := range o.stacks {
		switch {
		case stack.settings["agentPoolID"] != id:
		case force:
			delete(stack.settings, "agentPoolID")
		default:
			return errorf(http.StatusBadRequest, "agent pool %q is in use by stack %s/%s",
				pool.Name, name.project, name.stack)
		}
	}
	if o.defaultPool == id {
		o.defaultPool = ""
	}
	for _, deployment := range o.deployments {
		if deployment.poolID == id {
			_ = o.setStatus(deployment, DeploymentFailed) // A finished deployment keeps its status.
		}
	}
	o.pools = slices.DeleteFunc(o.pools, func(p *agentPool) bool { return p.ID == id })
	return nil
}

func (o *organization) snapshot(pool *agentPool) AgentPool {
	snapshot := pool.AgentPool
	snapshot.Online = pool.online()
	snapshot.IsDefault = pool.ID == o.defaultPool
	snapshot.Agents = slices.Clone(pool.Agents)
	return snapshot
}
