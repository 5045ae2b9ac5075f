package chaos_test

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"
	"github.com/hashicorp/terraform-plugin-log/tfsdklogtest"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

// managedPool is a resource of a workspace.
type managedPool struct {
	address string
	// config is nil while the configuration does not have the resource.
	config acctest.Values
	state  acctest.Object
	// imported reports whether the pool was imported, and so has no token in the state.
	imported bool
	// rotated reports whether the configuration replaces the pool.
	rotated bool
	// importID is the import ID that an error named.
	importID string
	versions int
}

func (p *managedPool) id() string { return p.state.Text("id") }

// workspace is a Terraform workspace, with the provider that it runs and the Pulumi Cloud in which it manages pools.
type workspace struct {
	tb      testing.TB
	name    string
	random  *rand.Rand
	pulumi  *pulumiCloud
	secrets secrets
	stats   *stats
	context context.Context //nolint:containedctx // It carries the loggers, as the provider's process does.

	organization any // of the provider block
	maxRetries   int
	parallelism  int
	sharesLists  bool // rather than requesting each pool alone
	pools        []*managedPool
	operations   atomic.Int64
	// clock is how far the provider's clock is ahead, in nanoseconds.
	clock atomic.Int64
	// faultsOff ends all faults.
	faultsOff bool
	requests  requests
	// active is locked for reading during each request.
	active sync.RWMutex

	// foreign are pools that Terraform was never told to manage, expendable those that may disappear, and orphans those
	// that an error named as possibly existing. known are the pools at the last check.
	foreign, expendable, orphans map[string]bool
	known                        map[string]emulator.AgentPool

	mu       sync.Mutex
	trace    []string
	violated bool
	// named are the names of pools that an error said may exist, forced the IDs of those to delete although in use.
	named, forced map[string]bool
}

func newWorkspace(tb testing.TB, seed uint64, name string, stats *stats) *workspace {
	tb.Helper()
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name)) // A hash does not fail.
	random := rand.New(rand.NewPCG(seed, hash.Sum64()))
	w := &workspace{
		tb: tb, name: name, random: random, stats: stats,
		organization: oneOf[any](random, nil, organization),
		maxRetries:   random.IntN(5),
		parallelism:  oneOf(random, 1, 1, 3),
		sharesLists:  random.IntN(2) == 0,
		foreign:      make(map[string]bool), expendable: make(map[string]bool), orphans: make(map[string]bool),
		named: make(map[string]bool), forced: make(map[string]bool),
	}
	for i := range 1 + random.IntN(3) {
		w.pools = append(w.pools, &managedPool{address: fmt.Sprintf("p%d", i)})
	}
	w.secrets.add(accessToken)
	w.pulumi = startPulumiCloud(tb, w.intercept, emulator.Options{
		Milliseconds: random.IntN(2) == 0, Seed: random.Uint64(), EchoSecrets: true,
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, DisableTime: true, Output: traceSink{w}}),
	})
	w.pulumi.Use(w.secrets.learnTokens)
	w.context = tfsdklogtest.RootLogger(tflogtest.RootLogger(tb.Context(), logSink{w}), logSink{w})
	return w
}

func oneOf[T any](random *rand.Rand, choices ...T) T { return choices[random.IntN(len(choices))] }

func (w *workspace) chance(percent int) bool { return w.random.IntN(100) < percent }

// logSink searches the provider's log.
type logSink struct{ *workspace }

// Write implements [io.Writer].
func (s logSink) Write(line []byte) (int, error) {
	s.stats.add("lines of log", 1)
	if text := string(line); s.secrets.in(text) {
		s.violate(leakedSecrets, "in the log: %s", text)
	}
	return len(line), nil
}

// traceSink adds the emulator's log to the trace.
type traceSink struct{ *workspace }

// Write implements [io.Writer].
func (s traceSink) Write(line []byte) (int, error) {
	s.note("%s", line)
	return len(line), nil
}

func (w *workspace) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

func (w *workspace) violate(counter, format string, args ...any) {
	w.note("VIOLATION: "+counter+": "+format, args...)
	w.stats.add(counter, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violated = true
}

// walk visits each pool with a provider, as Terraform does with a process of the provider. It reports whether all visits
// succeeded.
func (w *workspace) walk(title string, visit func(*acctest.Resource, *managedPool) bool) bool {
	w.note("== %s", title)
	p := acctest.NewProvider(w.context, provider.NewServer("chaos", w.configureClient))
	var stopped atomic.Bool
	url, timeout := w.breakThings(func() {
		stopped.Store(true)
		//nolint:errcheck // It has no way to fail.
		p.Server.StopProvider(context.Background(), &tfprotov6.StopProviderRequest{})
	})
	if w.failed("provider", "", p.Configure(w.context, acctest.Values{
		"access_token": accessToken, "api_url": url, "organization": w.organization,
		"request_timeout": timeout, "max_retries": w.maxRetries,
	})) {
		return false
	}
	var failures atomic.Int64
	var visits sync.WaitGroup
	turns := make(chan struct{}, w.parallelism)
	for _, pool := range w.pools {
		turns <- struct{}{}
		visits.Go(func() {
			defer func() {
				<-turns
				if cause := recover(); cause != nil {
					failures.Add(1)
					w.violate("crashes", "%v\n%s", cause, debug.Stack())
				}
			}()
			if stopped.Load() || !visit(p.Resource("pulumicloud_agent_pool"), pool) {
				failures.Add(1)
			}
		})
	}
	visits.Wait()
	w.pulumi.http.CloseClientConnections() // So does the end of the provider's process.
	w.active.Lock()                        // It waits for the requests in progress.
	defer w.active.Unlock()
	w.setFaults(0) // Late effects take place.
	w.check()
	return failures.Load() == 0 && !stopped.Load()
}

// breakThings decides how hostile a walk is. It returns the URL of the API, and the timeout of requests: a short one,
// because many requests wait for it. On a busy machine it also ends requests without a fault.
func (w *workspace) breakThings(stop func()) (url, timeout string) {
	if w.chance(10) {
		w.pulumi.skew.Store(int64(w.random.IntN(7201)-3600) * int64(time.Second))
	}
	if w.chance(40) {
		// Time passes on both clocks, so that a new pool is no longer new.
		w.clock.Add(int64(10 * time.Minute))
		w.pulumi.skew.Add(int64(10 * time.Minute))
		w.must(w.pulumi.SetFaults(nil)) // Reads show all pools.
	}
	w.requests.interrupt(0, false, nil)
	if w.faultsOff {
		w.must(w.pulumi.SetFaults(nil))
		return w.pulumi.http.URL, "1m"
	}
	w.setFaults(oneOf(w.random, 0, 0.15, 0.3, 0.3, 0.6))
	switch choice := w.random.IntN(100); {
	case choice < 8:
		w.requests.interrupt(1+w.random.IntN(5), w.random.IntN(2) == 0, stop)
	case choice < 9:
		w.stats.add("interruptions", 1)
		stop()
	case choice < 12:
		w.note("connections are refused")
		return "http://127.0.0.1:1", "1s"
	}
	return w.pulumi.http.URL, "1s"
}

// slow are the faults that cost a second.
var slow = regexp.MustCompile(`^(hang|endless|429-retry-after-1)`)

// setFaults makes about that share of all requests fail.
func (w *workspace) setFaults(share float64) {
	faults, names := make(emulator.Faults), emulator.FaultNames()
	for _, name := range names {
		faults[name] = share / float64(len(names))
		switch {
		case slow.MatchString(name):
			faults[name] /= 3
		case strings.HasPrefix(name, "html-404"): // It must not look like a missing pool.
			faults[name] *= 3
		}
	}
	faults[emulator.StaleReads] = 0
	// The provider waits for a new pool by retrying, so a stale read means a missing pool without retries.
	if w.maxRetries >= 2 {
		faults[emulator.StaleReads] = 0.4
	}
	w.must(w.pulumi.SetFaults(faults))
}

var (
	importCommand = regexp.MustCompile(`(?m)^ *terraform import \S+ (\S+)$`)
	// mayExist matches errors about a pool that may exist.
	mayExist = regexp.MustCompile(`may have been created|(answer|response) was lost|already`)
)

// failed searches diagnostics, and reports whether they hold an error.
func (w *workspace) failed(what, name string, diagnostics acctest.Diagnostics) bool {
	for _, diagnostic := range diagnostics {
		text := diagnostic.Summary + ": " + diagnostic.Detail
		w.note("%s: %s", what, strings.ReplaceAll(text, "\n", " | "))
		if w.secrets.in(text) {
			w.violate(leakedSecrets, "%s: in a diagnostic: %s", what, text)
		}
		if diagnostic.Summary == acctest.Inconsistent {
			w.violate("inconsistent results", "%s", what)
		}
		if mayExist.MatchString(text) && strings.Contains(text, strconv.Quote(name)) {
			w.mu.Lock()
			w.named[name] = true
			w.mu.Unlock()
		}
	}
	return diagnostics.HasError()
}

// apply is "terraform apply". It reports whether everything succeeded, and whether there was anything to do.
func (w *workspace) apply() (ok, changed bool) {
	var mu sync.Mutex
	plans := make(map[*managedPool]acctest.Change)
	if !w.walk("plan", func(resource *acctest.Resource, pool *managedPool) bool {
		state, ok := w.read(resource, pool, pool.state)
		if !ok {
			return false
		}
		change, ok := w.plan(resource, pool, state)
		mu.Lock()
		defer mu.Unlock()
		plans[pool] = change
		return ok
	}) {
		return false, false
	}
	for pool, change := range plans {
		pool.state = change.Prior
		changed = changed || change.Action != acctest.NoOp
	}
	return !changed || w.walk("apply", func(resource *acctest.Resource, pool *managedPool) bool {
		return w.applyChange(resource, pool, plans[pool])
	}), changed
}

// importPools is "terraform import" of the pools that errors named, and of those that were removed from the state.
func (w *workspace) importPools() {
	w.walk("import", func(resource *acctest.Resource, pool *managedPool) bool {
		if pool.state.Exists() || pool.importID == "" {
			return true
		}
		w.countOperation()
		state, diagnostics := resource.Import(w.context, pool.importID)
		if w.failed("import "+pool.address+" "+pool.importID, "", diagnostics) {
			return false
		}
		state, ok := w.read(resource, pool, state)
		if !ok || !state.Exists() {
			return false
		}
		pool.state, pool.importID, pool.imported = state, "", true
		w.mu.Lock()
		delete(w.foreign, pool.id())
		w.mu.Unlock()
		w.stats.add("pools imported", 1)
		return true
	})
}

func (w *workspace) countOperation() {
	w.operations.Add(1)
	w.stats.add("operations", 1)
}

func (w *workspace) read(resource *acctest.Resource, pool *managedPool, state acctest.Object) (acctest.Object, bool) {
	if !state.Exists() {
		return state, true
	}
	w.countOperation()
	result, diagnostics := resource.Read(w.context, state)
	failed := w.failed("read "+pool.address, state.Text("name"), diagnostics)
	// An import of a pool that reads do not show yet fails, and removes nothing.
	if existing, exists := w.pulumi.pools()[pool.id()]; !result.Exists() && exists {
		w.violate(falseRemovals, "read %s: %v left the state", pool.address, existing)
	}
	return result, !failed
}

func (w *workspace) plan(
	resource *acctest.Resource, pool *managedPool, state acctest.Object,
) (acctest.Change, bool) {
	w.countOperation()
	name, _ := pool.config["name"].(string)
	change, diagnostics := resource.Plan(w.context, state, pool.config)
	if w.failed("plan "+pool.address, cmp.Or(name, state.Text("name")), diagnostics) {
		return change, false
	}
	w.note("plan %s: %s %s", pool.address, change.Action, name)
	if change.Action == acctest.Replace && !state.Tainted && !pool.rotated {
		w.violate(destroyedPools, "plan %s: would replace a pool without a reason", pool.address)
	}
	return change, true
}

func (w *workspace) applyChange(resource *acctest.Resource, pool *managedPool, change acctest.Change) bool {
	if change.Action == acctest.NoOp {
		return true
	}
	id, name := change.Prior.Text("id"), change.Prior.Text("name")
	deletes := change.Action == acctest.Delete || change.Action == acctest.Replace
	if deletes {
		w.mu.Lock()
		w.expendable[id], w.forced[id] = true, acctest.Attributes(change.Prior.Value)["force_destroy"] == true
		w.mu.Unlock()
	}
	if change.Action != acctest.Delete {
		name, _ = pool.config["name"].(string)
	}
	w.countOperation()
	result, diagnostics := resource.ApplyChange(w.context, change)
	what := fmt.Sprintf("%s %s", change.Action, pool.address)
	failed := w.failed(what, name, diagnostics)
	w.note("%s: failed %t", what, failed)
	pool.state = result
	if pool.id() != id || id == "" {
		if existing, exists := w.pulumi.pools()[id]; deletes && exists {
			w.violate(falseRemovals, "%s: %v left the state as deleted", what, existing)
		}
		pool.imported, pool.rotated, pool.importID = false, false, ""
		if match := importCommand.FindStringSubmatch(diagnostics.String()); match != nil {
			pool.importID = match[1]
		}
		if result.Tainted {
			w.stats.add("pools created without their token, tainted", 1)
		}
	}
	if !failed {
		w.stats.add("pools "+string(change.Action)+"d", 1)
	}
	return !failed
}
