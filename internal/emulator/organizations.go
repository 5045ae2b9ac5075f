package emulator

import "net/http"

type defaultOrganizationJSON struct {
	GitHubLogin string   `json:"GitHubLogin"`
	Messages    []string `json:"Messages"`
}

func (s *Server) getDefaultOrganization(*http.Request) (any, error) {
	organization := *s.defaultOrganization.Load()
	if organization == "" {
		return nil, refuse(http.StatusBadRequest, "the user has no default organization")
	}
	return defaultOrganizationJSON{GitHubLogin: organization, Messages: []string{}}, nil
}

func (s *Server) updateOrganization(r *http.Request) (any, error) {
	var body struct {
		SetDefaultAgentPoolID string `json:"setDefaultAgentPoolID"`
	}
	if err := decodeBody(r, &body); err != nil {
		return nil, err
	}
	if err := s.SetDefaultAgentPool(r.PathValue("org"), body.SetDefaultAgentPoolID); err != nil {
		return nil, err
	}
	return struct{}{}, nil
}

// SetDefaultOrganization sets the default organization of the token's user; "" stands for none.
func (s *Server) SetDefaultOrganization(org string) { s.defaultOrganization.Store(&org) }

// SetDefaultAgentPool makes a pool the organization's default; "" goes back to the Pulumi-hosted pool. An unknown pool
// is refused (400).
func (s *Server) SetDefaultAgentPool(org, poolID string) error {
	return s.state.write(org, func(o *organization) (change, error) {
		if poolID != "" && o.byID[poolID] == nil {
			return change{}, refuse(http.StatusBadRequest, "invalid organization settings: no agent pool %q", poolID)
		}
		return change{defaultPool: &poolID}, nil
	})
}
