package emulator

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"
)

// The statuses of a deployment, of which the last two are final.
const (
	DeploymentAccepted  = "accepted"
	DeploymentRunning   = "running"
	DeploymentSucceeded = "succeeded"
	DeploymentFailed    = "failed"
)

// deployment is a Deployment of the API. Tests decide which deployments are queued and which are running.
type deployment map[string]any

func (o *organization) setStatus(d deployment, status string) error {
	if d["status"] == DeploymentSucceeded || d["status"] == DeploymentFailed {
		return errorf(http.StatusConflict, "the deployment has %s", d["status"])
	}
	d["status"], d["modified"] = status, o.options.Now().UTC().Format("2006-01-02 15:04:05.000")
	return nil
}

// StartDeployment starts a deployment of a stack, which must exist (404), and returns its ID. The deployment is accepted
// and keeps the agent pool that the stack's settings or the organization's default name at this moment.
func (s *Server) StartDeployment(org, project, stack string) (id string, err error) {
	started := deployment(maps.Clone(s.templates.Deployment))
	id = uuid.NewString()
	started["id"], started["projectName"], started["stackName"] = id, project, stack
	err = s.withOrganization(org, func(o *organization) error {
		stack, err := o.stack(stackName{project, stack})
		if err != nil {
			return err
		}
		stack.deployments++
		started["version"] = stack.deployments
		poolID, _ := stack.settings["agentPoolID"].(string)
		if pool, err := o.pool(cmp.Or(poolID, o.defaultPool)); err == nil {
			started["agentPool"] = map[string]string{"id": pool.ID, "name": pool.Name}
			pool.LastDeployment = o.options.timestamp()
		}
		o.deployments = append(o.deployments, started)
		err = o.setStatus(started, DeploymentAccepted)
		started["created"] = started["modified"]
		return err
	})
	return id, err
}

// SetDeploymentStatus sets the status of a deployment, which must exist (404) and must not be finished (409).
func (s *Server) SetDeploymentStatus(org, id, status string) error {
	return s.withOrganization(org, func(o *organization) error {
		i := slices.IndexFunc(o.deployments, func(d deployment) bool { return d["id"] == id })
		if i < 0 {
			return errorf(http.StatusNotFound, "deployment %q not found", id)
		}
		return o.setStatus(o.deployments[i], status)
	})
}

func (s *Server) listDeployments(r *http.Request, org *organization) (any, error) {
	// The description requires valid values.
	page, _ := strconv.Atoi(cmp.Or(r.URL.Query().Get("page"), "1"))
	pageSize, _ := strconv.Atoi(cmp.Or(r.URL.Query().Get("pageSize"), "10"))
	ascending, _ := strconv.ParseBool(r.URL.Query().Get("asc"))
	sorted := slices.Clone(org.deployments)
	if !ascending {
		slices.Reverse(sorted)
	}
	first := min((page-1)*pageSize, len(sorted))
	items := make([]deployment, 0, pageSize)
	for _, d := range sorted[first:min(first+pageSize, len(sorted))] {
		items = append(items, maps.Clone(d))
	}
	return map[string]any{"deployments": items, "itemsPerPage": pageSize, "total": len(sorted)}, nil
}
