package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

const (
	onePool    = `{"agentPools":[{"id":"` + poolID + `","name":"runners","description":"old"}]}`
	renamed    = `{"agentPools":[{"id":"` + poolID + `","name":"renamed","description":"new"}]}`
	poolDetail = `{"id":"` + poolID + `","name":"runners","description":"from GET","created":1767225600}`
)

func expectPool(t *testing.T, client *cloud.Client, name string) {
	t.Helper()
	if got, err := client.ReadAgentPool(t.Context(), "acme", poolID); err != nil || got.ID != poolID || got.Name != name {
		t.Errorf("got %+v, %v, want the pool %q", got, err, name)
	}
}

func TestOneListServesAllReads(t *testing.T) {
	t.Parallel()
	server := newServer(t, byMethod(t, map[string]http.HandlerFunc{"GET": answer(http.StatusOK, onePool)}))
	client := newClient(t, server.URL)
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() { expectPool(t, client, "runners") })
	}
	group.Wait()
	for range 100 {
		expectPool(t, client, "runners")
	}
	if _, err := client.AgentPools(t.Context(), "acme"); err != nil {
		t.Error(err)
	}
	server.expectCounts(t, map[string]int{"GET": 1})
}

func TestListExpires(t *testing.T) {
	t.Parallel()
	server := newServer(t, inTurn(answer(http.StatusOK, onePool), answer(http.StatusOK, renamed)))
	clock := newClock()
	client := newClient(t, server.URL, func(c *cloud.Config) { c.Now = clock.Now })
	expectPool(t, client, "runners")
	clock.advance(cloud.DefaultListMaxAge - 1)
	expectPool(t, client, "runners")
	clock.advance(1)
	expectPool(t, client, "renamed")
	server.expectCounts(t, map[string]int{"GET": 2})
}

func TestWithoutSharingEachReadAsks(t *testing.T) {
	t.Parallel()
	server := newServer(t, byMethod(t, map[string]http.HandlerFunc{
		"GET": answer(http.StatusOK, onePool), "DETAIL": answer(http.StatusOK, poolDetail),
	}))
	client := newClient(t, server.URL, func(c *cloud.Config) { c.ListMaxAge = 0 })
	for range 2 {
		expectPool(t, client, "runners")
		if _, err := client.AgentPools(t.Context(), "acme"); err != nil {
			t.Error(err)
		}
	}
	if lists := server.count(http.MethodGet, "/api/orgs/acme/agent-pools"); lists != 2 || len(server.requests()) != 4 {
		t.Errorf("got %v, want 2 lists and 2 GETs of the pool", server.requests())
	}
}

func TestClientsAndOrganizationsShareNothing(t *testing.T) {
	t.Parallel()
	server := newServer(t, answer(http.StatusOK, onePool))
	first, second := newClient(t, server.URL), newClient(t, server.URL)
	expectPool(t, first, "runners")
	expectPool(t, second, "runners")
	if _, err := first.AgentPools(t.Context(), "other"); err != nil {
		t.Error(err)
	}
	server.expectCounts(t, map[string]int{"GET": 3})
}

// writes are the operations that make what was read before untrue, with the answer that each expects.
func writes() []operation {
	var writes []operation
	for _, operation := range operations() {
		if operation.method != http.MethodGet {
			writes = append(writes, operation)
		}
	}
	return writes
}

func TestReadAfterAWriteAsksAnew(t *testing.T) {
	t.Parallel()
	for _, write := range writes() {
		for name, handler := range map[string]http.HandlerFunc{"success": write.answer, "failure": refuse(http.StatusForbidden)} {
			t.Run(write.name+" "+name, func(t *testing.T) {
				t.Parallel()
				server := newServer(t, byMethod(t, map[string]http.HandlerFunc{
					"GET": inTurn(answer(http.StatusOK, onePool), answer(http.StatusOK, renamed)), write.method: handler,
				}))
				client := newClient(t, server.URL)
				expectPool(t, client, "runners")
				if err := write.call(t.Context(), client); (err == nil) != (name == "success") {
					t.Errorf("got %v, want %s", err, name)
				}
				expectPool(t, client, "renamed")
				expectPool(t, client, "renamed")
				server.expectCounts(t, map[string]int{"GET": 2, write.method: 1})
			})
		}
	}
}

func TestReadAfterAWriteDoesNotJoinAnOlderList(t *testing.T) {
	t.Parallel()
	for _, write := range writes() {
		t.Run(write.name, func(t *testing.T) {
			t.Parallel()
			arrived, release := make(chan struct{}), make(chan struct{})
			server := newServer(t, byMethod(t, map[string]http.HandlerFunc{
				"GET": inTurn(func(w http.ResponseWriter, r *http.Request) {
					close(arrived)
					<-release
					answer(http.StatusOK, onePool)(w, r)
				}, answer(http.StatusOK, renamed)),
				write.method: write.answer,
			}))
			client := newClient(t, server.URL)
			var group sync.WaitGroup
			group.Go(func() { expectPool(t, client, "runners") })
			<-arrived
			if err := write.call(t.Context(), client); err != nil {
				t.Error(err)
			}
			expectPool(t, client, "renamed")
			close(release)
			group.Wait()
			expectPool(t, client, "renamed") // The older list, which ended later, took nobody's place.
			server.expectCounts(t, map[string]int{"GET": 2, write.method: 1})
		})
	}
}

func TestListTakenDuringAWriteIsNotKept(t *testing.T) {
	t.Parallel()
	for _, write := range writes() {
		t.Run(write.name, func(t *testing.T) {
			t.Parallel()
			arrived, release := make(chan struct{}), make(chan struct{})
			server := newServer(t, byMethod(t, map[string]http.HandlerFunc{
				"GET": first(2, answer(http.StatusOK, onePool), answer(http.StatusOK, renamed)),
				write.method: func(w http.ResponseWriter, r *http.Request) {
					close(arrived)
					<-release
					write.answer(w, r)
				},
			}))
			client := newClient(t, server.URL)
			expectPool(t, client, "runners")
			result := make(chan error, 1)
			go func() { result <- write.call(t.Context(), client) }()
			<-arrived
			expectPool(t, client, "runners")
			close(release)
			if err := <-result; err != nil {
				t.Error(err)
			}
			expectPool(t, client, "renamed")
			server.expectCounts(t, map[string]int{"GET": 3, write.method: 1})
		})
	}
}

func TestPoolThatTheListLacks(t *testing.T) {
	t.Parallel()
	twice := `{"agentPools":[{"id":"` + poolID + `","name":"a"},{"id":"` + poolID + `","name":"b"}]}`
	for _, list := range []string{emptyList, twice} {
		for name, test := range map[string]struct {
			detail http.HandlerFunc
			gone   bool
		}{
			"there":        {answer(http.StatusOK, poolDetail), false},
			"gone":         {refuse(http.StatusNotFound), true},
			"plain text":   {answer(http.StatusNotFound, "404 page not found"), false},
			"HTML":         {answer(http.StatusNotFound, "<html>"), false},
			"other JSON":   {answer(http.StatusNotFound, `{"error":"not found"}`), false},
			"other code":   {answer(http.StatusNotFound, `{"code":400,"message":"Bad Request"}`), false},
			"forbidden":    {refuse(http.StatusForbidden), false},
			"failing":      {refuse(http.StatusInternalServerError), false},
			"dropped":      {drop, false},
			"an empty 200": {answer(http.StatusOK, ""), false},
			"410":          {refuse(http.StatusGone), false},
		} {
			t.Run(name+" "+list, func(t *testing.T) {
				t.Parallel()
				server := newServer(t, byMethod(t, map[string]http.HandlerFunc{
					"GET": answer(http.StatusOK, list), "DETAIL": test.detail,
				}))
				pool, err := newClient(t, server.URL).ReadAgentPool(t.Context(), "acme", poolID)
				if name == "there" {
					if err != nil || pool.Description != "from GET" {
						t.Errorf("got %+v, %v, want what GET says", pool, err)
					}
					return
				}
				var gone *cloud.AgentPoolNotFoundError
				if err == nil || errors.As(err, &gone) != test.gone {
					t.Errorf("got %v, gone: want %t", err, test.gone)
				}
			})
		}
	}
}

func TestFailedListLeavesTheReadsToGET(t *testing.T) {
	t.Parallel()
	for name, list := range map[string]http.HandlerFunc{
		"500": refuse(500), "403": refuse(403), "dropped": drop, "HTML": answer(http.StatusOK, "<html>"),
		"not as described": answer(http.StatusOK, `{"agentPools":[{"name":"no id"}]}`),
		"plain-text 404":   answer(http.StatusNotFound, "404 page not found"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, byMethod(t, map[string]http.HandlerFunc{"GET": list, "DETAIL": answer(http.StatusOK, poolDetail)}))
			client := newClient(t, server.URL, func(c *cloud.Config) { c.MaxRetries = 0 })
			for range 3 {
				expectPool(t, client, "runners")
			}
			if lists := server.count(http.MethodGet, "/api/orgs/acme/agent-pools"); lists != 1 || len(server.requests()) != 4 {
				t.Errorf("got %v, want 1 list and 3 GETs of the pool", server.requests())
			}
		})
	}
}

func TestHopelessListIsNotFollowedByGETs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		list http.HandlerFunc
		want any
	}{
		"401":             {refuse(http.StatusUnauthorized), new(*cloud.APIError)},
		"no organization": {refuse(http.StatusNotFound), new(*cloud.OrganizationNotFoundError)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, byMethod(t, map[string]http.HandlerFunc{"GET": test.list}))
			client := newClient(t, server.URL)
			for range 3 {
				_, err := client.ReadAgentPool(t.Context(), "acme", poolID)
				var gone *cloud.AgentPoolNotFoundError
				if !errors.As(err, test.want) || errors.As(err, &gone) {
					t.Errorf("got %v, want a %T", err, test.want)
				}
			}
			server.expectCounts(t, map[string]int{"GET": 1})
		})
	}
}

func TestCancelledReaderLeavesTheListToTheOthers(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-release:
		case <-r.Context().Done():
		}
		answer(http.StatusOK, onePool)(w, r)
	})
	client := newClient(t, server.URL)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := make(chan error, 1)
	go func() {
		_, err := client.ReadAgentPool(ctx, "acme", poolID)
		first <- err
	}()
	<-arrived
	// The second reader asks under a context that tells when it is waited on, which is after it joined.
	waiting := &noticingContext{Context: t.Context(), noticed: make(chan struct{})}
	second := make(chan error, 1)
	go func() {
		_, err := client.ReadAgentPool(waiting, "acme", poolID)
		second <- err
	}()
	<-waiting.noticed
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first reader got %v, want context.Canceled", err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Errorf("the second reader got %v", err)
	}
	server.expectCounts(t, map[string]int{"GET": 1})
}

// noticingContext tells when somebody starts to wait for its end.
type noticingContext struct {
	context.Context //nolint:containedctx // It is a context.
	once            sync.Once
	noticed         chan struct{}
}

func (c *noticingContext) Done() <-chan struct{} {
	c.once.Do(func() { close(c.noticed) })
	return c.Context.Done()
}

func TestListEndsWithItsLastReader(t *testing.T) {
	t.Parallel()
	arrived, ended := make(chan struct{}), make(chan struct{})
	server := newServer(t, inTurn(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		hang(w, r)
		close(ended)
	}, answer(http.StatusOK, onePool)))
	client := newClient(t, server.URL)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() {
		_, err := client.ReadAgentPool(ctx, "acme", poolID)
		result <- err
	}()
	<-arrived
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	<-ended
	expectPool(t, client, "runners")
	server.expectCounts(t, map[string]int{"GET": 2})
}

func TestList(t *testing.T) {
	t.Parallel()
	server := newServer(t, answer(http.StatusOK, `{"agentPools":[
		{"id":"1","name":"b","description":"d","created":1767225600000,"lastSeen":1767225600,"lastDeployment":1767225601,
		 "status":"online","isDefault":true,"unknown":{"field":[1]}},
		{"id":"2","name":"a","created":-1,"lastSeen":0,"status":"draining","description":null}
		],"defaultAgentPoolID":"1","more":null}`))
	list, err := newClient(t, server.URL).AgentPools(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	newYear := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	want := []cloud.AgentPool{
		{
			ID: "1", Name: "b", Description: "d", Status: "online", IsDefault: true,
			CreatedAt: newYear, LastSeenAt: newYear, LastDeploymentAt: newYear.Add(time.Second),
		},
		{ID: "2", Name: "a", Status: "draining"},
	}
	if fmt.Sprint(list.Pools) != fmt.Sprint(want) || list.DefaultID != "1" {
		t.Errorf("got %v, default %q, want %v, default 1", list.Pools, list.DefaultID, want)
	}
}

func TestListOfAnUnexpectedShape(t *testing.T) {
	t.Parallel()
	for body, field := range map[string]string{
		`{}`:                    "agentPools",
		`{"agentPools":null}`:   "agentPools",
		`{"agentPools":{}}`:     "agentPools",
		`{"agentPools":"none"}`: "agentPools",
		`{"agentPools":[],"defaultAgentPoolID":7}`:                        "defaultAgentPoolID",
		`{"agentPools":[{"id":"1","name":"a"},{"name":"b"}]}`:             "agentPools[1].id",
		`{"agentPools":[{"id":"1","name":"a"},{"id":"2"}]}`:               "agentPools[1].name",
		`{"agentPools":[{"id":"","name":"a"}]}`:                           "agentPools[0].id",
		`{"agentPools":[{"id":"\u001b[2J","name":"a"}]}`:                  "agentPools[0].id",
		`{"agentPools":[{"id":"..","name":"a"}]}`:                         "agentPools[0].id",
		`{"agentPools":[null]}`:                                           "agentPools[0].id",
		`{"agentPools":[{"id":"1","name":"a"},{"id":7,"name":"b"}]}`:      "agentPools[1].id",
		`{"agentPools":[{"id":"1","name":"a"},7]}`:                        "agentPools[1]",
		`{"agentPools":[{"id":"1","name":"a","created":"yesterday"}]}`:    "agentPools[0].created",
		`{"agentPools":[{"id":"1","name":"a","isDefault":"yes"}]}`:        "agentPools[0].isDefault",
		`{"agentPools":[{"id":"1","name":"a","lastSeen":{"seconds":1}}]}`: "agentPools[0].lastSeen",
		`[]`:                             "",
		`"agentPools"`:                   "",
		`{"agentPools":[]} and the rest`: "",
		`<html>`:                         "",
		`{"agentPools":[`:                "",
		``:                               "",
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			_, err := newClient(t, newServer(t, answer(http.StatusOK, body)).URL).AgentPools(t.Context(), "acme")
			var responseErr *cloud.ResponseError
			if !errors.As(err, &responseErr) || responseErr.Field != field {
				t.Errorf("got %v, want a ResponseError about the field %q", err, field)
			}
		})
	}
}

func BenchmarkReadAgentPoolFromTheList(b *testing.B) {
	server := newServer(b, answer(http.StatusOK, largeList(1000)))
	client := newClient(b, server.URL, func(c *cloud.Config) { c.ListMaxAge = time.Hour })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.ReadAgentPool(b.Context(), "acme", "00000500-3c5a-4c60-9f1e-0a4b8f1d2c3e"); err != nil {
			b.Fatal(err)
		}
	}
}
