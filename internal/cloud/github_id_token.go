package cloud

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/hashicorp/go-retryablehttp"
)

// githubIDToken asks the URL that GitHub gives to a job for an ID token with that audience.
func (c *Client) githubIDToken(ctx context.Context, requestURL, requestToken, audience string) (string, error) {
	target, err := url.Parse(requestURL)
	if err != nil || target.Host == "" {
		return "", errors.New(githubRequestURL + " is not a URL")
	}
	query := target.Query()
	query.Set("audience", audience)
	target.RawQuery = query.Encode()
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return "", errors.New(githubRequestURL + " is not a URL")
	}
	req.Header.Set("Authorization", "bearer "+requestToken)
	req.Header.Set("Accept", "application/json")

	engine := retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport: &http.Transport{
				Proxy:             http.ProxyFromEnvironment,
				TLSClientConfig:   &tls.Config{RootCAs: c.config.RootCAs, MinVersion: tls.VersionTLS12},
				DisableKeepAlives: true, // There is one request.
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       c.config.RequestTimeout,
		},
		RetryWaitMin: c.config.RetryWaitMin,
		RetryWaitMax: c.config.RetryWaitMax,
		RetryMax:     c.config.MaxRetries,
		CheckRetry:   c.retryGitHub,
		Backoff:      c.backoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	resp, err := engine.Do(req)
	if err != nil {
		if urlErr, ok := errors.AsType[*url.Error](err); ok {
			err = urlErr.Err // Without the URL: it is the job's alone.
		}
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("its token endpoint answered %s", statusText(resp.StatusCode))
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBodyBytes))
	if err != nil {
		return "", err
	}
	var body struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(content, &body) != nil {
		return "", errors.New("its token endpoint's answer is not the JSON that GitHub describes")
	}
	return body.Value, nil
}

// retryGitHub leaves long waits to the user, as requests to Pulumi Cloud do.
func (c *Client) retryGitHub(ctx context.Context, resp *http.Response, err error) (bool, error) {
	again, err := retryablehttp.DefaultRetryPolicy(ctx, resp, err)
	return again && c.retryAfter(resp) <= maxRetryAfter, err
}
