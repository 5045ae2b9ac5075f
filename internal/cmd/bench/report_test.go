package main

import (
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	got := table([][]string{{"Command", "Pools"}, {"plan", "1"}, {"plan", "1,000"}, {"é", ""}})
	want := strings.Join([]string{
		"| Command | Pools |",
		"| ------- | ----: |",
		"| plan    |     1 |",
		"| plan    | 1,000 |",
		"| é       |       |",
		"",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMarkdown(t *testing.T) {
	r := report{
		machine: "A Processor, 2 cores",
		runs:    5,
		rows: []row{{
			scenario: scenario{pools: 1_000, latency: targetLatency, parallelism: 10, commands: []command{plan}},
			command:  plan,
			figures: map[variant]figures{
				subject: {
					time: 2310 * time.Millisecond, memory: 44_000_000,
					traffic: traffic{requests: map[string]int{"GET": 1}, connections: 2, atOnce: 1},
				},
				unshared: {
					time:    6600 * time.Millisecond,
					traffic: traffic{requests: map[string]int{"GET": 1_000}, connections: 10, atOnce: 10},
				},
				reference: {time: 2200 * time.Millisecond, memory: 40_000_000},
			},
		}},
		start: map[variant]time.Duration{subject: 21 * time.Millisecond, empty: 20 * time.Millisecond},
		sizes: map[variant]int64{subject: 19_206_306, empty: 17_846_434},

		clientBenchmarks: "BenchmarkRead 1\n",
	}
	markdown := r.markdown()
	for _, want := range []string{
		"A Processor, 2 cores", "5 runs",
		"| plan    | 1,000 |   50 ms |          10 | 2.31 s | 2.20 s |  1.05 | 6.60 s, 3.00, 1,000 GET |",
		"|    1 GET |  none | 1 (2 in all) | 44.0 MB | 40.0 MB |  1.10 |",
		"| start           |    21 ms |   20 ms |  1.05 |",
		"| stripped binary |  19.2 MB | 17.8 MB |  1.08 |",
		"```text\nBenchmarkRead 1\n```\n",
	} {
		if !strings.Contains(markdown, want) {
			t.Errorf("%q is missing in\n%s", want, markdown)
		}
	}
}

func TestNotMeasured(t *testing.T) {
	var r row
	if got := r.unshared() + megabytes(0) + ratio[int64](0, 1) + ratio[int64](1, 0); got != strings.Repeat(notMeasured, 4) {
		t.Errorf("got %q", got)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1_000: "1,000", 12_345: "12,345", 1_234_567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
