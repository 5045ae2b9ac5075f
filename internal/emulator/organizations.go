package emulator

import (
	_ "embed"
	"maps"
	"net/http"
	"strings"
)

//go:embed templates.json
var templatesJSON []byte

// templates are the parts of responses that do not change, as decoded JSON.
type templates struct {
	Deployment, Organization, User map[string]any
}

type organization struct {
	name string
	// pools are in order of creation.
	pools []*AgentPool
	// defaultPool is the ID of the default agent pool. It is empty for Pulumi-hosted runners.
	defaultPool string
	stacks      map[stackName]*stack
	// deployments are in order of creation.
	deployments []deployment
	// metadata is the OrganizationMetadata of the API, except for values that are computed.
	metadata map[string]any
	options  *Options
}

// withOrganization calls fn with an organization while it holds the lock. If fn fails it must not have changed anything.
func (s *Server) withOrganization(name string, fn func(*organization) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	org, ok := s.organizations[name]
	if !ok {
		return errorf(http.StatusNotFound, "organization %q not found", name)
	}
	return fn(org)
}

// inOrganization returns an operation that calls fn with the organization in the path. The result of fn must not share
// memory with the organization.
func (s *Server) inOrganization(fn func(*http.Request, *organization) (any, error)) operation {
	return func(r *http.Request) (result any, err error) {
		err = s.withOrganization(r.PathValue("org"), func(org *organization) error {
			result, err = fn(r, org)
			return err
		})
		return result, err
	}
}

func (s *Server) getUser(*http.Request) (any, error) {
	organizations := make([]map[string]string, 0, len(s.options.Organizations))
	for _, name := range s.options.Organizations {
		organizations = append(organizations, map[string]string{
			"name": name, "githubLogin": name, "avatarUrl": "", "role": "admin",
		})
	}
	user := maps.Clone(s.templates.User)
	user["organizations"] = organizations
	return user, nil
}

// getCapabilities returns none of the optional features, all of which concern updates of stacks.
func (s *Server) getCapabilities(*http.Request) (any, error) {
	return map[string]any{"capabilities": []any{}}, nil
}

func (s *Server) getDefaultOrganization(*http.Request) (any, error) {
	s.mu.Lock()
	login := s.defaultOrganization
	s.mu.Unlock()
	switch {
	case s.hasMode(ModeDefaultOrganizationEmpty):
		login = ""
	case s.hasMode(ModeDefaultOrganization404):
		return nil, errorf(http.StatusNotFound, "no such operation")
	case s.hasMode(ModeDefaultOrganization400), login == "":
		return nil, errorf(http.StatusBadRequest, "the user is not a member of any organization")
	}
	return map[string]any{"GitHubLogin": login, "Messages": []any{}}, nil
}

func (s *Server) updateDefaultOrganization(_ *http.Request, org *organization) (any, error) {
	s.defaultOrganization = org.name
	return nil, nil
}

// SetDefaultOrganization sets the default organization of the user. An empty name means that there is none, which the
// API reports as [ModeDefaultOrganization400] does.
func (s *Server) SetDefaultOrganization(org string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.defaultOrganization = org
}

func (s *Server) getOrganizationMetadata(_ *http.Request, org *organization) (any, error) {
	metadata := maps.Clone(org.metadata)
	metadata["id"] = org.name
	metadata["stackCount"] = len(org.stacks)
	features, _ := metadata["features"].(map[string]any)
	features = maps.Clone(features)
	for _, name := range []string{"agentPoolRegistrationEnabled", "selfHostedDeploymentsEnabled"} {
		features[name] = s.checkEdition() == nil
	}
	metadata["features"] = features
	return metadata, nil
}

// updateOrganization changes the settings for which the request has a field, such as setNeoEnabled for neoEnabled.
func (s *Server) updateOrganization(r *http.Request, org *organization) (any, error) {
	var settings map[string]any
	decodeBody(r, &settings)
	if poolID, ok := settings["setDefaultAgentPoolID"].(string); ok {
		if err := org.setDefaultPool(poolID); err != nil {
			return nil, err
		}
	}
	for key := range org.metadata {
		if value := settings["set"+strings.ToUpper(key[:1])+key[1:]]; value != nil {
			org.metadata[key] = value
		}
	}
	return s.getOrganizationMetadata(r, org)
}

// SetDefaultAgentPool sets the default agent pool of an organization. An empty ID selects Pulumi-hosted runners. An
// unknown pool is an error (400).
func (s *Server) SetDefaultAgentPool(org, poolID string) error {
	return s.withOrganization(org, func(o *organization) error { return o.setDefaultPool(poolID) })
}

func (o *organization) setDefaultPool(poolID string) error {
	pool, err := o.pool(poolID)
	switch {
	case poolID == "":
		o.defaultPool = ""
	case err != nil:
		return errorf(http.StatusBadRequest, "Invalid organization settings: agent pool %q not found", poolID)
	default:
		o.defaultPool = pool.ID
	}
	return nil
}
