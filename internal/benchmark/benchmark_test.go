// Package benchmark measures plans and applies through a real Terraform or OpenTofu, against the emulator.
package benchmark

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const latency = 50 * time.Millisecond

// BenchmarkPlan plans agent pools without changes. With reads=list the provider shares one list among all agent pools,
// as it does for users. With reads=get the list is unusable, so that the provider sends a request for each agent pool.
func BenchmarkPlan(b *testing.B) {
	for _, pools := range []int{100, 1_000} {
		w := newWorkspace(b, pools)
		w.MustRun(b, "apply", "-auto-approve")
		for _, reads := range []string{"list", "get"} {
			b.Run(fmt.Sprintf("pools=%d/reads=%s", pools, reads), func(b *testing.B) {
				w.listUnusable.Store(reads == "get")
				w.reset(b)
				for b.Loop() {
					w.MustRun(b, "plan", "-detailed-exitcode")
				}
				w.report(b, b.N)
			})
		}
	}
}

// BenchmarkApply creates agent pools.
func BenchmarkApply(b *testing.B) {
	for _, pools := range []int{100, 1_000} {
		b.Run(fmt.Sprintf("pools=%d", pools), func(b *testing.B) {
			var w workspace
			for b.Loop() {
				b.StopTimer()
				w = newWorkspace(b, pools)
				b.StartTimer()
				w.MustRun(b, "apply", "-auto-approve")
			}
			w.report(b, 1)
		})
	}
}

// workspace is a workspace in which the CLI runs the provider of the benchmarks.
type workspace struct {
	*acctest.Workspace

	server       *emulator.Server
	listUnusable *atomic.Bool
}

func newWorkspace(b *testing.B, pools int) workspace {
	b.Helper()
	const token = "pul-benchmark"
	server, err := emulator.New(emulator.Options{AccessToken: token, Latency: latency, SkipResponseValidation: true})
	if err != nil {
		b.Fatal(err)
	}
	var listUnusable atomic.Bool
	server.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if listUnusable.Load() && strings.HasSuffix(r.URL.Path, "/agent-pools") {
				return // 200 without a body
			}
			next.ServeHTTP(w, r)
		})
	})
	listener := httptest.NewServer(server)
	b.Cleanup(listener.Close)
	w := workspace{
		acctest.NewTestWorkspace(b, "PULUMI_BACKEND_URL="+listener.URL, "PULUMI_ACCESS_TOKEN="+token), server, &listUnusable,
	}
	b.Setenv("CGO_ENABLED", "0")
	binary, err := acctest.Build(b.Context(), w.Root, "internal/benchmark/provider", "-trimpath", "-ldflags=-s -w")
	err = errors.Join(err,
		os.Rename(binary, filepath.Join(w.Root, "terraform-provider-pulumicloud")),
		// An override saves the CLI the checksum of the provider in each run.
		os.WriteFile(filepath.Join(w.Root, "cli.tfrc"), fmt.Appendf(nil,
			"provider_installation {\n  dev_overrides {\n    %q = %q\n  }\n}\n", acctest.Source, w.Root), 0o600),
		w.Write("main.tf", fmt.Sprintf(`
terraform {
  required_providers {
    pulumicloud = { source = %q }
  }
}

provider "pulumicloud" {
  organization = "acme"
}

resource "pulumicloud_agent_pool" "team" {
  count       = %d
  name        = "team-${count.index}"
  description = "Runners of team ${count.index}"
}
`, acctest.Source, pools)),
	)
	if err != nil {
		b.Fatal(err)
	}
	return w
}

// reset discards the figures of earlier commands.
func (w workspace) reset(b *testing.B) {
	b.Helper()
	w.server.ResetRequests()
	for _, file := range w.statusFiles() {
		if err := os.Remove(file); err != nil {
			b.Fatal(err)
		}
	}
}

// report reports the figures of the commands since the last reset. MB is the peak of the provider's resident memory.
func (w workspace) report(b *testing.B, commands int) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/op")
	b.ReportMetric(float64(len(w.server.Requests()))/float64(commands), "requests/op")
	var peak float64
	for _, file := range w.statusFiles() {
		status, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		var kibibytes float64
		_, line, _ := strings.Cut(string(status), "VmHWM:")
		if _, err := fmt.Sscan(line, &kibibytes); err != nil {
			b.Fatal(err)
		}
		peak = max(peak, kibibytes*1024/1e6)
	}
	b.ReportMetric(peak, "MB")
}

// statusFiles returns the names of the files that provider processes have written. Only on Linux are there any.
func (w workspace) statusFiles() []string {
	files, _ := filepath.Glob(filepath.Join(w.Dir, "*.status"))
	return files
}
