package pulumiapi

import (
	"bytes"
	"context"
	"strings"
	"time"
)

const (
	deploymentsPerPage = 100
	pollInterval       = 5 * time.Second
	// maxDeploymentPages bounds the deployments that are searched for active ones, newest first. An organization runs
	// at most 150 at a time.
	maxDeploymentPages = 20
)

// Deployment is a deployment that an agent pool is executing.
type Deployment struct{ Project, Stack, Status string }

// ActiveDeployments returns the deployments that an agent pool has accepted or is running
// (GET /api/orgs/{org}/deployments).
func (c *Client) ActiveDeployments(ctx context.Context, organization, id string) ([]Deployment, error) {
	var active []Deployment
	for page := 1; page <= maxDeploymentPages; page++ {
		o := c.newOperation(organization)
		_, err := o.sdk().ListOrgDeployments(ctx, organization, new(false), &page, new(deploymentsPerPage), nil)
		// The SDK decodes some 60 fields strictly, of which five matter.
		var body struct {
			Deployments []struct {
				Status    string `json:"status"`
				Project   string `json:"projectName"`
				Stack     string `json:"stackName"`
				AgentPool struct {
					ID string `json:"id"`
				} `json:"agentPool"`
			} `json:"deployments"`
			Total int `json:"total"`
		}
		if err := o.decode(err, &body); err != nil {
			return nil, err
		}
		if body.Deployments == nil && !bytes.Contains(o.last.body, []byte(`"deployments"`)) {
			return nil, o.responseErrorf("deployments", "is missing")
		}
		for _, d := range body.Deployments {
			if (d.Status == "accepted" || d.Status == "running") && strings.EqualFold(d.AgentPool.ID, id) {
				active = append(active, Deployment{
					Project: o.sanitize(d.Project), Stack: o.sanitize(d.Stack), Status: d.Status,
				})
			}
		}
		if len(body.Deployments) == 0 || page*deploymentsPerPage >= body.Total {
			break
		}
	}
	return active, nil
}

// Poll calls read every five seconds until it reports that it is done, or fails, or the timeout is over.
func (c *Client) Poll(ctx context.Context, timeout time.Duration, read func() (done bool, err error)) error {
	deadline := c.config.Now().Add(timeout)
	for {
		done, err := read()
		remaining := deadline.Sub(c.config.Now())
		if done || err != nil || remaining <= 0 {
			return err
		}
		if err := c.config.Sleep(ctx, min(pollInterval, remaining)); err != nil {
			return err
		}
	}
}
