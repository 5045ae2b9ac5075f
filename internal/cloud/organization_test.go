package cloud_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

func TestDefaultOrganizationIsAskedForOnce(t *testing.T) {
	t.Parallel()
	server := newServer(t, answer(http.StatusOK, `{"GitHubLogin":"acme","Messages":[]}`))
	clock := newClock()
	client := newClient(t, server.URL, func(c *cloud.Config) { c.Now = clock.Now })
	for range 3 {
		if got, err := client.DefaultOrganization(t.Context()); got != "acme" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		clock.advance(1000 * cloud.DefaultListMaxAge)
	}
	server.expectCounts(t, map[string]int{"GET": 1})
}

func TestDefaultOrganizationFailureIsNotKept(t *testing.T) {
	t.Parallel()
	server := newServer(t, inTurn(refuse(http.StatusForbidden), answer(http.StatusOK, `{"GitHubLogin":"acme"}`)))
	client := newClient(t, server.URL)
	var apiErr *cloud.APIError
	if _, err := client.DefaultOrganization(t.Context()); !errors.As(err, &apiErr) {
		t.Errorf("got %v, want an APIError", err)
	}
	if got, err := client.DefaultOrganization(t.Context()); got != "acme" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestNoDefaultOrganization(t *testing.T) {
	t.Parallel()
	client := newClient(t, newServer(t, refuse(http.StatusBadRequest)).URL)
	_, err := client.DefaultOrganization(t.Context())
	var none *cloud.NoDefaultOrganizationError
	var apiErr *cloud.APIError
	if !errors.As(err, &none) || !errors.As(err, &apiErr) || apiErr.StatusCode != http.StatusBadRequest {
		t.Errorf("got %v, want a NoDefaultOrganizationError that wraps the 400", err)
	}
}

func TestDefaultOrganizationOfAnUnexpectedShape(t *testing.T) {
	t.Parallel()
	for body, field := range map[string]string{
		`{}`: "GitHubLogin", `{"GitHubLogin":""}`: "GitHubLogin", `{"GitHubLogin":7}`: "GitHubLogin", `<html>`: "", "": "",
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			_, err := newClient(t, newServer(t, answer(http.StatusOK, body)).URL).DefaultOrganization(t.Context())
			var responseErr *cloud.ResponseError
			if !errors.As(err, &responseErr) || responseErr.Field != field {
				t.Errorf("got %v, want a ResponseError about %q", err, field)
			}
		})
	}
}
