package chaos_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// play lets users work with the workspace for a number of operations, and then makes everything converge.
func (w *workspace) play(operations int64) {
	for w.operations.Load() < operations {
		for _, pool := range w.pools {
			w.must(w.live(pool))
		}
		if w.chance(20) {
			w.importPools()
		}
		if w.chance(15) {
			w.handOver()
		}
		w.apply()
	}
	w.converge()
	for name, count := range w.pulumi.FaultCounts() {
		w.stats.addRequestFaults(name, count)
	}
	if w.violated {
		w.tb.Errorf("violations:\n%s", strings.Join(w.trace, "\n"))
	}
}

func (w *workspace) must(err error) {
	if err != nil {
		w.tb.Error(err) // It may be the goroutine of a request.
	}
}

// live changes a pool between two runs, in the configuration or outside Terraform.
func (w *workspace) live(pool *managedPool) error {
	choice, id := w.random.IntN(100), pool.id()
	current, exists := w.pulumi.pools()[id]
	switch {
	case !pool.state.Exists():
		return w.liveWithout(pool, choice)
	case pool.config == nil && (choice >= 50 || !exists):
	case pool.config == nil:
		return w.useByStack(id, "")
	case choice < 15:
		pool.config["name"] = w.newName(pool)
	case choice < 30:
		pool.config["description"] = w.someDescription()
	case choice < 38:
		pool.config["force_destroy"] = oneOf[any](w.random, nil, false, true)
	case choice < 46 && exists:
		w.note("a stack uses %v", current)
		return w.useByStack(id, id)
	case choice < 50 && exists:
		return w.useByStack(id, "")
	case choice < 62:
		pool.config = nil
	case choice < 67 && exists:
		w.note("%v is deleted outside Terraform", current)
		w.expendable[id] = true
		return w.pulumi.DeleteAgentPool(organization, id)
	case choice < 72 && exists:
		w.note("%v is changed outside Terraform", current)
		return w.pulumi.UpdateAgentPool(organization, id, nil, new("changed outside Terraform"))
	case choice < 77 && exists:
		w.note("%v is removed from the state, to be imported", current)
		path := organization + "/" + current.Name
		pool.importID = oneOf(w.random, id, organization+"/"+id, path, path+"/"+id)
		pool.state, w.named[current.Name], w.orphans[id] = acctest.Object{}, true, true
	case choice < 81:
		triggers := map[string]tftypes.Value{"version": tftypes.NewValue(tftypes.String, w.newName(pool))}
		pool.config["rotate_triggers"] = tftypes.NewValue(tftypes.Map{ElementType: tftypes.String}, triggers)
		pool.rotated = true
	case choice < 84:
		pool.config["name"] = w.newName(pool)
		return w.takeName(pool)
	}
	return nil
}

func (w *workspace) liveWithout(pool *managedPool, choice int) error {
	switch {
	case pool.config == nil && choice < 75:
		pool.config, pool.importID = acctest.Values{"name": w.newName(pool), "description": w.someDescription()}, ""
		if choice >= 60 {
			return w.takeName(pool)
		}
	case pool.config != nil && choice < 30:
		pool.config["name"], pool.importID = w.newName(pool), ""
	}
	return nil
}

// takeName lets another user create a pool with the name that was just configured, an hour earlier.
func (w *workspace) takeName(pool *managedPool) error {
	w.pulumi.skew.Add(-int64(time.Hour))
	defer w.pulumi.skew.Add(int64(time.Hour))
	name, _ := pool.config["name"].(string)
	created, _, err := w.pulumi.CreateAgentPool(organization, name, "another user's")
	if _, refused := errors.AsType[*emulator.Error](err); refused {
		return nil
	}
	w.note("another user has created %v", created)
	w.foreign[created.ID] = true
	return err
}

// useByStack makes the deployment settings of a stack name a pool, or no pool if pool is empty.
func (w *workspace) useByStack(id, pool string) error {
	return w.pulumi.SetStackPool(organization, "project", "stack-of-"+id, pool)
}

func (w *workspace) newName(pool *managedPool) string {
	pool.versions++
	hostile := oneOf(w.random, "", "", "", " of/ü", ` "quoted"`, "%2F..", "\u202e")
	return fmt.Sprintf("%s-%s-%d%s", w.name, pool.address, pool.versions, hostile)
}

func (w *workspace) someDescription() any {
	return oneOf[any](w.random, nil, "", fmt.Sprintf("description %d", w.random.IntN(1000)))
}

// check compares the state with the pools that exist.
func (w *workspace) check() {
	existing := w.pulumi.pools()
	for id, pool := range w.known {
		if _, exists := existing[id]; !exists && !w.expendable[id] {
			w.violate(destroyedPools, "%v", pool)
			w.expendable[id] = true
		}
	}
	w.known = existing
	inState := make(map[string]bool)
	for _, pool := range w.pools {
		id := pool.id()
		inState[id] = true
		if w.foreign[id] {
			w.violate(destroyedPools, "%s in the state is another user's pool, and may be destroyed", id)
		}
		_, exists := existing[id]
		if exists && !pool.state.Tainted && !pool.imported &&
			!w.pulumi.TokenMatches(organization, id, pool.state.Text("token")) {
			w.violate(lostTokens, "%s does not have the token of %v", pool.address, existing[id])
		}
	}
	for id, pool := range existing {
		if inState[id] || w.foreign[id] || w.orphans[id] {
			continue
		}
		w.orphans[id] = true
		if w.named[pool.Name] {
			w.stats.add("pools not in the state, named by an error")
			continue
		}
		w.violate(unknownPools, "%v is not in the state, and no error named it", pool)
	}
}

// converge ends all faults, compares configuration, state and Pulumi Cloud, and destroys everything.
func (w *workspace) converge() {
	w.note("== the end of all faults")
	w.faultsOff = true
	existing := w.pulumi.pools()
	for _, pool := range w.pools {
		pool.config = acctest.Values{"name": w.newName(pool), "description": w.someDescription(), "force_destroy": true}
		pool.rotated = true // The configuration no longer has the triggers.
		delete(w.orphans, pool.id())
		// A tainted pool is deleted before force_destroy can be applied.
		if _, exists := existing[pool.id()]; exists {
			w.must(w.useByStack(pool.id(), ""))
		}
	}
	// A user finds the pools that errors named in the console.
	for id := range w.orphans {
		if _, exists := existing[id]; exists {
			w.expendable[id] = true
			w.must(w.pulumi.DeleteAgentPool(organization, id))
		}
	}
	w.applyUntilNothingChanges()
	existing = w.pulumi.pools()
	for _, pool := range w.pools {
		current := existing[pool.id()]
		description, _ := pool.config["description"].(string)
		want := []any{pool.config["name"], description}
		got := []any{current.Name, current.Description}
		state := []any{pool.state.Text("name"), pool.state.Text("description")}
		if fmt.Sprint(got) != fmt.Sprint(want) || fmt.Sprint(state) != fmt.Sprint(want) {
			w.violate("divergence", "%s: configured %q, existing %q, in the state %q", pool.address, want, got, state)
		}
		pool.config = nil
	}
	w.applyUntilNothingChanges()
	for id, pool := range w.pulumi.pools() {
		if !w.foreign[id] {
			w.violate("divergence", "%v is left after everything was destroyed", pool)
		}
	}
}

func (w *workspace) applyUntilNothingChanges() {
	for range 10 {
		if ok, changed := w.apply(); ok && !changed {
			return
		}
	}
	w.violate("divergence", "apply without faults still has changes")
}
