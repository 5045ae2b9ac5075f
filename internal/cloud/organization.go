package cloud

import (
	"context"
	"fmt"
	"math"
	"net/http"
)

// NoDefaultOrganizationError is a user for whom Pulumi Cloud has no default organization.
type NoDefaultOrganizationError struct{ Err error }

func (e *NoDefaultOrganizationError) Error() string {
	return fmt.Sprintf("the access token's user has no default organization: %s", e.Err)
}

func (e *NoDefaultOrganizationError) Unwrap() error { return e.Err }

// DefaultOrganization returns the default organization of the access token's user
// (GET /api/user/organizations/default). It is asked for once; a failure is not kept.
//
// Errors: *[NoDefaultOrganizationError], *[APIError], *[TransportError], *[AuthenticationError],
// *[ResponseError], and the context's.
func (c *Client) DefaultOrganization(ctx context.Context) (string, error) {
	const key = ""
	organization, err := c.defaultOrganization.get(ctx, key, math.MaxInt64, c.askDefaultOrganization)
	if err != nil {
		c.defaultOrganization.forget(key)
	}
	return organization, err
}

func (c *Client) askDefaultOrganization(ctx context.Context) (string, error) {
	answer, err := c.do(ctx, call{method: http.MethodGet, path: []string{"api", "user", "organizations", "default"}})
	if hasStatus(err, http.StatusBadRequest) {
		return "", &NoDefaultOrganizationError{Err: err}
	}
	if err != nil {
		return "", err
	}
	var body struct {
		GitHubLogin string
	}
	if err := answer.decode(&body); err != nil {
		return "", err
	}
	if body.GitHubLogin == "" {
		return "", answer.errorf("GitHubLogin", "is missing")
	}
	return body.GitHubLogin, nil
}
