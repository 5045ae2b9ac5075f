package cloud_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

func TestSetDefaultAgentPool(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		id, body string
		answer   http.HandlerFunc
	}{
		"a pool":                 {poolID, `{"setDefaultAgentPoolID":"` + poolID + `"}`, answer(http.StatusOK, `{"name":"acme"}`)},
		"the Pulumi-hosted pool": {"", `{"setDefaultAgentPoolID":""}`, answer(http.StatusOK, `{}`)},
		"an answer without body": {poolID, `{"setDefaultAgentPoolID":"` + poolID + `"}`, answer(http.StatusOK, "")},
		"no content": {poolID, `{"setDefaultAgentPoolID":"` + poolID + `"}`, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, test.answer)
			if err := newClient(t, s.URL).SetDefaultAgentPool(t.Context(), "acme", test.id); err != nil {
				t.Fatal(err)
			}
			requests := s.requests()
			if len(requests) != 1 || requests[0].method != http.MethodPatch || requests[0].uri != "/api/orgs/acme" ||
				strings.TrimSpace(requests[0].body) != test.body {
				t.Errorf("requests %+v, want one PATCH of /api/orgs/acme with %s", requests, test.body)
			}
		})
	}
}

func TestSetDefaultAgentPool_refusedPool(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		id     string
		detail http.HandlerFunc
		gone   bool
		counts map[string]int
	}{
		"that is not there": {poolID, refuse(http.StatusNotFound), true, map[string]int{"PATCH": 1, "GET": 1}},
		"that is there": {
			poolID, answer(http.StatusOK, `{"id":"`+poolID+`","name":"runners"}`), false, map[string]int{"PATCH": 1, "GET": 1},
		},
		"that a proxy says is missing": {
			poolID, func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }, false, map[string]int{"PATCH": 1, "GET": 1},
		},
		"that can't be asked for":       {poolID, refuse(http.StatusForbidden), false, map[string]int{"PATCH": 1, "GET": 1}},
		"where it is the Pulumi-hosted": {"", nil, false, map[string]int{"PATCH": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, byMethod(t, map[string]http.HandlerFunc{
				http.MethodPatch: refuse(http.StatusBadRequest), "DETAIL": test.detail,
			}))
			err := newClient(t, s.URL).SetDefaultAgentPool(t.Context(), "acme", test.id)
			var missing *cloud.AgentPoolNotFoundError
			var api *cloud.APIError
			if errors.As(err, &missing) != test.gone || !errors.As(err, &api) || api.StatusCode != http.StatusBadRequest {
				t.Errorf("got %v, want the refusal, and a missing pool: %t", err, test.gone)
			}
			if test.gone && (missing.ID != poolID || missing.Organization != "acme") {
				t.Errorf("the error names %s/%s", missing.Organization, missing.ID)
			}
			s.expectCounts(t, test.counts)
		})
	}
}

func TestSetDefaultAgentPool_errors(t *testing.T) {
	t.Parallel()
	t.Run("organization", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, refuse(http.StatusNotFound))
		err := newClient(t, s.URL).SetDefaultAgentPool(t.Context(), "acme", poolID)
		if missing, ok := errors.AsType[*cloud.OrganizationNotFoundError](err); !ok || missing.Organization != "acme" {
			t.Errorf("got %v, want that the organization was not found", err)
		}
	})
	t.Run("a page that is no answer", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<h1>Sign in</h1>")
		})
		err := newClient(t, s.URL).SetDefaultAgentPool(t.Context(), "acme", poolID)
		if _, ok := errors.AsType[*cloud.ResponseError](err); !ok || !strings.Contains(err.Error(), "text/html") {
			t.Errorf("got %v, want that the answer is not the API's", err)
		}
	})
	t.Run("a path in the organization's place", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, refuse(http.StatusTeapot))
		for _, organization := range []string{"", ".", "..", "a\nb"} {
			err := newClient(t, s.URL).SetDefaultAgentPool(t.Context(), organization, poolID)
			if _, ok := errors.AsType[*cloud.ArgumentError](err); !ok {
				t.Errorf("%q: got %v, want an ArgumentError", organization, err)
			}
		}
		s.expectCounts(t, map[string]int{})
	})
}

// The list says which pool is the default, so that a list from before a change is old.
func TestSetDefaultAgentPool_endsTheSharedList(t *testing.T) {
	t.Parallel()
	s := newServer(t, byMethod(t, map[string]http.HandlerFunc{
		http.MethodGet: answer(http.StatusOK, emptyList), http.MethodPatch: refuse(http.StatusForbidden),
	}))
	c := newClient(t, s.URL)
	for range 2 {
		if _, err := c.AgentPools(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		if err := c.SetDefaultAgentPool(t.Context(), "acme", ""); err == nil {
			t.Fatal("no error")
		}
	}
	s.expectCounts(t, map[string]int{"GET": 2, "PATCH": 2})
}
