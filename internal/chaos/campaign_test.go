package chaos_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

const (
	// defaultSeed and defaultOperations are those of the run that is part of the ordinary tests.
	defaultSeed       = 1
	defaultOperations = 1000

	// operationsPerWorker is how long a workspace lives.
	operationsPerWorker = 125
	// workersAtOnce keeps processors busy while most workers wait for time-outs.
	workersAtOnce = 16
)

// figures are what the campaign counts.
type figures struct {
	operations, requests, logged                        int
	created, updated, deleted, imported, tainted, named int
	faults                                              map[string]*[moments]int

	// These must be 0.
	unknown, tokensLost, destroyed, falseRemovals, secrets, crashes, inconsistent, diverged int
}

func newFigures() figures { return figures{faults: make(map[string]*[moments]int)} }

func (f *figures) add(other figures) {
	for _, pair := range [][2]*int{
		{&f.operations, &other.operations},
		{&f.requests, &other.requests},
		{&f.logged, &other.logged},
		{&f.created, &other.created},
		{&f.updated, &other.updated},
		{&f.deleted, &other.deleted},
		{&f.imported, &other.imported},
		{&f.tainted, &other.tainted},
		{&f.named, &other.named},
		{&f.unknown, &other.unknown},
		{&f.tokensLost, &other.tokensLost},
		{&f.destroyed, &other.destroyed},
		{&f.falseRemovals, &other.falseRemovals},
		{&f.secrets, &other.secrets},
		{&f.crashes, &other.crashes},
		{&f.inconsistent, &other.inconsistent},
		{&f.diverged, &other.diverged},
	} {
		*pair[0] += *pair[1]
	}
	for name, counts := range other.faults {
		if f.faults[name] == nil {
			f.faults[name] = new([moments]int)
		}
		for at, n := range counts {
			f.faults[name][at] += n
		}
	}
}

func (f *figures) violations() int {
	return f.unknown + f.tokensLost + f.destroyed + f.falseRemovals + f.secrets + f.crashes + f.inconsistent + f.diverged
}

func (f *figures) String() string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...any) {
		for _, cell := range cells {
			_, _ = fmt.Fprintf(table, "%v\t", cell) // It writes to memory.
		}
		_, _ = fmt.Fprintln(table)
	}
	row("faults", before, after, late)
	sum := new([moments]int)
	for _, name := range slices.Sorted(maps.Keys(f.faults)) {
		counts := f.faults[name]
		row(name, counts[before], counts[after], counts[late])
		for at, n := range counts {
			sum[at] += n
		}
	}
	row("all", sum[before], sum[after], sum[late])
	_ = table.Flush() // It writes to memory.
	text.WriteByte('\n')
	for _, line := range []struct {
		name  string
		value int
	}{
		{"operations (plan, apply, read, import)", f.operations},
		{"requests", f.requests},
		{"lines of log searched for secrets", f.logged},
		{"pools created", f.created},
		{"pools updated", f.updated},
		{"pools deleted", f.deleted},
		{"pools imported", f.imported},
		{"pools created without their token, tainted", f.tainted},
		{"pools not in the state, named by an error", f.named},
		{"pools unknown to the state", f.unknown},
		{"tokens lost without a taint", f.tokensLost},
		{"pools destroyed that should not have been", f.destroyed},
		{"false removals from the state", f.falseRemovals},
		{"secrets seen", f.secrets},
		{"crashes", f.crashes},
		{"results that differ from their plan", f.inconsistent},
		{"workspaces that did not converge", f.diverged},
	} {
		row(line.name, line.value)
	}
	_ = table.Flush() // It writes to memory.
	return text.String()
}

// TestCampaign runs whole lives of agent pools through the provider's protocol server, while everything around it
// fails, and counts what that loses. SEED and OPERATIONS choose the run; -run=TestCampaign/NAME repeats one worker.
//
// The seed decides what users do, which request suffers which fault and when a run is interrupted. It does not decide
// ids, tokens and the jitter of retries, nor what a machine's load adds to a time-out. A worker that has one pool or
// works on one at a time, as two thirds of them do, so repeats its requests one by one; what happens first where
// several pools are worked on at once, and with it which of them joins a shared list, is left to chance.
func TestCampaign(t *testing.T) {
	t.Parallel()
	seed, operations := number(t, "SEED", defaultSeed), number(t, "OPERATIONS", defaultOperations)
	started := time.Now()
	var mu sync.Mutex
	total := newFigures()
	var workers sync.WaitGroup
	slots := make(chan struct{}, workersAtOnce)
	count := (operations + operationsPerWorker - 1) / operationsPerWorker
	for i := range count {
		workers.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(fmt.Sprintf("worker-%d", i), func(t *testing.T) {
				w := newWorkspace(t, seed, fmt.Sprintf("w%d", i))
				w.play(operationsPerWorker)
				w.figures.operations = int(w.operations.Load())
				w.figures.requests, w.figures.faults = w.faults.requests, w.faults.counts
				mu.Lock()
				defer mu.Unlock()
				total.add(w.figures)
				if w.figures.violations() > 0 {
					t.Errorf("SEED=%d OPERATIONS=%d, %s:\n%s", seed, operations, t.Name(), strings.Join(w.trace, "\n"))
				}
			})
		})
	}
	workers.Wait()
	t.Logf("SEED=%d OPERATIONS=%d, %d workers, %s\n%s",
		seed, operations, count, time.Since(started).Round(time.Second/10), &total)
}

func number(t *testing.T, variable string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	value, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return value
}
