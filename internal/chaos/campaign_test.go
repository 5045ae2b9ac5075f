package chaos_test

import (
	"fmt"
	"os"
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
	mu     sync.Mutex
	counts map[string]int
	kinds  map[string]bool
}

func newStats() *stats { return &stats{counts: make(map[string]int), kinds: make(map[string]bool)} }

func (s *stats) add(counter string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[counter]++
}

func (s *stats) addFault(kind string, at moment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kinds[kind] = true
	s.counts["faults "+at.String()]++
}

// String returns a line for each counter.
func (s *stats) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text strings.Builder
	fmt.Fprintf(&text, "%8d kinds of fault\n", len(s.kinds))
	for _, counter := range []string{
		"faults before the effect", "faults after the effect", "faults with a late effect",
		"operations", "requests", "lines of log",
		"pools created", "pools updated", "pools replaced", "pools deleted", "pools imported",
		"pools created without their token, tainted", "pools not in the state, named by an error",
		unknownPools, lostTokens, destroyedPools, falseRemovals, leakedSecrets,
	} {
		fmt.Fprintf(&text, "%8d %s\n", s.counts[counter], counter)
	}
	return text.String()
}
