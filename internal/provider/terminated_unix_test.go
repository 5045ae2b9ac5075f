//go:build unix

package provider_test

import (
	"bufio"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// TestAccTerminated_createFinishes sends SIGTERM to the CLI and the provider at once in the middle of a create, as
// systemd and the shell runner of GitLab do.
func TestAccTerminated_createFinishes(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	w := newWorkspace(t, cloud.config("", `
resource "pulumicloud_agent_pool" "test" {
  name = "runners"
}`))
	group, interrupted := make(chan int, 1), make(chan struct{})
	cloud.intercept(http.MethodPost, func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		if err := syscall.Kill(-<-group, syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		// The provider has received the signal too. If it did not survive, the connection breaks.
		select {
		case <-interrupted:
		case <-r.Context().Done():
			t.Error("the provider ended before the response")
		}
		api.ServeHTTP(w, r)
	})
	apply := w.Command(t.Context(), "apply", "-auto-approve")
	stdout, err := apply.StdoutPipe()
	mustDo(t, err)
	mustDo(t, apply.Start())
	group <- apply.Process.Pid
	for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
		if strings.Contains(scanner.Text(), "nterrupt received") {
			close(interrupted)
		}
	}
	_ = apply.Wait() // Some CLIs report the interrupt as an error.
	cloud.expectTokens(t, w, 1)
}
