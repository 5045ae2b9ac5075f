package chaos_test

import (
	"cmp"
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
	seed, operations := number(t, "SEED", "1"), number(t, "OPERATIONS", "1000")
	total := &stats{counts: make(map[string]int)}
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

func number(t *testing.T, variable, fallback string) uint64 {
	t.Helper()
	value, err := strconv.ParseUint(cmp.Or(os.Getenv(variable), fallback), 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return value
}

// stats are the counters of a campaign.
type stats struct {
	mu     sync.Mutex
	counts map[string]int
}

func (s *stats) add(counter string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[counter] += n
}

// String returns a line for each counter.
func (s *stats) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, counter := range []string{unknownPools, lostTokens, destroyedPools, falseRemovals, leakedSecrets} {
		s.counts[counter] += 0
	}
	var text strings.Builder
	for _, counter := range slices.Sorted(maps.Keys(s.counts)) {
		fmt.Fprintf(&text, "%8d %s\n", s.counts[counter], counter)
	}
	return text.String()
}
