package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/terraform-exec/tfexec"
	tfjson "github.com/hashicorp/terraform-json"
)

// cli runs Terraform or OpenTofu and keeps what it prints.
type cli struct {
	terraform *tfexec.Terraform
	name      string
	planFile  string
	// stdout and stderr are the last command's, and transcript is all since it was reset.
	stdout, stderr, transcript bytes.Buffer
}

func newCLI(path, workingDir, planFile string, environment map[string]string, logger hclog.Logger) (*cli, error) {
	terraform, err := tfexec.NewTerraform(workingDir, path)
	if err != nil {
		return nil, err
	}
	if err := terraform.SetEnv(environment); err != nil {
		return nil, err
	}
	terraform.SetLogger(logger.StandardLogger(&hclog.StandardLoggerOptions{InferLevels: true}))
	return &cli{terraform: terraform, name: filepath.Base(path), planFile: planFile}, nil
}

// call runs a command. Of an error of the CLI's own it leaves the exit status; the rest is in the transcript.
func (c *cli) call(ctx context.Context, command string, run func() error) error {
	c.stdout.Reset()
	c.stderr.Reset()
	c.terraform.SetStdout(&c.stdout)
	c.terraform.SetStderr(&c.stderr)
	err := run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	fmt.Fprintf(&c.transcript, "$ %s %s\n%s%s\n", c.name, command, &c.stdout, &c.stderr)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = exit
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", c.name, command, err)
	}
	return nil
}

// show is call for what holds tokens, and must not be in the transcript.
func (c *cli) show(ctx context.Context, run func() error) error {
	return c.call(ctx, "show -json", func() error {
		c.terraform.SetStdout(io.Discard)
		return run()
	})
}

// version returns the CLI's own.
func (c *cli) version(ctx context.Context) (string, error) {
	var own string
	err := c.call(ctx, "version -json", func() error {
		version, _, err := c.terraform.Version(ctx, true)
		if err == nil {
			own = version.String()
		}
		return err
	})
	return own, err
}

func (c *cli) init(ctx context.Context) error {
	return c.call(ctx, "init", func() error { return c.terraform.Init(ctx) })
}

// providers returns the versions of the installed providers by their full addresses.
func (c *cli) providers(ctx context.Context) (map[string]string, error) {
	versions := make(map[string]string)
	err := c.call(ctx, "version -json", func() error {
		_, providers, err := c.terraform.Version(ctx, true)
		for address, version := range providers {
			versions[address] = version.String()
		}
		return err
	})
	return versions, err
}

// planIsEmpty is what -detailed-exitcode tells.
func (c *cli) planIsEmpty(ctx context.Context) (bool, error) {
	var changed bool
	err := c.call(ctx, "plan -detailed-exitcode", func() (err error) {
		changed, err = c.terraform.Plan(ctx)
		return err
	})
	return !changed, err
}

// plan returns what the plan would do with each agent pool, and leaves the plan for apply.
func (c *cli) plan(ctx context.Context) (map[string]*tfjson.Change, error) {
	err := c.call(ctx, "plan", func() error {
		_, err := c.terraform.Plan(ctx, tfexec.Out(c.planFile))
		return err
	})
	if err != nil {
		return nil, err
	}
	changes := make(map[string]*tfjson.Change)
	err = c.show(ctx, func() error {
		plan, err := c.terraform.ShowPlanFile(ctx, c.planFile)
		if err != nil {
			return err
		}
		for _, resource := range plan.ResourceChanges {
			if key, ok := resource.Index.(string); ok && resource.Mode == tfjson.ManagedResourceMode {
				changes[key] = resource.Change
			}
		}
		return nil
	})
	return changes, err
}

// applyPlan applies what plan left.
func (c *cli) applyPlan(ctx context.Context) error {
	err := c.call(ctx, "apply", func() error { return c.terraform.Apply(ctx, tfexec.DirOrPlan(c.planFile)) })
	return errors.Join(err, os.Remove(c.planFile))
}

func (c *cli) apply(ctx context.Context) error {
	return c.call(ctx, "apply", func() error { return c.terraform.Apply(ctx) })
}

func (c *cli) destroy(ctx context.Context) error {
	return c.call(ctx, "destroy", func() error { return c.terraform.Destroy(ctx) })
}

// agentPool is a pulumicloud_agent_pool in state.
type agentPool struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Description  string `json:"description"`
	ForceDestroy bool   `json:"force_destroy"`
	// Token is "" where the state holds none.
	Token string `json:"token"`
}

// state holds the example's pools by team, and its output of pools that have a runner online.
type state struct {
	pools  map[string]agentPool
	online []string
}

func (c *cli) state(ctx context.Context) (state, error) {
	s := state{pools: make(map[string]agentPool)}
	err := c.show(ctx, func() error {
		shown, err := c.terraform.Show(ctx)
		if err != nil || shown.Values == nil {
			return err
		}
		for _, resource := range shown.Values.RootModule.Resources {
			key, ok := resource.Index.(string)
			if !ok || resource.Mode != tfjson.ManagedResourceMode {
				continue
			}
			var pool agentPool
			if err := convert(resource.AttributeValues, &pool); err != nil {
				return fmt.Errorf("%s: %w", resource.Address, err)
			}
			s.pools[key] = pool
		}
		if online, ok := shown.Values.Outputs["online_agent_pools"]; ok {
			return convert(online.Value, &s.online)
		}
		return nil
	})
	return s, err
}

// convert gives a decoded JSON value its type.
func convert(value, target any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return json.Unmarshal(encoded, target)
}
