package main

import (
	"slices"
	"time"
)

// command is a command of the CLI.
type command string

const (
	plan    command = "plan"
	apply   command = "apply"
	destroy command = "destroy"
)

// scenario is what each variant runs, by turns.
type scenario struct {
	pools       int
	latency     time.Duration
	parallelism int
	// commands are either plan, of what is applied already, or apply and destroy.
	commands []command
	variants []variant
}

const (
	// targetLatency and targetParallelism are those that targets are set for.
	targetLatency     = 50 * time.Millisecond
	targetParallelism = 10
	longPools         = 5_000
)

// matrix returns what to measure.
func matrix(c configuration) []scenario {
	var scenarios []scenario
	add := func(pools int, latency time.Duration, parallelism int, variants []variant, commands ...command) {
		if c.maxPools == 0 || pools <= c.maxPools {
			scenarios = append(scenarios, scenario{pools, latency, parallelism, commands, variants})
		}
	}
	all := []variant{subject, unshared, reference}
	limits := []variant{subject, reference}

	if c.full {
		pools := []int{1, 10, 100, 1_000}
		if c.long {
			pools = append(pools, longPools)
		}
		for _, commands := range [][]command{{plan}, {apply, destroy}} {
			for _, n := range pools {
				for _, latency := range []time.Duration{0, targetLatency, 200 * time.Millisecond} {
					for _, parallelism := range []int{targetParallelism, 100} {
						add(n, latency, parallelism, all, commands...)
					}
				}
			}
		}
		return scenarios
	}

	for _, n := range []int{1, 10, 100, 1_000} {
		add(n, targetLatency, targetParallelism, all, plan)
	}
	add(1_000, targetLatency, 100, all, plan)
	add(1_000, 0, targetParallelism, all, plan)
	add(1_000, 200*time.Millisecond, targetParallelism, limits, plan)
	add(longPools, targetLatency, targetParallelism, limits, plan)
	for _, n := range []int{1, 1_000} {
		add(n, targetLatency, targetParallelism, limits, apply, destroy)
	}
	add(1_000, targetLatency, 100, limits, apply, destroy)
	if c.long {
		add(longPools, 0, targetParallelism, limits, plan)
		add(longPools, targetLatency, 100, limits, plan)
		add(longPools, 200*time.Millisecond, targetParallelism, limits, plan)
		add(longPools, targetLatency, targetParallelism, limits, apply, destroy)
	}
	return scenarios
}

// inChart tells whether the chart shows it.
func (s scenario) inChart() bool {
	return s.latency == targetLatency && s.parallelism == targetParallelism && slices.Contains(s.commands, plan) &&
		slices.Contains(s.variants, unshared)
}
