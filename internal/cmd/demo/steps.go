package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli"
)

// The example's teams, and one whose pool somebody made by hand.
const (
	network  = "network"
	payments = "payments"
	legacy   = "legacy"
)

func (d *demo) steps() []step {
	return []step{
		{"build", "The provider is in a mirror, where the CLI finds it as in a registry.", d.workspace.build},
		{"init", "The CLI installs it from there, without development overrides.", d.init},
		{"apply", "One POST creates each pool; the token that only its answer holds is in the state.", d.create},
		{"plan", "Nothing to do: what is read back is what was configured.", d.expectEmptyPlan},
		{"change", "One PATCH renames a pool and clears its description; id and token stay.", d.change},
		{"runner", "A runner comes online: the data source tells, and no pool changes.", d.connectRunner},
		{"import", "A pool made by hand is imported by its name, without a token, and not changed.", d.importPool},
		{"in use", "A pool that a stack uses is not deleted; id and token stay. What the user sees:", d.refuse},
		{"force_destroy", "It is applied without a request that writes.", d.force},
		{"destroy", "One DELETE each, forced where that was applied; no pool is left.", d.destroy},
	}
}

func (d *demo) init(ctx context.Context) error {
	if err := d.cli.init(ctx); err != nil {
		return err
	}
	providers, err := d.cli.providers(ctx)
	if err != nil {
		return err
	}
	for _, host := range terraformcli.Registries {
		if maps.Equal(providers, map[string]string{host + "/" + providerSource: providerVersion}) {
			return nil
		}
	}
	return fmt.Errorf("the providers are %v, want %s %s alone", providers, providerSource, providerVersion)
}

func (d *demo) create(ctx context.Context) error {
	if err := d.cli.apply(ctx); err != nil {
		return err
	}
	post := write{method: http.MethodPost, path: poolsPath, status: http.StatusOK}
	if err := d.expectWrites(post, post); err != nil {
		return err
	}
	state, err := d.cli.state(ctx)
	if err != nil {
		return err
	}
	if err := d.expectTeams(state, network, payments); err != nil {
		return err
	}
	for team, pool := range state.pools {
		if !d.cloud.TokenMatches(organization, pool.ID, pool.Token) {
			return fmt.Errorf("the state does not hold the token of %s's pool", team)
		}
	}
	d.created = state.pools
	return nil
}

func (d *demo) expectEmptyPlan(ctx context.Context) error {
	empty, err := d.cli.planIsEmpty(ctx)
	if err != nil {
		return err
	}
	if !empty {
		return errors.New("the plan is not empty")
	}
	return d.expectWrites()
}

func (d *demo) change(ctx context.Context) error {
	if d.created[network].Description == "" {
		return errors.New("there is no description to clear")
	}
	d.teams = map[string]team{
		network:  {Name: "network-runners-eu"},
		payments: {Name: d.created[payments].Name, Description: d.created[payments].Description},
	}
	if err := d.workspace.setTeams(d.teams); err != nil {
		return err
	}
	changes, err := d.cli.plan(ctx)
	if err != nil {
		return err
	}
	if change := changes[network]; change == nil || !change.Actions.Update() {
		return errors.New("the plan does not update the pool in place")
	}
	if change := changes[payments]; change != nil && !change.Actions.NoOp() {
		return errors.New("the plan changes the other pool as well")
	}
	if err := d.cli.applyPlan(ctx); err != nil {
		return err
	}
	id := d.created[network].ID
	if err := d.expectWrites(write{method: http.MethodPatch, path: poolPath(id), status: http.StatusOK}); err != nil {
		return err
	}
	state, err := d.cli.state(ctx)
	if err != nil {
		return err
	}
	want := d.created[network]
	want.Name, want.Description = d.teams[network].Name, ""
	if state.pools[network] != want || state.pools[payments] != d.created[payments] {
		return errors.New("the state holds something else than the pools with the new name and without the description")
	}
	return d.expectPools(state)
}

func (d *demo) connectRunner(ctx context.Context) error {
	poolID := d.created[network].ID
	if err := d.cloud.ConnectAgent(organization, poolID, emulator.Agent{Hostname: "runner-1", Version: "2.0.0"}); err != nil {
		return err
	}
	changes, err := d.cli.plan(ctx)
	if err != nil {
		return err
	}
	for team, change := range changes {
		if !change.Actions.NoOp() {
			return fmt.Errorf("the plan changes %s's pool", team)
		}
	}
	if err := d.cli.applyPlan(ctx); err != nil {
		return err
	}
	state, err := d.cli.state(ctx)
	if err != nil {
		return err
	}
	if want := []string{state.pools[network].Name}; !slices.Equal(state.online, want) {
		return fmt.Errorf("the pools that have a runner online are %q, want %q", state.online, want)
	}
	return d.expectWrites()
}

func (d *demo) importPool(ctx context.Context) error {
	d.teams[legacy] = team{Name: "legacy-runners", Description: "Made in the console"}
	made, _, err := d.cloud.CreateAgentPool(organization, d.teams[legacy].Name, d.teams[legacy].Description)
	if err != nil {
		return err
	}
	if err := d.workspace.setTeams(d.teams); err != nil {
		return err
	}
	block := fmt.Sprintf("import {\n  to = pulumicloud_agent_pool.team[%q]\n  id = %q\n}\n", legacy, organization+"/"+made.Name)
	file := filepath.Join(d.workspace.configurationDir(), "import.tf")
	if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
		return err
	}
	changes, err := d.cli.plan(ctx)
	if err != nil {
		return err
	}
	if change := changes[legacy]; change == nil || change.Importing == nil || !change.Actions.NoOp() {
		return errors.New("the plan does not import the pool as it is")
	}
	if err := errors.Join(d.cli.applyPlan(ctx), os.Remove(file)); err != nil {
		return err
	}
	state, err := d.cli.state(ctx)
	if err != nil {
		return err
	}
	want := agentPool{ID: made.ID, Name: made.Name, Description: made.Description}
	if state.pools[legacy] != want {
		return errors.New("the state holds something else than the pool without its token")
	}
	return d.expectEmptyPlan(ctx)
}

// refuse takes the pool of a team out of the configuration while a stack's settings name it, and puts it back.
func (d *demo) refuse(ctx context.Context) error {
	created := d.created[network]
	if _, err := d.stackPool(ctx, http.MethodPost, fmt.Sprintf(`{"agentPoolID":%q}`, created.ID)); err != nil {
		return err
	}
	d.cloud.ResetRequests()
	removed := maps.Clone(d.teams)
	delete(removed, network)
	if err := d.workspace.setTeams(removed); err != nil {
		return err
	}
	err := d.cli.apply(ctx)
	if _, refused := errors.AsType[*exec.ExitError](err); !refused {
		return cmp.Or(err, errors.New("the CLI deleted a pool that a stack uses"))
	}
	shown := d.cli.stderr.String()

	err = d.expectWrites(write{method: http.MethodDelete, path: poolPath(created.ID), status: http.StatusBadRequest})
	if err != nil {
		return err
	}
	state, err := d.cli.state(ctx)
	if err != nil {
		return err
	}
	if pool := state.pools[network]; pool.ID != created.ID || pool.Token != created.Token {
		return errors.New("the state lost the pool or its token")
	}
	if err := d.expectPools(state); err != nil {
		return err
	}
	d.quote = shown
	return d.workspace.setTeams(d.teams)
}

func (d *demo) force(ctx context.Context) error {
	forced := d.teams[network]
	forced.ForceDestroy = true
	d.teams[network] = forced
	if err := d.workspace.setTeams(d.teams); err != nil {
		return err
	}
	if err := d.cli.apply(ctx); err != nil {
		return err
	}
	state, err := d.cli.state(ctx)
	if err != nil {
		return err
	}
	if !state.pools[network].ForceDestroy {
		return errors.New("the state does not hold force_destroy")
	}
	return d.expectWrites()
}

func (d *demo) destroy(ctx context.Context) error {
	before, err := d.cli.state(ctx)
	if err != nil {
		return err
	}
	if err := d.cli.destroy(ctx); err != nil {
		return err
	}
	var deletes []write
	for team, pool := range before.pools {
		deletes = append(deletes, write{http.MethodDelete, poolPath(pool.ID), team == network, http.StatusNoContent})
	}
	if err := d.expectWrites(deletes...); err != nil {
		return err
	}
	after, err := d.cli.state(ctx)
	if err != nil {
		return err
	}
	if err := d.expectTeams(after); err != nil {
		return err
	}
	poolID, err := d.stackPool(ctx, http.MethodGet, "")
	if err != nil {
		return err
	}
	if poolID != "" {
		return errors.New("the stack's settings still name the pool")
	}
	return nil
}

// expectTeams holds the state against the teams that should have a pool.
func (d *demo) expectTeams(s state, teams ...string) error {
	if got := slices.Sorted(maps.Keys(s.pools)); !slices.Equal(got, teams) {
		return fmt.Errorf("the state holds pools of %q, want %q", got, teams)
	}
	return d.expectPools(s)
}

// expectPools holds what the emulator has against the state.
func (d *demo) expectPools(s state) error {
	want := make(map[string]agentPool)
	for _, pool := range s.pools {
		want[pool.ID] = agentPool{ID: pool.ID, Name: pool.Name, Description: pool.Description}
	}
	got := make(map[string]agentPool)
	for _, pool := range d.cloud.AgentPools(organization) {
		got[pool.ID] = agentPool{ID: pool.ID, Name: pool.Name, Description: pool.Description}
	}
	if !maps.Equal(got, want) {
		return fmt.Errorf("the pools of Pulumi Cloud are %v, those of the state %v", got, want)
	}
	return nil
}
