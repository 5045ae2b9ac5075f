package emulator

import "net/http"

type deploymentSettingsJSON struct {
	AgentPoolID *string `json:"agentPoolID,omitempty"`
}

func (s *Server) getDeploymentSettings(r *http.Request) (any, error) {
	poolID, err := s.stackPool(r)
	if err != nil {
		return nil, err
	}
	return deploymentSettingsJSON{AgentPoolID: &poolID}, nil
}

func (s *Server) updateDeploymentSettings(r *http.Request) (any, error) {
	var body deploymentSettingsJSON
	if err := decodeBody(r, &body); err != nil {
		return nil, err
	}
	org, project, name := r.PathValue("org"), r.PathValue("project"), r.PathValue("stack")
	if err := s.setStackPool(org, project, name, body.AgentPoolID); err != nil {
		return nil, err
	}
	return s.getDeploymentSettings(r)
}

// SetStackPool makes a stack's deployment settings name a pool; "" goes back to Pulumi-hosted runners. An unknown pool
// is refused (400).
func (s *Server) SetStackPool(org, project, stack, poolID string) error {
	return s.setStackPool(org, project, stack, &poolID)
}

// setStackPool leaves the pool of the settings as it is, and creates them if need be, if poolID is nil.
func (s *Server) setStackPool(org, project, name string, poolID *string) error {
	stack := stackName{project: project, stack: name}
	return s.state.write(org, func(o *organization) (change, error) {
		id := o.stacks[stack]
		if poolID != nil {
			id = *poolID
		}
		if id != "" && o.byID[id] == nil {
			return change{}, refuse(http.StatusBadRequest, "there is no agent pool %q", id)
		}
		return change{stacks: map[stackName]string{stack: id}}, nil
	})
}

func (s *Server) stackPool(r *http.Request) (poolID string, err error) {
	stack := stackName{project: r.PathValue("project"), stack: r.PathValue("stack")}
	err = s.state.read(r.PathValue("org"), func(o *organization) error {
		id, ok := o.stacks[stack]
		if !ok {
			return refuse(http.StatusNotFound, "the stack has no deployment settings")
		}
		poolID = id
		return nil
	})
	return poolID, err
}
