package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"
	"github.com/hashicorp/terraform-plugin-log/tfsdklogtest"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/protocoltest"
)

const (
	// requestTimeout is short enough to wait for often. On a busy machine it also ends requests that no fault befell.
	requestTimeout = "1s"
	// calmRequestTimeout is far above what an answer takes on any machine.
	calmRequestTimeout = "1m"
)

// configuration is a resource block. What is nil is left out.
type configuration struct {
	name                      string
	description, organization *string
	forceDestroy              *bool
}

func (c configuration) value(schema *tfprotov6.Schema) *tftypes.Value {
	value := protocoltest.Object(schema.ValueType().(tftypes.Object), map[string]any{
		"name": c.name, "description": c.description, "organization": c.organization, "force_destroy": c.forceDestroy,
	})
	return &value
}

// managedPool is a resource of the workspace.
type managedPool struct {
	address string
	// config is nil while the resource is not in the configuration.
	config *configuration
	state  object
	// importID is what an error told the user to import, empty if none did.
	importID string
	versions int
}

// workspace is one worker: a Terraform workspace, the provider it runs, and the Pulumi Cloud that it manages pools in.
type workspace struct {
	tb      testing.TB
	name    string
	random  *rand.Rand
	pulumi  *pulumiCloud
	faults  *faults
	secrets *secrets
	context context.Context //nolint:containedctx // It carries the loggers, as the plugin's process does.

	organization *string // the provider's
	maxRetries   int
	parallelism  int           // how many pools are worked on at once
	listMaxAge   time.Duration // 0 makes each read ask for its pool alone
	pools        []*managedPool

	operations atomic.Int64
	// others are pools that Terraform was never told to manage, spent those that may be gone, and orphans those that
	// an error named as possibly existing. known are all that existed at the last check.
	others, spent, orphans map[string]bool
	known                  map[string]existingPool
	// calm ends all faults.
	calm bool
	// clock is how far the provider's clock is ahead of the machine's, in nanoseconds.
	clock atomic.Int64

	mu      sync.Mutex
	figures figures
	trace   []string
	// named are the names of pools that an error said may exist, forced the ids of those to delete though in use.
	named, forced map[string]bool
}

func newWorkspace(tb testing.TB, seed uint64, name string) *workspace {
	tb.Helper()
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name)) // A hash takes everything.
	random := rand.New(rand.NewPCG(seed, hash.Sum64()))
	w := &workspace{
		tb: tb, name: name, random: random,
		pulumi:     startPulumiCloud(tb, emulator.Options{Milliseconds: random.IntN(2) == 0}),
		secrets:    &secrets{},
		maxRetries: random.IntN(5),
		listMaxAge: []time.Duration{0, cloud.DefaultListMaxAge}[random.IntN(2)],
		others:     make(map[string]bool), spent: make(map[string]bool), orphans: make(map[string]bool),
		named: make(map[string]bool), forced: make(map[string]bool),
		figures: newFigures(),
	}
	w.secrets.add(accessToken)
	w.faults = &faults{
		seed: seed, worker: name, pulumi: w.pulumi, secrets: w.secrets, log: w.note, watch: w.watch,
		// Waiting for a new pool is retrying, so that without retries a pool not shown is a pool gone.
		hides:  w.maxRetries >= 2,
		counts: make(map[string]*[moments]int), ordinals: make(map[string]int), subjects: make(map[string]string),
		hidden: make(map[string]*hiding),
	}
	w.faults.idle = sync.NewCond(&w.faults.mu)
	w.pulumi.Use(w.faults.middleware)
	if random.IntN(2) == 0 {
		w.organization = new(organization)
	}
	w.parallelism = []int{1, 1, 3}[random.IntN(3)]
	for i := range 1 + random.IntN(3) {
		w.pools = append(w.pools, &managedPool{address: fmt.Sprintf("%s.p%d", resourceType, i)})
	}
	w.context = tfsdklogtest.RootLogger(tflogtest.RootLogger(tb.Context(), logSink{w}), logSink{w})
	return w
}

// logSink searches the provider's log.
type logSink struct{ *workspace }

func (s logSink) Write(line []byte) (int, error) {
	s.count(&s.figures.logged)
	if text := string(line); s.secrets.in(text) {
		s.violate(&s.figures.secrets, "a secret is in the log: %s", text)
	}
	return len(line), nil
}

func (w *workspace) note(format string, arguments ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, fmt.Sprintf(format, arguments...))
}

func (w *workspace) violate(figure *int, format string, arguments ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*figure++
	w.trace = append(w.trace, "VIOLATION: "+fmt.Sprintf(format, arguments...))
}

// watch sees each request. Pulumi Cloud itself refuses to delete what is in use, unless it is told to.
func (w *workspace) watch(r *http.Request) {
	id := poolID(r)
	w.mu.Lock()
	forced := w.forced[id]
	w.mu.Unlock()
	if r.Method == http.MethodDelete && r.URL.Query().Get("force") == "true" && !forced {
		w.violate(&w.figures.destroyed, "%s is deleted by force, which nobody asked for", id)
	}
}

func (w *workspace) count(figure *int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*figure++
}

func (w *workspace) now() time.Time { return time.Now().Add(time.Duration(w.clock.Load())) }

func (w *workspace) chance(percent int) bool { return w.random.IntN(100) < percent }

// walk does something with each pool, in a provider process of its own, and tells whether all of it went well.
func (w *workspace) walk(title string, visit func(context.Context, *providerProcess, *managedPool) bool) bool {
	w.note("== %s", title)
	arguments := map[string]any{
		"access_token": accessToken, "api_url": w.pulumi.url, "organization": w.organization,
		"request_timeout": requestTimeout, "max_retries": w.maxRetries,
	}
	if w.calm {
		arguments["request_timeout"] = calmRequestTimeout
	}
	process, diagnostics, err := startProvider(w.context, arguments, &w.operations, func(config *cloud.Config) {
		config.RetryWaitMin, config.RetryWaitMax = time.Millisecond, 4*time.Millisecond
		config.ListMaxAge, config.Now = w.listMaxAge, w.now
	})
	if w.failed("provider", "", diagnostics, err) {
		return false
	}

	var stopped atomic.Bool
	w.breakThings(func() {
		stopped.Store(true)
		process.stop()
	})
	var failures atomic.Int64
	var visits sync.WaitGroup
	turns := make(chan struct{}, w.parallelism)
	for _, pool := range w.pools {
		turns <- struct{}{}
		visits.Go(func() {
			defer func() { <-turns }()
			defer func() {
				if cause := recover(); cause != nil {
					failures.Add(1)
					w.violate(&w.figures.crashes, "panic: %v\n%s", cause, debug.Stack())
				}
			}()
			if stopped.Load() || !visit(w.context, process, pool) {
				failures.Add(1)
			}
		})
	}
	visits.Wait()
	w.faults.end()
	if err := w.pulumi.accept(); err != nil {
		w.tb.Fatal(err)
	}
	w.check()
	return failures.Load() == 0 && !stopped.Load()
}

// rest lets time pass between two runs, on both clocks: what was new is new no more.
func (w *workspace) rest() {
	const pause = 10 * time.Minute
	w.clock.Add(int64(pause))
	w.pulumi.skew.Add(int64(pause))
	w.faults.showAll()
}

// breakThings decides how hostile a walk is.
func (w *workspace) breakThings(stop func()) {
	rate := []float64{0, 0.15, 0.3, 0.3, 0.6}[w.random.IntN(5)]
	var i *interruption
	if w.chance(8) {
		i = &interruption{arrivals: 1 + w.random.IntN(5), at: moment(w.random.IntN(2)), stop: stop}
	}
	refused := w.chance(3)
	stoppedEarly := w.chance(1)
	if w.chance(10) {
		w.pulumi.skew.Store(int64(w.random.IntN(7201)-3600) * int64(time.Second))
	}
	if w.chance(40) {
		w.rest()
	}
	if w.calm {
		rate, i, refused, stoppedEarly = 0, nil, false, false
	}
	w.faults.begin(rate, i)
	if refused {
		w.note("connections are refused")
		w.faults.count(refusedName, before)
		w.pulumi.refuse()
	}
	if stoppedEarly {
		w.note("interrupted at once")
		w.faults.count(cancelledName, before)
		stop()
	}
}

var (
	importCommand = regexp.MustCompile(`(?m)^ {2}terraform import ADDRESS (\S+)$`)
	// whatNext is in an error that names a pool as possibly existing: how to get hold of it, or to find out.
	whatNext = regexp.MustCompile(`its answer was lost|has an agent pool named ".*" already`)
)

// failed takes note of diagnostics, searches them, and tells whether they hold an error.
func (w *workspace) failed(what, name string, diagnostics []*tfprotov6.Diagnostic, err error) bool {
	if err != nil {
		w.violate(&w.figures.crashes, "%s: the call itself failed: %v", what, err)
		return true
	}
	for _, diagnostic := range diagnostics {
		text := diagnostic.Summary + ": " + diagnostic.Detail
		if w.secrets.in(text) {
			w.violate(&w.figures.secrets, "%s: a secret is in a diagnostic: %s", what, text)
		}
		if diagnostic.Severity != tfprotov6.DiagnosticSeverityError {
			continue
		}
		w.note("%s: %s", what, strings.ReplaceAll(text, "\n", " | "))
		if strings.Contains(diagnostic.Detail, strconv.Quote(name)) && whatNext.MatchString(diagnostic.Detail) {
			w.mu.Lock()
			w.named[name] = true
			w.mu.Unlock()
		}
	}
	return hasError(diagnostics)
}

// commandIn returns what an error says to import.
func commandIn(diagnostics []*tfprotov6.Diagnostic) string {
	for _, diagnostic := range diagnostics {
		if match := importCommand.FindStringSubmatch(diagnostic.Detail); match != nil {
			return match[1]
		}
	}
	return ""
}

// refreshed is what a plan knows of a pool.
type refreshed struct {
	state  object
	change plannedChange
}

// apply is "terraform apply". It tells whether all went well, and whether there was anything to do.
func (w *workspace) apply() (ok, changed bool) {
	var mu sync.Mutex
	plans := make(map[*managedPool]refreshed)
	ok = w.walk("plan", func(ctx context.Context, process *providerProcess, pool *managedPool) bool {
		state, ok := w.read(ctx, process, pool)
		if !ok {
			return false
		}
		change, ok := w.plan(ctx, process, pool, state)
		mu.Lock()
		plans[pool] = refreshed{state: state, change: change}
		mu.Unlock()
		return ok
	})
	if !ok {
		return false, false
	}
	for pool, plan := range plans {
		pool.state = plan.state
		changed = changed || plan.change.action != noAction
	}
	if !changed {
		return true, false
	}
	return w.walk("apply", func(ctx context.Context, process *providerProcess, pool *managedPool) bool {
		return w.applyChange(ctx, process, pool, plans[pool].change)
	}), true
}

// refresh is "terraform apply -refresh-only".
func (w *workspace) refresh() bool {
	var mu sync.Mutex
	states := make(map[*managedPool]object)
	ok := w.walk("refresh", func(ctx context.Context, process *providerProcess, pool *managedPool) bool {
		state, ok := w.read(ctx, process, pool)
		mu.Lock()
		states[pool] = state
		mu.Unlock()
		return ok
	})
	if ok {
		for pool, state := range states {
			pool.state = state
		}
	}
	return ok
}

func (w *workspace) read(ctx context.Context, process *providerProcess, pool *managedPool) (object, bool) {
	if !pool.state.exists() {
		return object{}, true
	}
	id := pool.state.text("id")
	state, diagnostics, err := process.read(ctx, pool.state)
	if w.failed("read "+pool.address, pool.state.text("name"), diagnostics, err) {
		return pool.state, false
	}
	if existing, exists := w.pulumi.pools()[id]; !state.exists() && exists {
		w.violate(&w.figures.falseRemovals, "read %s: %s left the state", pool.address, existing)
	}
	return state, true
}

func (w *workspace) plan(
	ctx context.Context, process *providerProcess, pool *managedPool, state object,
) (plannedChange, bool) {
	var config *tftypes.Value
	name := state.text("name")
	if pool.config != nil {
		config, name = pool.config.value(process.schema), pool.config.name
	}
	change, diagnostics, err := process.plan(ctx, state, config)
	if w.failed("plan "+pool.address, name, diagnostics, err) {
		return change, false
	}
	if change.action != noAction {
		w.note("plan %s: %s %s", pool.address, change.action, name)
	}
	if change.action == replaceAction && !state.tainted && state.text("organization") == w.wantedOrganization(pool) {
		w.violate(&w.figures.destroyed, "plan %s: would replace what nobody asked to replace", pool.address)
	}
	return change, true
}

// wantedOrganization is where a pool is to be by its configuration, or where it is if that leaves it open.
func (w *workspace) wantedOrganization(pool *managedPool) string {
	switch {
	case pool.config != nil && pool.config.organization != nil:
		return *pool.config.organization
	case w.organization != nil:
		return *w.organization
	case pool.state.exists():
		return pool.state.text("organization")
	}
	return organization
}

func (w *workspace) applyChange(
	ctx context.Context, process *providerProcess, pool *managedPool, change plannedChange,
) bool {
	if change.action == noAction {
		return true
	}
	if change.action == replaceAction {
		none := tftypes.NewValue(process.schema.ValueType(), nil)
		deletion := plannedChange{
			action: deleteAction, prior: change.prior, config: none, planned: none,
			private: change.prior.private, identity: change.prior.identity,
		}
		if !w.applyOne(ctx, process, pool, deletion) {
			return false
		}
		change.action, change.prior = createAction, object{}
	}
	return w.applyOne(ctx, process, pool, change)
}

func (w *workspace) applyOne(
	ctx context.Context, process *providerProcess, pool *managedPool, change plannedChange,
) bool {
	id, name := change.prior.text("id"), change.prior.text("name")
	if change.action == deleteAction {
		w.mu.Lock()
		w.spent[id], w.forced[id] = true, change.prior.forced()
		w.mu.Unlock()
	} else {
		name = textOf(object{value: &change.planned}.attributes()["name"])
	}
	result, inconsistent, diagnostics, err := process.apply(ctx, change)
	what := fmt.Sprintf("%s %s", change.action, pool.address)
	failed := w.failed(what, name, diagnostics, err)
	pool.state = result
	if inconsistent != "" {
		w.violate(&w.figures.inconsistent, "%s: the result differs from the plan in %s", what, inconsistent)
	}
	switch {
	case failed:
		if change.action == createAction {
			pool.importID = commandIn(diagnostics)
		}
		if result.tainted && change.action == createAction {
			w.count(&w.figures.tainted)
		}
		return false
	case change.action == createAction:
		pool.importID = ""
		w.count(&w.figures.created)
	case change.action == updateAction:
		w.count(&w.figures.updated)
	case change.action == deleteAction:
		w.count(&w.figures.deleted)
		if existing, exists := w.pulumi.pools()[id]; exists {
			w.violate(&w.figures.falseRemovals, "%s: %s left the state as deleted", what, existing)
		}
	}
	w.note("%s: done", what)
	return true
}

// importPools is "terraform import" of what errors said to import, and of what was taken out of the state.
func (w *workspace) importPools() {
	w.walk("import", func(ctx context.Context, process *providerProcess, pool *managedPool) bool {
		if pool.state.exists() || pool.importID == "" {
			return true
		}
		state, diagnostics, err := process.importObject(ctx, pool.importID)
		if w.failed("import "+pool.address+" "+pool.importID, "", diagnostics, err) || !state.exists() {
			return false
		}
		pool.state, pool.importID = state, ""
		w.mu.Lock()
		delete(w.others, state.text("id"))
		w.figures.imported++
		w.mu.Unlock()
		w.note("import %s: %s", pool.address, state.text("id"))
		return true
	})
}

// check compares the state with what exists.
func (w *workspace) check() {
	existing := w.pulumi.pools()
	for id, pool := range w.known {
		if _, exists := existing[id]; !exists && !w.spent[id] {
			w.violate(&w.figures.destroyed, "%s was destroyed", pool)
			w.spent[id] = true
		}
	}
	held := make(map[string]bool)
	for _, pool := range w.pools {
		if !pool.state.exists() {
			continue
		}
		id := pool.state.text("id")
		held[id] = true
		if w.others[id] {
			w.violate(&w.figures.destroyed, "%s in the state is somebody else's pool, and may be destroyed", id)
		}
		_, exists := existing[id]
		if !exists || pool.state.tainted || pool.state.imported {
			continue
		}
		if !w.pulumi.TokenMatches(pool.state.text("organization"), id, pool.state.text("token")) {
			w.violate(&w.figures.tokensLost, "the token in the state of %s is not that of %s", pool.address, existing[id])
		}
	}
	for id, pool := range existing {
		if held[id] || w.others[id] || w.orphans[id] {
			continue
		}
		w.orphans[id] = true
		if w.named[pool.Name] {
			w.figures.named++
			continue
		}
		w.violate(&w.figures.unknown, "%s is not in the state, and no error named it", pool)
	}
	w.known = existing
}

// play lets users work with the workspace for so many operations, then makes everything converge.
func (w *workspace) play(operations int64) {
	for w.operations.Load() < operations {
		for _, pool := range w.pools {
			if err := w.live(pool); err != nil {
				w.tb.Fatal(err)
			}
		}
		switch choice := w.random.IntN(100); {
		case choice < 10:
			w.refresh()
		case choice < 30:
			w.importPools()
			fallthrough
		default:
			w.apply()
		}
	}
	w.converge()
}

// live is what may happen to a pool between two runs, in the configuration or outside Terraform.
func (w *workspace) live(pool *managedPool) error {
	choice := w.random.IntN(100)
	if !pool.state.exists() {
		return w.liveWithout(pool, choice)
	}
	id, org := pool.state.text("id"), pool.state.text("organization")
	current, exists := w.pulumi.pools()[id]
	if pool.config == nil {
		if choice < 50 {
			return w.release(id, org, exists)
		}
		return nil
	}
	switch {
	case choice < 15:
		pool.config.name = w.newName(pool)
	case choice < 30:
		pool.config.description = w.someDescription()
	case choice < 38:
		pool.config.forceDestroy = []*bool{nil, new(false), new(true)}[w.random.IntN(3)]
	case choice < 46 && exists:
		w.note("a stack uses %s", current)
		return w.pulumi.SetStackPool(org, "project", "stack-of-"+id, id)
	case choice < 50:
		return w.release(id, org, exists)
	case choice < 62:
		pool.config = nil
	case choice < 67 && exists:
		w.note("%s is deleted outside Terraform", current)
		w.spent[id] = true
		return w.pulumi.DeleteAgentPool(org, id)
	case choice < 72 && exists:
		w.note("%s is changed outside Terraform", current)
		return w.pulumi.UpdateAgentPool(org, id, nil, new("changed outside Terraform"))
	case choice < 77 && exists:
		w.note("%s is taken out of the state, to be imported", current)
		pool.importID = w.importID(current)
		pool.state = object{}
		w.named[current.Name], w.orphans[id] = true, true
	case choice < 81:
		pool.config.organization = []*string{nil, new(organization), new(otherOrganization)}[w.random.IntN(3)]
	case choice < 84:
		taken, err := w.takeName(pool, org)
		if err == nil && taken != "" {
			pool.config.name = taken
		}
		return err
	}
	return nil
}

func (w *workspace) liveWithout(pool *managedPool, choice int) error {
	switch {
	case pool.config == nil && choice < 60:
		pool.config, pool.importID = &configuration{name: w.newName(pool), description: w.someDescription()}, ""
	case pool.config == nil && choice < 75:
		pool.config = &configuration{name: w.newName(pool)}
		pool.importID = ""
		_, err := w.takeName(pool, w.wantedOrganization(pool))
		return err
	case pool.config != nil && choice < 30:
		pool.config.name, pool.importID = w.newName(pool), ""
	}
	return nil
}

// takeName lets somebody else create a pool with the name that the configuration is about to have.
func (w *workspace) takeName(pool *managedPool, org string) (string, error) {
	name := w.newName(pool)
	if !pool.state.exists() {
		name = pool.config.name
	}
	id, err := w.pulumi.createBefore(org, name, "somebody else's")
	if _, refused := errors.AsType[*emulator.Error](err); refused {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	w.note("somebody else has created %q (%s)", name, id)
	w.faults.mu.Lock()
	w.faults.subjects[id] = name
	w.faults.mu.Unlock()
	w.others[id] = true
	return name, nil
}

func (w *workspace) release(id, org string, exists bool) error {
	if !exists {
		return nil
	}
	return w.pulumi.SetStackPool(org, "project", "stack-of-"+id, "")
}

func (w *workspace) newName(pool *managedPool) string {
	pool.versions++
	hostile := []string{"", "", "", " of/ü", ` "quoted"`, "%2F..", "\u202e"}[w.random.IntN(7)]
	_, label, _ := strings.Cut(pool.address, ".")
	return fmt.Sprintf("%s-%s-%d%s", w.name, label, pool.versions, hostile)
}

func (w *workspace) someDescription() *string {
	return []*string{nil, new(""), new(fmt.Sprintf("description %d", w.random.IntN(1000)))}[w.random.IntN(3)]
}

func (w *workspace) importID(pool existingPool) string {
	forms := []string{
		pool.organization + "/" + pool.ID,
		pool.organization + "/" + pool.Name,
		pool.organization + "/" + pool.Name + "/" + pool.ID,
	}
	if pool.organization == organization {
		forms = append(forms, pool.ID)
	}
	return forms[w.random.IntN(len(forms))]
}

// converge ends the faults and holds configuration, state and Pulumi Cloud against each other, then destroys all.
func (w *workspace) converge() {
	w.note("== the end of all faults")
	w.calm = true
	// What errors named as possibly existing, users look for in the console.
	for id := range w.orphans {
		if pool, exists := w.pulumi.pools()[id]; exists && !w.held(id) {
			w.spent[id] = true
			if err := w.pulumi.DeleteAgentPool(pool.organization, id); err != nil {
				w.tb.Fatal(err)
			}
		}
	}
	for _, pool := range w.pools {
		pool.config = &configuration{name: w.newName(pool), description: w.someDescription(), forceDestroy: new(true)}
		// A tainted pool is deleted before force_destroy can be applied.
		id, org := pool.state.text("id"), pool.state.text("organization")
		if _, exists := w.pulumi.pools()[id]; exists {
			if err := w.release(id, org, exists); err != nil {
				w.tb.Fatal(err)
			}
		}
	}
	w.applyUntilNothingChanges()
	for _, pool := range w.pools {
		existing, exists := w.pulumi.pools()[pool.state.text("id")]
		description := ""
		if pool.config.description != nil {
			description = *pool.config.description
		}
		if !exists || existing.Name != pool.config.name || existing.Description != description ||
			existing.organization != w.wantedOrganization(pool) ||
			existing.Name != pool.state.text("name") || existing.Description != pool.state.text("description") {
			w.violate(&w.figures.diverged, "%s did not converge: configuration %+v, existing %s, state %v",
				pool.address, *pool.config, existing, pool.state.attributes()["name"])
		}
	}
	for _, pool := range w.pools {
		pool.config = nil
	}
	w.applyUntilNothingChanges()
	for id, pool := range w.pulumi.pools() {
		if !w.others[id] {
			w.violate(&w.figures.diverged, "%s is left after everything was destroyed", pool)
		}
	}
}

func (w *workspace) applyUntilNothingChanges() {
	for range 10 {
		if ok, changed := w.apply(); ok && !changed {
			return
		}
	}
	w.violate(&w.figures.diverged, "applying without faults does not come to an end")
}

func (w *workspace) held(id string) bool {
	for _, pool := range w.pools {
		if pool.state.text("id") == id {
			return true
		}
	}
	return false
}
