package cloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// pipeline is an environment with these variables and files.
func pipeline(variables, files map[string]string) cloud.Environment {
	return cloud.Environment{
		Getenv: func(name string) string { return variables[name] },
		ReadFile: func(name string) ([]byte, error) {
			content, ok := files[name]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			return []byte(content), nil
		},
	}
}

// exchanged returns the ID token that a source gives for the exchange.
func exchanged(t *testing.T, source cloud.IDTokenSource, change ...func(*cloud.Config)) (string, error) {
	t.Helper()
	s := newServer(t, grant(exchangedToken, ""))
	_, err := newClient(t, s.URL, change...).ExchangeToken(t.Context(), source, organizationToken())
	requests := s.requests()
	if err != nil {
		if len(requests) > 0 {
			t.Error("something was exchanged without an ID token")
		}
		return "", err
	}
	var body struct {
		SubjectToken string `json:"subject_token"`
	}
	if err := json.Unmarshal([]byte(requests[0].body), &body); err != nil {
		t.Fatal(err)
	}
	return body.SubjectToken, nil
}

func TestIDTokens(t *testing.T) {
	t.Parallel()
	token, other := jwt(`{"sub":"a"}`), jwt(`{"sub":"b"}`)
	environment := pipeline(map[string]string{"ID_TOKEN": token}, map[string]string{"/token": token, "/windows": token + "\r\n"})
	for name, source := range map[string]cloud.IDTokenSource{
		"configured":             cloud.IDToken(token),
		"file":                   cloud.IDTokenFile{Path: "/token", Environment: environment},
		"file with a line break": cloud.IDTokenFile{Path: "/windows", Environment: environment},
		"variable":               cloud.IDTokenVariable{Name: "ID_TOKEN", Environment: environment},
		"HCP Terraform": cloud.PipelineIDToken{Environment: pipeline(map[string]string{
			"TFC_WORKLOAD_IDENTITY_TOKEN": token, "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:1",
			"ACTIONS_ID_TOKEN_REQUEST_TOKEN": other,
		}, nil)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := exchanged(t, source); err != nil || got != token {
				t.Errorf("got another token, or %v", err)
			}
		})
	}
}

func TestIDTokens_thatCanNotBeHad(t *testing.T) {
	t.Parallel()
	environment := pipeline(map[string]string{"WORD": "secret", "BLANK": " \n"}, map[string]string{"/empty": "", "/word": "secret"})
	for name, test := range map[string]struct {
		source cloud.IDTokenSource
		texts  []string
	}{
		"empty":      {cloud.IDToken(""), []string{"the configuration", "empty"}},
		"no token":   {cloud.IDToken("secret"), []string{"the configuration", "not a JSON Web Token"}},
		"no file":    {cloud.IDTokenFile{Path: "/none", Environment: environment}, []string{"the file /none", "not exist"}},
		"empty file": {cloud.IDTokenFile{Path: "/empty", Environment: environment}, []string{"the file /empty", "empty"}},
		"another file": {
			cloud.IDTokenFile{Path: "/word", Environment: environment}, []string{"the file /word", "not a JSON Web Token"},
		},
		"no variable":    {cloud.IDTokenVariable{Name: "NONE", Environment: environment}, []string{"variable NONE", "not set"}},
		"blank variable": {cloud.IDTokenVariable{Name: "BLANK", Environment: environment}, []string{"variable BLANK", "empty"}},
		"other variable": {
			cloud.IDTokenVariable{Name: "WORD", Environment: environment}, []string{"variable WORD", "not a JSON Web Token"},
		},
		"no pipeline": {
			cloud.PipelineIDToken{Environment: environment}, []string{"the environment", "TFC_WORKLOAD_IDENTITY_TOKEN", "id-token: write"},
		},
		"half a pipeline": {githubJob("http://127.0.0.1:1", ""), []string{"the environment", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"}},
		"no URL":          {githubJob("not a url", "request-token"), []string{"ACTIONS_ID_TOKEN_REQUEST_URL is not a URL"}},
		"no URL at all":   {githubJob("http://[", "request-token"), []string{"ACTIONS_ID_TOKEN_REQUEST_URL is not a URL"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := exchanged(t, test.source)
			if _, ok := errors.AsType[*cloud.IDTokenError](err); !ok {
				t.Fatalf("got %v, want that there is no ID token", err)
			}
			for _, text := range test.texts {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is not in %q", text, err)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Error("the error shows what is not a token")
			}
		})
	}
}

// Kubernetes replaces the file while it is in use.
func TestIDTokenFile_isReadAnew(t *testing.T) {
	t.Parallel()
	files := map[string]string{"/token": jwt(`{"sub":"first"}`)}
	source := cloud.IDTokenFile{Path: "/token", Environment: pipeline(nil, files)}
	for _, sub := range []string{"first", "second"} {
		files["/token"] = jwt(`{"sub":"` + sub + `"}`)
		if got, err := exchanged(t, source); err != nil || got != files["/token"] {
			t.Errorf("%s: got another token, or %v", sub, err)
		}
	}
}

func githubJob(requestURL, requestToken string) cloud.PipelineIDToken {
	return cloud.PipelineIDToken{Environment: pipeline(map[string]string{
		"ACTIONS_ID_TOKEN_REQUEST_URL": requestURL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": requestToken,
	}, nil)}
}

func TestGitHubIDToken(t *testing.T) {
	t.Parallel()
	token := jwt(`{}`)
	github := newServer(t,
		first(1, refuse(http.StatusBadGateway), answer(http.StatusOK, fmt.Sprintf(`{"value":%q,"count":1}`, token))))
	got, err := exchanged(t, githubJob(github.URL+"/job/1/idtoken?api-version=2.0&hubName=Actions", "request-token"))
	if err != nil || got != token {
		t.Fatalf("got another token, or %v", err)
	}
	github.expectCounts(t, map[string]int{"GET": 2})
	request := github.requests()[1]
	asked, err := url.ParseRequestURI(request.uri)
	if err != nil {
		t.Fatal(err)
	}
	query := asked.Query()
	if asked.Path != "/job/1/idtoken" || query.Get("audience") != "urn:pulumi:org:acme" ||
		query.Get("api-version") != "2.0" || query.Get("hubName") != "Actions" {
		t.Errorf("asked for %s", request.uri)
	}
	if request.header.Get("Authorization") != "bearer request-token" {
		t.Error("the request token is not sent as GitHub wants it")
	}
}

func TestGitHubIDToken_failures(t *testing.T) {
	t.Parallel()
	const requestToken = "the-job's-request-token"
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		texts   []string
	}{
		"refused": {refuse(http.StatusForbidden), []string{"GitHub Actions", "403 Forbidden"}},
		"redirected": {
			func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/else", http.StatusFound) }, []string{"302 Found"},
		},
		"no JSON": {
			func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<h1>hello</h1>") }, []string{"not the JSON"},
		},
		"no value":      {answer(http.StatusOK, `{"message":"`+requestToken+`"}`), []string{"empty or not set"}},
		"another value": {answer(http.StatusOK, `{"value":"`+requestToken+`"}`), []string{"not a JSON Web Token"}},
		"no answer":     {drop, []string{"GitHub Actions", "EOF"}},
		"long wait": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "301")
				w.WriteHeader(http.StatusTooManyRequests)
			}, []string{"429 Too Many Requests"},
		},
		"500 for ever": {refuse(http.StatusInternalServerError), []string{"500 Internal Server Error"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			github := newServer(t, test.handler)
			_, err := exchanged(t, githubJob(github.URL+"/job/4711?api-version=2.0", requestToken))
			if _, ok := errors.AsType[*cloud.IDTokenError](err); !ok {
				t.Fatalf("got %v, want that there is no ID token", err)
			}
			for _, text := range test.texts {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is not in %q", text, err)
				}
			}
			if strings.Contains(err.Error(), requestToken) || strings.Contains(err.Error(), "4711") {
				t.Error("the error shows what is the job's alone")
			}
		})
	}
}

// GitHub Enterprise Server may have a certificate of the same authority as a self-hosted Pulumi Cloud.
func TestGitHubIDToken_certificateAuthority(t *testing.T) {
	t.Parallel()
	token := jwt(`{}`)
	github := newUnstartedServer(t, answer(http.StatusOK, fmt.Sprintf(`{"value":%q}`, token)))
	github.StartTLS()
	if _, err := exchanged(t, githubJob(github.URL, "request-token")); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v, want that the certificate is not trusted", err)
	}
	if got, err := exchanged(t, githubJob(github.URL, "request-token"), trusting(github.Certificate())); err != nil || got != token {
		t.Errorf("got another token, or %v", err)
	}
}

func TestGitHubIDToken_endsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	github := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		hang(w, r)
	})
	c := newClient(t, "http://127.0.0.1:1")
	_, err := c.ExchangeToken(ctx, githubJob(github.URL+"/?api-version=2.0", "t"), organizationToken())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}
