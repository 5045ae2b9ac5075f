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
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator/oidctest"
)

// runMain is the environment variable that makes the test binary run the command.
const runMain = "EMULATOR_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// command is the emulator running in this process.
type command struct {
	url, token string
	stop       func() error
	log        bytes.Buffer
}

// start runs the command on a free port until the test ends or calls stop.
func start(t *testing.T, args ...string) *command {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	output, stdout := io.Pipe()
	c := &command{}
	ended := make(chan error)
	go func() {
		err := run(ctx, append([]string{"-listen", "127.0.0.1:0"}, args...), stdout, &c.log)
		stdout.CloseWithError(err)
		ended <- err
	}()
	c.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Errorf("the command ended with %v, want no error", err)
		}
	})
	c.readExports(t, output)
	return c
}

// readExports reads the lines for the shell.
func (c *command) readExports(t *testing.T, output io.Reader) {
	t.Helper()
	lines := bufio.NewScanner(output)
	export := func(variable string) string {
		lines.Scan()
		value, ok := strings.CutPrefix(lines.Text(), "export "+variable+"=")
		if !ok {
			t.Fatalf("no line exports %s", variable)
		}
		return value
	}
	c.url, c.token = export("PULUMI_BACKEND_URL"), export("PULUMI_ACCESS_TOKEN")
}

func (c *command) send(t *testing.T, method, path, body string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "token "+c.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, _ := io.ReadAll(response.Body) // The caller checks the body.
	return response.StatusCode, string(data)
}

const pools = "/api/orgs/acme/agent-pools"

func TestCommand(t *testing.T) {
	t.Setenv("PULUMI_ACCESS_TOKEN", "from-environment")
	c := start(t)
	if len(c.token) != len("pul-")+40 || !strings.HasPrefix(c.url, "http://127.0.0.1:") {
		t.Error("the URL is not on loopback, or the access token is not a random one")
	}
	if status, _ := c.send(t, http.MethodPost, pools, `{"name":"one"}`); status != http.StatusOK {
		t.Errorf("create: status %d, want 200", status)
	}
	if status, list := c.send(t, http.MethodGet, pools, ""); status != 200 || !strings.Contains(list, `"name":"one"`) {
		t.Errorf("list: status %d, %s", status, list)
	}
	_ = c.stop() // The end of the test checks the error.
	for _, want := range []string{"listening", "seed=", "method=POST", "path=" + pools, "request_id="} {
		if !strings.Contains(c.log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if strings.Contains(c.log.String(), "pul-") || strings.Contains(c.log.String(), "from-environment") {
		t.Error("the log holds a token")
	}
}

func TestCommand_flags(t *testing.T) {
	c := start(t, "-token", "pul-test", "-organization", "acme,globex", "-organization", "a/b", "-milliseconds")
	if c.token != "pul-test" {
		t.Error("the access token is not that of the flag")
	}
	for _, org := range []string{"acme", "globex", "a%2Fb"} {
		if status, _ := c.send(t, http.MethodGet, "/api/orgs/"+org+"/agent-pools", ""); status != http.StatusOK {
			t.Errorf("organization %s: status %d, want 200", org, status)
		}
	}
	c.send(t, http.MethodPost, pools, `{"name":"one"}`)
	if _, list := c.send(t, http.MethodGet, pools, ""); !regexp.MustCompile(`"created":\d{13},`).MatchString(list) {
		t.Errorf("list %s, want a time in milliseconds", list)
	}
	for args, want := range map[string]int{
		"-fault 500=1 -seed 1":     http.StatusInternalServerError,
		"-mode no-agent-pools-402": http.StatusPaymentRequired,
		"-rate-limit 1":            http.StatusTooManyRequests,
	} {
		c := start(t, strings.Fields(args)...)
		c.send(t, http.MethodGet, pools, "")
		if status, _ := c.send(t, http.MethodGet, pools, ""); status != want {
			t.Errorf("%s: status %d, want %d", args, status, want)
		}
	}
}

func TestCommand_oidc(t *testing.T) {
	issuer, other := oidctest.NewIssuer(t), oidctest.NewIssuer(t)
	c := start(t, "-oidc-issuer", issuer.URL, "-oidc-subject", "repo:acme/*", "-max-token-lifetime", "1h")
	exchange := func(issuer *oidctest.Issuer, subject, tokenType, scope string) (int, string) {
		return c.send(t, http.MethodPost, "/api/oauth/token", fmt.Sprintf(`{
			"audience": "urn:pulumi:org:acme",
			"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
			"subject_token": %q,
			"subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
			"requested_token_type": "urn:pulumi:token-type:access_token:%s",
			"scope": %q
		}`, issuer.Token(map[string]any{"aud": "urn:pulumi:org:acme", "sub": subject}), tokenType, scope))
	}
	for scope, tokenType := range map[string]string{"admin": "organization", "team:web": "team"} {
		status, body := exchange(issuer, "repo:acme/infra", tokenType, scope)
		if status != http.StatusOK || !strings.Contains(body, `"expires_in":3600`) {
			t.Errorf("%s: status %d, want 200 and a lifetime of an hour", tokenType, status)
		}
	}
	for subject, issuer := range map[string]*oidctest.Issuer{"repo:globex/infra": issuer, "repo:acme/infra": other} {
		if status, _ := exchange(issuer, subject, "organization", ""); status != http.StatusBadRequest {
			t.Errorf("issuer %s, subject %s: status %d, want 400", issuer.URL, subject, status)
		}
	}
}

func TestCommand_invalidFlags(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // A command that starts ends at once, without an error.
	for _, args := range []string{
		"-no-such-flag", "argument", "-log-level loud", "-organization acme,,globex", "-oidc-issuer x -oidc-subject=",
		"-fault drop", "-fault drop=2", "-fault flood=0.1", "-mode calm", "-listen nowhere", "-token=",
	} {
		if err := run(ctx, strings.Fields(args), io.Discard, io.Discard); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
	var usage bytes.Buffer
	err := run(ctx, []string{"-help"}, io.Discard, &usage)
	if !errors.Is(err, flag.ErrHelp) || !strings.Contains(usage.String(), "drop-after") {
		t.Errorf("-help: %v, want flag.ErrHelp and a usage that lists the faults", err)
	}
	var stdout, stderr bytes.Buffer
	err = run(ctx, []string{"-listen", ":0"}, &stdout, &stderr)
	printed := stdout.String() + stderr.String()
	if err != nil || !strings.Contains(printed, "[WARN]") || !strings.Contains(printed, "=http://localhost:") {
		t.Errorf("-listen :0: %v, want a warning and a URL that a client can use", err)
	}
}

func TestCommand_signals(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		process := exec.CommandContext(t.Context(), os.Args[0], "-listen", "127.0.0.1:0")
		process.Env = append(os.Environ(), runMain+"=1")
		output, err := process.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		new(command).readExports(t, output)
		if err := process.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := process.Wait(); err != nil {
			t.Errorf("%v: the process ended with %v, want no error", signal, err)
		}
	}
}
