package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli"
)

type bench struct {
	workspace workspace
	cliPath   string
	runs      int
	logger    hclog.Logger
}

// figures are what one run took, or the median of several.
type figures struct {
	time time.Duration
	traffic
	// memory is the peak of the provider's processes, in bytes; 0 where it can't be measured.
	memory int64
}

// row is what one command of a scenario took.
type row struct {
	scenario
	command command
	figures map[variant]figures
}

// measure measures the scenarios one after another. It returns the rows that it has even if it fails.
func (b bench) measure(ctx context.Context, scenarios []scenario) ([]row, error) {
	// The first run of each program reads it from disk.
	warmUp := scenario{
		pools: 1, parallelism: 1, commands: []command{apply, destroy}, variants: []variant{subject, unshared, reference},
	}
	if _, err := b.measureScenario(ctx, warmUp, 1); err != nil {
		return nil, err
	}
	var rows []row
	for i, s := range scenarios {
		b.logger.Info("measuring", "scenario", fmt.Sprintf("%d/%d", i+1, len(scenarios)), "commands", s.commands, "pools", s.pools,
			"latency", s.latency, "parallelism", s.parallelism)
		measured, err := b.measureScenario(ctx, s, b.runs)
		if err != nil {
			return rows, err
		}
		rows = append(rows, measured...)
	}
	return rows, nil
}

func (b bench) measureScenario(ctx context.Context, s scenario, runs int) (rows []row, err error) {
	a, err := newAPI(ctx, b.logger)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	if slices.Contains(s.commands, plan) {
		err = b.seed(ctx, a, s)
	} else {
		err = b.workspace.setPools(s.pools, s.variants)
	}
	if err != nil {
		return nil, err
	}
	a.latency.Store(int64(s.latency))

	samples := make(map[command]map[variant][]figures)
	for range runs {
		for _, v := range s.variants {
			for _, c := range s.commands {
				sample, err := b.runOnce(ctx, a, s, c, v)
				if err != nil {
					return nil, err
				}
				b.logger.Debug("measured", "command", c, "variant", v, "time", sample.time, "requests", sample.requests,
					"connections", sample.connections, "memory", sample.memory)
				if samples[c] == nil {
					samples[c] = make(map[variant][]figures)
				}
				samples[c][v] = append(samples[c][v], sample)
			}
		}
	}
	for _, c := range s.commands {
		r := row{scenario: s, command: c, figures: make(map[variant]figures)}
		for v, samples := range samples[c] {
			r.figures[v] = summarize(samples)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// runOnce runs a command, and fails if it did not do what it should.
func (b bench) runOnce(ctx context.Context, a *api, s scenario, c command, v variant) (figures, error) {
	terraform, err := tfexec.NewTerraform(b.workspace.configurationDir(v), b.cliPath)
	if err != nil {
		return figures{}, err
	}
	environment := terraformcli.Environment(map[string]string{
		"CHECKPOINT_DISABLE":  "1",
		"TF_CLI_CONFIG_FILE":  b.workspace.cliConfigFile(v),
		"PULUMI_HOME":         filepath.Join(b.workspace.root, "pulumi"),
		"PULUMI_BACKEND_URL":  a.url,
		"PULUMI_ACCESS_TOKEN": a.accessToken,
	})
	if err := terraform.SetEnv(environment); err != nil {
		return figures{}, err
	}
	var output bytes.Buffer
	terraform.SetStdout(&output)
	terraform.SetStderr(&output)
	parallelism := tfexec.Parallelism(s.parallelism)
	wanted := s.pools

	a.reset()
	stop := watchMemory(b.workspace.binary(v))
	started := time.Now()
	switch c {
	case plan:
		var changed bool
		if changed, err = terraform.Plan(ctx, parallelism); changed {
			err = errors.New("the plan is not empty")
		}
	case apply:
		err = terraform.Apply(ctx, parallelism)
	case destroy:
		err = terraform.Destroy(ctx, parallelism)
		wanted = 0
	}
	f := figures{time: time.Since(started), traffic: a.seen(), memory: stop()}

	if ctx.Err() != nil {
		return figures{}, context.Cause(ctx)
	}
	if n := len(a.cloud.AgentPools(organization)); err == nil && n != wanted {
		err = fmt.Errorf("there are %d agent pools, not %d", n, wanted)
	}
	if err != nil {
		return figures{}, fmt.Errorf("%s %s of %d agent pools: %w\n%s", v, c, s.pools, err, output.String())
	}
	return f, nil
}

// summarize returns the medians of time and memory, and the run with the most requests and connections, since there
// one run that differs counts.
func summarize(samples []figures) figures {
	var times []time.Duration
	var memory []int64
	f := figures{traffic: traffic{requests: make(map[string]int)}}
	for _, sample := range samples {
		times = append(times, sample.time)
		memory = append(memory, sample.memory)
		for method, n := range sample.requests {
			f.requests[method] = max(f.requests[method], n)
		}
		f.connections = max(f.connections, sample.connections)
		f.atOnce = max(f.atOnce, sample.atOnce)
	}
	f.time, f.memory = median(times), median(memory)
	return f
}

// median returns the mean of the two in the middle where the number of values is even, and 0 of none.
func median[T ~int64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
