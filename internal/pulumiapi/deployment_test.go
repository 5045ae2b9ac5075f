package pulumiapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const noPool = `{"id":"d9","status":"running","projectName":"web","stackName":"prod"}`

func deploymentJSON(id int, status, pool string) string {
	return fmt.Sprintf(`{"id":"d%d","status":%q,"projectName":"web","stackName":"prod","created":"mistyped",`+
		`"agentPool":{"id":%q,"name":"runners"}}`, id, status, pool)
}

// respondDeployments sends one page, with the number of all deployments.
func respondDeployments(total int, deployments ...string) http.HandlerFunc {
	return respond(200, fmt.Sprintf(`{"deployments":[%s],"itemsPerPage":100,"total":%d}`, strings.Join(deployments, ","), total))
}

var (
	busyPage = respondDeployments(2, deploymentJSON(2, "accepted", poolID), deploymentJSON(1, "running", poolID))
	idlePage = respondDeployments(1, deploymentJSON(1, "succeeded", poolID))
)

func TestDrainAgentPool_activeDeployments(t *testing.T) {
	t.Parallel()
	unsafe := strings.NewReplacer("d10", `\u001b[2J`, "web", poolToken, "prod", `a\nb`)
	s := newServer(t, respondDeployments(10,
		unsafe.Replace(deploymentJSON(10, "running", poolID)), deploymentJSON(1, "accepted", poolID),
		deploymentJSON(2, "running", strings.ToUpper(poolID)), deploymentJSON(3, "running", otherPoolID),
		deploymentJSON(4, "not-started", poolID), deploymentJSON(5, "succeeded", poolID), deploymentJSON(6, "failed", poolID),
		deploymentJSON(7, "skipped", poolID), deploymentJSON(8, "running", ""), noPool))
	err := expectError[*AgentPoolBusyError](t, newClient(t, s).DrainAgentPool(t.Context(), "acme", poolID, 0))
	want := &AgentPoolBusyError{Organization: "acme", ID: poolID, Deployments: []Deployment{
		{ID: "�[2J", Project: "(redacted)", Stack: "a b", Status: "running"},
		{ID: "d1", Project: "web", Stack: "prod", Status: "accepted"},
		{ID: "d2", Project: "web", Stack: "prod", Status: "running"},
	}}
	if diff := cmp.Diff(want, err); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(s.recorded()) != 1 {
		t.Errorf("got %d requests, want 1", len(s.recorded()))
	}
}

func TestDrainAgentPool_pages(t *testing.T) {
	t.Parallel()
	for total, wantPages := range map[int]int{0: 1, 1: 1, 100: 1, 101: 2, 250: 3, 1_000_000: maxDeploymentPages} {
		s := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			page, _ := strconv.Atoi(r.URL.Query().Get("page"))
			var deployments []string
			for i := (page - 1) * deploymentsPerPage; i < min(page*deploymentsPerPage, total); i++ {
				status := "succeeded"
				if i == total-1 {
					status = "running" // It is the oldest.
				}
				deployments = append(deployments, deploymentJSON(i, status, poolID))
			}
			respondDeployments(total, deployments...)(w, r)
		}))
		err := newClient(t, s).DrainAgentPool(t.Context(), "acme", poolID, 0)
		if wantBusy := total > 0 && total <= maxDeploymentPages*deploymentsPerPage; isA[*AgentPoolBusyError](err) != wantBusy {
			t.Errorf("%d deployments: got %v", total, err)
		}
		requests := s.recorded()
		if len(requests) != wantPages {
			t.Errorf("%d deployments: got %d requests, want %d", total, len(requests), wantPages)
		}
		for i, request := range requests {
			uri, _ := url.Parse(request.uri)
			want := url.Values{"asc": {"false"}, "page": {fmt.Sprint(i + 1)}, "pageSize": {"100"}}
			if uri.Path != "/api/orgs/acme/deployments" || !cmp.Equal(uri.Query(), want) {
				t.Errorf("got request %d for %s", i, request.uri)
			}
		}
	}
	// The number of deployments is wrong, or they disappear.
	s := newServer(t, sequence(respondDeployments(1000, deploymentJSON(1, "succeeded", poolID)), respondDeployments(1000)))
	if err := newClient(t, s).DrainAgentPool(t.Context(), "acme", poolID, 0); err != nil || len(s.recorded()) != 2 {
		t.Errorf("got %v after %d requests, want success after 2", err, len(s.recorded()))
	}
}

func TestDrainAgentPool_waits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		timeout time.Duration
		slept   []time.Duration // of pollInterval, 5 seconds, at most
		busy    bool
	}{
		"idle":           {idlePage, time.Hour, nil, false},
		"becomes idle":   {sequence(busyPage, busyPage, idlePage), time.Hour, []time.Duration{5e9, 5e9}, false},
		"at the timeout": {sequence(busyPage, busyPage, idlePage), 7 * time.Second, []time.Duration{5e9, 2e9}, false},
		"stays busy":     {busyPage, 12 * time.Second, []time.Duration{5e9, 5e9, 2e9}, true},
		"busy, no time":  {busyPage, 0, nil, true},
	} {
		virtual := newClock()
		s := newServer(t, test.handler)
		err := newClient(t, s, withClock(virtual)).DrainAgentPool(t.Context(), "acme", poolID, test.timeout)
		var busy *AgentPoolBusyError
		if errors.As(err, &busy) != test.busy || err != nil && !test.busy {
			t.Errorf("%s: got %v", name, err)
		}
		if !slices.Equal(virtual.slept, test.slept) || len(s.recorded()) != len(test.slept)+1 {
			t.Errorf("%s: got %d requests and the waits %v, want %v", name, len(s.recorded()), virtual.slept, test.slept)
		}
		if test.busy && (len(busy.Deployments) != 2 || busy.Timeout != test.timeout || busy.Deployments[0].ID != "d2" ||
			busy.Error() != fmt.Sprintf("agent pool %q is still executing 2 deployments after %s", poolID, test.timeout)) {
			t.Errorf("%s: got %+v", name, busy)
		}
	}
}

// respondRunners sends an agent pool with a runner for each status.
func respondRunners(statuses ...string) http.HandlerFunc {
	agents := make([]string, len(statuses))
	for i, status := range statuses {
		agents[i] = fmt.Sprintf(`{"hostname":"host-%d","status":%q}`, i, status)
	}
	return respond(200, fmt.Sprintf(`{"id":%q,"name":"runners","agents":[%s]}`, poolID, strings.Join(agents, ",")))
}

func TestAwaitRunners(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler  http.HandlerFunc
		required int
		timeout  time.Duration
		slept    []time.Duration
		ready    bool
	}{
		"ready":         {respondRunners("online", "offline", "online"), 2, 0, nil, true},
		"none required": {respondRunners(), 0, 0, nil, true},
		"become ready":  {sequence(respondRunners("offline"), respondRunners("online")), 1, time.Hour, []time.Duration{5e9}, true},
		"too few":       {respondRunners("online", "offline", "draining"), 2, 6 * time.Second, []time.Duration{5e9, 1e9}, false},
	} {
		virtual := newClock()
		s := newServer(t, handlers{"get": test.handler})
		err := newClient(t, s, withClock(virtual)).AwaitRunners(t.Context(), "acme", poolID, test.required, test.timeout)
		if (err == nil) != test.ready || !slices.Equal(virtual.slept, test.slept) {
			t.Errorf("%s: got %v and the waits %v", name, err, virtual.slept)
		}
		s.expectCounts(t, fmt.Sprint("get:", len(test.slept)+1))
		if test.ready {
			continue
		}
		got := expectError[*RunnersNotReadyError](t, err)
		want := fmt.Sprintf(`1 of 2 runners of agent pool %q online after 6s`, poolID)
		if got.Error() != want || len(got.Agents) != 3 || got.Agents[2].Hostname != "host-2" || got.Required != 2 ||
			len(got.Online()) != 1 || got.Online()[0].Hostname != "host-0" {
			t.Errorf("got %+v", got)
		}
	}
}

func TestPoll_failures(t *testing.T) {
	t.Parallel()
	drain := func(ctx context.Context, c *Client) error { return c.DrainAgentPool(ctx, "acme", poolID, time.Minute) }
	await := func(ctx context.Context, c *Client) error { return c.AwaitRunners(ctx, "acme", poolID, 1, time.Minute) }
	for name, test := range map[string]struct {
		call    func(context.Context, *Client) error
		handler http.HandlerFunc
		is      func(error) bool
	}{
		"drain, 403":              {drain, refuse(403), isA[*APIError]},
		"drain, 404":              {drain, refuse(404), isA[*OrganizationNotFoundError]},
		"drain, 404 from proxy":   {drain, respondHTML(404), isA[*APIError]},
		"drain, dropped":          {drain, drop, isA[*TransportError]},
		"drain, HTML":             {drain, respondHTML(200), isA[*ResponseError]},
		"drain, other JSON":       {drain, respond(200, `{}`), isA[*ResponseError]},
		"drain, mistyped":         {drain, respond(200, `{"deployments":{}}`), isA[*ResponseError]},
		"drain, second page":      {drain, sequence(respondDeployments(200, noPool), refuse(403)), isA[*APIError]},
		"drain, after a wait":     {drain, sequence(busyPage, refuse(403)), isA[*APIError]},
		"runners, 403":            {await, refuse(403), isA[*APIError]},
		"runners, 404":            {await, refuse(404), isA[*AgentPoolNotFoundError]},
		"runners, 404 from proxy": {await, respondHTML(404), isA[*APIError]},
		"runners, deleted":        {await, sequence(respondRunners(), refuse(404)), isA[*AgentPoolNotFoundError]},
	} {
		c := newClient(t, newServer(t, test.handler), func(config *Config) { config.MaxRetries = 0 })
		err := test.call(t.Context(), c)
		if !test.is(err) || isA[*AgentPoolBusyError](err) || isA[*RunnersNotReadyError](err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestPoll_canceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, busyPage)
	c := newClient(t, s, func(config *Config) {
		config.Sleep = func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }
	})
	err := c.DrainAgentPool(ctx, "acme", poolID, time.Hour)
	if !errors.Is(err, context.Canceled) || len(s.recorded()) != 1 {
		t.Errorf("got %v after %d requests", err, len(s.recorded()))
	}
}
