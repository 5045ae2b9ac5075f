package chaos_test

import (
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// configureClient shortens the waits of the client, and gives it the clock of the workspace.
func (w *workspace) configureClient(config *cloud.Config) {
	config.RetryWaitMin, config.RetryWaitMax = time.Millisecond, 4*time.Millisecond
	if !w.sharesLists {
		config.ListMaxAge = 0
	}
	config.Now = func() time.Time { return time.Now().Add(time.Duration(w.clock.Load())) }
}
