package pulumiapi

import (
	"net/http"
	"strings"
	"testing"
)

const (
	otherPoolID  = "0d5c8a44-7b52-4f0a-8a39-52c1de0b6a11"
	settingsPath = "/api/stacks/acme/web/prod/deployments/settings"
	settings     = `{"agentPoolID":"` + poolID + `"}`
	// fullSettings has a version control system that the SDK does not know.
	fullSettings = `{"vcs":{"provider":"new"},"agentPoolID":"` + poolID + `","operationContext":{"environmentVariables":{}}}`
)

var testStack = Stack{Organization: "acme", Project: "web", Name: "prod"}

// byMethod handles the deployment settings of a stack.
func byMethod(get, post http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		map[string]http.HandlerFunc{http.MethodGet: get, http.MethodPost: post}[r.Method](w, r)
	}
}

// expectRequests compares the requests for deployment settings, each a method and a body.
func expectRequests(t *testing.T, s *server, want ...string) {
	t.Helper()
	var got []string
	for _, request := range s.recorded() {
		if request.uri == settingsPath {
			got = append(got, strings.TrimSpace(request.method+" "+request.body))
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got requests %q, want %q", got, want)
	}
}

func TestSetStackAgentPool(t *testing.T) {
	t.Parallel()
	for _, body := range []string{settings, fullSettings, "null", "[]"} {
		s := newServer(t, handlers{"settings": respond(200, body)})
		if err := newClient(t, s).SetStackAgentPool(t.Context(), testStack, poolID); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		expectRequests(t, s, `POST {"agentPoolID":"`+poolID+`"}`)
	}
}

func TestSetStackAgentPool_failures(t *testing.T) {
	t.Parallel()
	const post = `POST {"agentPoolID":"` + poolID + `"}`
	for name, test := range map[string]struct {
		post, get http.HandlerFunc // get is for the agent pool
		is        func(error) bool // nil for success
		requests  int
	}{
		"no stack":                   {refuse(404), nil, isA[*StackNotFoundError], 1},
		"404 from proxy":             {respondHTML(404), nil, isA[*APIError], 1},
		"no agent pool":              {refuse(400), refuse(404), isA[*AgentPoolNotFoundError], 1},
		"400 for a different reason": {refuse(400), respond(200, poolDetail), isA[*APIError], 1},
		"400, agent pool unreadable": {refuse(400), refuse(403), isA[*APIError], 1},
		"403":                        {refuse(403), nil, isA[*APIError], 1},
		"HTML":                       {respondHTML(200), nil, isA[*ResponseError], 1},
		"503, then success":          {sequence(refuse(503), respond(200, settings)), nil, nil, 2},
		"dropped, then success":      {sequence(drop, respond(200, settings)), nil, nil, 2},
		"429, then success":          {sequence(refuse(429), respond(200, settings)), nil, nil, 2},
		"503":                        {refuse(503), nil, isA[*APIError], 3},
	} {
		s := newServer(t, handlers{"settings": test.post, "get": test.get, "list": respond(200, emptyList)})
		err := newClient(t, s).SetStackAgentPool(t.Context(), testStack, poolID)
		if test.is == nil && err != nil || test.is != nil && !test.is(err) {
			t.Errorf("%s: got %v", name, err)
		}
		if isA[*AgentPoolNotFoundError](err) != (name == "no agent pool") || isA[*StackNotFoundError](err) != (name == "no stack") {
			t.Errorf("%s: got %T", name, err)
		}
		expectRequests(t, s, []string{post, post, post}[:test.requests]...)
	}
}

// Every attempt counts, not only the last.
func TestAssignment_ambiguous(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings, list http.HandlerFunc
		ambiguous      bool
	}{
		"503":                       {refuse(503), nil, true},
		"503, then 400":             {sequence(refuse(503), refuse(400)), nil, true},
		"503, then 404":             {sequence(refuse(503), refuse(404)), nil, true},
		"dropped, then 403":         {sequence(drop, refuse(403)), nil, true},
		"408":                       {refuse(408), nil, true},
		"HTML with 200":             {respondHTML(200), nil, true},
		"HTML with 403":             {respondHTML(403), nil, true},
		"403":                       {refuse(403), nil, false},
		"404, and the list with it": {refuse(404), refuse(503), false},
		"404, list is HTML":         {refuse(404), respondHTML(200), false},
		"429 from proxy":            {respondHTML(429), nil, false},
		"302 from proxy":            {withHeader("Location", "/login", respondHTML(302)), nil, false},
		"407 from proxy":            {respondHTML(407), nil, false},
	} {
		if test.list == nil {
			test.list = respond(200, emptyList)
		}
		c := newClient(t, newServer(t, handlers{"settings": test.settings, "list": test.list}))
		err := c.SetStackAgentPool(t.Context(), testStack, poolID)
		if err == nil || isA[*AmbiguousAssignmentError](err) != test.ambiguous {
			t.Errorf("%s: got %v, want ambiguous: %t", name, err, test.ambiguous)
		}
	}
	err := newClient(t, newServer(t, refuse(503))).SetDefaultAgentPool(t.Context(), "acme", poolID)
	_ = expectError[*AmbiguousAssignmentError](t, err)
	s := newServer(t, respond(200, settings))
	c := newClient(t, s)
	s.Close()
	if err := c.SetStackAgentPool(t.Context(), testStack, poolID); err == nil || isA[*AmbiguousAssignmentError](err) {
		t.Errorf("not sent: got %v", err)
	}
}

func TestStackAgentPool(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		settings: poolID, fullSettings: poolID, `{}`: "", `{"agentPoolID":null}`: "", `{"agentPoolID":""}`: "",
		`{"agentPoolId":"` + poolID + `"}`: poolID, `{"version":"mistyped","agentPoolID":"a"}`: "a",
	} {
		s := newServer(t, handlers{"settings": respond(200, body)})
		if got, err := newClient(t, s).StackAgentPool(t.Context(), testStack); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", body, got, err, want)
		}
		expectRequests(t, s, "GET")
	}
	for body, field := range map[string]string{
		`{"agentPoolID":".."}`: "agentPoolID", `{"agentPoolID":"\u001b"}`: "agentPoolID",
		`{"agentPoolID":7}`: "agentPoolID", `[]`: "", `<html>`: "",
	} {
		_, err := newClient(t, newServer(t, respond(200, body))).StackAgentPool(t.Context(), testStack)
		if got := expectError[*ResponseError](t, err); got.Field != field {
			t.Errorf("%s: got %v", body, got)
		}
	}
}

func TestStackAgentPool_notFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		get, list http.HandlerFunc
		is        func(error) bool
		isGone    bool
	}{
		"no stack":                 {refuse(404), respond(200, emptyList), isA[*StackNotFoundError], true},
		"organization not visible": {refuse(404), refuse(404), isA[*OrganizationNotFoundError], false},
		"list refused":             {refuse(404), refuse(403), isA[*APIError], false},
		"list failed":              {refuse(404), refuse(500), isA[*APIError], false},
		"list dropped":             {refuse(404), drop, isA[*TransportError], false},
		"404 of list from proxy":   {refuse(404), respondHTML(404), isA[*APIError], false},
		"404 from proxy":           {respondHTML(404), respond(200, emptyList), isA[*APIError], false},
		"403":                      {refuse(403), respond(200, emptyList), isA[*APIError], false},
	} {
		s := newServer(t, handlers{"settings": byMethod(test.get, refuse(500)), "list": test.list})
		c := newClient(t, s, func(config *Config) { config.MaxRetries = 0 })
		_, err := c.StackAgentPool(t.Context(), testStack)
		if !test.is(err) || isA[*StackNotFoundError](err) != test.isGone {
			t.Errorf("%s: got %v (%T)", name, err, err)
		}
		err = c.ClearStackAgentPool(t.Context(), testStack, poolID)
		if (err == nil) != test.isGone || err != nil && (!test.is(err) || isA[*StackNotFoundError](err)) {
			t.Errorf("%s, clear: got %v (%T)", name, err, err)
		}
		expectRequests(t, s, "GET", "GET")
	}
}

func TestClearStackAgentPool(t *testing.T) {
	t.Parallel()
	const post = `POST {"agentPoolID":null}`
	other := respond(200, `{"agentPoolID":"`+otherPoolID+`"}`)
	ours, cleared := respond(200, settings), respond(200, `{"vcs":{"provider":"new"}}`)
	for name, test := range map[string]struct {
		get, post http.HandlerFunc
		requests  []string
	}{
		"assigned":            {ours, cleared, []string{"GET", post}},
		"in a different case": {respond(200, strings.ToUpper(settings)), cleared, []string{"GET", post}},
		"unknown VCS":         {respond(200, fullSettings), cleared, []string{"GET", post}},
		"different pool":      {other, nil, []string{"GET"}},
		"no pool":             {respond(200, `{}`), nil, []string{"GET"}},
		"retry":               {ours, sequence(refuse(503), drop, cleared), []string{"GET", post, "GET", post, "GET", post}},
		"changed meanwhile":   {sequence(ours, other), refuse(503), []string{"GET", post, "GET"}},
		"deleted meanwhile":   {ours, refuse(404), []string{"GET", post}},
		"lost success":        {sequence(ours, respond(200, `{}`)), drop, []string{"GET", post, "GET"}},
	} {
		s := newServer(t, handlers{"settings": byMethod(test.get, test.post), "list": respond(200, emptyList)})
		if err := newClient(t, s).ClearStackAgentPool(t.Context(), testStack, poolID); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		expectRequests(t, s, test.requests...)
	}
	s := newServer(t, handlers{"settings": byMethod(ours, refuse(403))})
	if err := newClient(t, s).ClearStackAgentPool(t.Context(), testStack, poolID); !hasStatus(err, 403) {
		t.Errorf("got %v, want the 403", err)
	}
}

func TestStack_arguments(t *testing.T) {
	t.Parallel()
	s := newServer(t, respond(200, settings))
	c := newClient(t, s)
	if _, err := c.StackAgentPool(t.Context(), Stack{Organization: "a b", Project: "c/d", Name: "é%"}); err != nil {
		t.Error(err)
	}
	if got, want := s.recorded()[0].uri, "/api/stacks/a%20b/c%2Fd/%C3%A9%25/deployments/settings"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, value := range []string{"", "..", "a\nb", poolToken} {
		for argument, stack := range map[string]Stack{
			"organization": {Organization: value, Project: "web", Name: "prod"},
			"project":      {Organization: "acme", Project: value, Name: "prod"},
			"stack":        {Organization: "acme", Project: "web", Name: value},
		} {
			_, readErr := c.StackAgentPool(t.Context(), stack)
			for _, err := range []error{
				readErr, c.SetStackAgentPool(t.Context(), stack, poolID), c.ClearStackAgentPool(t.Context(), stack, poolID),
			} {
				if got := expectError[*ArgumentError](t, err); got.Argument != argument || strings.Contains(err.Error(), poolToken) {
					t.Errorf("%q: got %v, want an error about the %s", value, err, argument)
				}
			}
		}
	}
	s.expectCounts(t, "settings:1")
}
