package credentials

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	// The environment variables that pipelines set for ID tokens.
	hcpTerraformToken  = "TFC_WORKLOAD_IDENTITY_TOKEN" //nolint:gosec // The name of a variable.
	githubRequestURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	githubRequestToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"

	githubSource  = "GitHub Actions"
	maxRetryAfter = 5 * time.Minute // The longest wait that the endpoint of GitHub Actions can ask for.
)

// IDTokenFunc returns an ID token for the audience, as far as the source can choose one. Every error is a
// [*SettingsError].
type IDTokenFunc func(ctx context.Context, audience string) (string, error)

// StaticIDToken returns the ID token that is set in the provider block.
func StaticIDToken(token string) IDTokenFunc {
	return func(context.Context, string) (string, error) {
		return checkIDToken(value{token, "oidc.token in the provider block"})
	}
}

// IDTokenFile returns the ID token in a file. It reads the file each time, because Kubernetes replaces it.
func IDTokenFile(env Environment, path string) IDTokenFunc {
	return func(context.Context, string) (string, error) {
		if LooksLikeToken(path) {
			return "", missingIDToken("oidc.token_file in the provider block", tokenShapeProblem)
		}
		source := "the file " + path
		content, err := env.ReadFile(path)
		if err != nil {
			return "", missingIDToken(source, "The file cannot be read: %w.", err)
		}
		return checkIDToken(value{string(content), source})
	}
}

// IDTokenVariable returns the ID token in an environment variable.
func IDTokenVariable(env Environment, name string) IDTokenFunc {
	return func(context.Context, string) (string, error) {
		if LooksLikeToken(name) {
			return "", missingIDToken("oidc.token_env_var in the provider block", tokenShapeProblem)
		}
		source := "the environment variable " + name
		token := env.Getenv(name)
		if token == "" {
			return "", missingIDToken(source, "The variable is empty or not set.")
		}
		return checkIDToken(value{token, source})
	}
}

// PipelineIDToken returns the ID token of the pipeline that runs this process: the one that HCP Terraform sets in the
// environment, or the one that GitHub Actions returns to a request through client.
func PipelineIDToken(env Environment, client *http.Client, maxRetries int) IDTokenFunc {
	httpClient := *client
	httpClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	retryClient := retryablehttp.NewClient()
	retryClient.HTTPClient = &httpClient
	retryClient.Logger = nil
	retryClient.RetryMax = maxRetries
	retryClient.CheckRetry = func(ctx context.Context, resp *http.Response, err error) (bool, error) {
		retry, err := retryablehttp.DefaultRetryPolicy(ctx, resp, err)
		return retry && retryablehttp.DefaultBackoff(0, 0, 0, resp) <= maxRetryAfter, err
	}
	retryClient.ErrorHandler = retryablehttp.PassthroughErrorHandler
	return func(ctx context.Context, audience string) (string, error) {
		if env.Getenv(hcpTerraformToken) != "" {
			return IDTokenVariable(env, hcpTerraformToken)(ctx, audience)
		}
		return githubIDToken(ctx, env, retryClient, audience)
	}
}

// PipelineSecrets returns the secrets in the environment that [PipelineIDToken] sends.
func PipelineSecrets(env Environment) []string {
	var secrets []string
	for _, name := range []string{hcpTerraformToken, githubRequestToken} {
		if secret, err := checkSecret(env.Getenv(name)); err == nil {
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

// githubIDToken requests an ID token from the endpoint that GitHub Actions gives to a job.
//
// https://docs.github.com/en/actions/reference/security/oidc
func githubIDToken(
	ctx context.Context, env Environment, client *retryablehttp.Client, audience string,
) (string, error) {
	requestURL, requestToken := env.Getenv(githubRequestURL), env.Getenv(githubRequestToken)
	if requestURL == "" || requestToken == "" {
		return "", missingIDToken("the environment",
			"The %w: %s, %s and %s are not set.", ErrNoPipeline, hcpTerraformToken, githubRequestURL, githubRequestToken)
	}
	requestToken, err := checkSecret(requestToken)
	if err != nil {
		return "", missingIDToken(githubSource, "The value of %s %w.", githubRequestToken, err)
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, requestURL, nil)
	if err != nil || req.URL.Host == "" {
		return "", missingIDToken(githubSource, "The value of %s is not a URL.", githubRequestURL)
	}
	query := req.URL.Query()
	query.Set("audience", audience)
	req.URL.RawQuery = query.Encode()
	req.Header.Set("Authorization", "bearer "+requestToken)
	req.Header.Set("Accept", "application/json")

	resp, err := client.Do(req)
	if err != nil {
		return "", transportError(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", missingIDToken(githubSource, "The token endpoint returned status %d %s.",
			resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxBytes))
	if err != nil {
		return "", transportError(ctx, err)
	}
	var body struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(content, &body) != nil || body.Value == "" {
		return "", missingIDToken(githubSource, "The token endpoint returned an unexpected body.")
	}
	return checkIDToken(value{body.Value, githubSource})
}

// transportError describes a failed request without any text that may quote the URL or the response.
func transportError(ctx context.Context, err error) error {
	_, isCertificateErr := errors.AsType[*tls.CertificateVerificationError](err)
	opErr, isOpErr := errors.AsType[*net.OpError](err)
	switch {
	case ctx.Err() != nil:
		return missingIDToken(githubSource, "The request to the token endpoint was canceled: %w.", ctx.Err())
	case isCertificateErr:
		return missingIDToken(githubSource, "The certificate of the token endpoint cannot be verified.")
	case isOpErr:
		return missingIDToken(githubSource, "The connection to the token endpoint failed: %w.", opErr)
	}
	return missingIDToken(githubSource, "The token endpoint did not return a complete response.")
}

func missingIDToken(source, format string, args ...any) error {
	return settingsErrorf(OIDC, "Missing ID token", source, format, args...)
}
