package chaos_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// TestRotation_deployments rotates a pool while stacks deploy all the time, without downtime and in place, and counts
// what that costs. SEED and OPERATIONS select the run as in [TestCampaign].
func TestRotation_deployments(t *testing.T) {
	t.Parallel()
	seed, rotations := number(t, "SEED", defaultSeed), number(t, "OPERATIONS", defaultOperations)/100
	without := newRotation(t, seed).run(rotations, (*rotation).withoutDowntime)
	inPlace := newRotation(t, seed).run(rotations, (*rotation).inPlace)
	t.Logf("%d rotations\nwithout downtime: %+v\n        in place: %+v", rotations, without, inPlace)
	if without.lost+without.uncovered+without.left > 0 {
		t.Error("a rotation without downtime has a cost")
	}
	if inPlace.lost == 0 || inPlace.uncovered == 0 {
		t.Error("a rotation in place has no cost, so that the campaign notices nothing")
	}
}

// rotationCost is what a number of rotations costs. uncovered counts each second for each stack whose pool has no runner
// online, and left the pools that exist after a rotation apart from the new one.
type rotationCost struct{ deployments, lost, uncovered, left int }

// rotation is an organization with a pool that is rotated and stacks that deploy. A second passes with each request.
type rotation struct {
	tb     testing.TB
	random *rand.Rand
	pulumi *pulumiCloud
	pool   acctest.Object
	stacks []*deployingStack

	mu   sync.Mutex
	cost rotationCost
	// starting are the seconds until the runner of a pool is online.
	starting map[string]int
}

type deployingStack struct {
	assignment acctest.Object
	// pool is that of the deployment settings, and deploymentPool that of the deployment, which is empty if there is none.
	name, pool, deployment, deploymentPool string
	// remaining are the seconds that the deployment runs.
	remaining int
}

func newRotation(tb testing.TB, seed uint64) *rotation {
	tb.Helper()
	r := &rotation{tb: tb, random: rand.New(rand.NewPCG(seed, 0)), starting: make(map[string]int)}
	r.pulumi = startPulumiCloud(tb, emulator.Options{NoRequestLog: true}, false)
	r.pulumi.Use(func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			r.pass(1)
			api.ServeHTTP(w, req)
		})
	})
	for i := range 4 {
		stack := &deployingStack{name: strconv.Itoa(i)}
		r.stacks = append(r.stacks, stack)
		r.must(r.pulumi.CreateStack(organization, emulator.Stack{Project: "project", Name: stack.name}))
	}
	return r
}

func (r *rotation) must(err error) {
	if err != nil {
		r.tb.Error(err)
	}
}

func (r *rotation) run(rotations uint64, rotate func(*rotation, *acctest.Provider, tftypes.Value)) rotationCost {
	for version := range rotations + 1 {
		p := r.pulumi.newProvider(r.tb, func(config *pulumiapi.Config) {
			config.Now, config.Sleep = r.pulumi.now, func(ctx context.Context, wait time.Duration) error {
				r.pass(int(wait / time.Second))
				return ctx.Err()
			}
		})
		rotate(r, p, tftypes.NewValue(tftypes.Map{ElementType: tftypes.String}, map[string]tftypes.Value{
			"version": tftypes.NewValue(tftypes.String, fmt.Sprint(version)),
		}))
		r.cost.left += len(r.pulumi.pools()) - 1
		r.pass(120 + r.random.IntN(300))
		if version == 0 { // There was nothing to rotate.
			r.cost = rotationCost{}
		}
	}
	return r.cost
}

// withoutDowntime replaces the pool as Terraform does with create_before_destroy.
func (r *rotation) withoutDowntime(p *acctest.Provider, triggers tftypes.Value) {
	pools, readiness, old := p.Resource(poolType), p.Resource(poolType+"_readiness"), r.pool
	config := acctest.Values{"name_prefix": "pool-", "drain_timeout": "1h", "rotate_triggers": triggers}
	change, diagnostics := pools.Plan(r.tb.Context(), old, config)
	if old.Exists() && change.Action != acctest.Replace {
		r.tb.Fatalf("the plan has action %q: %s", change.Action, diagnostics)
	}
	r.pool = pools.MustApply(r.tb, pools.Absent(), config)
	r.startRunner()
	readiness.MustApply(r.tb, readiness.Absent(), acctest.Values{"agent_pool_id": r.pool.Text("id")})
	r.assign(p)
	if old.Exists() {
		pools.MustApply(r.tb, old, nil)
	}
}

// inPlace deletes the pool before the new one is created, which requires force_destroy.
func (r *rotation) inPlace(p *acctest.Provider, triggers tftypes.Value) {
	config := acctest.Values{"name": "pool", "force_destroy": true, "rotate_triggers": triggers}
	r.pool = p.Resource(poolType).MustApply(r.tb, r.pool, config)
	r.assign(p)
	r.startRunner()
}

// startRunner starts a runner that is online after a while.
func (r *rotation) startRunner() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starting[r.pool.Text("id")] = 5 + r.random.IntN(60)
}

func (r *rotation) assign(p *acctest.Provider) {
	for _, stack := range r.stacks {
		stack.assignment = p.Resource("pulumicloud_stack_agent_pool").MustApply(r.tb, stack.assignment, acctest.Values{
			"project": "project", "stack": stack.name, "agent_pool_id": r.pool.Text("id"),
		})
		stack.pool = r.pool.Text("id")
	}
}

// pass lets seconds pass, in which runners come online and stacks deploy.
func (r *rotation) pass(seconds int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range seconds {
		r.pulumi.skew.Add(int64(time.Second))
		for id := range r.starting {
			r.starting[id]--
			if r.starting[id] == 0 {
				r.must(r.pulumi.ConnectAgent(organization, id, emulator.Agent{Hostname: "runner"}))
				delete(r.starting, id)
			}
		}
		pools := r.pulumi.pools()
		for _, stack := range r.stacks {
			if pools[stack.pool].Status != emulator.StatusOnline {
				r.cost.uncovered++
			}
			r.deploy(stack, pools)
		}
	}
}

func (r *rotation) deploy(stack *deployingStack, pools map[string]emulator.AgentPool) {
	if stack.deployment == "" && r.random.IntN(10) == 0 {
		id, err := r.pulumi.StartDeployment(organization, "project", stack.name)
		r.must(err)
		r.cost.deployments++
		stack.deployment, stack.deploymentPool, stack.remaining = id, stack.pool, 10+r.random.IntN(110)
	}
	// Without its pool, a deployment has failed or is on a Pulumi-hosted runner.
	if pool, exists := pools[stack.deploymentPool]; stack.deployment == "" || exists && pool.Status != emulator.StatusOnline {
		return
	}
	status := emulator.DeploymentRunning
	stack.remaining--
	if stack.remaining == 0 {
		status = emulator.DeploymentSucceeded
	}
	err := r.pulumi.SetDeploymentStatus(organization, stack.deployment, status)
	if err != nil {
		r.cost.lost++
	}
	if err != nil || status == emulator.DeploymentSucceeded {
		stack.deployment = ""
	}
}

// TestStackAgentPool_requests assigns 200 stacks at parallelism 10 and counts the requests.
func TestStackAgentPool_requests(t *testing.T) {
	t.Parallel()
	pulumi, states := startPulumiCloud(t, emulator.Options{}, false), make([]acctest.Object, 200)
	for i := range states {
		if err := pulumi.CreateStack(organization, emulator.Stack{Project: "project", Name: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name, pool string
		apply      bool
		want       string
	}{
		{"plan of creates", "one", false, "1 lists, 0 reads, 0 writes"},
		{"apply of creates", "one", true, "1 lists, 0 reads, 200 writes"},
		{"plan without changes", "one", false, "1 lists, 200 reads, 0 writes"},
		{"plan of updates", "two", false, "1 lists, 200 reads, 0 writes"},
		{"apply of updates", "two", true, "1 lists, 0 reads, 200 writes"},
	} {
		pool, _, err := pulumi.CreateAgentPool(organization, step.pool+step.name, "")
		if err != nil {
			t.Fatal(err)
		}
		pulumi.ResetRequests()
		now := time.Now() // The list does not expire on a slow machine.
		p := pulumi.newProvider(t, func(config *pulumiapi.Config) { config.Now = func() time.Time { return now } })
		var visits sync.WaitGroup
		turns := make(chan struct{}, 10)
		for i := range states {
			turns <- struct{}{}
			visits.Go(func() {
				defer func() { <-turns }()
				resource := p.Resource("pulumicloud_stack_agent_pool")
				if states[i].Exists() && !step.apply {
					states[i] = resource.MustRead(t, states[i])
				}
				change, diagnostics := resource.Plan(t.Context(), states[i], acctest.Values{
					"project": "project", "stack": fmt.Sprint(i), "agent_pool_id": pool.ID,
				})
				if step.apply {
					states[i], diagnostics = resource.ApplyChange(t.Context(), change)
				}
				if diagnostics.HasError() {
					t.Error(diagnostics)
				}
			})
		}
		visits.Wait()
		lists, reads, writes := 0, 0, 0
		for _, request := range pulumi.Requests() {
			switch {
			case request.Method != http.MethodGet:
				writes++
			case strings.HasSuffix(request.Path, "/agent-pools"):
				lists++
			default:
				reads++
			}
		}
		if got := fmt.Sprintf("%d lists, %d reads, %d writes", lists, reads, writes); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
}
