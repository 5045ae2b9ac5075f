package emulator

import (
	"net/http"
	"slices"
	"time"
)

// offlineAgentRetention is how long an agent stays in its pool's detail after it went offline.
const offlineAgentRetention = time.Hour

// Agent is a runner of a pool, known by its host name and process.
type Agent struct {
	Version  string `json:"version"`
	Platform string `json:"platform"`
	Hostname string `json:"hostname"`
	IP       string `json:"ip"`
	PID      string `json:"pid"`
	// LastSeen and Online are the server's to set: when the agent last connected or disconnected, and which it was.
	LastSeen time.Time `json:"lastSeen"`
	Online   bool      `json:"online"`
}

type agentJSON struct {
	Version  string `json:"version"`
	Platform string `json:"platform,omitempty"`
	Hostname string `json:"hostname"`
	IP       string `json:"ip"`
	PID      string `json:"pid"`
	LastSeen int64  `json:"lastSeen"`
	Status   string `json:"status"`
}

func (s *Server) agentJSON(agent Agent) agentJSON {
	return agentJSON{
		Version:  agent.Version,
		Platform: agent.Platform,
		Hostname: agent.Hostname,
		IP:       agent.IP,
		PID:      agent.PID,
		LastSeen: s.timestamp(agent.LastSeen),
		Status:   status(agent.Online),
	}
}

func (s *Server) connectAgent(r *http.Request) (any, error) {
	var body struct {
		Version  string `json:"version"`
		Platform string `json:"platform"`
		Hostname string `json:"hostname"`
		IP       string `json:"ip"`
		PID      string `json:"pid"`
	}
	if err := decodeBody(r, &body); err != nil {
		return nil, err
	}
	agent := Agent{
		Version: body.Version, Platform: body.Platform, Hostname: body.Hostname, IP: body.IP, PID: body.PID,
	}
	agent, err := s.bringOnline(r.PathValue("org"), r.PathValue("poolId"), agent)
	if err != nil {
		return nil, err
	}
	return s.agentJSON(agent), nil
}

func (s *Server) disconnectAgent(r *http.Request) (any, error) {
	return nil, s.DisconnectAgent(r.PathValue("org"), r.PathValue("poolId"), r.PathValue("hostname"))
}

// ConnectAgent brings an agent online, or lets one that is online be seen again. The host name must not be empty (400).
func (s *Server) ConnectAgent(org, poolID string, agent Agent) error {
	_, err := s.bringOnline(org, poolID, agent)
	return err
}

func (s *Server) bringOnline(org, poolID string, agent Agent) (Agent, error) {
	if agent.Hostname == "" {
		return Agent{}, refuse(http.StatusBadRequest, "the host name of an agent is empty")
	}
	now := s.now()
	agent.Online, agent.LastSeen = true, now
	_, err := s.replaceAgentPool(org, poolID, func(_ *organization, pool *agentPool) error {
		pool.Agents = slices.DeleteFunc(pool.listedAgents(now), func(a Agent) bool {
			return a.Hostname == agent.Hostname && a.PID == agent.PID
		})
		pool.Agents = append(pool.Agents, agent)
		pool.LastSeen = now
		return nil
	})
	return agent, err
}

// DisconnectAgent takes the agents of a host offline; a host without one that is online is refused (404). The pool's
// detail shows them for another hour.
func (s *Server) DisconnectAgent(org, poolID, hostname string) error {
	now := s.now()
	_, err := s.replaceAgentPool(org, poolID, func(_ *organization, pool *agentPool) error {
		pool.Agents = pool.listedAgents(now)
		found := false
		for i, agent := range pool.Agents {
			if agent.Hostname == hostname && agent.Online {
				pool.Agents[i].Online, pool.Agents[i].LastSeen = false, now
				found = true
			}
		}
		if !found {
			return refuse(http.StatusNotFound, "no agent of the host %q is online", hostname)
		}
		pool.LastSeen = now
		return nil
	})
	return err
}

// online tells whether at least one agent is.
func (p *agentPool) online() bool {
	return slices.ContainsFunc(p.Agents, func(agent Agent) bool { return agent.Online })
}

// listedAgents returns a copy of the agents without those that have been offline for too long.
func (p *agentPool) listedAgents(now time.Time) []Agent {
	return slices.DeleteFunc(slices.Clone(p.Agents), func(agent Agent) bool {
		return !agent.Online && now.Sub(agent.LastSeen) >= offlineAgentRetention
	})
}
