package emulator

import (
	"cmp"
	"maps"
	"net/http"

	"github.com/google/uuid"
)

// Stack is a stack as [Server.CreateStack] creates it.
type Stack struct {
	Project string
	Name    string
	// Terraform makes it a stack that holds Terraform state. Such a stack cannot have deployment settings (400).
	Terraform bool
}

type stackName struct{ project, stack string }

type stack struct {
	id        string
	terraform bool
	// settings are the deployment settings. They are nil until a client writes them.
	settings map[string]any
	// deployments is the number of deployments so far.
	deployments int
}

func (s *Server) createStack(r *http.Request, org *organization) (any, error) {
	var body struct{ StackName string }
	decodeBody(r, &body)
	return struct{}{}, org.createStack(Stack{Project: r.PathValue("project"), Name: body.StackName})
}

func (s *Server) getStack(r *http.Request, org *organization) (any, error) {
	name := nameOf(r)
	stack, err := org.stack(name)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"id":           stack.id,
		"orgName":      org.name,
		"projectName":  name.project,
		"stackName":    name.stack,
		"activeUpdate": "",
		"version":      0,
	}, nil
}

func (s *Server) getDeploymentSettings(r *http.Request, org *organization) (any, error) {
	stack, err := org.stack(nameOf(r))
	if err != nil {
		return nil, err
	}
	if stack.settings == nil {
		return nil, errorf(http.StatusNotFound, "the stack has no deployment settings")
	}
	return maps.Clone(stack.settings), nil
}

// writeDeploymentSettings serves POST, which keeps absent fields and removes those that are null, and the deprecated
// PUT, which replaces everything.
func (s *Server) writeDeploymentSettings(r *http.Request, org *organization) (any, error) {
	stack, err := org.stack(nameOf(r))
	if err != nil {
		return nil, err
	}
	var patch map[string]any
	decodeBody(r, &patch)
	if id, _ := patch["agentPoolID"].(string); id != "" {
		if err := s.checkEdition(); err != nil {
			return nil, err
		}
	}
	base := stack.settings
	if r.Method == http.MethodPut {
		base = nil
	}
	err = org.setSettings(stack, mergePatch(base, patch))
	return maps.Clone(stack.settings), err
}

func (s *Server) deleteDeploymentSettings(r *http.Request, org *organization) (any, error) {
	if _, err := s.getDeploymentSettings(r, org); err != nil {
		return nil, err
	}
	org.stacks[nameOf(r)].settings = nil
	return true, nil
}

// CreateStack creates a stack without deployment settings. The stack must not exist (409).
func (s *Server) CreateStack(org string, created Stack) error {
	return s.withOrganization(org, func(o *organization) error { return o.createStack(created) })
}

// SetStackPool sets the agent pool in the deployment settings of a stack, which it creates if necessary. An empty ID
// removes the pool from the settings. An unknown pool is an error (400).
func (s *Server) SetStackPool(org, project, name, poolID string) error {
	return s.withOrganization(org, func(o *organization) error {
		target := cmp.Or(o.stacks[stackName{project, name}], &stack{id: uuid.NewString()})
		err := o.setSettings(target, mergePatch(target.settings, map[string]any{"agentPoolID": poolID}))
		if err == nil {
			o.stacks[stackName{project, name}] = target
		}
		return err
	})
}

func nameOf(r *http.Request) stackName {
	return stackName{r.PathValue("project"), r.PathValue("stack")}
}

func (o *organization) stack(name stackName) (*stack, error) {
	found, ok := o.stacks[name]
	if !ok {
		return nil, errorf(http.StatusNotFound, "stack '%s/%s/%s' not found", o.name, name.project, name.stack)
	}
	return found, nil
}

func (o *organization) createStack(created Stack) error {
	name := stackName{created.Project, created.Name}
	if o.stacks[name] != nil {
		return errorf(http.StatusConflict, "stack '%s/%s/%s' already exists", o.name, name.project, name.stack)
	}
	o.stacks[name] = &stack{id: uuid.NewString(), terraform: created.Terraform}
	return nil
}

func (o *organization) setSettings(stack *stack, settings map[string]any) error {
	if stack.terraform {
		return errorf(http.StatusBadRequest, "Terraform stacks do not support deployment settings")
	}
	if id, _ := settings["agentPoolID"].(string); id == "" {
		delete(settings, "agentPoolID")
	} else if pool, err := o.pool(id); err != nil {
		return errorf(http.StatusBadRequest, "invalid agent pool ID %q", id)
	} else {
		settings["agentPoolID"] = pool.ID
	}
	version, _ := stack.settings["version"].(int)
	settings["version"] = version + 1
	stack.settings = settings
	return nil
}

// mergePatch returns a copy of target with a JSON merge patch (RFC 7396) applied.
func mergePatch(target, patch map[string]any) map[string]any {
	merged := make(map[string]any)
	maps.Copy(merged, target)
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(merged, key)
		case map[string]any:
			nested, _ := merged[key].(map[string]any)
			merged[key] = mergePatch(nested, value)
		default:
			merged[key] = value
		}
	}
	return merged
}
