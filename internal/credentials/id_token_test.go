package credentials_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
)

const (
	audience     = "urn:pulumi:org:acme"
	requestToken = "5ec2e75ec2e7-request"
	notJWT       = "The ID token is not a JSON Web Token, which has three base64url parts separated by dots."
	jobPath      = "/5ec2e75ec2e7/idtoken?api-version=2.0"
)

func jwt(subject string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(`{"sub":"`+subject+`"}`)) + ".c2lnbmF0dXJl"
}

func TestIDTokenFunc(t *testing.T) {
	t.Parallel()
	token := jwt("a")
	env := (&fakeEnvironment{
		variables: map[string]string{
			"ID_TOKEN": token, "TFC_WORKLOAD_IDENTITY_TOKEN": token,
			"ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": requestToken,
		},
		files: map[string]string{"/token": token + "\r\n"},
	}).environment()
	for name, source := range map[string]credentials.IDTokenFunc{
		"provider block": credentials.StaticIDToken(token),
		"file":           credentials.IDTokenFile(env, "/token"),
		"variable":       credentials.IDTokenVariable(env, "ID_TOKEN"),
		"HCP Terraform":  credentials.PipelineIDToken(env, http.DefaultClient, 0),
	} {
		if got, err := source(t.Context(), audience); err != nil || got != token {
			t.Errorf("%s: got a wrong token or %v", name, err)
		}
	}
}

func TestIDTokenFunc_errors(t *testing.T) {
	t.Parallel()
	const (
		blank       = "The ID token is blank."
		unprintable = "contains a control character or a character outside ASCII."
	)
	env := (&fakeEnvironment{
		variables: map[string]string{"WORD": secret, "BLANK": " \n", "MARK": "\xff\xfee\x00"},
		files: map[string]string{
			"/word": secret, "/lines": jwt("a") + "\n" + jwt("b"), "/parts": "a.b!.c", "/two": "a..c",
			"/large": strings.Repeat("a", 65536) + ".b.c",
		},
	}).environment()
	file := func(path string) credentials.IDTokenFunc { return credentials.IDTokenFile(env, path) }
	variable := func(name string) credentials.IDTokenFunc { return credentials.IDTokenVariable(env, name) }
	for _, tc := range []struct {
		source credentials.IDTokenFunc
		want   string
	}{
		{credentials.StaticIDToken(""), "Invalid ID token (oidc.token in the provider block): " + blank},
		{credentials.StaticIDToken(secret), "Invalid ID token (oidc.token in the provider block): " + notJWT},
		{file("/none"), "Missing ID token (the file /none): The file cannot be read: file does not exist."},
		{file(jwt("a")), "Missing ID token (oidc.token_file in the provider block): " + tokenShape},
		{file("/word"), "Invalid ID token (the file /word): " + notJWT},
		{file("/parts"), "Invalid ID token (the file /parts): " + notJWT},
		{file("/two"), "Invalid ID token (the file /two): " + notJWT},
		{file("/large"), "Invalid ID token (the file /large): The ID token is longer than 65536 bytes."},
		{file("/lines"), "Invalid ID token (the file /lines): The ID token " + unprintable},
		{variable("NONE"), "Missing ID token (the environment variable NONE): The variable is empty or not set."},
		{variable(secret), "Missing ID token (oidc.token_env_var in the provider block): " + tokenShape},
		{variable("BLANK"), "Invalid ID token (the environment variable BLANK): " + blank},
		{variable("MARK"), "Invalid ID token (the environment variable MARK): " +
			"The ID token starts with a byte-order mark (UTF-16 little endian)."},
		{githubJob("http://127.0.0.1:1", "", nil, 0), "Missing ID token (the environment): " +
			"The environment has no ID token of a pipeline: TFC_WORKLOAD_IDENTITY_TOKEN, ACTIONS_ID_TOKEN_REQUEST_URL and " +
			"ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set."},
		{
			githubJob("not a URL", requestToken, nil, 0),
			"Missing ID token (GitHub Actions): The value of ACTIONS_ID_TOKEN_REQUEST_URL is not a URL.",
		},
		{
			githubJob("http://[", requestToken, nil, 0),
			"Missing ID token (GitHub Actions): The value of ACTIONS_ID_TOKEN_REQUEST_URL is not a URL.",
		},
		{
			githubJob("http://127.0.0.1:1", requestToken+"\r\nX: y", nil, 0),
			"Missing ID token (GitHub Actions): The value of ACTIONS_ID_TOKEN_REQUEST_TOKEN " + unprintable,
		},
	} {
		_, err := tc.source(t.Context(), audience)
		requireError(t, err, credentials.OIDC, tc.want)
	}
}

func TestIDTokenFile_replaced(t *testing.T) {
	t.Parallel()
	env := &fakeEnvironment{files: map[string]string{}}
	source := credentials.IDTokenFile(env.environment(), "/token")
	for _, token := range []string{jwt("first"), jwt("second")} {
		env.files["/token"] = token
		if got, err := source(t.Context(), audience); err != nil || got != token {
			t.Errorf("got a wrong token or %v", err)
		}
	}
}

func TestPipelineSecrets(t *testing.T) {
	t.Parallel()
	env := &fakeEnvironment{variables: map[string]string{
		"TFC_WORKLOAD_IDENTITY_TOKEN": "a.b.c\n", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": requestToken,
	}}
	if got := credentials.PipelineSecrets(env.environment()); !slices.Equal(got, []string{"a.b.c", requestToken}) {
		t.Errorf("got %q", got)
	}
	env.variables = map[string]string{"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "\xff\xfea\x00"}
	if got := credentials.PipelineSecrets(env.environment()); got != nil {
		t.Errorf("got %q, want none, because the token cannot be sent", got)
	}
}

func newGitHub(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = hclog.NewNullLogger().StandardLogger(&hclog.StandardLoggerOptions{})
	t.Cleanup(server.Close)
	return server
}

func githubJob(url, token string, client *http.Client, maxRetries int) credentials.IDTokenFunc {
	env := &fakeEnvironment{variables: map[string]string{
		"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": token,
	}}
	return credentials.PipelineIDToken(env.environment(), cmp.Or(client, http.DefaultClient), maxRetries)
}

func TestPipelineIDToken_github(t *testing.T) {
	t.Parallel()
	token := jwt("a")
	requests := make(chan *http.Request, 3)
	github := newGitHub(t, func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		if len(requests) == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintf(w, `{"value":%q,"count":1}`, token)
	})
	github.StartTLS()
	got, err := githubJob(github.URL+jobPath, requestToken, github.Client(), 1)(t.Context(), audience)
	if err != nil || got != token {
		t.Fatalf("got a wrong token or %v", err)
	}
	if len(requests) != 2 {
		t.Errorf("got %d requests, want 2", len(requests))
	}
	r := <-requests
	if query := r.URL.Query(); r.Method != http.MethodGet || r.URL.Path != "/5ec2e75ec2e7/idtoken" ||
		query.Get("audience") != audience || query.Get("api-version") != "2.0" {
		t.Errorf("got %s %s", r.Method, r.URL)
	}
	if r.Header.Get("Authorization") != "bearer "+requestToken {
		t.Error("the request token is not in the Authorization header")
	}
}

func TestPipelineIDToken_githubErrors(t *testing.T) {
	t.Parallel()
	const (
		returned   = "Missing ID token (GitHub Actions): The token endpoint returned "
		incomplete = "Missing ID token (GitHub Actions): The token endpoint did not return a complete response."
	)
	respond := func(status int, header, value, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, value)
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, body)
		}
	}
	for name, tc := range map[string]struct {
		handler    http.HandlerFunc
		maxRetries int
		want       string
	}{
		"refused": {
			handler: respond(http.StatusForbidden, "X-Test", "", secret), maxRetries: 1,
			want: returned + "status 403 Forbidden.",
		},
		"redirected": {
			handler: respond(http.StatusFound, "Location", "/"+secret, ""),
			want:    returned + "status 302 Found.",
		},
		"unavailable": {
			handler: respond(http.StatusServiceUnavailable, "Retry-After", "0", ""), maxRetries: 2,
			want: returned + "status 503 Service Unavailable.",
		},
		"long wait": {
			handler: respond(http.StatusTooManyRequests, "Retry-After", "301", ""), maxRetries: 2,
			want: returned + "status 429 Too Many Requests.",
		},
		"HTML": {
			handler: respond(http.StatusOK, "Content-Type", "text/html", "<h1>"+secret+"</h1>"),
			want:    returned + "an unexpected body.",
		},
		"body of 2 MiB": {
			handler: respond(http.StatusOK, "X-Test", "", `{"value":"`+strings.Repeat("a", 2<<20)+`"}`),
			want:    returned + "an unexpected body.",
		},
		"no value": {handler: respond(http.StatusOK, "X-Test", "", `{}`), want: returned + "an unexpected body."},
		"access token": {
			handler: respond(http.StatusOK, "X-Test", "", `{"value":"`+secret+`"}`),
			want:    "Invalid ID token (GitHub Actions): " + notJWT,
		},
		"truncated":   {handler: respond(http.StatusOK, "Content-Length", "1000", `{"value":"`), want: incomplete},
		"no response": {handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, want: incomplete},
		"malformed": {
			handler: func(w http.ResponseWriter, _ *http.Request) {
				if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
					_, _ = fmt.Fprint(conn, secret+"\r\n\r\n")
					_ = conn.Close()
				}
			},
			want: incomplete,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			github := newGitHub(t, tc.handler)
			github.Start()
			_, err := githubJob(github.URL+jobPath, requestToken, nil, tc.maxRetries)(t.Context(), audience)
			requireError(t, err, credentials.OIDC, tc.want)
		})
	}
}

func TestPipelineIDToken_githubUntrustedCertificate(t *testing.T) {
	t.Parallel()
	github := newGitHub(t, func(http.ResponseWriter, *http.Request) { t.Error("got a request") })
	github.StartTLS()
	_, err := githubJob(github.URL+jobPath, requestToken, nil, 0)(t.Context(), audience)
	requireError(t, err, credentials.OIDC,
		"Missing ID token (GitHub Actions): The certificate of the token endpoint cannot be verified.")
}

func TestPipelineIDToken_githubUnreachable(t *testing.T) {
	t.Parallel()
	github := newGitHub(t, nil)
	github.Start()
	github.Close()
	_, err := githubJob(github.URL+jobPath, requestToken, nil, 0)(t.Context(), audience)
	requireSettingsError(t, err)
	if !strings.HasPrefix(err.Error(),
		"Missing ID token (GitHub Actions): The connection to the token endpoint failed: dial tcp 127.0.0.1:") {
		t.Errorf("got %v", err)
	}
}

func TestPipelineIDToken_githubCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	github := newGitHub(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	github.Start()
	_, err := githubJob(github.URL+jobPath, requestToken, nil, 3)(ctx, audience)
	requireError(t, err, credentials.OIDC,
		"Missing ID token (GitHub Actions): The request to the token endpoint was canceled: context canceled.")
	if !errors.Is(err, context.Canceled) {
		t.Error("the error does not wrap context.Canceled")
	}
}
