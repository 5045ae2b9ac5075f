// Package benchmark measures plans and applies through a real Terraform or OpenTofu, against the emulator.
package benchmark

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli/terraformclitest"
)

const latency = 50 * time.Millisecond

// BenchmarkPlan plans agent pools without changes. With reads=list the provider shares one list among all agent pools,
// as it does for users. With reads=get it sends a request for each agent pool.
func BenchmarkPlan(b *testing.B) {
	for _, pools := range []int{100, 1_000} {
		w := newWorkspace(b, pools)
		w.run(b, "apply", "-auto-approve")
		for _, reads := range []string{"list", "get"} {
			b.Run(fmt.Sprintf("pools=%d/reads=%s", pools, reads), func(b *testing.B) {
				w := w
				w.env = append(w.env, "BENCHMARK_READS="+reads)
				w.reset(b)
				for b.Loop() {
					w.run(b, "plan", "-detailed-exitcode")
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
				w.run(b, "apply", "-auto-approve")
			}
			w.report(b, 1)
		})
	}
}

// workspace is a directory in which the CLI runs the provider of the benchmarks.
type workspace struct {
	server         *emulator.Server
	cli, directory string
	env            []string
}

func newWorkspace(b *testing.B, pools int) workspace {
	b.Helper()
	w := workspace{cli: terraformclitest.UnderTest(b), directory: b.TempDir()}
	const token = "pul-benchmark"
	var err error
	w.server, err = emulator.New(emulator.Options{AccessToken: token, Latency: latency, SkipResponseValidation: true})
	if err != nil {
		b.Fatal(err)
	}
	listener := httptest.NewServer(w.server)
	b.Cleanup(listener.Close)
	w.env = []string{
		"HOME=" + w.directory, "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE=" + filepath.Join(w.directory, "cli.tfrc"),
		"PULUMI_HOME=" + w.directory, "PULUMI_BACKEND_URL=" + listener.URL, "PULUMI_ACCESS_TOKEN=" + token,
	}
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w",
		"-o", filepath.Join(w.directory, "terraform-provider-pulumicloud"), "./provider")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		b.Fatalf("building the provider: %v\n%s", err, output)
	}
	for name, content := range map[string]string{
		"cli.tfrc": fmt.Sprintf(`provider_installation { dev_overrides { "pulumicloud/pulumicloud" = %q } }`, w.directory),
		"main.tf": fmt.Sprintf(`
terraform {
  required_providers {
    pulumicloud = { source = "pulumicloud/pulumicloud" }
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
`, pools),
	} {
		if err := os.WriteFile(filepath.Join(w.directory, name), []byte(content), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return w
}

func (w workspace) run(b *testing.B, args ...string) {
	b.Helper()
	command := exec.CommandContext(b.Context(), w.cli, args...)
	command.Dir, command.Env = w.directory, w.env
	if output, err := command.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", args[0], err, output)
	}
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
	files, _ := filepath.Glob(filepath.Join(w.directory, "*.status"))
	return files
}
