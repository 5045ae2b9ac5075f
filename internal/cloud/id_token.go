package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// IDTokenSource is where a pipeline's OIDC ID token comes from.
type IDTokenSource interface {
	// idToken returns a token for the audience, as far as the source can choose. The error is an *[IDTokenError].
	idToken(ctx context.Context, c *Client, audience string) (string, error)
}

// IDTokenError is an ID token that could not be had, so that nothing was exchanged.
type IDTokenError struct {
	// Source says where it was looked for.
	Source string
	Err    error

	reason string
}

func (e *IDTokenError) Error() string {
	return fmt.Sprintf("there is no ID token from %s: %s", e.Source, e.reason)
}

func (e *IDTokenError) Unwrap() error { return e.Err }

// IDToken is an ID token that somebody configured.
type IDToken string

func (t IDToken) idToken(context.Context, *Client, string) (string, error) {
	return checkIDToken("the configuration", string(t))
}

// IDTokenFile is a file that holds the ID token, read anew each time: Kubernetes replaces it while it is in use.
type IDTokenFile struct {
	Path        string
	Environment Environment
}

func (f IDTokenFile) idToken(context.Context, *Client, string) (string, error) {
	content, err := f.Environment.ReadFile(f.Path)
	if err != nil {
		return "", &IDTokenError{Source: "the file " + f.Path, Err: err}
	}
	return checkIDToken("the file "+f.Path, string(content))
}

// IDTokenVariable is an environment variable that holds the ID token.
type IDTokenVariable struct {
	Name        string
	Environment Environment
}

func (v IDTokenVariable) idToken(context.Context, *Client, string) (string, error) {
	return checkIDToken("the environment variable "+v.Name, v.Environment.Getenv(v.Name))
}

// The environment variables that tell of a pipeline's own ID tokens.
const (
	hcpTerraformToken  = "TFC_WORKLOAD_IDENTITY_TOKEN" //nolint:gosec // A variable's name.
	githubRequestURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	githubRequestToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
)

// PipelineIDToken is the ID token of the pipeline that this process runs in: HCP Terraform's, from its environment
// variable, or that of a GitHub Actions job, from the URL that GitHub gives it.
type PipelineIDToken struct{ Environment Environment }

func (p PipelineIDToken) idToken(ctx context.Context, c *Client, audience string) (string, error) {
	if p.Environment.Getenv(hcpTerraformToken) != "" {
		return IDTokenVariable{hcpTerraformToken, p.Environment}.idToken(ctx, c, audience)
	}
	requestURL, requestToken := p.Environment.Getenv(githubRequestURL), p.Environment.Getenv(githubRequestToken)
	if requestURL == "" || requestToken == "" {
		return "", &IDTokenError{Source: "the environment", Err: fmt.Errorf(
			"neither %s (HCP Terraform) nor %s and %s (a GitHub Actions job with the permission id-token: write) are set",
			hcpTerraformToken, githubRequestURL, githubRequestToken)}
	}
	c.redactor.learn(requestToken)
	token, err := c.githubIDToken(ctx, requestURL, requestToken, audience)
	if err != nil {
		return "", &IDTokenError{Source: "GitHub Actions", Err: err}
	}
	return checkIDToken("GitHub Actions", token)
}

// checkIDToken refuses what can't be an ID token before it is sent anywhere.
func checkIDToken(source, token string) (string, error) {
	token = strings.TrimSpace(token)
	switch {
	case token == "":
		return "", &IDTokenError{Source: source, Err: errors.New("it is empty or not set")}
	case strings.Count(token, ".") != 2:
		return "", &IDTokenError{
			Source: source, Err: errors.New("what it holds is not a JSON Web Token (three parts with dots between)"),
		}
	}
	return token, nil
}
