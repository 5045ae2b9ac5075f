//go:build unix

package chaos_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// TestAccInterruptedApply_sigint interrupts the CLI alone, as a pipeline does. The CLI then stops the provider.
func TestAccInterruptedApply_sigint(t *testing.T) {
	t.Parallel()
	a := startApply(t, 5, 2)
	if err := a.apply.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-a.ended
	a.expectPools(t, map[string]int{"with token": 2, "tainted": 3})
	a.MustRun(t, "apply", "-auto-approve")
	a.expectPools(t, map[string]int{"with token": 5})

	// net/http logs a response without a request, which must not reach the provider's log.
	if err := a.pulumi.SetFaults(emulator.Faults{"repeat-response-after": 1}); err != nil {
		t.Fatal(err)
	}
	a.pulumi.Use(func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Echo", accessToken)
			api.ServeHTTP(w, r)
		})
	})
	a.MustRun(t, "plan", "-detailed-exitcode")
	a.expectNoSecrets(t)
}

// TestAccInterruptedApply_sigkill ends the CLI and the provider at the same moment, as the end of a container does.
func TestAccInterruptedApply_sigkill(t *testing.T) {
	t.Parallel()
	a := startApply(t, 3, 0)
	if err := a.apply.Cancel(); err != nil {
		t.Fatal(err)
	}
	<-a.ended
	// The next apply runs later, so it does not take the pools for its own.
	a.pulumi.skew.Store(int64(time.Hour))
	output, err := a.Run(t.Context(), "apply", "-auto-approve", "-json")
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
			a.MustRun(t, "import", message.Diagnostic.Address, match[1])
		}
	}
	a.expectPools(t, map[string]int{"without token": 3})
	a.MustRun(t, "plan", "-detailed-exitcode")
	a.expectNoSecrets(t)
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

	pools, confirmed int64
	creations        atomic.Int64
	// held gets a value for each request that is held.
	held chan struct{}
}

// startApply starts to create pools, of which Pulumi Cloud creates all but confirms only the first few. It returns when
// Terraform has processed these responses and waits for the others.
func startApply(t *testing.T, pools, confirmed int64) *interruptedApply {
	t.Helper()
	dir := t.TempDir()
	a := &interruptedApply{
		log: filepath.Join(dir, "terraform.log"), ended: make(chan struct{}),
		pools: pools, confirmed: confirmed, held: make(chan struct{}, pools),
	}
	a.pulumi = startPulumiCloud(t, a.intercept, emulator.Options{})
	a.pulumi.Use(a.secrets.learnTokens)
	a.secrets.add(accessToken)
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
	a.MustRun(t, "init")

	// When as many requests are held as Terraform sends at a time, it has processed the responses to the others.
	parallelism := pools - confirmed
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
		case <-a.held:
		case <-a.ended:
			t.Fatalf("apply ended early:\n%s", &a.printed)
		}
	}
	return a
}

// intercept holds the first requests that create pools after their effect, apart from the confirmed ones.
func (a *interruptedApply) intercept(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			api.ServeHTTP(w, r)
			return
		}
		if n := a.creations.Add(1); n <= a.confirmed || n > a.pools {
			api.ServeHTTP(w, r)
			return
		}
		serveWithoutResponse(api, r)
		a.held <- struct{}{}
		hold(r)
	})
}

// expectPools counts the pools in the state, which must be those that exist.
func (a *interruptedApply) expectPools(t *testing.T, want map[string]int) {
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
		t.Errorf("the state has pools %v, want %v, and %d are not in the state", got, want, len(existing))
	}
}

// expectNoSecrets searches the log of the CLI and the provider.
func (a *interruptedApply) expectNoSecrets(t *testing.T) {
	t.Helper()
	log, err := os.ReadFile(a.log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if a.secrets.in(line) {
			t.Errorf("a secret was logged: %s", line)
		}
	}
}
