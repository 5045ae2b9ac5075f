//go:build unix

package provider_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli/terraformclitest"
)

// TestRemoteState has two pipelines apply one configuration at the same time, with their state in PostgreSQL. Whichever
// gets the lock is held up in its first creations until the other has met the lock.
func TestRemoteState(t *testing.T) {
	t.Parallel()
	terraformclitest.UnderTest(t) // Without a CLI the server has nothing to do.
	// The backend locks the database for as long as a first apply takes, whatever its schema.
	const waits, turnedAway, planned, cancelled = "waits", "turned_away", "planned", "cancelled"
	server := startPostgreSQL(t, waits, turnedAway, planned, cancelled)

	t.Run("one waits for the other", func(t *testing.T) {
		t.Parallel()
		r := newStateRace(t, server.url(waits))
		winner, loser := r.start(t, apply, "-lock-timeout=5m")
		loser.await(t, loser.waitsForLock)
		r.proceed()
		winner.succeeded(t, "5 added")
		loser.succeeded(t, "0 added, 0 changed, 0 destroyed")
		r.expectNothingLost(t)
	})

	t.Run("one is turned away", func(t *testing.T) {
		t.Parallel()
		r := newStateRace(t, server.url(turnedAway))
		winner, loser := r.start(t, apply)
		loser.failed(t, "Error acquiring the state lock")
		r.proceed()
		winner.succeeded(t, "5 added")
		if output := r.pipelines[0].mustRun(t, apply...); !strings.Contains(output, "0 added, 0 changed, 0 destroyed") {
			t.Errorf("the pipeline that comes later does not find all done:\n%s", output)
		}
		r.expectNothingLost(t)
	})

	t.Run("both made their plans before", func(t *testing.T) {
		t.Parallel()
		r := newStateRace(t, server.url(planned))
		for _, pipeline := range r.pipelines {
			pipeline.mustRun(t, "plan", "-input=false", "-out=changes.tfplan")
		}
		winner, loser := r.start(t, []string{"apply", "-input=false", "-lock-timeout=5m", "changes.tfplan"})
		loser.await(t, loser.waitsForLock)
		r.proceed()
		winner.succeeded(t, "5 added")
		loser.failed(t, "Saved plan is stale")
		r.expectNothingLost(t)
	})

	// The pools are there, but the answers with their tokens never come: what the one marks as tainted the other replaces.
	t.Run("one is cancelled", func(t *testing.T) {
		t.Parallel()
		r := newStateRace(t, server.url(cancelled))
		winner, loser := r.start(t, apply, "-lock-timeout=5m")
		loser.await(t, loser.waitsForLock)
		winner.await(t, r.carriedOut)
		if err := winner.command.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		winner.failed(t, "its token was lost")
		r.proceed()
		loser.succeeded(t, "5 added, 0 changed, 5 destroyed")
		r.expectNothingLost(t)
	})
}

const racePools = 5

var apply = []string{"apply", "-auto-approve", "-input=false"}

// stateRace is an organization for the pools of two pipelines, which keep their state in the same database.
type stateRace struct {
	pulumi    pulumiCloud
	pipelines [2]workspace
	// carriedOut is closed when there is a pool for each creation of a pipeline, and proceed lets the answers go out.
	carriedOut chan struct{}
	proceed    func()
}

func newStateRace(t *testing.T, database string) stateRace {
	t.Helper()
	r := stateRace{pulumi: startPulumiCloud(t, emulator.Options{}), carriedOut: make(chan struct{})}
	var creations atomic.Int64
	proceeding := make(chan struct{})
	r.proceed = sync.OnceFunc(func() { close(proceeding) })
	t.Cleanup(r.proceed)
	r.pulumi.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Method != http.MethodPost {
				next.ServeHTTP(w, req)
				return
			}
			recorder := record(next, w, req)
			if creations.Add(1) == racePools {
				close(r.carriedOut)
			}
			select {
			case <-proceeding:
			case <-req.Context().Done():
			}
			passOn(w, recorder)
		})
	})
	config := r.pulumi.config(`organization = "acme"`, fmt.Sprintf(`
terraform {
  backend "pg" {
    conn_str = %q
  }
}

resource "pulumicloud_agent_pool" "team" {
  count = %d
  name  = "team-${count.index}"
}
`, database, racePools))
	for i := range r.pipelines {
		r.pipelines[i] = newWorkspace(t, config)
		r.pipelines[i].mustRun(t, "init", "-input=false")
	}
	return r
}

// start runs both pipelines, and returns that first which has the lock and waits for its pools.
func (r stateRace) start(t *testing.T, command []string, options ...string) (winner, loser *process) {
	t.Helper()
	command = slices.Concat(command[:1], options, command[1:])
	first, second := startProcess(t, r.pipelines[0], command...), startProcess(t, r.pipelines[1], command...)
	select {
	case <-first.creates:
		return first, second
	case <-second.creates:
		return second, first
	case <-bothEnd(first, second):
	}
	t.Fatalf("no pipeline creates pools:\n%s\n%s", &first.output, &second.output)
	return nil, nil
}

// expectNothingLost expects the state to hold all pools that there are, each with its token.
func (r stateRace) expectNothingLost(t *testing.T) {
	t.Helper()
	var state struct {
		Resources []struct {
			Instances []struct {
				Status     string
				Attributes struct{ ID, Name, Token string }
			}
		}
	}
	if err := json.Unmarshal([]byte(r.pipelines[0].mustRun(t, "state", "pull")), &state); err != nil {
		t.Fatal(err)
	}
	inState, inCloud := map[string]string{}, map[string]string{}
	for _, resource := range state.Resources {
		for _, instance := range resource.Instances {
			pool := instance.Attributes
			inState[pool.ID] = pool.Name
			if instance.Status != "" || !r.pulumi.TokenMatches("acme", pool.ID, pool.Token) {
				t.Errorf("%s is in the state as %q or with another token", pool.Name, instance.Status)
			}
		}
	}
	for _, pool := range r.pulumi.AgentPools("acme") {
		inCloud[pool.ID] = pool.Name
	}
	if diff := cmp.Diff(inCloud, inState); diff != "" || len(inCloud) != racePools {
		t.Errorf("there are %d pools, want %d; they differ from the state:\n%s", len(inCloud), racePools, diff)
	}
}
