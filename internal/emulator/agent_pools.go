package emulator

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// AgentPool is an agent pool in the form of the API's list. Its times are in the unit of [Options.Milliseconds].
type AgentPool struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Created     int64  `json:"created"`
	// LastSeen is when an agent last connected or disconnected. 0 means never.
	LastSeen int64 `json:"lastSeen"`
	// LastDeployment is when a deployment last started on the pool. 0 means never.
	LastDeployment int64 `json:"lastDeployment,omitempty"`
	// Status is [StatusOnline] if an agent of the pool is online.
	Status    string  `json:"status"`
	IsDefault bool    `json:"isDefault"`
	Agents    []Agent `json:"-"`

	tokenHash tokenHash
}

type agentPoolList struct {
	AgentPools         []AgentPool `json:"agentPools"`
	DefaultAgentPoolID string      `json:"defaultAgentPoolID,omitempty"`
}

func (s *Server) listAgentPools(_ *http.Request, org *organization) (any, error) {
	list := agentPoolList{AgentPools: []AgentPool{}, DefaultAgentPoolID: org.defaultPool}
	for _, pool := range org.pools {
		if !s.faults.hides(pool.ID) {
			list.AgentPools = append(list.AgentPools, org.snapshot(pool))
		}
	}
	return list, nil
}

func (s *Server) getAgentPool(r *http.Request, org *organization) (any, error) {
	pool, err := org.pool(r.PathValue("poolId"))
	if err == nil && s.faults.hides(pool.ID) {
		err = errorf(http.StatusNotFound, "agent pool %q not found", pool.ID)
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"created":     pool.Created,
		"id":          pool.ID,
		"name":        pool.Name,
		"description": pool.Description,
		"agents":      slices.Clone(pool.Agents),
	}, nil
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
		created, token, err = o.createPool(name, description)
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
	return slices.ContainsFunc(s.AgentPools(org), func(pool AgentPool) bool {
		return strings.EqualFold(pool.ID, poolID) && pool.tokenHash == hashToken(token)
	})
}

// pool returns the agent pool with the ID, which is a UUID in any case.
func (o *organization) pool(id string) (*AgentPool, error) {
	i := slices.IndexFunc(o.pools, func(p *AgentPool) bool { return strings.EqualFold(p.ID, id) })
	if i < 0 {
		return nil, errorf(http.StatusNotFound, "agent pool %q not found", id)
	}
	return o.pools[i], nil
}

func (o *organization) createPool(name, description string) (AgentPool, string, error) {
	if err := o.checkPoolName(name, ""); err != nil {
		return AgentPool{}, "", err
	}
	token := NewAccessToken()
	pool := &AgentPool{
		ID: uuid.NewString(), Name: name, Description: description, Created: o.options.timestamp(),
		Agents: []Agent{}, tokenHash: hashToken(token),
	}
	o.pools = append(o.pools, pool)
	return o.snapshot(pool), token, nil
}

func (o *organization) updatePool(id string, name, description *string) (*AgentPool, error) {
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
	if slices.ContainsFunc(o.pools, func(p *AgentPool) bool { return p.Name == name && p.ID != id }) {
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
		if used, _ := deployment["agentPool"].(map[string]string); used["id"] == id {
			_ = o.setStatus(deployment, DeploymentFailed) // A finished deployment keeps its status.
		}
	}
	o.pools = slices.DeleteFunc(o.pools, func(p *AgentPool) bool { return p.ID == id })
	return nil
}

func (o *organization) snapshot(pool *AgentPool) AgentPool {
	snapshot := *pool
	snapshot.Agents = slices.Clone(pool.Agents)
	snapshot.IsDefault = pool.ID == o.defaultPool
	snapshot.Status = StatusOffline
	if slices.ContainsFunc(pool.Agents, Agent.online) {
		snapshot.Status = StatusOnline
	}
	return snapshot
}
