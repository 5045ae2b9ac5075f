package provider_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// tattler is middleware that gives away, in every answer, the access token that the request came with, and the ID tokens
// and pool tokens that it has seen.
type tattler struct {
	mu sync.Mutex
	// accessTokens and poolTokens are the secrets that it has seen.
	accessTokens, poolTokens, idTokens []string
	// answers wait to take the place of the API's to the next request of their method.
	answers map[string]http.HandlerFunc
	// lose tells to break the connection after the next POST took effect.
	lose bool
}

// secrets returns the secrets that it has seen.
func (t *tattler) secrets() (accessTokens, poolTokens []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(t.accessTokens))), slices.Clone(t.poolTokens)
}

// gossip is the access token of a request and the pool tokens, in many forms.
func (t *tattler) gossip(accessToken string) string {
	_, secrets := t.secrets()
	t.mu.Lock()
	secrets = slices.Concat(secrets, t.idTokens, []string{accessToken})
	t.mu.Unlock()
	var words []string
	for _, secret := range secrets {
		if secret == "" {
			continue // as of an exchange, which carries none
		}
		words = append(words, secret, url.QueryEscape(secret), url.PathEscape(secret))
		for _, prefix := range []string{"", ":", "me:"} {
			text := []byte(prefix + secret + "!")
			words = append(words, base64.StdEncoding.EncodeToString(text), base64.RawURLEncoding.EncodeToString(text))
		}
	}
	return strings.Join(words, " ")
}

// answerNext has the next request of a method answered in the API's stead.
func (t *tattler) answerNext(method string, status int, mediaType, body string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers[method] = func(w http.ResponseWriter, r *http.Request) { answer(status, mediaType, body)(w, r, nil) }
}

func (t *tattler) loseNextCreate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lose = true
}

func (t *tattler) wrap(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, accessToken, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var exchange struct {
			SubjectToken string `json:"subject_token"`
		}
		_ = json.Unmarshal(body, &exchange)
		t.mu.Lock()
		if accessToken != "" {
			t.accessTokens = append(t.accessTokens, accessToken)
		}
		if exchange.SubjectToken != "" && !slices.Contains(t.idTokens, exchange.SubjectToken) {
			t.idTokens = append(t.idTokens, exchange.SubjectToken)
		}
		handler := api
		if instead, ok := t.answers[r.Method]; ok {
			handler = instead
			delete(t.answers, r.Method)
		}
		lose := t.lose && r.Method == http.MethodPost
		t.lose = t.lose && !lose
		t.mu.Unlock()

		recorder := record(handler, w, r)
		var created struct {
			TokenValue string `json:"tokenValue"`
		}
		_ = json.Unmarshal(recorder.Body.Bytes(), &created)
		if created.TokenValue != "" {
			t.mu.Lock()
			t.poolTokens = append(t.poolTokens, created.TokenValue)
			t.mu.Unlock()
		}
		if lose {
			panic(http.ErrAbortHandler)
		}
		embroider(w, recorder, t.gossip(accessToken))
	})
}

// embroider passes an answer on, with gossip wherever there is room for it.
func embroider(w http.ResponseWriter, recorder *httptest.ResponseRecorder, gossip string) {
	body := recorder.Body.Bytes()
	switch {
	case recorder.Header().Get("Content-Type") != jsonType:
		body = append(body, gossip...)
	case recorder.Code != http.StatusOK:
		detail := map[string]string{"resource": gossip, "attribute": gossip, "errorType": gossip, "customMessage": gossip}
		body, _ = json.Marshal(map[string]any{ // of texts, which never fails
			"code": recorder.Code, "message": gossip, "documentationUrl": "https://www.pulumi.com/?" + gossip,
			"errors": []any{detail}, "tokenValue": gossip, gossip: gossip,
		})
	}
	maps.Copy(w.Header(), recorder.Header())
	w.Header().Set("X-Pulumi-Request-Id", gossip)
	w.Header().Set("X-Pulumi-Warning", "look here: "+gossip)
	w.Header().Set("Location", "https://pulumi.invalid/?token="+url.QueryEscape(gossip))
	if recorder.Code != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(recorder.Code)
	if recorder.Code != http.StatusNoContent {
		_, _ = w.Write(body)
	}
}

// secretForms returns how a secret may be spelled, by the name of the spelling. Base64 lacks the characters at its edges,
// which depend on the text around the secret.
func secretForms(secret string) map[string]string {
	quoted, _ := json.Marshal(secret) // of a text, which never fails
	inJSON := strings.Trim(string(quoted), `"`)
	forms := map[string]string{
		"plain": secret, "in JSON": inJSON,
		// Loggers escape the quotes of a body alone.
		"in JSON in a log":    strings.ReplaceAll(inJSON, `"`, `\"`),
		"escaped for a query": url.QueryEscape(secret), "escaped for a path": url.PathEscape(secret),
	}
	for before, edge := range []int{0, 2, 3} {
		text := []byte(strings.Repeat("x", before) + secret)
		whole := len(text) / 3 * 4
		forms[fmt.Sprintf("in base64, %d bytes in", before)] = base64.RawStdEncoding.EncodeToString(text)[edge:whole]
		forms[fmt.Sprintf("in base64url, %d bytes in", before)] = base64.RawURLEncoding.EncodeToString(text)[edge:whole]
	}
	return forms
}

// expectNoSecrets never shows what it finds.
func expectNoSecrets(t *testing.T, place, content string, secrets []string) {
	t.Helper()
	for i, secret := range secrets {
		for name, form := range secretForms(secret) {
			if at := strings.Index(content, form); at >= 0 {
				line := 1 + strings.Count(content[:at], "\n")
				t.Errorf("%s: secret %d is there %s, in line %d (byte %d)", place, i, name, line, at)
			}
		}
	}
}

// withoutTokenAttributes leaves pool tokens out where they belong: in the value of an attribute "token", which is JSON in a
// state and MessagePack in a plan.
func withoutTokenAttributes(content string, poolTokens []string) string {
	for _, token := range poolTokens {
		packed := "\xa5token\xd9\x2c" + token // texts of 5 and 44 bytes
		for _, attribute := range []string{`"token":"` + token + `"`, `"token": "` + token + `"`, packed} {
			content = strings.ReplaceAll(content, attribute, "")
		}
	}
	return content
}

// secretsRun is a workspace whose every word is kept.
type secretsRun struct {
	*acctest.Workspace

	printed map[string]string
}

// run runs the CLI, which has to end with that status and print these texts.
func (r *secretsRun) run(t *testing.T, step string, status int, texts []string, arguments ...string) {
	t.Helper()
	output, err := r.Run(t.Context(), arguments...)
	r.printed[step] = output
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	}
	if got != status {
		t.Fatalf("%s: exit status %d, want %d (output withheld: it may hold secrets)", step, got, status)
	}
	// The CLI breaks lines where they would not fit.
	unbroken := strings.Join(strings.Fields(strings.ReplaceAll(output, "│", " ")), " ")
	for _, text := range texts {
		if !strings.Contains(unbroken, text) {
			t.Errorf("%s: %q is not in the output", step, text)
		}
	}
}

// written returns all files that the run has left, those in a plan file one by one.
func (r *secretsRun) written(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	root := os.DirFS(r.Root)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		// The mirror's link leads to this test program.
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, "configuration/")
		files[name] = string(content)
		if path.Ext(name) != ".tfplan" {
			return nil
		}
		archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return err
		}
		for _, member := range archive.File {
			reader, err := member.Open()
			if err != nil {
				return err
			}
			content, err := io.ReadAll(reader)
			if err != nil {
				return err
			}
			files[name+":"+member.Name] = string(content)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestAccSecrets takes pools through their lives, and through what can go wrong in them, while the server gives away every
// secret that it knows and all is logged. Then it looks for the secrets in everything that was printed or written.
func TestAccSecrets(t *testing.T) {
	t.Parallel()
	for name, accessToken := range map[string]string{
		"usual access token": accessToken,
		// Every encoding spells its characters differently.
		"odd access token": `secret/with+odd=chars&more%20<of>"them"\~?and-on`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := emulator.New(emulator.Options{AccessToken: accessToken})
			if err != nil {
				t.Fatal(err)
			}
			tattler := &tattler{answers: map[string]http.HandlerFunc{}}
			server.Use(tattler.wrap)
			listener := httptest.NewServer(server)
			t.Cleanup(listener.Close)
			secretLives(t, pulumiCloud{Server: server, url: listener.URL}, tattler, accessToken)
		})
	}
}

func secretLives(t *testing.T, pulumi pulumiCloud, tattler *tattler, accessToken string) {
	t.Helper()
	const (
		provider = `
provider "pulumicloud" {
  max_retries = 2
}

data "pulumicloud_agent_pools" "all" {}
`
		first    = "resource \"pulumicloud_agent_pool\" \"test\" {\n  name = \"first\"\n}\n"
		renamed  = "resource \"pulumicloud_agent_pool\" \"test\" {\n  name = \"renamed\"\n}\n"
		taken    = "resource \"pulumicloud_agent_pool\" \"second\" {\n  name = \"renamed\"\n}\n"
		second   = "resource \"pulumicloud_agent_pool\" \"second\" {\n  name = \"second\"\n}\n"
		failure  = `{"code":503,"message":"Service Unavailable: try again"}`
		redacted = "(redacted)"
	)
	r := &secretsRun{printed: map[string]string{}}
	r.Workspace = newWorkspace(t, provider+first, "PULUMI_BACKEND_URL="+pulumi.url, "PULUMI_ACCESS_TOKEN="+accessToken,
		"TF_LOG=TRACE", "TF_LOG_PATH=terraform.log")
	r.run(t, "init", 0, nil, "init")

	tattler.answerNext(http.MethodGet, http.StatusServiceUnavailable, jsonType, failure)
	r.run(t, "plan", 0, []string{"Warning from Pulumi Cloud", redacted}, "plan", "-out=create.tfplan")
	tattler.answerNext(http.MethodPost, http.StatusTooManyRequests, jsonType, failure)
	r.run(t, "apply", 0, []string{"1 added", redacted}, "apply", "-auto-approve")

	tattler.answerNext(http.MethodPatch, http.StatusInternalServerError, jsonType, failure)
	mustDo(t, r.Write("main.tf", provider+renamed))
	r.run(t, "rename", 0, []string{`"@level"`, redacted}, "apply", "-auto-approve", "-json")

	mustDo(t, r.Write("main.tf", provider+renamed+taken))
	r.run(t, "taken name", 1, []string{"Agent pool exists already", redacted}, "apply", "-auto-approve")
	mustDo(t, r.Write("main.tf", provider+renamed+second))
	tattler.answerNext(http.MethodPost, http.StatusTemporaryRedirect, htmlType, "<html>moved</html>")
	r.run(t, "redirect", 1, []string{"Not an answer of Pulumi Cloud", redacted}, "apply", "-auto-approve")
	tattler.answerNext(http.MethodGet, http.StatusForbidden, htmlType, "<html>sign in</html>")
	r.run(t, "web page", 1, []string{"Not an answer of Pulumi Cloud"}, "apply", "-auto-approve")
	tattler.loseNextCreate()
	r.run(t, "lost answer", 1, []string{"its token was lost", redacted}, "apply", "-auto-approve")
	const garbled = `{"id":5,"tokenValue":"pul-1234567890123456789012345678901234567890"}`
	tattler.answerNext(http.MethodPost, http.StatusOK, jsonType, garbled)
	r.run(t, "replacement", 0, []string{"1 added", "1 destroyed"}, "apply", "-auto-approve")

	env := r.Env
	r.Env = append(slices.Clip(env), "PULUMI_ACCESS_TOKEN=pul-ffffffffffffffffffffffffffffffffffffffff")
	r.run(t, "wrong access token", 1, []string{"Access token refused", redacted}, "plan")
	r.Env = env

	for _, pool := range pulumi.AgentPools("acme") {
		mustDo(t, pulumi.SetStackPool("acme", "web", pool.Name, pool.ID))
	}
	r.run(t, "in use", 1, []string{"Agent pool in use", redacted}, "destroy", "-auto-approve")
	r.run(t, "show state", 0, nil, "show", "-json")
	r.run(t, "plan destroy", 0, nil, "plan", "-destroy", "-out=destroy.tfplan")
	r.run(t, "show plan", 0, nil, "show", "-json", "destroy.tfplan")
	for _, pool := range pulumi.AgentPools("acme") {
		mustDo(t, pulumi.SetStackPool("acme", "web", pool.Name, ""))
	}
	r.run(t, "destroy", 0, []string{"2 destroyed"}, "apply", "destroy.tfplan")

	files := r.written(t)
	accessTokens, poolTokens := tattler.secrets()
	// The pools are first, second whose answer is lost, one that is made up, and second again.
	if len(accessTokens) != 2 || len(poolTokens) != 4 {
		t.Fatalf("%d access tokens and %d pool tokens were seen, want 2 and 4", len(accessTokens), len(poolTokens))
	}
	if !strings.Contains(files["terraform.log"], "response body") || !strings.Contains(files["terraform.log"], redacted) {
		t.Error("the log has no bodies with secrets left out of them: nothing is proved")
	}
	belongs := []string{
		"show state", "show plan", "terraform.tfstate.backup", "destroy.tfplan:tfplan", "destroy.tfplan:tfstate",
		"destroy.tfplan:tfstate-prev",
	}
	all := maps.Clone(files)
	maps.Copy(all, r.printed)
	for place, content := range all {
		if slices.Contains(belongs, place) {
			content = withoutTokenAttributes(content, poolTokens)
			if content == all[place] {
				t.Errorf("%s lacks the pools' tokens: looking there proves nothing", place)
			}
		}
		expectNoSecrets(t, place, content, slices.Concat(accessTokens, poolTokens))
	}
}

// An access token that comes in a variable is the CLI's to keep: in the plan file and in what shows that file as JSON. The
// documentation therefore prefers the environment.
func TestAccSecrets_accessTokenInVariable(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	r := &secretsRun{printed: map[string]string{}}
	r.Workspace = newWorkspace(t, `
variable "access_token" {
  type      = string
  sensitive = true
}

provider "pulumicloud" {
  access_token = var.access_token
  organization = "acme"
}
`+poolBlock(`name = "runners"`),
		"PULUMI_BACKEND_URL="+pulumi.url, "TF_VAR_access_token="+accessToken, "TF_LOG=TRACE", "TF_LOG_PATH=terraform.log")
	r.run(t, "init", 0, nil, "init")
	r.run(t, "plan", 0, nil, "plan", "-out=create.tfplan")
	r.run(t, "show plan", 0, nil, "show", "-json", "create.tfplan")
	r.run(t, "apply", 0, nil, "apply", "create.tfplan")
	r.run(t, "show state", 0, nil, "show", "-json")
	r.run(t, "plan as JSON", 0, nil, "plan", "-json")

	all := r.written(t)
	maps.Copy(all, r.printed)
	for place, content := range all {
		switch place {
		case "create.tfplan:tfplan", "show plan":
			if strings.Count(content, accessToken) != 1 {
				t.Errorf("%s has the access token %d times, want once, as the variable", place, strings.Count(content, accessToken))
			}
		default:
			expectNoSecrets(t, place, content, []string{accessToken})
		}
	}
}

// With oidc and token_recipients no secret is left that could be anywhere, not even in the state.
func TestAccSecrets_keylessAndEncrypted(t *testing.T) {
	t.Parallel()
	pulumi := startTrustingCloud(t, nil)
	tattler := &tattler{answers: map[string]http.HandlerFunc{}}
	pulumi.Use(tattler.wrap)
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	config := func(name string) string {
		return fmt.Sprintf(`
provider "pulumicloud" {
  organization = "acme"
  max_retries  = 2
  oidc         = {}
}
%s`, poolBlock(fmt.Sprintf("name = %q\n token_recipients = [%q]", name, key.Recipient())))
	}
	const redacted = "(redacted)"
	idToken := pulumi.idToken(nil)
	r := &secretsRun{printed: map[string]string{}}
	r.Workspace = newWorkspace(t, config("runners"), "PULUMI_BACKEND_URL="+pulumi.url, "TFC_WORKLOAD_IDENTITY_TOKEN="+idToken,
		"TF_LOG=TRACE", "TF_LOG_PATH=terraform.log")
	r.run(t, "init", 0, nil, "init")
	r.run(t, "plan", 0, nil, "plan", "-out=create.tfplan")
	tattler.answerNext(http.MethodPost, http.StatusUnauthorized, jsonType, pulumiError(401, "no"))
	r.run(t, "exchange refused", 1, []string{"ID token refused", redacted}, "apply", "-auto-approve")
	tattler.answerNext(http.MethodPost, http.StatusBadGateway, htmlType, "<h1>no</h1>")
	r.run(t, "apply", 0, []string{"1 added", redacted}, "apply", "-auto-approve")
	tattler.answerNext(http.MethodGet, http.StatusUnauthorized, jsonType, pulumiError(401, "no"))
	r.run(t, "access token refused once", 0, []string{"No changes", redacted}, "plan")
	mustDo(t, r.Write("main.tf", config("renamed")))
	r.run(t, "rename", 0, []string{"1 changed", redacted}, "apply", "-auto-approve")
	r.run(t, "show state", 0, []string{"encrypted_token", "BEGIN AGE ENCRYPTED FILE"}, "show", "-json")
	tattler.loseNextCreate() // which the exchange is, for all that this one knows
	r.run(t, "plan destroy", 0, nil, "plan", "-destroy", "-out=destroy.tfplan")
	r.run(t, "show plan", 0, nil, "show", "-json", "destroy.tfplan")

	var state struct {
		Values struct {
			RootModule struct {
				Resources []struct {
					Values map[string]any `json:"values"`
				} `json:"resources"`
			} `json:"root_module"`
		} `json:"values"`
	}
	mustDo(t, json.Unmarshal([]byte(r.printed["show state"]), &state))
	pool := state.Values.RootModule.Resources[0].Values
	id, _ := pool["id"].(string)
	encrypted, _ := pool["encrypted_token"].(string)
	if !pulumi.TokenMatches("acme", id, decrypt(t, encrypted, key)) {
		t.Error("what the state holds is not the pool's token, encrypted")
	}
	r.run(t, "destroy", 0, []string{"1 destroyed"}, "apply", "destroy.tfplan")

	accessTokens, poolTokens := tattler.secrets()
	if len(accessTokens) < 5 || len(poolTokens) != 1 || !slices.Equal(tattler.idTokens, []string{idToken}) {
		t.Fatalf("%d access, %d pool and %d ID tokens were seen: nothing is proved",
			len(accessTokens), len(poolTokens), len(tattler.idTokens))
	}
	all := r.written(t)
	if !strings.Contains(all["terraform.log"], `subject_token`) {
		t.Error("the log has no exchange: nothing is proved")
	}
	maps.Copy(all, r.printed)
	for place, content := range all {
		expectNoSecrets(t, place, content, slices.Concat(accessTokens, poolTokens, []string{idToken}))
	}
}
