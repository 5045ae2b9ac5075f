package main

import (
	"slices"
	"testing"
)

func TestMatrixHoldsEveryTarget(t *testing.T) {
	scenarios := matrix(configuration{})
	for _, want := range []struct {
		command            command
		pools, parallelism int
	}{
		{plan, 1, 10},
		{plan, 1_000, 10},
		{plan, 5_000, 10},
		{apply, 1_000, 10},
		{apply, 1_000, 100},
		{destroy, 1_000, 10},
		{destroy, 1_000, 100},
	} {
		measured := slices.ContainsFunc(scenarios, func(s scenario) bool {
			return s.pools == want.pools && s.parallelism == want.parallelism && s.latency == targetLatency &&
				slices.Contains(s.commands, want.command) && slices.Contains(s.variants, reference)
		})
		if !measured {
			t.Errorf("%v is not measured", want)
		}
	}
}

func TestFullMatrix(t *testing.T) {
	count := func(c configuration) int {
		var rows int
		for _, s := range matrix(c) {
			rows += len(s.commands)
		}
		return rows
	}
	// Commands, numbers of pools, latencies and parallelisms.
	if got := count(configuration{full: true}); got != 3*4*3*2 {
		t.Errorf("-full measures %d rows", got)
	}
	if got := count(configuration{full: true, long: true}); got != 3*5*3*2 {
		t.Errorf("-full -long measures %d rows", got)
	}
	for _, s := range matrix(configuration{full: true, long: true, maxPools: 100}) {
		if s.pools > 100 {
			t.Errorf("-max-pools 100 measures %d pools", s.pools)
		}
	}
}
