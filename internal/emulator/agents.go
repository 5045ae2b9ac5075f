package emulator

import (
	"net/http"
	"slices"
)

// The statuses of agents and agent pools.
const (
	StatusOnline  = "online"
	StatusOffline = "offline"
)

// Agent is a runner of an agent pool, identified by its hostname and process ID, in the form of the API.
type Agent struct {
	Version  string `json:"version"`
	Platform string `json:"platform"`
	Hostname string `json:"hostname"`
	IP       string `json:"ip"`
	PID      string `json:"pid"`
	// LastSeen and Status are set by the server: when the agent last connected or disconnected, and which it was.
	LastSeen int64  `json:"lastSeen"`
	Status   string `json:"status"`
}

func (s *Server) connectAgent(r *http.Request, org *organization) (any, error) {
	var agent Agent
	decodeBody(r, &agent)
	err := org.connectAgent(r.PathValue("poolId"), &agent)
	return agent, err
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
	pool.LastSeen = o.options.timestamp()
	agent.Status, agent.LastSeen = StatusOnline, pool.LastSeen
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
		if agent := &pool.Agents[i]; agent.Hostname == hostname && agent.online() {
			pool.LastSeen = o.options.timestamp()
			agent.Status, agent.LastSeen = StatusOffline, pool.LastSeen
			err = nil
		}
	}
	return err
}

func (a Agent) online() bool { return a.Status == StatusOnline }
