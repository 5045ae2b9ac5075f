package emulator

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// AgentPool is a pool as the methods that look at the state directly return it.
type AgentPool struct {
	ID          string
	Name        string
	Description string
	Created     time.Time
	// LastSeen is when an agent was last heard of, and LastDeployment when one last ran a deployment. Zero means never.
	LastSeen       time.Time
	LastDeployment time.Time
	// Online tells whether at least one agent is.
	Online    bool
	IsDefault bool
	Agents    []Agent
}

const (
	statusOnline  = "online"
	statusOffline = "offline"
)

type agentPoolJSON struct {
	Created        int64  `json:"created"`
	ID             string `json:"id"`
	Name           string `json:"name"`
	Description    string `json:"description"`
	LastSeen       int64  `json:"lastSeen"`
	Status         string `json:"status"`
	LastDeployment int64  `json:"lastDeployment,omitempty"`
	IsDefault      bool   `json:"isDefault"`
}

type agentPoolsJSON struct {
	AgentPools         []agentPoolJSON `json:"agentPools"`
	DefaultAgentPoolID string          `json:"defaultAgentPoolID,omitempty"`
}

type agentPoolDetailJSON struct {
	Created     int64       `json:"created"`
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Agents      []agentJSON `json:"agents"`
}

type createdAgentPoolJSON struct {
	ID         string `json:"id"`
	TokenValue string `json:"tokenValue"`
}

type agentPoolUpdateJSON struct {
	Name        *string `json:"name"`
	Description *string `json:"description"`
}

func (s *Server) listAgentPools(r *http.Request) (any, error) {
	pools, defaultPool, err := s.agentPools(r.PathValue("org"))
	if err != nil {
		return nil, err
	}
	list := agentPoolsJSON{AgentPools: make([]agentPoolJSON, len(pools)), DefaultAgentPoolID: defaultPool}
	for i, pool := range pools {
		list.AgentPools[i] = agentPoolJSON{
			Created:        s.timestamp(pool.Created),
			ID:             pool.ID,
			Name:           pool.Name,
			Description:    pool.Description,
			LastSeen:       s.timestamp(pool.LastSeen),
			Status:         status(pool.online()),
			LastDeployment: s.timestamp(pool.LastDeployment),
			IsDefault:      pool.ID == defaultPool,
		}
	}
	return list, nil
}

func (s *Server) createAgentPool(r *http.Request) (any, error) {
	var body struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	}
	if err := decodeBody(r, &body); err != nil {
		return nil, err
	}
	pool, token, err := s.CreateAgentPool(r.PathValue("org"), body.Name, body.Description)
	if err != nil {
		return nil, err
	}
	return createdAgentPoolJSON{ID: pool.ID, TokenValue: token}, nil
}

func (s *Server) getAgentPool(r *http.Request) (any, error) {
	var pool *agentPool
	err := s.state.read(r.PathValue("org"), func(o *organization) (err error) {
		pool, err = o.pool(r.PathValue("poolId"))
		return err
	})
	if err != nil {
		return nil, err
	}
	agents := pool.listedAgents(s.now())
	detail := agentPoolDetailJSON{
		Created:     s.timestamp(pool.Created),
		ID:          pool.ID,
		Name:        pool.Name,
		Description: pool.Description,
		Agents:      make([]agentJSON, len(agents)),
	}
	for i, agent := range agents {
		detail.Agents[i] = s.agentJSON(agent)
	}
	return detail, nil
}

func (s *Server) updateAgentPool(r *http.Request) (any, error) {
	var body agentPoolUpdateJSON
	if err := decodeBody(r, &body); err != nil {
		return nil, err
	}
	pool, err := s.changeAgentPool(r.PathValue("org"), r.PathValue("poolId"), body.Name, body.Description)
	if err != nil {
		return nil, err
	}
	return agentPoolUpdateJSON{Name: &pool.Name, Description: &pool.Description}, nil
}

func (s *Server) deleteAgentPool(r *http.Request) (any, error) {
	// The description has already refused what is not a boolean, and absent means false.
	force, _ := strconv.ParseBool(r.URL.Query().Get("force"))
	return nil, s.removeAgentPool(r.PathValue("org"), r.PathValue("poolId"), force)
}

// AgentPools returns an organization's pools in order of creation, and none for an unknown organization.
func (s *Server) AgentPools(org string) []AgentPool {
	pools, defaultPool, err := s.agentPools(org)
	if err != nil {
		return nil
	}
	now := s.now()
	snapshots := make([]AgentPool, len(pools))
	for i, pool := range pools {
		snapshots[i] = pool.snapshot(defaultPool, now)
	}
	return snapshots
}

// CreateAgentPool creates a pool and returns its token, which is kept as a hash alone. The name must not be empty (400)
// or taken (409).
func (s *Server) CreateAgentPool(org, name, description string) (AgentPool, string, error) {
	if name == "" {
		return AgentPool{}, "", refuse(http.StatusBadRequest, "the name of an agent pool is empty")
	}
	token := newToken()
	pool := &agentPool{
		ID:          uuid.NewString(),
		Name:        name,
		Description: description,
		Created:     s.now(),
		TokenHash:   hashToken(token),
	}
	err := s.state.write(org, func(o *organization) (change, error) {
		if o.byName[name] != nil {
			return change{}, refuse(http.StatusConflict, "an agent pool named %q exists already", name)
		}
		pool.Sequence = o.nextSequence()
		return change{put: pool}, nil
	})
	if err != nil {
		return AgentPool{}, "", err
	}
	return pool.snapshot("", s.now()), token, nil
}

// UpdateAgentPool changes a pool's name or description; what is nil stays as it is. The name must not be empty (400) or
// another pool's (409).
func (s *Server) UpdateAgentPool(org, id string, name, description *string) error {
	_, err := s.changeAgentPool(org, id, name, description)
	return err
}

func (s *Server) changeAgentPool(org, id string, name, description *string) (*agentPool, error) {
	if name != nil && *name == "" {
		return nil, refuse(http.StatusBadRequest, "the name of an agent pool is empty")
	}
	return s.replaceAgentPool(org, id, func(o *organization, pool *agentPool) error {
		if name != nil {
			if other := o.byName[*name]; other != nil && other.ID != id {
				return refuse(http.StatusConflict, "an agent pool named %q exists already", *name)
			}
			pool.Name = *name
		}
		if description != nil {
			pool.Description = *description
		}
		return nil
	})
}

// replaceAgentPool puts a copy, as edited, in a pool's place.
func (s *Server) replaceAgentPool(
	org, id string, edit func(*organization, *agentPool) error,
) (*agentPool, error) {
	var replacement agentPool
	err := s.state.write(org, func(o *organization) (change, error) {
		pool, err := o.pool(id)
		if err != nil {
			return change{}, err
		}
		replacement = *pool
		replacement.Agents = slices.Clone(pool.Agents)
		if err := edit(o, &replacement); err != nil {
			return change{}, err
		}
		return change{put: &replacement}, nil
	})
	if err != nil {
		return nil, err
	}
	return &replacement, nil
}

// DeleteAgentPool deletes a pool although stacks use it, as if by force.
func (s *Server) DeleteAgentPool(org, id string) error { return s.removeAgentPool(org, id, true) }

func (s *Server) removeAgentPool(org, id string, force bool) error {
	return s.state.write(org, func(o *organization) (change, error) {
		pool, err := o.pool(id)
		if err != nil {
			return change{}, err
		}
		c := change{remove: pool, stacks: make(map[stackName]string)}
		users := o.stacksOf(id)
		if len(users) > 0 && !force {
			return change{}, refuse(http.StatusBadRequest,
				"the deployment settings of stacks (%d) name the agent pool %q", len(users), pool.Name)
		}
		for _, user := range users {
			c.stacks[user] = ""
		}
		if o.defaultPool == id {
			c.defaultPool = new(string)
		}
		return c, nil
	})
}

// SetLastDeployment sets the time of a pool's last deployment; the zero time stands for never.
func (s *Server) SetLastDeployment(org, poolID string, at time.Time) error {
	_, err := s.replaceAgentPool(org, poolID, func(_ *organization, pool *agentPool) error {
		pool.LastDeployment = at
		return nil
	})
	return err
}

// TokenMatches tells whether the token is the pool's.
func (s *Server) TokenMatches(org, poolID, token string) bool {
	var hash []byte
	err := s.state.read(org, func(o *organization) error {
		pool, err := o.pool(poolID)
		if err != nil {
			return err
		}
		hash = pool.TokenHash
		return nil
	})
	return err == nil && subtle.ConstantTimeCompare(hash, hashToken(token)) == 1
}

func (s *Server) agentPools(org string) (pools []*agentPool, defaultPool string, err error) {
	err = s.state.read(org, func(o *organization) error {
		pools, defaultPool = slices.Clone(o.pools), o.defaultPool
		return nil
	})
	return pools, defaultPool, err
}

func (p *agentPool) snapshot(defaultPool string, now time.Time) AgentPool {
	return AgentPool{
		ID:             p.ID,
		Name:           p.Name,
		Description:    p.Description,
		Created:        p.Created,
		LastSeen:       p.LastSeen,
		LastDeployment: p.LastDeployment,
		Online:         p.online(),
		IsDefault:      p.ID == defaultPool,
		Agents:         p.listedAgents(now),
	}
}

// timestamp is a time as the API writes it, in the unit that the options choose; 0 for never.
func (s *Server) timestamp(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case s.options.Milliseconds:
		return t.UnixMilli()
	default:
		return t.Unix()
	}
}

func status(online bool) string {
	if online {
		return statusOnline
	}
	return statusOffline
}

func newToken() string {
	random := make([]byte, 20)
	rand.Read(random) // never fails
	return "pul-" + hex.EncodeToString(random)
}

func hashToken(token string) []byte {
	hash := sha256.Sum256([]byte(token))
	return hash[:]
}
