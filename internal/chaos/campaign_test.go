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
)

const (
	// defaultSeed and defaultOperations describe the campaign that is part of every test run.
	defaultSeed       = 1
	defaultOperations = 1000

	// operationsPerWorker is the length of a workspace's life.
	operationsPerWorker = 125
	// workersAtOnce keeps the processors busy while most workers wait for a timeout.
	workersAtOnce = 16
)

// Counters that must be zero.
const (
	unknownPools   = "pools unknown to the state"
	lostTokens     = "tokens lost without a mark"
	destroyedPools = "pools destroyed that should not have been"
	falseRemovals  = "pools that left the state although they existed"
	leakedSecrets  = "secrets in logs and errors"

	clearedDefaults = "defaults of other users cleared"
	missedPools     = "pools reported as missing although they existed"
)

// TestCampaign takes agent pools through whole lives while everything around the provider fails, and counts the damage.
// SEED and OPERATIONS select the run, and -run=TestCampaign/NAME repeats one worker.
//
// The seed determines the actions of users, the faults and the interruptions. It does not determine IDs, tokens, jitter
// of retries, timeouts under load, and the order of requests in workers that change several pools at a time.
func TestCampaign(t *testing.T) {
	t.Parallel()
	seed, operations := number(t, "SEED", defaultSeed), number(t, "OPERATIONS", defaultOperations)
	total := newStats()
	var workers sync.WaitGroup
	slots := make(chan struct{}, workersAtOnce)
	for i := range (operations + operationsPerWorker - 1) / operationsPerWorker {
		workers.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(fmt.Sprintf("worker-%d", i), func(t *testing.T) {
				newWorkspace(t, seed, fmt.Sprintf("w%d", i), total).play(operationsPerWorker)
			})
		})
	}
	workers.Wait()
	t.Logf("SEED=%d OPERATIONS=%d\n%s", seed, operations, total)
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

// stats are the counters of a campaign.
type stats struct {
	mu             sync.Mutex
	counts, faults map[string]int
}

func newStats() *stats { return &stats{counts: make(map[string]int), faults: make(map[string]int)} }

func (s *stats) add(counter string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[counter]++
}

// addFault counts a fault that concerns more than one request.
func (s *stats) addFault(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[name]++
}

// addRequestFaults counts faults of single requests.
func (s *stats) addRequestFaults(name string, count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[name] += count
	switch {
	case name == "late":
		s.counts["faults long after the effect"] += count
	case strings.HasSuffix(name, "-after"):
		s.counts["faults after the effect"] += count
	default:
		s.counts["faults before the effect"] += count
	}
}

// String returns a line for each counter, and then all faults.
func (s *stats) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text strings.Builder
	for _, counter := range []string{
		"operations", "requests", "lines of log",
		"faults before the effect", "faults after the effect", "faults long after the effect",
		"pools created", "pools updated", "pools replaced", "pools deleted", "pools imported",
		"pools created without their token, tainted", "pools not in the state, named by an error",
		unknownPools, lostTokens, destroyedPools, falseRemovals, leakedSecrets, clearedDefaults, missedPools,
	} {
		fmt.Fprintf(&text, "%8d %s\n", s.counts[counter], counter)
	}
	fmt.Fprintf(&text, "%8d kinds of fault:\n", len(s.faults))
	for _, name := range slices.Sorted(maps.Keys(s.faults)) {
		fmt.Fprintf(&text, "%16d %s\n", s.faults[name], name)
	}
	return text.String()
}
