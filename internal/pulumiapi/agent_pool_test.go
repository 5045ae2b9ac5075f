package pulumiapi

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGetAgentPool_decode(t *testing.T) {
	t.Parallel()
	s := newServer(t, respond(200, `{"id":"`+poolID+`","name":"runners","description":"d","created":1767225600,"agents":[
		{"version":"2.1","platform":"linux","hostname":"h","ip":"::1","pid":"42","lastSeen":1767225600000,"status":"online","new":1},
		{"hostname":"bare","status":"dozing"}]}`))
	pool, agents, err := newClient(t, s).GetAgentPool(t.Context(), "acme", strings.ToUpper(poolID))
	if err != nil {
		t.Fatal(err)
	}
	newYear := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	want := AgentPool{ID: poolID, Name: "runners", Description: "d", Status: "online", CreatedAt: newYear, LastSeenAt: newYear}
	wantAgents := []Agent{
		{Hostname: "h", IP: "::1", Platform: "linux", Version: "2.1", PID: "42", Status: "online", LastSeenAt: newYear},
		{Hostname: "bare", Status: "dozing"},
	}
	if diff := cmp.Diff(want, pool) + cmp.Diff(wantAgents, agents); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, agents := range []string{``, `,"agents":null`, `,"agents":[{"status":"offline"}]`} {
		c := newClient(t, newServer(t, respond(200, poolDetail[:len(poolDetail)-1]+agents+`}`)))
		if got, list, err := c.GetAgentPool(t.Context(), "acme", poolID); err != nil || got.Status != "offline" || list == nil {
			t.Errorf("%s: got %+v, %v, want an agent pool that is offline", agents, got, err)
		}
	}
}

func TestGetAgentPool_unexpectedBody(t *testing.T) {
	t.Parallel()
	const start = `{"id":"` + poolID + `"`
	for body, field := range map[string]string{
		`{}`:                                   "id",
		`null`:                                 "id",
		`{"id":7,"name":"a"}`:                  "id",
		`{"id":"x","name":"a"}`:                "id",
		start + `}`:                            "name",
		start + `,"name":[]}`:                  "name",
		start + `,"name":"a","created":"now"}`: "created",
		start + `,"name":"a","agents":{}}`:     "agents",
		start + `,"name":"a","agents":[null]}`: "agents[0]",
		start + `,"name":"a","agents":[{"pid":"1"},{"pid":2}]}`: "agents.pid",
		`<html>`: "",
		``:       "",
	} {
		c := newClient(t, newServer(t, respond(200, body)))
		_, _, err := c.GetAgentPool(t.Context(), "acme", poolID)
		if got := expectError[*ResponseError](t, err); got.Field != field || strings.Contains(got.Reason, "42") {
			t.Errorf("%s: got %v, want an error about %q", body, err, field)
		}
	}
}

func TestUpdateAgentPool(t *testing.T) {
	t.Parallel()
	s := newServer(t, respond(200, `{"name":"as stored","description":"trimmed"}`))
	got, err := newClient(t, s).UpdateAgentPool(t.Context(), "acme", poolID, " as sent ", "")
	if want := (AgentPool{ID: poolID, Name: "as stored", Description: "trimmed"}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestUpdateAgentPool_failures(t *testing.T) {
	t.Parallel()
	old, changed, half := respond(200, onePool), respond(200, renamedPool), respond(200, strings.Replace(renamedPool, "new", "", 1))
	taken := respond(200, strings.Replace(renamedPool, poolID, otherPoolID, 1))
	conflict, success := refuse(409), respond(200, `{"name":"renamed","description":"new"}`)
	for name, test := range map[string]struct {
		update, list http.HandlerFunc
		want         string // kind of error
		counts       string
	}{
		"name taken":           {conflict, taken, "AgentPoolExistsError", "list:1 update:1"},
		"taken, list refused":  {conflict, refuse(403), "AgentPoolExistsError", "list:1 update:1"},
		"name just freed":      {sequence(conflict, success), old, "", "list:1 update:2"},
		"name reserved":        {conflict, old, "AgentPoolExistsError", "list:3 update:3"},
		"own name":             {conflict, half, "APIError", "list:1 update:1"},
		"gone":                 {refuse(404), respond(200, emptyList), "AgentPoolNotFoundError", "list:1 update:1"},
		"404 from proxy":       {respondHTML(404), old, "APIError", "list:1 update:1"},
		"500, took effect":     {refuse(500), changed, "", "list:1 update:3"},
		"500, no effect":       {refuse(500), old, "APIError", "list:1 update:3"},
		"lost, took effect":    {drop, changed, "", "list:1 update:3"},
		"lost, half an effect": {drop, half, "TransportError", "list:1 update:3"},
		"no name, took effect": {respond(200, `{}`), changed, "", "list:1 update:1"},
		"HTML, no effect":      {respondHTML(200), old, "ResponseError", "list:1 update:1"},
		"lost, then own name":  {sequence(drop, conflict), changed, "", "list:1 update:2"},
		"lost, then gone":      {sequence(drop, refuse(404)), respond(200, emptyList), "AgentPoolNotFoundError", "list:2 update:2"},
		"lost, then taken":     {sequence(drop, conflict), taken, "AgentPoolExistsError", "list:1 update:2"},
	} {
		s := newServer(t, handlers{"update": test.update, "list": test.list})
		pool, err := newClient(t, s).UpdateAgentPool(t.Context(), "acme", poolID, "renamed", "new")
		if kind(err) != test.want || err == nil && (pool.ID != poolID || pool.Name != "renamed" || pool.Description != "new") {
			t.Errorf("%s: got %+v, %v, want %s", name, pool, err, test.want)
		}
		if exists, ok := errors.AsType[*AgentPoolExistsError](err); ok &&
			((exists.Existing != nil) != strings.HasSuffix(name, "taken") || exists.Reserved != strings.HasSuffix(name, "reserved")) {
			t.Errorf("%s: got %+v", name, exists)
		}
		s.expectCounts(t, test.counts)
	}
}

func TestDeleteAgentPool_failures(t *testing.T) {
	t.Parallel()
	without, with := respond(200, emptyList), respond(200, strings.Replace(onePool, poolID, strings.ToUpper(poolID), 1))
	gone, exists := refuse(404), respond(200, poolDetail)
	for name, test := range map[string]struct {
		delete, get, list http.HandlerFunc
		want              string
		counts            string
	}{
		"gone":                    {gone, nil, without, "", "delete:1 list:1"},
		"404, but it exists":      {gone, nil, with, "404 Not Found", "delete:1 list:2"},
		"404, further pages":      {gone, nil, withHeader("Link", `</x>; rel="next"`, without), "has further pages", "delete:1 list:1"},
		"no organization":         {gone, nil, refuse(404), "agent-pools: 404 Not Found", "delete:1 list:1"},
		"404, list refused":       {gone, nil, refuse(403), "403 Forbidden", "delete:1 list:1 metadata:1"},
		"404 from proxy":          {respondHTML(404), exists, without, "404 Not Found", "delete:1 get:1"},
		"in use":                  {refuse(400), nil, without, "400 Bad Request", "delete:1"},
		"500, then deleted":       {sequence(refuse(500), respond(204, "")), nil, nil, "", "delete:2"},
		"500, then gone":          {sequence(refuse(500), gone), nil, without, "", "delete:2 list:1"},
		"500, and gone":           {refuse(500), gone, without, "", "delete:3 get:1 list:1"},
		"500, but it exists":      {refuse(500), exists, without, "500 Internal Server Error", "delete:3 get:1"},
		"500, gone but listed":    {refuse(500), gone, with, "500 Internal Server Error", "delete:3 get:1 list:2"},
		"dropped, then gone":      {sequence(drop, gone), nil, without, "", "delete:2 list:1"},
		"200, gone":               {respondHTML(200), gone, without, "", "delete:1 get:1 list:1"},
		"200, exists":             {respondHTML(200), exists, without, "unexpected status 200", "delete:1 get:1"},
		"redirect to a page":      {withHeader("Location", "/login", respond(302, "")), nil, without, "302 Found", "delete:1"},
		"rate limited by a proxy": {sequence(respondHTML(429), respond(204, "")), nil, nil, "", "delete:2"},
	} {
		s := newServer(t, handlers{"delete": test.delete, "get": test.get, "list": test.list, "metadata": refuse(403)})
		err := newClient(t, s).DeleteAgentPool(t.Context(), "acme", poolID, false)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) ||
			isA[*AgentPoolNotFoundError](err) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
		s.expectCounts(t, test.counts)
	}
}
