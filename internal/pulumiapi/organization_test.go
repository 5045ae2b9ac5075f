package pulumiapi

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestDefaultOrganization(t *testing.T) {
	t.Parallel()
	virtual := newClock()
	for _, handler := range []http.HandlerFunc{refuse(403), respond(200, `{"GitHubLogin":"acme","Messages":[]}`)} {
		s := newServer(t, sequence(handler, refuse(500)))
		c := newClient(t, s, withClock(virtual))
		inParallel(10, 10, func(int) {
			if got, err := c.DefaultOrganization(t.Context()); !hasStatus(err, 403) && got != "acme" {
				t.Errorf("got %q, %v", got, err)
			}
			virtual.advance(1000 * time.Hour)
		})
		s.expectCounts(t, "default:1")
	}
}

func TestDefaultOrganization_none(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		none    bool
	}{
		"empty":          {respond(200, `{"GitHubLogin":""}`), true},
		"400":            {refuse(400), true},
		"404":            {refuse(404), true},
		"404 plain text": {http.NotFound, true},
		"404 from proxy": {respondHTML(404), false},
		"400 from proxy": {respondHTML(400), false},
		"401":            {refuse(401), false},
		"missing":        {respond(200, `{}`), false},
		"mistyped":       {respond(200, `{"GitHubLogin":7}`), false},
		"a path":         {respond(200, `{"GitHubLogin":".."}`), false},
		"a token":        {respond(200, `{"GitHubLogin":"`+poolToken+`"}`), false},
		"HTML":           {respondHTML(200), false},
	} {
		got, err := newClient(t, newServer(t, test.handler)).DefaultOrganization(t.Context())
		if (err == nil) != test.none || got != "" {
			t.Errorf("%s: got %q, %v, want that there is none: %t", name, got, err, test.none)
		}
	}
}

func TestSetDefaultAgentPool(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		id       string
		settings http.HandlerFunc
		want     bool
	}{
		"full metadata":            {poolID, respond(200, `{"name":"acme","features":[]}`), true},
		"empty ID":                 {"", respond(200, `{}`), true},
		"no body":                  {poolID, respond(200, ""), false},
		"204":                      {poolID, respond(204, ""), false},
		"HTML":                     {poolID, respondHTML(200), false},
		"404 from proxy":           {poolID, respondHTML(404), false},
		"retried":                  {poolID, sequence(drop, refuse(503), respond(200, `{}`)), true},
		"retried after rate limit": {poolID, sequence(refuse(429), respond(200, `{}`)), true},
	} {
		s := newServer(t, handlers{"settings": test.settings})
		err := newClient(t, s).SetDefaultAgentPool(t.Context(), "acme", test.id)
		if (err == nil) != test.want || isA[*AgentPoolNotFoundError](err) || isA[*OrganizationNotFoundError](err) {
			t.Errorf("%s: got %v, want success: %t", name, err, test.want)
		}
		if got, want := s.recorded()[0].body, `{"setDefaultAgentPoolID":"`+test.id+`"}`; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	err := newClient(t, newServer(t, refuse(404))).SetDefaultAgentPool(t.Context(), "acme", poolID)
	if kind(err) != "OrganizationNotFoundError" {
		t.Errorf("got %v", err)
	}
}

func TestSetDefaultAgentPool_refused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		id   string
		get  http.HandlerFunc
		gone bool
		gets int
	}{
		"missing pool":           {poolID, refuse(404), true, 1},
		"existing pool":          {poolID, respond(200, poolDetail), false, 1},
		"404 from proxy":         {poolID, respondHTML(404), false, 1},
		"unreadable pool":        {poolID, refuse(403), false, 1},
		"the Pulumi-hosted pool": {"", nil, false, 0},
	} {
		s := newServer(t, handlers{"settings": refuse(400), "get": test.get, "list": respond(200, emptyList)})
		err := newClient(t, s).SetDefaultAgentPool(t.Context(), "acme", test.id)
		if isA[*AgentPoolNotFoundError](err) != test.gone || !hasStatus(err, 400) || s.count("get") != test.gets {
			t.Errorf("%s: got %v after %d reads of the agent pool", name, err, s.count("get"))
		}
	}
}

// TestClearDefaultAgentPool proves that the default of a different user stays, also if they set it between two attempts.
func TestClearDefaultAgentPool(t *testing.T) {
	t.Parallel()
	ours := respond(200, `{"agentPools":[],"defaultAgentPoolID":"`+strings.ToUpper(poolID)+`"}`)
	theirs := respond(200, `{"agentPools":[],"defaultAgentPoolID":"theirs"}`)
	done := respond(200, `{}`)
	for name, test := range map[string]struct {
		list, settings http.HandlerFunc
		want           bool
		lists, changes int
	}{
		"ours":                  {ours, done, true, 1, 1},
		"theirs":                {theirs, done, true, 1, 0},
		"none":                  {respond(200, emptyList), done, true, 1, 0},
		"ours, retried":         {ours, sequence(refuse(503), done), true, 2, 2},
		"ours, rate limited":    {ours, sequence(refuse(429), done), true, 2, 2},
		"theirs before a retry": {sequence(ours, theirs), drop, true, 2, 1},
		"took effect, but lost": {sequence(ours, respond(200, emptyList)), drop, true, 2, 1},
		"list refused":          {refuse(403), done, false, 1, 0},
		"list fails on a retry": {sequence(ours, refuse(403)), drop, false, 2, 1},
		"refused":               {ours, refuse(403), false, 1, 1},
	} {
		s := newServer(t, handlers{"list": test.list, "settings": test.settings})
		err := newClient(t, s).ClearDefaultAgentPool(t.Context(), "acme", poolID)
		if (err == nil) != test.want || s.count("list") != test.lists || s.count("settings") != test.changes {
			t.Errorf("%s: got %v after %d lists and %d changes", name, err, s.count("list"), s.count("settings"))
		}
	}
}
