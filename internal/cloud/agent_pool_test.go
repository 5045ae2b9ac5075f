package cloud_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

func TestGet(t *testing.T) {
	t.Parallel()
	server := newServer(t, answer(http.StatusOK, `{"id":"`+poolID+`","name":"runners","description":"d","created":1767225600,
		"agents":[{"version":"2.1","platform":"linux","hostname":"h","ip":"::1","pid":"42","lastSeen":1767225600000,
		"status":"dozing","new":1},{"hostname":"bare"}]}`))
	got, err := newClient(t, server.URL).GetAgentPool(t.Context(), "acme", poolID)
	if err != nil {
		t.Fatal(err)
	}
	newYear := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	want := &cloud.AgentPoolDetail{
		ID: poolID, Name: "runners", Description: "d", CreatedAt: newYear,
		Agents: []cloud.Agent{
			{Hostname: "h", IP: "::1", Platform: "linux", Version: "2.1", PID: "42", Status: "dozing", LastSeenAt: newYear},
			{Hostname: "bare"},
		},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestGetOfAnUnexpectedShape(t *testing.T) {
	t.Parallel()
	for body, field := range map[string]string{
		`{}`:                                "id",
		`{"id":null,"name":"a"}`:            "id",
		`{"id":7,"name":"a"}`:               "id",
		`{"id":"another","name":"a"}`:       "id",
		`{"id":"` + poolID + `"}`:           "name",
		`{"id":"` + poolID + `","name":[]}`: "name",
		`{"id":"` + poolID + `","name":"a","created":"now"}`:                  "created",
		`{"id":"` + poolID + `","name":"a","agents":{}}`:                      "agents",
		`{"id":"` + poolID + `","name":"a","agents":[{"pid":"1"},{"pid":2}]}`: "agents[1].pid",
		`{"id":"` + poolID + `","name":"a","agents":[{"lastSeen":"now"}]}`:    "agents[0].lastSeen",
		`<html>`:                        "",
		`{"id":"` + poolID + `","name"`: "",
		``:                              "",
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			_, err := newClient(t, newServer(t, answer(http.StatusOK, body)).URL).GetAgentPool(t.Context(), "acme", poolID)
			var responseErr *cloud.ResponseError
			if !errors.As(err, &responseErr) || responseErr.Field != field {
				t.Errorf("got %v, want a ResponseError about the field %q", err, field)
			}
		})
	}
}

func TestGetOfAPoolThatIsGone(t *testing.T) {
	t.Parallel()
	_, err := newClient(t, newServer(t, refuse(http.StatusNotFound)).URL).GetAgentPool(t.Context(), "acme", poolID)
	var gone *cloud.AgentPoolNotFoundError
	if !errors.As(err, &gone) || gone.Organization != "acme" || gone.ID != poolID {
		t.Errorf("got %v, want an AgentPoolNotFoundError", err)
	}
}

func TestUpdateSendsWhatIsToChange(t *testing.T) {
	t.Parallel()
	name, description, empty := "renamed", "new", ""
	for want, update := range map[string]cloud.AgentPoolUpdate{
		`{"name":"renamed"}`:                     {Name: &name},
		`{"description":"new"}`:                  {Description: &description},
		`{"description":""}`:                     {Description: &empty},
		`{"name":"renamed","description":""}`:    {Name: &name, Description: &empty},
		`{"name":"renamed","description":"new"}`: {Name: &name, Description: &description},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, answer(http.StatusOK, `{"name":"as the server","description":"has it"}`))
			pool, err := newClient(t, server.URL).UpdateAgentPool(t.Context(), "acme", poolID, update)
			if wantPool := (cloud.AgentPool{ID: poolID, Name: "as the server", Description: "has it"}); err != nil || pool != wantPool {
				t.Errorf("got %+v, %v, want %+v", pool, err, wantPool)
			}
			if requests := server.requests(); len(requests) != 1 || requests[0].body != want {
				t.Errorf("got %+v, want one request with %s", requests, want)
			}
		})
	}
}

func TestUpdateErrors(t *testing.T) {
	t.Parallel()
	name, description := "renamed", "new"
	byName, byDescription := cloud.AgentPoolUpdate{Name: &name}, cloud.AgentPoolUpdate{Description: &description}
	taken := answer(http.StatusOK, `{"agentPools":[{"id":"theirs","name":"renamed"},{"id":"`+poolID+`","name":"runners"}]}`)
	old := answer(http.StatusOK, `{"id":"`+poolID+`","name":"runners","description":"old"}`)
	changed := answer(http.StatusOK, `{"id":"`+poolID+`","name":"renamed","description":"old"}`)
	for test, c := range map[string]struct {
		update cloud.AgentPoolUpdate
		api    map[string]http.HandlerFunc
		want   any // nil for success
		counts map[string]int
	}{
		"name taken": {
			byName,
			map[string]http.HandlerFunc{"PATCH": refuse(409), "GET": taken},
			new(*cloud.AgentPoolExistsError),
			map[string]int{"PATCH": 1, "GET": 1},
		},
		"name taken, list refused": {
			byName,
			map[string]http.HandlerFunc{"PATCH": refuse(409), "GET": refuse(403)},
			new(*cloud.AgentPoolExistsError),
			map[string]int{"PATCH": 1, "GET": 1},
		},
		"conflict of something else": {
			byDescription, map[string]http.HandlerFunc{"PATCH": refuse(409)}, new(*cloud.APIError), map[string]int{"PATCH": 1},
		},
		"gone": {
			byName,
			map[string]http.HandlerFunc{"PATCH": refuse(404)},
			new(*cloud.AgentPoolNotFoundError),
			map[string]int{"PATCH": 1},
		},
		"plain-text 404": {
			byName,
			map[string]http.HandlerFunc{"PATCH": answer(404, "no")},
			new(*cloud.APIError),
			map[string]int{"PATCH": 1},
		},
		"500 after it took effect": {
			byName, map[string]http.HandlerFunc{"PATCH": refuse(500), "DETAIL": changed}, nil, map[string]int{"PATCH": 3, "GET": 1},
		},
		"500 without effect": {
			byName,
			map[string]http.HandlerFunc{"PATCH": refuse(500), "DETAIL": old},
			new(*cloud.APIError),
			map[string]int{"PATCH": 3, "GET": 1},
		},
		"answer lost": {
			byName, map[string]http.HandlerFunc{"PATCH": drop, "DETAIL": changed}, nil, map[string]int{"PATCH": 3, "GET": 1},
		},
		"answer not as described": {
			byName, map[string]http.HandlerFunc{"PATCH": answer(200, `{}`), "DETAIL": changed}, nil, map[string]int{"PATCH": 1, "GET": 1},
		},
		"answer not as described, without effect": {
			byName,
			map[string]http.HandlerFunc{"PATCH": answer(200, `{}`), "DETAIL": old},
			new(*cloud.ResponseError),
			map[string]int{"PATCH": 1, "GET": 1},
		},
		"lost, then its own name is taken": {
			byName,
			map[string]http.HandlerFunc{"PATCH": inTurn(drop, refuse(409)), "DETAIL": changed},
			nil,
			map[string]int{"PATCH": 2, "GET": 1},
		},
		"lost, then the name is another's": {
			byName,
			map[string]http.HandlerFunc{"PATCH": inTurn(drop, refuse(409)), "DETAIL": old, "GET": taken},
			new(*cloud.AgentPoolExistsError),
			map[string]int{"PATCH": 2, "GET": 2},
		},
		"lost, then gone": {
			byName,
			map[string]http.HandlerFunc{"PATCH": inTurn(drop, refuse(404)), "DETAIL": refuse(404)},
			new(*cloud.AgentPoolNotFoundError),
			map[string]int{"PATCH": 2, "GET": 1},
		},
	} {
		t.Run(test, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, byMethod(t, c.api))
			pool, err := newClient(t, server.URL).UpdateAgentPool(t.Context(), "acme", poolID, c.update)
			switch {
			case c.want == nil && (err != nil || pool.ID != poolID || pool.Name != "renamed" || pool.Description != "old"):
				t.Errorf("got %+v, %v, want the pool as it is now", pool, err)
			case c.want != nil && !errors.As(err, c.want):
				t.Errorf("got %v, want a %T", err, c.want)
			}
			if exists, ok := c.want.(**cloud.AgentPoolExistsError); ok && test != "name taken, list refused" &&
				((*exists).Existing == nil || (*exists).Existing.ID != "theirs") {
				t.Errorf("got %+v, want the pool that has the name", (*exists).Existing)
			}
			server.expectCounts(t, c.counts)
		})
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	noContent := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	status := func(code int) func(*testing.T, error) {
		return func(t *testing.T, err error) {
			t.Helper()
			var apiErr *cloud.APIError
			if !errors.As(err, &apiErr) || apiErr.StatusCode != code {
				t.Errorf("got %v, want an APIError with status %d", err, code)
			}
		}
	}
	for name, test := range map[string]struct {
		api    map[string]http.HandlerFunc
		expect func(*testing.T, error)
		counts map[string]int
	}{
		"success": {map[string]http.HandlerFunc{"DELETE": noContent}, expectNoError, map[string]int{"DELETE": 1}},
		"gone": {
			map[string]http.HandlerFunc{"DELETE": refuse(404), "GET": answer(200, emptyList)},
			expectNoError,
			map[string]int{"DELETE": 1, "GET": 1},
		},
		"it is not": {
			map[string]http.HandlerFunc{"DELETE": refuse(404), "GET": answer(200, onePool)},
			status(404),
			map[string]int{"DELETE": 1, "GET": 1},
		},
		"no organization": {
			map[string]http.HandlerFunc{"DELETE": refuse(404), "GET": refuse(404)},
			func(t *testing.T, err error) {
				t.Helper()
				var organization *cloud.OrganizationNotFoundError
				if !errors.As(err, &organization) || organization.Organization != "acme" {
					t.Errorf("got %v, want an OrganizationNotFoundError", err)
				}
			},
			map[string]int{"DELETE": 1, "GET": 1},
		},
		"404 and the list refused": {
			map[string]http.HandlerFunc{"DELETE": refuse(404), "GET": refuse(403)},
			status(403),
			map[string]int{"DELETE": 1, "GET": 1},
		},
		"plain-text 404": {
			map[string]http.HandlerFunc{"DELETE": answer(404, "no")},
			status(404),
			map[string]int{"DELETE": 1},
		},
		"in use": {map[string]http.HandlerFunc{"DELETE": refuse(400)}, status(400), map[string]int{"DELETE": 1}},
		"500 after it took effect": {
			map[string]http.HandlerFunc{"DELETE": inTurn(refuse(500), refuse(404)), "GET": answer(200, emptyList)},
			expectNoError,
			map[string]int{"DELETE": 2, "GET": 1},
		},
		"a 200 that deleted it": {
			map[string]http.HandlerFunc{"DELETE": answer(200, "<html>"), "GET": answer(200, emptyList)},
			expectNoError,
			map[string]int{"DELETE": 1, "GET": 1},
		},
		"a 200 that did not": {
			map[string]http.HandlerFunc{"DELETE": answer(200, "<html>"), "GET": answer(200, onePool)},
			func(t *testing.T, err error) {
				t.Helper()
				if _, ok := errors.AsType[*cloud.ResponseError](err); !ok {
					t.Errorf("got %v, want a ResponseError", err)
				}
			},
			map[string]int{"DELETE": 1, "GET": 1},
		},
		"answer lost after it took effect": {
			map[string]http.HandlerFunc{"DELETE": inTurn(drop, refuse(404)), "GET": answer(200, emptyList)},
			expectNoError,
			map[string]int{"DELETE": 2, "GET": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, byMethod(t, test.api))
			test.expect(t, newClient(t, server.URL).DeleteAgentPool(t.Context(), "acme", poolID, false))
			server.expectCounts(t, test.counts)
		})
	}
}

func TestDeleteForced(t *testing.T) {
	t.Parallel()
	for query, force := range map[string]bool{"": false, "?force=true": true} {
		server := newServer(t, answer(http.StatusNoContent, ""))
		if err := newClient(t, server.URL).DeleteAgentPool(t.Context(), "acme", poolID, force); err != nil {
			t.Error(err)
		}
		if uri := "/api/orgs/acme/agent-pools/" + poolID + query; server.count(http.MethodDelete, uri) != 1 {
			t.Errorf("got %v, want DELETE %s", server.requests(), uri)
		}
	}
}
