package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator/oidctest"
)

// runMain is the environment variable that makes the test binary be the command.
const runMain = "EMULATOR_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// command is the emulator, running in this process.
type command struct {
	url, token string
	stop       func() error
	log        *bytes.Buffer
}

// start runs the command on a free port until the test ends, or until stop returns what it ended with.
func start(t *testing.T, environment map[string]string, args ...string) *command {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	output, stdout := io.Pipe()
	c := &command{log: new(bytes.Buffer)}
	ended := make(chan error)
	go func() {
		args := append([]string{"-listen", "127.0.0.1:0"}, args...)
		err := run(ctx, args, func(name string) string { return environment[name] }, stdout, c.log)
		stdout.CloseWithError(err)
		ended <- err
	}()
	c.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Errorf("stopped with %v, want no error", err)
		}
	})
	lines := bufio.NewScanner(output)
	c.url = exported(t, lines, "PULUMI_BACKEND_URL")
	if environment[tokenVariable] == "" {
		c.token = exported(t, lines, tokenVariable)
	}
	return c
}

// exported reads the line that exports the variable.
func exported(t *testing.T, lines *bufio.Scanner, variable string) string {
	t.Helper()
	if !lines.Scan() {
		t.Fatalf("no line exports %s: %v", variable, lines.Err())
	}
	value, ok := strings.CutPrefix(lines.Text(), "export "+variable+"=")
	if !ok {
		t.Fatalf("a line does not export %s", variable)
	}
	return value
}

// send returns the status and body of an answer.
func (c *command) send(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "token "+c.token)
	request.Header.Set("Accept", "application/vnd.pulumi+9")
	request.Header.Set("User-Agent", "emulator-test")
	request.Header.Set("X-Pulumi-Source", "provider")
	request.Header.Set("Content-Type", "application/json")
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

const pools = "/api/orgs/acme/agent-pools"

func TestCommand(t *testing.T) {
	c := start(t, nil)
	if !strings.HasPrefix(c.url, "http://127.0.0.1:") {
		t.Errorf("backend URL %s, want one on loopback", c.url)
	}
	if len(c.token) != len("pul-")+40 {
		t.Error("the random access token does not look like one of Pulumi's")
	}
	if status, _ := c.send(t, http.MethodPost, pools, `{"name":"one","description":""}`); status != http.StatusOK {
		t.Errorf("create: status %d, want 200", status)
	}
	status, list := c.send(t, http.MethodGet, pools, "")
	if status != http.StatusOK || !strings.Contains(list, `"name":"one"`) {
		t.Errorf("list: status %d, %s", status, list)
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"listening", "method=POST", "path=" + pools, "request_id="} {
		if !strings.Contains(c.log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if strings.Contains(c.log.String(), "pul-") {
		t.Error("the log holds a token")
	}
}

func TestCommandToken(t *testing.T) {
	c := start(t, nil, "-token", "from-flag")
	if c.token != "from-flag" {
		t.Error("the token that is printed is not the flag's")
	}
	if status, _ := c.send(t, http.MethodGet, pools, ""); status != http.StatusOK {
		t.Errorf("status %d, want 200", status)
	}
	c.token = "another"
	if status, _ := c.send(t, http.MethodGet, pools, ""); status != http.StatusUnauthorized {
		t.Errorf("another token: status %d, want 401", status)
	}

	environment := map[string]string{tokenVariable: "from-environment"}
	c = start(t, environment)
	c.token = environment[tokenVariable]
	if status, _ := c.send(t, http.MethodGet, pools, ""); status != http.StatusOK {
		t.Errorf("token from the environment: status %d, want 200", status)
	}
}

func TestCommandDoesNotRepeatTheEnvironmentsToken(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr bytes.Buffer
	// The first line that it prints stops it.
	err := run(ctx, []string{"-listen", "127.0.0.1:0"}, func(string) string { return "from-environment" },
		writerFunc(func(p []byte) (int, error) {
			cancel()
			return stdout.Write(p)
		}), &stderr)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stdout.String(), "export PULUMI_BACKEND_URL=") {
		t.Error("the backend URL is not printed")
	}
	if strings.Contains(stdout.String()+stderr.String(), "from-environment") {
		t.Error("the environment's token is printed")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestCommandOptions(t *testing.T) {
	c := start(t, nil, "-organization", "acme,globex", "-organization", "a/b", "-milliseconds", "-lenient")
	for _, org := range []string{"acme", "globex", "a%2Fb"} {
		if status, _ := c.send(t, http.MethodGet, "/api/orgs/"+org+"/agent-pools", ""); status != http.StatusOK {
			t.Errorf("organization %s: status %d, want 200", org, status)
		}
	}
	if _, body := c.send(t, http.MethodGet, "/api/user/organizations/default", ""); !strings.Contains(body, `"acme"`) {
		t.Errorf("default organization %s, want acme", body)
	}
	c.send(t, http.MethodPost, pools, `{"name":"one","description":""}`)
	_, list := c.send(t, http.MethodGet, pools, "")
	_, rest, _ := strings.Cut(list, `"created":`)
	if created, _, _ := strings.Cut(rest, ","); len(created) != 13 {
		t.Errorf("created %s, want milliseconds", created)
	}

	for rate, want := range map[string]int{
		"-fault-429": http.StatusTooManyRequests, "-fault-500-after": http.StatusInternalServerError,
	} {
		c := start(t, nil, rate, "1", "-seed", "1")
		if status, _ := c.send(t, http.MethodGet, pools, ""); status != want {
			t.Errorf("%s: status %d, want %d", rate, status, want)
		}
	}
	c = start(t, nil, "-fault-5xx", "1", "-seed", "1")
	seen := make(map[int]bool)
	for range 50 {
		status, _ := c.send(t, http.MethodGet, pools, "")
		seen[status] = true
	}
	if len(seen) != 2 || !seen[http.StatusInternalServerError] || !seen[http.StatusServiceUnavailable] {
		t.Errorf("-fault-5xx: statuses %v, want 500 and 503", seen)
	}
}

func TestCommandTokenExchange(t *testing.T) {
	issuers := []*oidctest.Issuer{oidctest.NewIssuer(t), oidctest.NewIssuer(t)}
	c := start(t, nil, "-oidc-issuer", issuers[0].URL, "-oidc-issuer", issuers[1].URL, "-oidc-subject", "repo:acme/*")
	exchange := func(issuer *oidctest.Issuer, subject, tokenType, scope string) int {
		idToken := issuer.Token(map[string]any{"aud": "urn:pulumi:org:acme", "sub": subject})
		status, _ := c.send(t, http.MethodPost, "/api/oauth/token", fmt.Sprintf(`{
			"audience": "urn:pulumi:org:acme",
			"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
			"subject_token": %q,
			"subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
			"requested_token_type": "urn:pulumi:token-type:access_token:%s",
			"scope": %q
		}`, idToken, tokenType, scope))
		return status
	}
	for _, issuer := range issuers {
		for scope, tokenType := range map[string]string{
			"admin": "organization", "team:web": "team", "user:jane": "personal", "runner:one": "runner",
		} {
			if status := exchange(issuer, "repo:acme/infra", tokenType, scope); status != http.StatusOK {
				t.Errorf("%s: status %d, want 200", tokenType, status)
			}
		}
		if status := exchange(issuer, "repo:globex/infra", "organization", ""); status != http.StatusForbidden {
			t.Errorf("another subject: status %d, want 403", status)
		}
	}
	stranger := oidctest.NewIssuer(t)
	if status := exchange(stranger, "repo:acme/infra", "organization", ""); status != http.StatusUnauthorized {
		t.Errorf("another issuer: status %d, want 401", status)
	}
}

func TestCommandRefusals(t *testing.T) {
	for _, args := range [][]string{
		{"-no-such-flag"},
		{"argument"},
		{"-log-level", "loud"},
		{"-organization", "acme,,globex"},
		{"-oidc-issuer", "example.com"},
		{"-oidc-issuer", "https://example.com", "-oidc-subject", ""},
		{"-fault-drop", "2"},
		{"-listen", "no address"},
		{"-data", t.TempDir()},
	} {
		// Had it started, it would end without an error.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := run(ctx, args, func(string) string { return "" }, io.Discard, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
	var usage bytes.Buffer
	err := run(t.Context(), []string{"-help"}, func(string) string { return "secret" }, io.Discard, &usage)
	if !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-help: %v, want flag.ErrHelp", err)
	}
	if !strings.Contains(usage.String(), "-listen") || strings.Contains(usage.String(), "secret") {
		t.Error("the usage lacks the flags or holds the token")
	}
}

func TestCommandWarnsBeyondLoopback(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr bytes.Buffer
	stop := writerFunc(func(p []byte) (int, error) {
		cancel()
		return stdout.Write(p)
	})
	if err := run(ctx, []string{"-listen", ":0"}, func(string) string { return "" }, stop, &stderr); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stderr.String(), "[WARN]") || !strings.Contains(stdout.String(), "=http://localhost:") {
		t.Error("no warning, or no URL that a client can use")
	}
}

func TestProcessEndsOnSignals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "emulator.db")
	for i, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		process := exec.CommandContext(t.Context(), os.Args[0], "-listen", "127.0.0.1:0", "-data", path)
		process.Env = append(os.Environ(), runMain+"=1", tokenVariable+"=")
		output, err := process.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(output)
		c := &command{url: exported(t, lines, "PULUMI_BACKEND_URL"), token: exported(t, lines, tokenVariable)}
		body := fmt.Sprintf(`{"name":"pool-%d","description":""}`, i)
		if status, _ := c.send(t, http.MethodPost, pools, body); status != http.StatusOK {
			t.Errorf("create: status %d, want 200", status)
		}
		_, list := c.send(t, http.MethodGet, pools, "")
		for n := range i + 1 {
			if !strings.Contains(list, fmt.Sprintf(`"pool-%d"`, n)) {
				t.Errorf("the list after %d starts lacks pool-%d: %s", i+1, n, list)
			}
		}
		if err := process.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := process.Wait(); err != nil {
			t.Errorf("%v: the process ended with %v, want no error", signal, err)
		}
	}
}
