package provider_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

const panicVariable = "TEST_PANIC_ON_RETRY"

// panicOnRetry makes the provider process of a workspace crash if the variable is set.
func panicOnRetry(config *pulumiapi.Config) {
	if os.Getenv(panicVariable) != "" {
		config.Sleep = func(context.Context, time.Duration) error { panic("crash of a test") }
	}
}

// secretEcho is middleware that repeats all secrets it has seen in every response.
type secretEcho struct {
	api     http.Handler
	mu      sync.Mutex
	secrets []string
}

var secretPattern = regexp.MustCompile(`pul-[0-9a-f]{40}|eyJ[\w-]+\.[\w-]+\.[\w-]+`)

// add adds the secrets in a text, and returns all so far in several encodings.
func (e *secretEcho) add(text string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, secret := range secretPattern.FindAllString(text, -1) {
		if !slices.Contains(e.secrets, secret) {
			e.secrets = append(e.secrets, secret)
		}
	}
	var forms []string
	for _, secret := range e.secrets {
		forms = append(forms, secret, strings.ToUpper(secret), url.QueryEscape(secret), strings.ReplaceAll(secret, "-", "%2D"))
		for _, prefix := range []string{"", "-", "--", "user:"} {
			text := []byte(prefix + secret)
			forms = append(forms, base64.StdEncoding.EncodeToString(text), base64.RawURLEncoding.EncodeToString(text))
		}
	}
	return strings.Join(forms, " ")
}

func (e *secretEcho) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(request))
	recorder := httptest.NewRecorder()
	e.api.ServeHTTP(recorder, r)
	response := recorder.Body.Bytes()
	secrets := e.add(r.Header.Get("Authorization") + string(request) + string(response))
	var fields map[string]any
	if json.Unmarshal(response, &fields) == nil {
		fields["note"], fields[secrets] = secrets, secrets
		if recorder.Code != http.StatusOK {
			fields["message"], fields["documentationUrl"] = secrets, "https://example.com/?"+secrets
			fields["errors"] = []map[string]string{{"resource": secrets, "attribute": secrets, "customMessage": secrets}}
		}
		response, _ = json.Marshal(fields)
	} else {
		response = append(response, secrets...)
	}
	maps.Copy(w.Header(), recorder.Header())
	w.Header().Del("Content-Length")
	w.Header().Set("X-Pulumi-Request-Id", secrets)
	w.Header().Set("X-Pulumi-Warning", "look at "+secrets)
	w.Header().Set("Location", "https://example.com/"+url.PathEscape(secrets))
	w.WriteHeader(recorder.Code)
	if recorder.Code != http.StatusNoContent {
		_, _ = w.Write(response)
	}
}

// secretForms returns the texts that would reveal a secret. Base64 lacks the edges, which depend on the neighboring bytes.
func secretForms(secret string) []string {
	forms := []string{secret, strings.ToUpper(secret), url.QueryEscape(secret), strings.ReplaceAll(secret, "-", "%2D")}
	for preceding, edge := range []int{0, 2, 3} {
		text := []byte(strings.Repeat("-", preceding) + secret)
		whole := len(text) / 3 * 4
		forms = append(forms, base64.RawStdEncoding.EncodeToString(text)[edge:whole],
			base64.RawURLEncoding.EncodeToString(text)[edge:whole])
	}
	return forms
}

// sweep runs a CLI with its log at TRACE and keeps what it prints.
type sweep struct {
	*acctest.Workspace

	cloud   pulumiCloud
	echo    *secretEcho
	printed map[string]string
}

func newSweep(t *testing.T, cloud pulumiCloud, config string, env ...string) *sweep {
	t.Helper()
	s := &sweep{cloud: cloud, echo: &secretEcho{api: cloud.Server}, printed: make(map[string]string)}
	server := httptest.NewServer(s.echo)
	t.Cleanup(server.Close)
	s.Workspace = newWorkspace(t, config, append(env, "PULUMI_BACKEND_URL="+server.URL)...)
	s.Env = append(s.Env, "TF_LOG=TRACE", "TF_LOG_PATH=terraform.log")
	return s
}

// respondNext responds to the next request with the method.
func (s *sweep) respondNext(method string, respond interceptor) {
	var once sync.Once
	s.cloud.intercept(method, func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		handle := api.ServeHTTP
		once.Do(func() { handle = func(w http.ResponseWriter, r *http.Request) { respond(w, r, api) } })
		handle(w, r)
	})
}

// run runs a command that must print the texts, and fail if that is wanted.
func (s *sweep) run(t *testing.T, step string, fails bool, texts []string, args ...string) {
	t.Helper()
	output, err := s.Run(t.Context(), args...)
	s.printed[step] = output
	if (err != nil) != fails {
		t.Fatalf("%s: failed is %t, want %t (the output may contain secrets)", step, err != nil, fails)
	}
	unwrapped := strings.Join(strings.Fields(strings.ReplaceAll(output, "│", " ")), " ")
	for _, text := range texts {
		if !strings.Contains(unwrapped, text) {
			t.Errorf("%s: %q is missing in the output", step, text)
		}
	}
}

// expectNoSecrets looks for the secrets in everything that was printed and written. It does not print them. The stored
// token may be the value of an attribute "token".
func (s *sweep) expectNoSecrets(t *testing.T, stored string) {
	t.Helper()
	all := maps.Clone(s.printed)
	root := os.DirFS(s.Root)
	mustDo(t, fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		// The provider is a symbolic link. Plans are compressed, and printed by "show".
		if err != nil || !entry.Type().IsRegular() || path.Ext(name) == ".tfplan" {
			return err
		}
		content, err := fs.ReadFile(root, name)
		all[name] = string(content)
		return err
	}))
	log := all["configuration/terraform.log"]
	if !strings.Contains(log, " response=") || !strings.Contains(log, "(redacted)") {
		t.Error("the log has no bodies with redacted secrets")
	}
	attribute := regexp.MustCompile(`"token": ?"` + cmp.Or(stored, "none") + `"`)
	if stored != "" && !attribute.MatchString(all["configuration/terraform.tfstate"]) {
		t.Error("the state does not have the stored token")
	}
	for place, content := range all {
		content = attribute.ReplaceAllString(content, "")
		for i, secret := range s.echo.secrets {
			for j, form := range secretForms(secret) {
				if strings.Contains(content, form) {
					t.Errorf("%s has secret %d in form %d", place, i, j)
				}
			}
		}
	}
}

func TestAccSecrets(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	const (
		providerBlock = "provider \"pulumicloud\" {\n  organization = \"acme\"\n  max_retries = 2\n}\n" +
			"data \"pulumicloud_agent_pools\" \"all\" {}\n"
		redacted = "(redacted)"
	)
	first := func(name string) string {
		return providerBlock + fmt.Sprintf("resource \"pulumicloud_agent_pool\" \"first\" {\n  name = %q\n}\n", name)
	}
	second := func(name string) string {
		return first("renamed") + fmt.Sprintf("resource \"pulumicloud_agent_pool\" \"second\" {\n  name = %q\n"+
			"  depends_on = [pulumicloud_agent_pool.first]\n}\n", name)
	}
	s := newSweep(t, cloud, first("first"), "PULUMI_ACCESS_TOKEN="+accessToken)
	down := respondError(http.StatusServiceUnavailable, "down")

	s.respondNext(http.MethodGet, down)
	s.run(t, "plan", false, []string{"Warning from Pulumi Cloud", redacted}, "plan", "-out=create.tfplan")
	s.respondNext(http.MethodPost, respondError(http.StatusTooManyRequests, "slow down"))
	s.run(t, "apply", false, []string{"1 added"}, "apply", "create.tfplan")
	stored := s.echo.secrets[len(s.echo.secrets)-1]

	mustDo(t, s.Write("main.tf", second("renamed")))
	s.respondNext(http.MethodPatch, down)
	s.run(t, "taken name", true, []string{"Agent pool already exists", redacted}, "apply", "-auto-approve", "-json")
	mustDo(t, s.Write("main.tf", second("second")))
	s.respondNext(http.MethodPost, respond(http.StatusTemporaryRedirect, htmlType, "moved"))
	s.run(t, "redirect", true, []string{"Response not from Pulumi Cloud", redacted}, "apply", "-auto-approve")
	s.respondNext(http.MethodPost, func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		created := httptest.NewRecorder()
		api.ServeHTTP(created, r)
		s.echo.add(created.Body.String())
		respond(http.StatusBadGateway, htmlType, "lost")(w, r, api)
	})
	s.run(t, "lost response", true, []string{"Agent pool created without its token", redacted}, "apply", "-auto-approve")

	s.Env = append(s.Env, panicVariable+"=1")
	s.respondNext(http.MethodGet, down)
	s.run(t, "crash", true, []string{"plugin6.(*GRPCProvider).ReadResource"}, "plan") // It did not respond, or was canceled.
	s.Env = append(s.Env, panicVariable+"=", "PULUMI_ACCESS_TOKEN=pul-ffffffffffffffffffffffffffffffffffffffff")
	s.run(t, "wrong access token", true, []string{"Access token rejected", redacted}, "plan")
	s.Env = append(s.Env, "PULUMI_ACCESS_TOKEN="+accessToken)
	for _, pool := range cloud.AgentPools("acme") {
		mustDo(t, cloud.SetStackPool("acme", "web", pool.Name, pool.ID))
	}
	s.run(t, "in use", true, []string{"Agent pool in use", redacted}, "destroy", "-auto-approve")
	s.run(t, "show state", false, nil, "show", "-json")
	s.run(t, "plan destroy", false, nil, "plan", "-destroy", "-out=destroy.tfplan")
	s.run(t, "show plan", false, nil, "show", "-json", "destroy.tfplan")
	if n := len(s.echo.secrets); n != 4 {
		t.Errorf("%d secrets, want 2 access tokens and 2 tokens of agent pools", n)
	}
	s.expectNoSecrets(t, stored)
}

// With an ID token and token_recipients, not even the state has a secret.
func TestAccSecrets_keylessAndEncrypted(t *testing.T) {
	t.Parallel()
	cloud := startOIDCCloud(t, nil)
	key, err := age.GenerateX25519Identity()
	mustDo(t, err)
	s := newSweep(t, cloud.pulumiCloud, fmt.Sprintf(`
provider "pulumicloud" {
  organization = "acme"
  max_retries  = 2
  oidc         = {}
}

resource "pulumicloud_agent_pool" "test" {
  name             = "runners"
  token_recipients = [%q]
}`, key.Recipient()), "TFC_WORKLOAD_IDENTITY_TOKEN="+cloud.idToken(nil))
	refused := respond(http.StatusBadRequest, jsonType, `{"error":"invalid_grant","error_description":"no"}`)
	s.respondNext(http.MethodPost, refused)
	s.run(t, "exchange refused", true, []string{"ID token rejected", "(redacted)"}, "plan")
	s.respondNext(http.MethodPost, respond(http.StatusBadGateway, htmlType, "down"))
	s.run(t, "apply", false, []string{"1 added"}, "apply", "-auto-approve")
	s.respondNext(http.MethodGet, respondError(http.StatusUnauthorized, "expired"))
	s.run(t, "token renewed", false, []string{"No changes"}, "plan", "-out=no-op.tfplan")
	s.run(t, "show state", false, []string{"encrypted_token", "BEGIN AGE ENCRYPTED FILE"}, "show", "-json")
	if n := len(s.echo.secrets); n != 6 {
		t.Errorf("%d secrets, want an ID token, 4 access tokens and a token of an agent pool", n)
	}
	s.expectNoSecrets(t, "")
}
