//go:build unix

package chaos_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// TestAccInterruptedApply_signals ends applies while creates wait for their response. SIGINT reaches the CLI alone, which
// then stops the provider, the others reach both. OPERATIONS selects the number of applies.
func TestAccInterruptedApply_signals(t *testing.T) {
	t.Parallel()
	rounds := max(1, number(t, "OPERATIONS", 0)/2000)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			lost, imported := 0, 0
			for range rounds {
				a := startApply(t)
				process := a.apply.Process.Pid
				if signal != syscall.SIGINT {
					process = -process // the whole group
				}
				if err := syscall.Kill(process, signal); err != nil {
					t.Fatal(err)
				}
				<-a.ended
				want := map[string]int{"with token": 5}
				if signal == syscall.SIGKILL {
					// The CLI may not have saved the creates that had a response.
					n := a.importPools(t)
					imported += n
					want = map[string]int{"without token": n}
					if n < 5 {
						want["with token"] = 5 - n
					}
				} else {
					lost += a.countLost(t, map[string]int{"with token": 2, "tainted": 3})
					if _, err := a.run(t, "apply", "-auto-approve"); err != nil {
						t.Fatal(err)
					}
				}
				lost += a.countLost(t, want)
				if _, err := a.run(t, "plan", "-detailed-exitcode"); err != nil {
					t.Errorf("the plan is not empty: %v", err)
				}
				a.expectNoSecrets(t)
			}
			t.Logf("%d applies ended by %s: %d pools lost, %d to import", rounds, signal, lost, imported)
		})
	}
}

// interruptedApply is an apply whose last requests get no response.
type interruptedApply struct {
	*acctest.Workspace

	pulumi  *pulumiCloud
	secrets secrets
	log     string
	printed bytes.Buffer
	apply   *exec.Cmd
	ended   chan struct{}
}

// importPools applies an hour later, and imports the pools that the errors name. It returns their number.
func (a *interruptedApply) importPools(t *testing.T) (imported int) {
	t.Helper()
	a.pulumi.skew.Store(int64(time.Hour))
	output, err := a.run(t, "apply", "-auto-approve", "-json")
	if err == nil {
		t.Error("apply does not report that the pools exist")
	}
	for line := range strings.Lines(output) {
		var message struct {
			Diagnostic struct{ Address, Detail string }
		}
		if json.Unmarshal([]byte(line), &message) != nil {
			continue
		}
		if match := importCommand.FindStringSubmatch(message.Diagnostic.Detail); match != nil {
			if _, err := a.run(t, "import", message.Diagnostic.Address, match[1]); err != nil {
				t.Fatal(err)
			}
			imported++
		}
	}
	return imported
}

// startApply starts to create five pools, of which Pulumi Cloud creates all but confirms only the first two. It returns
// when Terraform has processed these responses and waits for the others.
func startApply(t *testing.T) *interruptedApply {
	t.Helper()
	dir := t.TempDir()
	a := &interruptedApply{log: filepath.Join(dir, "terraform.log"), ended: make(chan struct{})}
	a.secrets.add(accessToken)
	const pools, confirmed = 5, 2
	// When as many requests are held as Terraform sends at a time, it has processed the responses to the others.
	held, parallelism := make(chan struct{}, pools), pools-confirmed
	var arrivals atomic.Int64
	a.pulumi = startPulumiCloud(t, emulator.Options{NoRequestLog: true}, false, func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			arrival := 0
			if r.Method == http.MethodPost {
				arrival = int(arrivals.Add(1))
			}
			if arrival <= confirmed || arrival > pools {
				api.ServeHTTP(w, r)
				return
			}
			body, _ := io.ReadAll(r.Body) // net/http notices that a client is gone only after this.
			r.Body = io.NopCloser(bytes.NewReader(body))
			serveUnseen(api, r)
			held <- struct{}{}
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
	})
	a.pulumi.Use(a.secrets.addTokens)
	a.Workspace = acctest.NewTestWorkspace(t, "PULUMI_ACCESS_TOKEN="+accessToken, "PULUMI_BACKEND_URL="+a.pulumi.http.URL,
		"PULUMI_DEFAULT_ORGANIZATION="+organization, "TF_LOG=TRACE", "TF_LOG_PATH="+a.log)
	binary, err := acctest.Build(t.Context(), dir, ".")
	err = errors.Join(err, a.InstallProvider("0.1.0", binary),
		a.Write("main.tf", fmt.Sprintf(`
terraform {
  required_providers {
    pulumicloud = { source = %q }
  }
}

resource "pulumicloud_agent_pool" "test" {
  count = %d
  name  = "pool-${count.index}"
}
`, acctest.Source, pools)),
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.run(t, "init"); err != nil {
		t.Fatal(err)
	}

	// net/http logs a second response, whose token must not get into the provider's log.
	if err := a.pulumi.SetFaults(emulator.Faults{"repeat-response-after": 1}); err != nil {
		t.Fatal(err)
	}
	a.apply = a.Command(t.Context(), "apply", "-auto-approve", fmt.Sprintf("-parallelism=%d", parallelism))
	a.apply.Stdout, a.apply.Stderr = &a.printed, &a.printed
	if err := a.apply.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(a.ended)
		_ = a.apply.Wait() // The tests look at the state instead.
	}()
	for range parallelism {
		select {
		case <-held:
		case <-a.ended:
			t.Fatalf("apply ended early:\n%s", &a.printed)
		}
	}
	if err := a.pulumi.SetFaults(nil); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *interruptedApply) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	output, err := a.Run(t.Context(), args...)
	a.printed.WriteString(output)
	return output, err
}

// countLost compares the pools in the state with those that are expected, and returns how many exist apart from them.
func (a *interruptedApply) countLost(t *testing.T, want map[string]int) int {
	t.Helper()
	state, err := a.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, existing := make(map[string]int), a.pulumi.pools()
	for _, resource := range state.RootModule.Resources {
		id, _ := resource.AttributeValues["id"].(string)
		token, _ := resource.AttributeValues["token"].(string)
		switch {
		case resource.Tainted:
			got["tainted"]++
		case token == "":
			got["without token"]++
		case a.pulumi.TokenMatches(organization, id, token):
			got["with token"]++
		}
		delete(existing, id)
	}
	if !maps.Equal(got, want) || len(existing) > 0 {
		t.Errorf("the state has pools %v, want %v, and %d are not in the state\n%s", got, want, len(existing), &a.printed)
	}
	return len(existing)
}

// expectNoSecrets searches the log and everything that the CLI printed.
func (a *interruptedApply) expectNoSecrets(t *testing.T) {
	t.Helper()
	log, err := os.ReadFile(a.log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log) + a.printed.String()) {
		if a.secrets.in(line) {
			t.Errorf("a secret was printed or logged: %s", line)
		}
	}
}
