package emulator

import (
	"net/http"
	"slices"
	"time"
)

// Agent is a runner of an agent pool, identified by its hostname and process ID.
type Agent struct {
	Version  string
	Platform string
	Hostname string
	IP       string
	PID      string
	// LastSeen and Online are set by the server: when the agent last connected or disconnected, and which it was.
	LastSeen time.Time
	Online   bool
}

func (s *Server) agentJSON(agent Agent) map[string]any {
	return map[string]any{
		"version":  agent.Version,
		"platform": agent.Platform,
		"hostname": agent.Hostname,
		"ip":       agent.IP,
		"pid":      agent.PID,
		"lastSeen": s.timestamp(agent.LastSeen),
		"status":   agentStatus(agent.Online),
	}
}

func agentStatus(online bool) string {
	if online {
		return "online"
	}
	return "offline"
}

func (s *Server) connectAgent(r *http.Request, org *organization) (any, error) {
	var agent Agent
	decodeBody(r, &agent)
	err := org.connectAgent(r.PathValue("poolId"), &agent)
	return s.agentJSON(agent), err
}

func (s *Server) disconnectAgent(r *http.Request, org *organization) (any, error) {
	return nil, org.disconnectAgent(r.PathValue("poolId"), r.PathValue("hostname"))
}

// ConnectAgent brings an agent online, or updates one that is online. The hostname must not be empty (400).
func (s *Server) ConnectAgent(org, poolID string, agent Agent) error {
	return s.withOrganization(org, func(o *organization) error { return o.connectAgent(poolID, &agent) })
}

// DisconnectAgent takes the agents of a host offline, of which at least one must be online (404).
func (s *Server) DisconnectAgent(org, poolID, hostname string) error {
	return s.withOrganization(org, func(o *organization) error { return o.disconnectAgent(poolID, hostname) })
}

func (o *organization) connectAgent(poolID string, agent *Agent) error {
	if agent.Hostname == "" {
		return errorf(http.StatusBadRequest, "the hostname of an agent must not be empty")
	}
	pool, err := o.pool(poolID)
	if err != nil {
		return err
	}
	pool.LastSeen = o.now()
	agent.Online, agent.LastSeen = true, pool.LastSeen
	pool.Agents = slices.DeleteFunc(pool.Agents, func(a Agent) bool {
		return a.Hostname == agent.Hostname && a.PID == agent.PID
	})
	pool.Agents = append(pool.Agents, *agent)
	return nil
}

func (o *organization) disconnectAgent(poolID, hostname string) error {
	pool, err := o.pool(poolID)
	if err != nil {
		return err
	}
	err = errorf(http.StatusNotFound, "host %q has no agent online", hostname)
	for i := range pool.Agents {
		if agent := &pool.Agents[i]; agent.Hostname == hostname && agent.Online {
			pool.LastSeen = o.now()
			agent.Online, agent.LastSeen = false, pool.LastSeen
			err = nil
		}
	}
	return err
}

func (p *agentPool) online() bool {
	return slices.ContainsFunc(p.Agents, func(agent Agent) bool { return agent.Online })
}
