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

func TestActiveDeployments(t *testing.T) {
	t.Parallel()
	unsafe := strings.NewReplacer("web", poolToken, "prod", `a\n\u001b[2Jb`)
	s := newServer(t, respondDeployments(10,
		unsafe.Replace(deploymentJSON(10, "running", poolID)), deploymentJSON(1, "accepted", poolID),
		deploymentJSON(2, "running", strings.ToUpper(poolID)), deploymentJSON(3, "running", otherPoolID),
		deploymentJSON(4, "not-started", poolID), deploymentJSON(5, "succeeded", poolID), deploymentJSON(6, "failed", poolID),
		deploymentJSON(7, "skipped", poolID), deploymentJSON(8, "running", ""), noPool))
	got, err := newClient(t, s).ActiveDeployments(t.Context(), "acme", poolID)
	want := []Deployment{
		{Project: "(redacted)", Stack: "a �[2Jb", Status: "running"},
		{Project: "web", Stack: "prod", Status: "accepted"},
		{Project: "web", Stack: "prod", Status: "running"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("got %v, (-want +got):\n%s", err, diff)
	}
	if len(s.recorded()) != 1 {
		t.Errorf("got %d requests, want 1", len(s.recorded()))
	}
}

func TestActiveDeployments_pages(t *testing.T) {
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
		active, err := newClient(t, s).ActiveDeployments(t.Context(), "acme", poolID)
		found := total > 0 && total <= maxDeploymentPages*deploymentsPerPage
		if err != nil || (len(active) == 1) != found {
			t.Errorf("%d deployments: got %v, %v", total, active, err)
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
	active, err := newClient(t, s).ActiveDeployments(t.Context(), "acme", poolID)
	if err != nil || len(active) > 0 || len(s.recorded()) != 2 {
		t.Errorf("got %v, %v after %d requests, want none after 2", active, err, len(s.recorded()))
	}
}

func TestActiveDeployments_failures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    string // kind of error
	}{
		"403":            {refuse(403), "APIError"},
		"404":            {refuse(404), "OrganizationNotFoundError"},
		"404 from proxy": {respondHTML(404), "APIError"},
		"dropped":        {drop, "TransportError"},
		"HTML":           {respondHTML(200), "ResponseError"},
		"other JSON":     {respond(200, `{}`), "ResponseError"},
		"mistyped":       {respond(200, `{"deployments":{}}`), "ResponseError"},
		"second page":    {sequence(respondDeployments(200, noPool), refuse(403)), "APIError"},
	} {
		c := newClient(t, newServer(t, test.handler), func(config *Config) { config.MaxRetries = 0 })
		if active, err := c.ActiveDeployments(t.Context(), "acme", poolID); kind(err) != test.want || active != nil {
			t.Errorf("%s: got %v, %v, want a %s", name, active, err, test.want)
		}
	}
}

func TestPoll(t *testing.T) {
	t.Parallel()
	failure := errors.New("failed")
	for name, test := range map[string]struct {
		doneAt, failAt int // number of the read, 0 for never
		timeout        time.Duration
		slept          []time.Duration
	}{
		"done":           {1, 0, time.Hour, nil},
		"done later":     {3, 0, time.Hour, []time.Duration{5e9, 5e9}},
		"at the timeout": {3, 0, 7 * time.Second, []time.Duration{5e9, 2e9}},
		"never":          {0, 0, 12 * time.Second, []time.Duration{5e9, 5e9, 2e9}},
		"no time":        {0, 0, 0, nil},
		"fails":          {0, 2, time.Hour, []time.Duration{5e9}},
	} {
		virtual := newClock()
		reads := 0
		err := newClient(t, nil, withClock(virtual)).Poll(t.Context(), test.timeout, func() (bool, error) {
			reads++
			if reads == test.failAt {
				return false, failure
			}
			return reads == test.doneAt, nil
		})
		if errors.Is(err, failure) != (test.failAt > 0) || !slices.Equal(virtual.slept, test.slept) || reads != len(test.slept)+1 {
			t.Errorf("%s: got %v after %d reads and the waits %v", name, err, reads, virtual.slept)
		}
	}
}

func TestPoll_canceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	reads := 0
	err := newClient(t, nil).Poll(ctx, time.Hour, func() (bool, error) { reads++; cancel(); return false, nil })
	if !errors.Is(err, context.Canceled) || reads != 1 {
		t.Errorf("got %v after %d reads", err, reads)
	}
}
