package pulumiapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func expectPool(t *testing.T, c *Client, name string) {
	t.Helper()
	if got, err := c.ReadAgentPool(t.Context(), "acme", poolID); err != nil || got.ID != poolID || got.Name != name {
		t.Errorf("got %+v, %v, want the agent pool %q", got, err, name)
	}
}

func TestAgentPools_decode(t *testing.T) {
	t.Parallel()
	s := newServer(t, respond(200, `{"agentPools":[
		{"id":"1","name":"b","description":"d","created":1767225600000,"lastSeen":1767225600,"lastDeployment":1767225601,
		 "status":"online","isDefault":true,"unknown":{"field":[1]}},
		{"id":"2","name":"a","created":-1,"lastSeen":0,"status":"draining","description":null,"lastDeployment":null}
		],"defaultAgentPoolID":"1","more":null}`))
	list, err := newClient(t, s).AgentPools(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	newYear := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	want := []AgentPool{
		{
			ID: "1", Name: "b", Description: "d", Status: "online", IsDefault: true,
			CreatedAt: newYear, LastSeenAt: newYear, LastDeploymentAt: newYear.Add(time.Second),
		},
		{ID: "2", Name: "a", Status: "draining"},
	}
	if diff := cmp.Diff(want, list.Pools); diff != "" || list.DefaultID != "1" {
		t.Errorf("got the default %q, (-want +got):\n%s", list.DefaultID, diff)
	}
	for _, body := range []string{emptyList, `{"agentPools":null}`} {
		list, err := newClient(t, newServer(t, respond(200, body))).AgentPools(t.Context(), "acme")
		if err != nil || len(list.Pools) != 0 || list.DefaultID != "" {
			t.Errorf("%s: got %+v, %v, want an empty list", body, list, err)
		}
	}
}

func TestAgentPools_unexpectedBody(t *testing.T) {
	t.Parallel()
	for body, field := range map[string]string{
		`{}`:                     "agentPools",
		`{"agentPools":{}}`:      "agentPools",
		`{"agentPools":"none"}`:  "agentPools",
		`{"agentPools":[null]}`:  "agentPools[0]",
		`{"agentPools":["a"]}`:   "agentPools",
		`{"agentPools":[{}]}`:    "agentPools[0].id",
		`null`:                   "agentPools",
		`[]`:                     "",
		`{"agentPools":[]} more`: "",
		`<html>`:                 "",
		``:                       "",
		`{"agentPools":[],"defaultAgentPoolID":7}`:                        "defaultAgentPoolID",
		`{"agentPools":[],"defaultAgentPoolID":"a/b"}`:                    "defaultAgentPoolID",
		`{"agentPools":[{"id":"1","name":"a"},{"id":"2"}]}`:               "agentPools[1].name",
		`{"agentPools":[{"id":"\u001b[2J","name":"a"}]}`:                  "agentPools[0].id",
		`{"agentPools":[{"id":"..","name":"a"}]}`:                         "agentPools[0].id",
		`{"agentPools":[{"id":7,"name":"b"}]}`:                            "agentPools.id",
		`{"agentPools":[{"id":"A","name":"a"},{"id":"a","name":"b"}]}`:    "agentPools[1].id",
		`{"agentPools":[],"nextToken":"x"}`:                               "agentPools",
		`{"agentPools":[{"id":"1","name":"a","created":"yesterday"}]}`:    "agentPools.created",
		`{"agentPools":[{"id":"1","name":"a","created":1767225600.5}]}`:   "agentPools.created",
		`{"agentPools":[{"id":"1","name":"a","lastSeen":{"seconds":1}}]}`: "agentPools.lastSeen",
	} {
		c := newClient(t, newServer(t, respond(200, body)))
		_, err := c.AgentPools(t.Context(), "acme")
		if got := expectError[*ResponseError](t, err); got.Field != field {
			t.Errorf("%s: got %v, want an error about %q", body, err, field)
		}
	}
}

func TestReadAgentPool_sharesOneList(t *testing.T) {
	t.Parallel()
	s := newServer(t, handlers{"list": respond(200, onePool)})
	c := newClient(t, s)
	inParallel(100, 100, func(int) { expectPool(t, c, "runners") })
	inParallel(100, 1, func(int) { expectPool(t, c, "runners") })
	for _, organization := range []string{"acme", "ACME", "Acme"} {
		if _, err := c.AgentPools(t.Context(), organization); err != nil {
			t.Error(err)
		}
	}
	if got, err := c.ReadAgentPool(t.Context(), "acme", strings.ToUpper(poolID)); err != nil || got.ID != poolID {
		t.Errorf("an ID in capitals: got %+v, %v", got, err)
	}
	s.expectCounts(t, "list:1")
	if _, err := c.AgentPools(t.Context(), "other"); err != nil {
		t.Error(err)
	}
	expectPool(t, newClient(t, s), "runners")
	s.expectCounts(t, "list:3")
}

// TestReadAgentPool_afterWrite proves that a write discards the shared list at its start and at its end, also if it
// fails.
func TestReadAgentPool_afterWrite(t *testing.T) {
	t.Parallel()
	for _, write := range testOperations {
		if write.method == http.MethodGet {
			continue
		}
		if write.name == "create" {
			write.success = respond(200, strings.Replace(createdPool, poolID, "new", 1))
		}
		for _, handler := range []http.HandlerFunc{write.success, refuse(403)} {
			var c *Client
			s := newServer(t, handlers{
				"list": sequence(respond(200, onePool), respond(200, onePool), respond(200, renamedPool)),
				write.name: func(w http.ResponseWriter, r *http.Request) {
					expectPool(t, c, "runners")
					handler(w, r)
				},
			})
			c = newClient(t, s)
			expectPool(t, c, "runners")
			_ = write.call(t.Context(), c)
			expectPool(t, c, "renamed")
			expectPool(t, c, "renamed")
			if s.count("list") != 3 || s.count(write.name) != 1 {
				t.Errorf("%s: got %d lists and %d writes", write.name, s.count("list"), s.count(write.name))
			}
		}
	}
}

func TestReadAgentPool_listLacksPool(t *testing.T) {
	t.Parallel()
	const (
		twice    = `{"agentPools":[{"id":"` + poolID + `","name":"a"},{"id":"` + poolID + `","name":"b"}]}`
		paginate = `{"agentPools":[],%s}`
	)
	upperTwice := strings.Replace(twice, poolID, strings.ToUpper(poolID), 1)
	for name, test := range map[string]struct {
		detail http.HandlerFunc
		gone   bool
	}{
		"404":                 {refuse(404), true},
		"404 in plain text":   {withHeader("Content-Type", "text/plain", respond(404, "404 page not found")), false},
		"404 in HTML":         {respondHTML(404), false},
		"404 in other JSON":   {respond(404, `{"error":"not found"}`), false},
		"404 with other code": {respond(404, `{"code":400,"message":"Bad Request"}`), false},
		"403":                 {refuse(403), false},
		"410":                 {refuse(410), false},
		"500":                 {refuse(500), false},
		"dropped":             {drop, false},
		"empty 200":           {respond(200, ""), false},
		"different pool":      {respond(200, strings.Replace(poolDetail, poolID, "x", 1)), false},
	} {
		for _, list := range []string{
			emptyList, `{"agentPools":null,"next":null,"nextToken":"","continuationToken":null}`, twice, upperTwice,
			fmt.Sprintf(paginate, `"continuationToken":"x"`), fmt.Sprintf(paginate, `"nextToken":"x"`),
			fmt.Sprintf(paginate, `"next":"/x"`), fmt.Sprintf(paginate, `"next":{"href":"/x"}`),
		} {
			t.Run(name+" "+list, func(t *testing.T) {
				t.Parallel()
				lacks := strings.HasPrefix(list, `{"agentPools":null`) || list == emptyList
				s := newServer(t, handlers{"list": respond(200, list), "get": test.detail})
				_, err := newClient(t, s).ReadAgentPool(t.Context(), "acme", poolID)
				if err == nil || isA[*AgentPoolNotFoundError](err) != (test.gone && lacks) {
					t.Errorf("got %v, want that the agent pool is gone: %t", err, test.gone && lacks)
				}
				s = newServer(t, handlers{"list": respond(200, list), "get": respond(200, poolDetail)})
				expectPool(t, newClient(t, s), "runners")
			})
		}
	}
}

func TestReadAgentPool_listFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		list   http.HandlerFunc
		counts string
	}{
		"HTML":          {respondHTML(200), "get:3 list:1"},
		"invalid":       {respond(200, `{"agentPools":[{"name":"no ID"}]}`), "get:3 list:1"},
		"500":           {refuse(500), "list:1"},
		"403":           {refuse(403), "list:1"},
		"dropped":       {drop, "list:1"},
		"foreign 404":   {respondHTML(404), "list:1"},
		"foreign 401":   {respondHTML(401), "list:1"},
		"401":           {refuse(401), "list:1"},
		"404":           {refuse(404), "list:1"},
		"other edition": {refuse(402), "list:1"},
	} {
		s := newServer(t, handlers{
			"list": test.list, "get": sequence(respond(200, poolDetail), respond(200, poolDetail), refuse(404)),
			"metadata": respond(200, `{"features":{"agentPoolRegistrationEnabled":`+fmt.Sprint(name != "other edition")+
				`,"selfHostedDeploymentsEnabled":true}}`),
		})
		c := newClient(t, s, func(config *Config) { config.MaxRetries = 0 })
		for read := 1; read <= 3; read++ {
			_, err := c.ReadAgentPool(t.Context(), "acme", poolID)
			if (err == nil) != (read < 3 && test.counts != "list:1") || isA[*AgentPoolNotFoundError](err) {
				t.Errorf("%s, read %d: got %v", name, read, err)
			}
		}
		s.expectCounts(t, test.counts)
	}
	c := newClient(t, nil, func(config *Config) { config.BaseURL, _ = url.Parse("http://127.0.0.1:1") })
	_, err := c.ReadAgentPool(t.Context(), "acme", poolID)
	if got := expectError[*TransportError](t, err); got.Endpoint != "GET /api/orgs/acme/agent-pools" {
		t.Errorf("no connection: got %v, want the error of the list", err)
	}
}

func BenchmarkRefreshAgentPools(b *testing.B) {
	body := largeList(1000)
	c := newClient(b, newServer(b, respond(200, body)))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if list, err := c.RefreshAgentPools(b.Context(), "acme"); err != nil || len(list.Pools) != 1000 {
			b.Fatal(err)
		}
	}
}
