package pulumiapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	deploymentsPerPage = 100
	// maxDeploymentPages bounds the deployments that are searched for active ones, newest first. An organization runs
	// at most 150 at a time.
	maxDeploymentPages = 20
	// pollInterval is the time between two reads while the client waits for runners or deployments.
	pollInterval = 5 * time.Second
)

// Deployment is a deployment that an agent pool is executing.
type Deployment struct{ ID, Project, Stack, Status string }

// AgentPoolBusyError reports an agent pool that was still executing deployments when the time was over.
type AgentPoolBusyError struct {
	Organization, ID string
	Timeout          time.Duration
	Deployments      []Deployment
}

func (e *AgentPoolBusyError) Error() string {
	return fmt.Sprintf("agent pool %q is still executing %d deployments after %s", e.ID, len(e.Deployments), e.Timeout)
}

// DrainAgentPool waits until no deployment that is accepted or running uses the agent pool
// (GET /api/orgs/{org}/deployments).
//
// Errors: *[AgentPoolBusyError] after the timeout, *[APIError], *[TransportError], *[AuthenticationError],
// *[ResponseError], *[ArgumentError], and that of the context.
func (c *Client) DrainAgentPool(ctx context.Context, organization, id string, timeout time.Duration) error {
	return c.poll(ctx, timeout, func() (bool, error) {
		active, err := c.activeDeployments(ctx, organization, id)
		if err != nil || len(active) == 0 {
			return true, err
		}
		return false, &AgentPoolBusyError{Organization: organization, ID: id, Timeout: timeout, Deployments: active}
	})
}

func (c *Client) activeDeployments(ctx context.Context, organization, id string) ([]Deployment, error) {
	var active []Deployment
	ascending, pageSize := false, deploymentsPerPage
	for page := 1; page <= maxDeploymentPages; page++ {
		o := &operation{client: c, organization: organization, wantStatus: http.StatusOK, idempotent: true}
		_, err := o.sdk().ListOrgDeployments(ctx, organization, &ascending, &page, &pageSize, nil)
		if o.err != nil || o.last == nil {
			return nil, o.result(err)
		}
		// The SDK decodes some 60 fields strictly, of which five matter.
		var body struct {
			Deployments []struct {
				ID        string `json:"id"`
				Status    string `json:"status"`
				Project   string `json:"projectName"`
				Stack     string `json:"stackName"`
				AgentPool *struct {
					ID string `json:"id"`
				} `json:"agentPool"`
			} `json:"deployments"`
			Total int `json:"total"`
		}
		if err := json.Unmarshal(o.last.body, &body); err != nil {
			return nil, o.responseErrorf("", "is not the expected JSON")
		}
		if body.Deployments == nil && !bytes.Contains(o.last.body, []byte(`"deployments"`)) {
			return nil, o.responseErrorf("deployments", "is missing")
		}
		for _, d := range body.Deployments {
			isActive := d.Status == "accepted" || d.Status == "running"
			if isActive && d.AgentPool != nil && strings.EqualFold(d.AgentPool.ID, id) {
				active = append(active, Deployment{
					ID: c.redactor.sanitize(d.ID), Project: c.redactor.sanitize(d.Project), Stack: c.redactor.sanitize(d.Stack),
					Status: d.Status,
				})
			}
		}
		if len(body.Deployments) == 0 || page*deploymentsPerPage >= body.Total {
			break
		}
	}
	return active, nil
}

// RunnersNotReadyError reports an agent pool with fewer runners online than required.
type RunnersNotReadyError struct {
	Organization, ID string
	Timeout          time.Duration
	Required         int
	Agents           []Agent
}

// Online returns the agents that are online.
func (e *RunnersNotReadyError) Online() []Agent { return onlineAgents(e.Agents) }

func (e *RunnersNotReadyError) Error() string {
	return fmt.Sprintf("%d of %d runners of agent pool %q online after %s", len(e.Online()), e.Required, e.ID, e.Timeout)
}

// AwaitRunners waits until the required number of runners of an agent pool is online
// (GET /api/orgs/{org}/agent-pools/{poolId}).
//
// Errors: *[RunnersNotReadyError] after the timeout, and those of [Client.GetAgentPool].
func (c *Client) AwaitRunners(ctx context.Context, organization, id string, required int, timeout time.Duration) error {
	return c.poll(ctx, timeout, func() (bool, error) {
		detail, err := c.GetAgentPool(ctx, organization, id)
		if err != nil || len(onlineAgents(detail.Agents)) >= required {
			return true, err
		}
		return false, &RunnersNotReadyError{
			Organization: organization, ID: id, Timeout: timeout, Required: required, Agents: detail.Agents,
		}
	})
}

func onlineAgents(agents []Agent) []Agent {
	var online []Agent
	for _, agent := range agents {
		if agent.Status == "online" {
			online = append(online, agent)
		}
	}
	return online
}

// poll calls read until it is done, or returns its last error after the timeout.
func (c *Client) poll(ctx context.Context, timeout time.Duration, read func() (done bool, err error)) error {
	deadline := c.config.Now().Add(timeout)
	for {
		done, err := read()
		remaining := deadline.Sub(c.config.Now())
		if done || remaining <= 0 {
			return err
		}
		if err := c.config.Sleep(ctx, min(pollInterval, remaining)); err != nil {
			return err
		}
	}
}
