package chaos_test

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"regexp"
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
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

const poolType = "pulumicloud_agent_pool"

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

// id returns the ID in lowercase, because the state may have it in capitals.
func (p *managedPool) id() string { return strings.ToLower(p.state.Text("id")) }

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
	aliases      int  // number of provider blocks
	sharesLists  bool // rather than requesting each pool alone
	pools        []*managedPool
	operations   atomic.Int64
	// clock is how far the provider's clock is ahead, in nanoseconds, apart from clockSkew, which changes with each walk.
	clock     atomic.Int64
	clockSkew time.Duration
	// steadyClock keeps the clock of Pulumi Cloud from being set back, during which a rate limit accepts nothing.
	steadyClock bool
	// date is the fault of the Date headers, if any, and rate the share of requests that fail.
	date     string
	dateSkew time.Duration
	rate     float64
	// faultsOff ends all faults.
	faultsOff bool
	active    sync.RWMutex // locked for reading during each request
	plot      *plot
	// otherDefault is the pool of another user that becomes the organization's default.
	otherDefault string

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
		aliases:      oneOf(random, 1, 2),
		sharesLists:  random.IntN(2) == 0,
		foreign:      make(map[string]bool), expendable: make(map[string]bool), orphans: make(map[string]bool),
		named: make(map[string]bool), forced: make(map[string]bool),
	}
	for i := range 1 + random.IntN(3) {
		w.pools = append(w.pools, &managedPool{address: fmt.Sprintf("p%d", i)})
	}
	w.secrets.add(accessToken)
	options := emulator.Options{
		Milliseconds: random.IntN(2) == 0, EchoSecrets: true, Seed: random.Uint64() | 1, NoRequestLog: true,
	}
	if w.maxRetries > 0 && w.chance(20) { // Without retries, there is no wait for a rate limit either.
		options.RateLimit, w.steadyClock = 3, true
	}
	w.pulumi = startPulumiCloud(tb, options, w.chance(25), w.intercept)
	w.pulumi.Use(w.secrets.addTokens)
	w.pulumi.Use(w.changeDates)
	w.context = tfsdklogtest.RootLogger(tflogtest.RootLogger(tb.Context(), logSink{w}), logSink{w})
	return w
}

func oneOf[T any](random *rand.Rand, choices ...T) T { return choices[random.IntN(len(choices))] }

func (w *workspace) chance(percent int) bool { return w.random.IntN(100) < percent }

// logSink searches the provider's log.
type logSink struct{ *workspace }

// Write implements [io.Writer].
func (s logSink) Write(line []byte) (int, error) {
	s.stats.add("lines of log")
	if text := string(line); s.secrets.in(text) {
		s.violate(leakedSecrets, "in the log: %s", text)
	}
	return len(line), nil
}

func (w *workspace) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

func (w *workspace) violate(counter, format string, args ...any) {
	w.note("VIOLATION: "+counter+": "+format, args...)
	w.stats.add(counter)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violated = true
}

// configureClient gives the client the clock and the log of the workspace. Waits pass on all clocks, and take little time.
func (w *workspace) configureClient(config *pulumiapi.Config) {
	const realWait = 5 * time.Millisecond
	config.RetryWaitMin, config.RetryWaitMax, config.GracePeriod = time.Millisecond, 50*time.Millisecond, 200*time.Millisecond
	if !w.sharesLists {
		config.ListMaxAge = 0
	}
	config.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: logSink{w}})
	skew := w.clockSkew
	config.Now = func() time.Time { return time.Now().Add(time.Duration(w.clock.Load()) + skew) }
	config.Sleep = func(ctx context.Context, wait time.Duration) error {
		w.advance(wait - realWait)
		select {
		case <-time.After(min(wait, realWait)):
		case <-ctx.Done():
		}
		return ctx.Err()
	}
}

// advance lets time pass on the clocks of Pulumi Cloud and of the provider.
func (w *workspace) advance(duration time.Duration) {
	if duration > 0 {
		w.pulumi.skew.Add(int64(duration))
		w.clock.Add(int64(duration))
	}
}

// startProvider starts a process of the provider for each provider block.
func (w *workspace) startProvider(url, timeout string) (blocks []*acctest.Provider, ok bool) {
	for range w.aliases {
		p := acctest.NewProvider(w.context, provider.NewServer("chaos", w.configureClient))
		blocks = append(blocks, p)
		if w.failed("provider", "", p.Configure(w.context, acctest.Values{
			"access_token": accessToken, "api_url": url, "organization": w.organization, "ca_cert_file": w.pulumi.caCertFile,
			"request_timeout": timeout, "max_retries": w.maxRetries,
		})) {
			return blocks, false
		}
	}
	return blocks, true
}

// walk visits each pool with a provider, as Terraform does with the processes of the provider blocks. The second
// provider of a visit is the other block, nil if there is none. The walk adds to the plot. It reports whether all visits
// succeeded.
func (w *workspace) walk(title string, plot *plot, visit func(p, other *acctest.Provider, pool *managedPool) bool) bool {
	w.note("== %s", title)
	var blocks []*acctest.Provider
	var stopped atomic.Bool
	w.plot = plot
	url, timeout := w.breakThings(func(*http.Request) {
		stopped.Store(true)
		for _, block := range blocks {
			//nolint:errcheck // It has no way to fail.
			block.Server.StopProvider(context.Background(), &tfprotov6.StopProviderRequest{})
		}
	})
	blocks, ok := w.startProvider(url, timeout)
	if !ok {
		return false
	}
	var failures atomic.Int64
	var visits sync.WaitGroup
	turns := make(chan struct{}, w.parallelism)
	for i, pool := range w.pools {
		p, other := blocks[i%w.aliases], (*acctest.Provider)(nil)
		if w.aliases > 1 {
			other = blocks[(i+1)%w.aliases]
		}
		turns <- struct{}{}
		visits.Go(func() {
			defer func() { <-turns }()
			if stopped.Load() || !visit(p, other, pool) {
				failures.Add(1)
			}
		})
	}
	visits.Wait()
	w.pulumi.http.CloseClientConnections() // So does the end of the provider's process.
	w.active.Lock()                        // This waits for the requests in progress.
	defer w.active.Unlock()
	w.setFaults(0)
	w.check()
	return failures.Load() == 0 && !stopped.Load()
}

// breakThings decides how hostile a walk is. It returns the URL of the API, and the timeout of requests: a short one,
// because many requests wait for it. On a busy machine it also ends requests without a fault.
func (w *workspace) breakThings(stop func(*http.Request)) (url, timeout string) {
	w.date, w.clockSkew = "", 0
	if !w.steadyClock && w.chance(10) {
		w.pulumi.skew.Store(int64(w.random.IntN(7201)-3600) * int64(time.Second))
	}
	if w.chance(40) {
		// A new pool is no longer new.
		w.advance(10 * time.Minute)
		w.must(w.pulumi.SetFaults(nil))
	}
	if w.faultsOff {
		w.setFaults(0)
		return w.pulumi.http.URL, "1m"
	}
	w.setFaults(oneOf(w.random, 0, 0.15, 0.3, 0.3, 0.6))
	fewSeconds := func() time.Duration { return time.Duration(w.random.IntN(10001)-5000) * time.Millisecond }
	if w.chance(30) {
		w.clockSkew = fewSeconds()
		w.stats.addFault("clock of the provider skewed")
	}
	if w.chance(25) {
		w.date, w.dateSkew = oneOf(w.random, missingDate, skewedDate), fewSeconds()
		w.stats.addFault(w.date)
	}
	interrupt := func(fault string, stop func(*http.Request)) {
		w.plot.arrivals.Store(int64(1 + w.random.IntN(5)))
		if w.plot.after = w.chance(50); w.plot.after {
			fault += "-after"
		}
		w.plot.stop = func(r *http.Request) {
			w.stats.addRequestFaults(fault, 1)
			stop(r)
		}
	}
	switch choice := w.random.IntN(100); {
	case choice < 8:
		interrupt("run interrupted", stop)
	case choice < 12:
		interrupt("connection silent", silence)
	case choice < 18 && w.plot.matches == nil:
		// A timeout would make it impossible to distinguish the pool of the other user.
		w.setFaults(0)
		w.plot = &plot{matches: isCreate, act: w.createForAnother, statuses: []int{429, 503}}
		return w.pulumi.http.URL, "1m"
	case choice < 20:
		w.stats.addFault("connections refused")
		return "http://127.0.0.1:1", "1s"
	}
	return w.pulumi.http.URL, "1s"
}

var (
	importCommand = regexp.MustCompile(`(?m)^ *terraform import \S+ (\S+)$`)
	// mayExist matches errors about a pool that may exist.
	mayExist = regexp.MustCompile(`may have been created|response .*was lost|already`)
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
		if diagnostic.Severity == tfprotov6.DiagnosticSeverityError && mayExist.MatchString(text) &&
			strings.Contains(text, strconv.Quote(name)) {
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
	if !w.walk("plan", &plot{}, func(p, _ *acctest.Provider, pool *managedPool) bool {
		resource := p.Resource(poolType)
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
	return !changed || w.walk("apply", &plot{}, func(p, other *acctest.Provider, pool *managedPool) bool {
		change := plans[pool]
		ok := w.applyChange(p.Resource(poolType), pool, change)
		if ok && other != nil && (change.Action == acctest.Create || change.Action == acctest.Replace) {
			w.readElsewhere(other, pool)
		}
		return ok
	}), changed
}

// readElsewhere reads a new pool with a data source of a different provider block, whose list may be older.
func (w *workspace) readElsewhere(other *acctest.Provider, pool *managedPool) {
	w.countOperation()
	_, diagnostics := other.ReadDataSource(w.context, "pulumicloud_agent_pool", acctest.Values{"name": pool.state.Text("name")})
	w.failed("data source "+pool.address, "", diagnostics)
	if w.rate == 0 && strings.Contains(diagnostics.String(), "Agent pool not found") { // Otherwise a fault may say so.
		w.violate(missedPools, "data source %s", pool.address)
	}
}

// handOver makes a pool the default of the organization and gives that up again. Meanwhile another user may make a
// different pool the default.
func (w *workspace) handOver() {
	if w.otherDefault == "" {
		created, _, err := w.pulumi.CreateAgentPool(organization, w.name+"-default", "")
		w.must(err)
		w.otherDefault, w.foreign[created.ID] = created.ID, true
	}
	takeOver := func([]byte) {
		w.note("another user sets the default")
		w.stats.addFault("default handed over to another user")
		w.must(w.pulumi.SetDefaultAgentPool(organization, w.otherDefault))
	}
	chosen, handover := oneOf(w.random, w.pools...), &plot{act: takeOver}
	if w.chance(50) {
		handover.matches, handover.statuses = clearsDefault, []int{503}
	}
	w.walk("default", handover, func(p, _ *acctest.Provider, pool *managedPool) bool {
		if pool != chosen || !pool.state.Exists() {
			return true
		}
		resource := p.Resource("pulumicloud_organization_default_agent_pool")
		w.countOperation()
		state, diagnostics := resource.Apply(w.context, resource.Absent(), acctest.Values{"agent_pool_id": pool.state.Text("id")})
		if w.failed("set default "+pool.address, "", diagnostics) {
			return false
		}
		if handover.matches == nil {
			takeOver(nil)
		}
		w.countOperation()
		_, diagnostics = resource.Destroy(w.context, state)
		return !w.failed("clear default "+pool.address, "", diagnostics)
	})
}

// importPools is "terraform import" of the pools that errors named, and of those that were removed from the state.
func (w *workspace) importPools() {
	w.walk("import", &plot{}, func(p, _ *acctest.Provider, pool *managedPool) bool {
		resource := p.Resource(poolType)
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
		w.stats.add("pools imported")
		return true
	})
}

func (w *workspace) countOperation() {
	w.operations.Add(1)
	w.stats.add("operations")
}

func (w *workspace) read(resource *acctest.Resource, pool *managedPool, state acctest.Object) (acctest.Object, bool) {
	if !state.Exists() {
		return state, true
	}
	w.countOperation()
	result, diagnostics := resource.Read(w.context, state)
	failed := w.failed("read "+pool.address, state.Text("name"), diagnostics)
	if existing, exists := w.pulumi.pools()[strings.ToLower(state.Text("id"))]; !result.Exists() && exists {
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
	id, name := strings.ToLower(change.Prior.Text("id")), change.Prior.Text("name")
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
			w.stats.add("pools created without their token, tainted")
		}
	}
	if !failed {
		w.stats.add("pools " + string(change.Action) + "d")
	}
	return !failed
}
