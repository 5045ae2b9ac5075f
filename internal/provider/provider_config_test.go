package provider_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

func serveProvider(t *testing.T) *acctest.Provider {
	t.Helper()
	return acctest.NewProvider(t.Context(), provider.NewServer("test", impatient))
}

// mustConfigure configures without a word from the provider.
func mustConfigure(t *testing.T, p *acctest.Provider, arguments attributes) {
	t.Helper()
	if diagnostics := p.Configure(t.Context(), arguments); len(diagnostics) > 0 {
		t.Fatal(diagnostics)
	}
}

func blockValue(t *testing.T, schema *tfprotov6.Schema, arguments attributes) *tfprotov6.DynamicValue {
	t.Helper()
	value, err := tfprotov6.NewDynamicValue(schema.ValueType(), arguments.Object(schema.ValueType()))
	mustDo(t, err)
	return &value
}

func diagnosticsText(diagnostics []*tfprotov6.Diagnostic) string {
	return acctest.Diagnostics(diagnostics).String()
}

// diagnosticWanted describes one diagnostic.
type diagnosticWanted struct {
	warning bool
	summary string
	// attribute is empty for a diagnostic of the whole block.
	attribute string
	// detail is what the detail has to contain.
	detail []string
}

// expectDiagnostic expects exactly one diagnostic.
func expectDiagnostic(t *testing.T, got acctest.Diagnostics, want diagnosticWanted) {
	t.Helper()
	if len(got) != 1 {
		t.Fatalf("got %d diagnostics, want one %q:\n%s", len(got), want.summary, diagnosticsText(got))
	}
	severity, attribute := tfprotov6.DiagnosticSeverityError, (*tftypes.AttributePath)(nil)
	if want.warning {
		severity = tfprotov6.DiagnosticSeverityWarning
	}
	if want.attribute != "" {
		attribute = tftypes.NewAttributePath().WithAttributeName(want.attribute)
	}
	if got[0].Severity != severity || got[0].Summary != want.summary || !got[0].Attribute.Equal(attribute) {
		t.Errorf("got the diagnostic\n%swant %s of %q: %s", diagnosticsText(got), severity, want.attribute, want.summary)
	}
	for _, part := range want.detail {
		if !strings.Contains(got[0].Detail, part) {
			t.Errorf("the detail lacks %q:\n%s", part, got[0].Detail)
		}
	}
}

// pulumiHome makes a folder of the Pulumi CLI's with these files, given by name, and has the environment name it.
func pulumiHome(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PULUMI_HOME", dir)
}

func toJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// recordingServer answers as a Pulumi Cloud with no pools, and keeps what it was asked.
type recordingServer struct {
	*httptest.Server

	mu       sync.Mutex
	requests []string
}

func newRecordingServer(t *testing.T) *recordingServer {
	t.Helper()
	s := &recordingServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, fmt.Sprintf("%s %s (%s)", r.Method, r.URL.Path, r.Header.Get("Authorization")))
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/api/user/organizations/default") {
			_, _ = io.WriteString(w, `{"GitHubLogin":"from-api","Messages":[]}`)
			return
		}
		_, _ = io.WriteString(w, `{"agentPools":[]}`)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *recordingServer) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// TestProviderConfig_sources looks at what a data source asks of whom. The path in front of /api tells where the
// URL was taken from; the token and the organization tell for themselves.
func TestProviderConfig_sources(t *testing.T) {
	server := newRecordingServer(t)
	at := func(source string) string { return server.URL + "/" + source }
	login := map[string]string{
		"credentials.json": toJSON(t, map[string]any{
			"current": at("file"),
			"accessTokens": map[string]string{
				at("file"): "file-token", at("attribute") + "/": "file-token-of-attribute", at("environment"): "file-token-of-environment",
			},
		}),
		"config.json": toJSON(t, map[string]any{
			"backends": map[string]any{at("file"): map[string]string{"defaultOrg": "file-org"}},
		}),
	}
	list := func(source, organization, token string) string {
		return fmt.Sprintf("GET /%s/api/orgs/%s/agent-pools (token %s)", source, organization, token)
	}
	const askDefault = "GET /%s/api/user/organizations/default (token %s)"

	for _, test := range []struct {
		name       string
		provider   attributes
		dataSource attributes
		env        map[string]string
		files      map[string]string
		want       []string
	}{
		{
			name:     "attributes before everything else",
			provider: attributes{"api_url": at("attribute"), "access_token": "attribute-token", "organization": "attribute-org"},
			env: map[string]string{
				"PULUMI_BACKEND_URL": at("environment"), "PULUMI_ACCESS_TOKEN": "environment-token",
				"PULUMI_DEFAULT_ORGANIZATION": "environment-org",
			},
			files: login,
			want:  []string{list("attribute", "attribute-org", "attribute-token")},
		},
		{
			name: "environment before the files",
			env: map[string]string{
				"PULUMI_BACKEND_URL": at("environment"), "PULUMI_ACCESS_TOKEN": "environment-token",
				"PULUMI_DEFAULT_ORGANIZATION": "environment-org",
			},
			files: login,
			want:  []string{list("environment", "environment-org", "environment-token")},
		},
		{
			name:  "files",
			files: login,
			want:  []string{list("file", "file-org", "file-token")},
		},
		{
			name:     "token of the URL that the attribute names, default organization of the API there",
			provider: attributes{"api_url": at("attribute")},
			files:    login,
			want: []string{
				fmt.Sprintf(askDefault, "attribute", "file-token-of-attribute"),
				list("attribute", "from-api", "file-token-of-attribute"),
			},
		},
		{
			name:  "token of the URL that the environment names",
			env:   map[string]string{"PULUMI_BACKEND_URL": at("environment"), "PULUMI_DEFAULT_ORGANIZATION": "environment-org"},
			files: login,
			want:  []string{list("environment", "environment-org", "file-token-of-environment")},
		},
		{
			name:  "token from the environment with the file's URL",
			env:   map[string]string{"PULUMI_ACCESS_TOKEN": "environment-token"},
			files: login,
			want:  []string{list("file", "file-org", "environment-token")},
		},
		{
			name: "token among the file's accounts",
			files: map[string]string{"credentials.json": toJSON(t, map[string]any{
				"current":  at("file"),
				"accounts": map[string]any{at("file"): map[string]string{"accessToken": "account-token", "username": "jane"}},
			})},
			env:  map[string]string{"PULUMI_DEFAULT_ORGANIZATION": "environment-org"},
			want: []string{list("file", "environment-org", "account-token")},
		},
		{
			name:       "data source's own organization, no other asked for",
			provider:   attributes{"api_url": at("attribute"), "access_token": "attribute-token"},
			dataSource: attributes{"organization": "own-org"},
			want:       []string{list("attribute", "own-org", "attribute-token")},
		},
		{
			name:     "trailing slash",
			provider: attributes{"api_url": at("attribute/"), "access_token": "attribute-token", "organization": "attribute-org"},
			want:     []string{list("attribute", "attribute-org", "attribute-token")},
		},
		{
			name:     "URL with /api",
			provider: attributes{"api_url": at("attribute/api"), "access_token": "attribute-token", "organization": "attribute-org"},
			want:     []string{list("attribute", "attribute-org", "attribute-token")},
		},
		{
			name: "URL with /api/ in the environment",
			env: map[string]string{
				"PULUMI_BACKEND_URL": at("environment/api/"), "PULUMI_ACCESS_TOKEN": "environment-token",
				"PULUMI_DEFAULT_ORGANIZATION": "environment-org",
			},
			want: []string{list("environment", "environment-org", "environment-token")},
		},
		{
			name:     "organization of the files for the URL with a slash",
			provider: attributes{"api_url": at("file/")},
			files:    login,
			want:     []string{list("file", "file-org", "file-token")},
		},
		{
			name:     "line break at the end of a token",
			provider: attributes{"api_url": at("attribute"), "organization": "attribute-org"},
			env:      map[string]string{"PULUMI_ACCESS_TOKEN": "environment-token\n"},
			want:     []string{list("attribute", "attribute-org", "environment-token")},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			pulumiHome(t, test.files)
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			before := len(server.seen())
			p := serveProvider(t)
			mustConfigure(t, p, test.provider)
			if got := server.seen()[before:]; len(got) > 0 {
				t.Errorf("configuring asked for %v", got)
			}
			if _, diagnostics := p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", test.dataSource); len(diagnostics) > 0 {
				t.Fatal(diagnosticsText(diagnostics))
			}
			if diff := cmp.Diff(test.want, server.seen()[before:]); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProviderConfig_credentialsFolders(t *testing.T) {
	server := newRecordingServer(t)
	folder := func(t *testing.T, name string) string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), ".pulumi")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		content := toJSON(t, map[string]any{
			"current": server.URL, "accessTokens": map[string]string{server.URL: name},
		})
		if err := os.WriteFile(filepath.Join(dir, "credentials.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for _, test := range []struct {
		want string
		set  []string
	}{
		{"home", []string{"HOME"}},
		{"pulumi-home", []string{"HOME", "PULUMI_HOME"}},
		{"credentials-path", []string{"HOME", "PULUMI_HOME", "PULUMI_CREDENTIALS_PATH"}},
	} {
		t.Run(test.want, func(t *testing.T) {
			t.Setenv("PULUMI_HOME", "")
			for _, variable := range test.set {
				switch variable {
				case "HOME":
					t.Setenv("HOME", filepath.Dir(folder(t, "home")))
				case "PULUMI_HOME":
					t.Setenv("PULUMI_HOME", folder(t, "pulumi-home"))
				case "PULUMI_CREDENTIALS_PATH":
					t.Setenv("PULUMI_CREDENTIALS_PATH", folder(t, "credentials-path"))
				}
			}
			p := serveProvider(t)
			mustConfigure(t, p, attributes{"organization": "acme"})
			if _, diagnostics := p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", nil); len(diagnostics) > 0 {
				t.Fatal(diagnosticsText(diagnostics))
			}
			seen := server.seen()
			if got, want := seen[len(seen)-1], "(token "+test.want+")"; !strings.HasSuffix(got, want) {
				t.Errorf("the request was %s, want %s", got, want)
			}
		})
	}
}

func TestProviderConfig_errors(t *testing.T) {
	const secret = "pul-00000000000000000000000000000000000000ff"
	garbage := filepath.Join(t.TempDir(), "garbage.pem")
	if err := os.WriteFile(garbage, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing.pem")
	diy := func(source, scheme string) diagnosticWanted {
		return diagnosticWanted{
			summary: "Backend without agent pools", attribute: "api_url",
			detail: []string{source, "(" + scheme + ")", "https://api.pulumi.com"},
		}
	}
	invalidURL := func(details ...string) diagnosticWanted {
		return diagnosticWanted{summary: "Invalid URL of Pulumi Cloud", attribute: "api_url", detail: details}
	}

	for _, test := range []struct {
		name     string
		provider attributes
		env      map[string]string
		files    map[string]string
		want     diagnosticWanted
	}{
		{"DIY backend, attribute, s3", attributes{"api_url": "s3://bucket"}, nil, nil, diy("", "s3")},
		{"DIY backend, attribute, gs", attributes{"api_url": "gs://bucket"}, nil, nil, diy("", "gs")},
		{"DIY backend, attribute, azblob", attributes{"api_url": "azblob://container"}, nil, nil, diy("", "azblob")},
		{"DIY backend, attribute, file", attributes{"api_url": "file://~"}, nil, nil, diy("", "file")},
		{
			"DIY backend, environment", nil,
			map[string]string{"PULUMI_BACKEND_URL": "s3://bucket?secret=" + secret},
			nil,
			diy("PULUMI_BACKEND_URL", "s3"),
		},
		{
			"DIY backend, file", nil, nil,
			map[string]string{"credentials.json": `{"current":"gs://bucket"}`},
			diy("credentials.json", "gs"),
		},
		{
			"encrypted file", nil, nil,
			map[string]string{"credentials.json": `{"$pulumiSecureStore":1,"backend":"keyring","accessTokens":"` + secret + `"}`},
			diagnosticWanted{
				summary: "Credentials file is encrypted", attribute: "access_token",
				detail: []string{"credentials.json", "PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL"},
			},
		},
		{
			"garbled credentials file", nil, nil,
			map[string]string{"credentials.json": `{"accessTokens":{"` + secret},
			diagnosticWanted{
				summary: "Credentials file can't be used", attribute: "access_token",
				detail: []string{"credentials.json", "not valid JSON", "pulumi login"},
			},
		},
		{
			"no token at all", nil, nil, nil,
			diagnosticWanted{
				summary: "No access token", attribute: "access_token",
				detail: []string{"https://api.pulumi.com", "access_token", "PULUMI_ACCESS_TOKEN", "pulumi login"},
			},
		},
		{
			"token of another URL alone",
			attributes{"api_url": "https://pulumi.example.com"},
			nil,
			map[string]string{"credentials.json": `{"accessTokens":{"https://api.pulumi.com":"` + secret + `"}}`},
			diagnosticWanted{
				summary: "No access token", attribute: "access_token",
				detail: []string{
					"There is no access token for https://pulumi.example.com", "only for https://api.pulumi.com", "set api_url",
				},
			},
		},
		{
			"blank token", nil,
			map[string]string{"PULUMI_ACCESS_TOKEN": " "},
			nil,
			diagnosticWanted{
				summary: "Invalid access token", attribute: "access_token", detail: []string{"PULUMI_ACCESS_TOKEN", "blank"},
			},
		},
		{
			"token with a line break in it",
			attributes{"access_token": secret + "\nX-Header: 1"},
			nil, nil,
			diagnosticWanted{summary: "Invalid access token", attribute: "access_token", detail: []string{"access_token", "white space"}},
		},
		{
			"empty token",
			attributes{"access_token": ""},
			nil, nil,
			diagnosticWanted{summary: "Invalid Attribute Value Length", attribute: "access_token"},
		},
		{
			"URL without a scheme",
			attributes{"api_url": "pulumi.example.com"},
			nil, nil,
			invalidURL("https://", "did you mean https://pulumi.example.com?"),
		},
		{"URL of another scheme", attributes{"api_url": "ftp://pulumi.example.com"}, nil, nil, invalidURL("https:// or http://")},
		{"URL without a host", attributes{"api_url": "https://"}, nil, nil, invalidURL("host name")},
		{"empty URL", attributes{"api_url": ""}, nil, nil, invalidURL("blank")},
		{
			"URL with a password",
			attributes{"api_url": "https://user:" + secret + "@pulumi.example.com"},
			nil, nil,
			invalidURL("password"),
		},
		{
			"malformed URL in the environment", nil,
			map[string]string{"PULUMI_BACKEND_URL": "https://[::1"},
			nil,
			invalidURL("PULUMI_BACKEND_URL", "malformed"),
		},
		{
			"malformed URL in the file", nil, nil,
			map[string]string{"credentials.json": `{"current":"https://pulumi.example.com:0"}`},
			invalidURL("credentials.json", "port"),
		},
		{
			"CA file missing",
			attributes{"access_token": secret, "ca_cert_file": missing},
			nil, nil,
			diagnosticWanted{
				summary: "CA certificates can't be used", attribute: "ca_cert_file", detail: []string{missing, "no such file"},
			},
		},
		{
			"CA file without a certificate",
			attributes{"access_token": secret, "ca_cert_file": garbage},
			nil, nil,
			diagnosticWanted{
				summary: "CA certificates can't be used", attribute: "ca_cert_file", detail: []string{garbage, "BEGIN CERTIFICATE"},
			},
		},
		{
			"CA file not named",
			attributes{"ca_cert_file": ""},
			nil, nil,
			diagnosticWanted{summary: "Invalid Attribute Value Length", attribute: "ca_cert_file"},
		},
		{
			"time-out without a unit",
			attributes{"request_timeout": "60"},
			nil, nil,
			diagnosticWanted{summary: "Invalid Time Duration String Value", attribute: "request_timeout"},
		},
		{
			"no time at all",
			attributes{"request_timeout": "0s"},
			nil, nil,
			diagnosticWanted{summary: "Duration is not positive", attribute: "request_timeout", detail: []string{"longer than zero"}},
		},
		{
			"negative time-out",
			attributes{"request_timeout": "-1s"},
			nil, nil,
			diagnosticWanted{summary: "Duration is not positive", attribute: "request_timeout"},
		},
		{
			"negative retries",
			attributes{"max_retries": -1},
			nil, nil,
			diagnosticWanted{summary: "Invalid Attribute Value", attribute: "max_retries", detail: []string{"between 0 and 100"}},
		},
		{
			"too many retries",
			attributes{"max_retries": 101},
			nil, nil,
			diagnosticWanted{summary: "Invalid Attribute Value", attribute: "max_retries"},
		},
		{
			"empty organization",
			attributes{"organization": ""},
			nil, nil,
			diagnosticWanted{summary: "Empty name", attribute: "organization"},
		},
		{
			"organization with white space",
			attributes{"organization": "acme "},
			nil, nil,
			diagnosticWanted{summary: "White space around a name", attribute: "organization"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			pulumiHome(t, test.files)
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			got := serveProvider(t).Configure(t.Context(), test.provider)
			expectDiagnostic(t, got, test.want)
			if strings.Contains(diagnosticsText(got), secret) {
				t.Error("the diagnostic shows a secret")
			}
		})
	}
}

// The Pulumi CLI's configuration matters only to what names no organization.
func TestProviderConfig_garbledConfigFile(t *testing.T) {
	server := newRecordingServer(t)
	pulumiHome(t, map[string]string{"config.json": `{"backends":[`})
	p := serveProvider(t)
	mustConfigure(t, p, attributes{"api_url": server.URL, "access_token": accessToken})
	_, diagnostics := p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", attributes{"organization": "acme"})
	if len(diagnostics) > 0 {
		t.Fatal(diagnosticsText(diagnostics))
	}
	_, diagnostics = p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", nil)
	expectDiagnostic(t, diagnostics, diagnosticWanted{
		summary: "Pulumi configuration file can't be used", attribute: "organization",
		detail: []string{"config.json", "organization", "PULUMI_DEFAULT_ORGANIZATION"},
	})
}

func TestProviderConfig_plainHTTPWarning(t *testing.T) {
	t.Parallel()
	for address, warns := range map[string]bool{
		"http://pulumi.invalid": true, "http://192.0.2.1:8080/prefix": true,
		"https://pulumi.invalid": false, "http://127.0.0.1:1": false, "http://localhost:1": false, "http://[::1]:1": false,
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			p := serveProvider(t)
			arguments := attributes{"api_url": address, "access_token": accessToken}
			if !warns {
				mustConfigure(t, p, arguments)
				return
			}
			expectDiagnostic(t, p.Configure(t.Context(), arguments), diagnosticWanted{
				warning: true, summary: "Access token travels in clear", attribute: "api_url", detail: []string{address, "https"},
			})
		})
	}
}

// Whatever the provider would read or ask at its start would fail here, or be seen.
func TestProviderConfig_readsNoFileAndMakesNoRequest(t *testing.T) {
	server := newRecordingServer(t)
	pulumiHome(t, map[string]string{"credentials.json": "garbage", "config.json": "garbage"})
	p := serveProvider(t) // asks for the schema
	missing := filepath.Join(t.TempDir(), "missing.pem")
	if diagnostics := p.Validate(t.Context(), attributes{"ca_cert_file": missing}); len(diagnostics) > 0 {
		t.Errorf("validation looked beyond the configuration: %s", diagnosticsText(diagnostics))
	}
	mustConfigure(t, p, attributes{"api_url": server.URL, "access_token": accessToken})
	if seen := server.seen(); len(seen) > 0 {
		t.Errorf("requests before any resource: %v", seen)
	}
}

func TestProviderConfig_defaultOrganizationIsAskedForOnce(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	p := serveProvider(t)
	mustConfigure(t, p, attributes{"api_url": pulumi.url, "access_token": accessToken})

	const asked = "GET /api/user/organizations/default"
	_, diagnostics := p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", attributes{"organization": "globex"})
	if len(diagnostics) > 0 {
		t.Fatal(diagnosticsText(diagnostics))
	}
	if n := pulumi.count(asked); n != 0 {
		t.Errorf("the default organization was asked for %d times before anything needed it", n)
	}
	var readers sync.WaitGroup
	for range 10 {
		readers.Go(func() {
			state, diagnostics := p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", nil)
			if len(diagnostics) > 0 || state["organization"] != "acme" {
				t.Errorf("read %v\n%s", state, diagnosticsText(diagnostics))
			}
		})
	}
	readers.Wait()
	if n := pulumi.count(asked); n != 1 {
		t.Errorf("the default organization was asked for %d times, want once", n)
	}
}

// count tells how many requests there were of a kind, such as "GET /api/orgs/acme/agent-pools".
func (c pulumiCloud) count(request string) int {
	n := 0
	for _, r := range c.Requests() {
		if r.Method+" "+r.Path == request {
			n++
		}
	}
	return n
}

func TestProviderConfig_noDefaultOrganization(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pulumi.SetDefaultOrganization("")
	p := serveProvider(t)
	mustConfigure(t, p, attributes{"api_url": pulumi.url, "access_token": accessToken})
	_, diagnostics := p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", nil)
	expectDiagnostic(t, diagnostics, diagnosticWanted{
		summary: "No organization", attribute: "organization",
		detail: []string{"no default one", "PULUMI_DEFAULT_ORGANIZATION"},
	})
}

func TestProviderConfig_userAgent(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	p := serveProvider(t)
	mustConfigure(t, p, attributes{"api_url": pulumi.url, "access_token": accessToken, "organization": "acme"})
	if _, diagnostics := p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", nil); len(diagnostics) > 0 {
		t.Fatal(diagnosticsText(diagnostics))
	}
	agent := pulumi.Requests()[0].Header.Get("User-Agent")
	if !strings.HasPrefix(agent, "terraform-provider-pulumicloud/test ") || !strings.HasSuffix(agent, " Terraform/1.14.0") {
		t.Errorf("the User-Agent is %q, want both versions in it", agent)
	}
}

func TestProviderConfig_caCertFile(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	server := httptest.NewUnstartedServer(pulumi.Server)
	server.Config.ErrorLog = hclog.NewNullLogger().StandardLogger(&hclog.StandardLoggerOptions{})
	server.StartTLS()
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		t.Fatal(err)
	}

	arguments := attributes{"api_url": server.URL, "access_token": accessToken, "organization": "acme"}
	p := serveProvider(t)
	mustConfigure(t, p, arguments)
	_, diagnostics := p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", nil)
	expectDiagnostic(t, diagnostics, diagnosticWanted{
		summary: "Certificate not trusted", detail: []string{"ca_cert_file", "list the agent pools"},
	})
	if n := len(pulumi.Requests()); n != 0 {
		t.Errorf("%d requests reached a server that is not trusted", n)
	}

	arguments["ca_cert_file"] = file
	mustConfigure(t, p, arguments)
	if _, diagnostics := p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", nil); len(diagnostics) > 0 {
		t.Error(diagnosticsText(diagnostics))
	}

	arguments["api_url"] = "https" + strings.TrimPrefix(pulumi.url, "http")
	mustConfigure(t, p, arguments)
	_, diagnostics = p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", nil)
	expectDiagnostic(t, diagnostics, diagnosticWanted{summary: "Server does not speak TLS", detail: []string{"plain HTTP"}})
}

func TestProviderConfig_requestTimeout(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pulumi.intercept("", func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() })
	p := serveProvider(t)
	mustConfigure(t, p, attributes{
		"api_url": pulumi.url, "access_token": accessToken, "organization": "acme", "request_timeout": "50ms", "max_retries": 2,
	})
	_, diagnostics := p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", nil)
	expectDiagnostic(t, diagnostics, diagnosticWanted{
		summary: "No answer in time", detail: []string{"within 50ms", "attempts: 3", "request_timeout"},
	})
	if n := len(pulumi.Requests()); n != 3 {
		t.Errorf("%d attempts, want 3", n)
	}
}

func TestProviderConfig_maxRetries(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		retries  any
		attempts int
	}{
		"default": {nil, 5}, "none": {0, 1}, "two": {2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{Faults: emulator.Faults{"503": 1}})
			p := serveProvider(t)
			mustConfigure(t, p, attributes{
				"api_url": pulumi.url, "access_token": accessToken, "organization": "acme", "max_retries": test.retries,
			})
			_, diagnostics := p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", nil)
			expectDiagnostic(t, diagnostics, diagnosticWanted{
				summary: "Pulumi Cloud failed", detail: []string{fmt.Sprintf("attempts: %d", test.attempts)},
			})
			if n := len(pulumi.Requests()); n != test.attempts {
				t.Errorf("%d attempts, want %d", n, test.attempts)
			}
		})
	}
}

func TestProviderConfig_unknown(t *testing.T) {
	t.Parallel()
	for _, attribute := range []string{"access_token", "api_url", "ca_cert_file", "request_timeout", "max_retries"} {
		t.Run(attribute, func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{})
			arguments := attributes{"api_url": pulumi.url, "access_token": accessToken, "organization": "acme"}
			arguments[attribute] = tftypes.UnknownValue
			p := serveProvider(t)
			mustConfigure(t, p, arguments)
			for name, key := range map[string]attributes{
				"pulumicloud_agent_pools": nil, "pulumicloud_agent_pool": {"name": "runners"},
			} {
				_, diagnostics := p.ReadDataSource(t.Context(), name, key)
				expectDiagnostic(t, diagnostics, diagnosticWanted{
					summary: "Provider configuration is not known yet",
					detail:  []string{"The provider's " + attribute + " depends on", "-target"},
				})
			}
			if seen := pulumi.Requests(); len(seen) > 0 {
				t.Errorf("%d requests were made without %s", len(seen), attribute)
			}
		})
	}
}

func TestProviderConfig_unknownOrganization(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	p := serveProvider(t)
	mustConfigure(t, p, attributes{"api_url": pulumi.url, "access_token": accessToken, "organization": tftypes.UnknownValue})
	_, diagnostics := p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", nil)
	expectDiagnostic(t, diagnostics, diagnosticWanted{summary: "Organization is not known yet", attribute: "organization"})
	state, diagnostics := p.ReadDataSource(t.Context(), "pulumicloud_agent_pools", attributes{"organization": "globex"})
	if len(diagnostics) > 0 || state["organization"] != "globex" {
		t.Errorf("read %v\n%s", state, diagnosticsText(diagnostics))
	}
}

// A CLI that can defer is told to, and plans the rest.
func TestProviderConfig_unknownIsDeferred(t *testing.T) {
	t.Parallel()
	p := serveProvider(t)
	configured, err := p.Server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{
		Config:             blockValue(t, p.Schemas.Provider, attributes{"access_token": tftypes.UnknownValue}),
		ClientCapabilities: &tfprotov6.ConfigureProviderClientCapabilities{DeferralAllowed: true},
	})
	if err != nil || len(configured.Diagnostics) > 0 {
		t.Fatal(err, diagnosticsText(configured.Diagnostics))
	}
	resp, err := p.Server.ReadDataSource(t.Context(), &tfprotov6.ReadDataSourceRequest{
		TypeName:           "pulumicloud_agent_pools",
		Config:             blockValue(t, p.Schemas.DataSourceSchemas["pulumicloud_agent_pools"], nil),
		ClientCapabilities: &tfprotov6.ReadDataSourceClientCapabilities{DeferralAllowed: true},
	})
	if err != nil || len(resp.Diagnostics) > 0 {
		t.Fatal(err, diagnosticsText(resp.Diagnostics))
	}
	if resp.Deferred == nil || resp.Deferred.Reason != tfprotov6.DeferredReasonProviderConfigUnknown {
		t.Errorf("the answer is deferred as %v, want as %s", resp.Deferred, tfprotov6.DeferredReasonProviderConfigUnknown)
	}
}

// The whole configuration comes from something that the same apply creates.
func TestAccProviderConfig_fromResource(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{{
			Config: fmt.Sprintf(`
resource "terraform_data" "login" {
  input = { api_url = %q, access_token = %q, organization = "globex", request_timeout = "30s", max_retries = 1 }
}

provider "pulumicloud" {
  api_url         = terraform_data.login.output.api_url
  access_token    = terraform_data.login.output.access_token
  organization    = terraform_data.login.output.organization
  request_timeout = terraform_data.login.output.request_timeout
  max_retries     = terraform_data.login.output.max_retries
}

resource "pulumicloud_agent_pool" "test" {
  name = "runners"
}

data "pulumicloud_agent_pools" "all" {
  depends_on = [pulumicloud_agent_pool.test]
}`, pulumi.url, accessToken),
			Check: resource.ComposeAggregateTestCheckFunc(
				resource.TestCheckResourceAttr("pulumicloud_agent_pool.test", "organization", "globex"),
				resource.TestCheckResourceAttr("data.pulumicloud_agent_pools.all", "agent_pools.0.name", "runners"),
			),
		}},
	})
}

func TestAccProviderConfig_notKnownForDataSource(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{{
			Config: fmt.Sprintf(`
resource "terraform_data" "login" {
  input = %q
}

provider "pulumicloud" {
  api_url      = %q
  access_token = terraform_data.login.output
}

data "pulumicloud_agent_pools" "all" {}`, accessToken, pulumi.url),
			ExpectError: regexp.MustCompile(`Provider configuration is not known yet[\s\S]*access_token`),
		}},
	})
}

func TestAccProviderConfig_proxyFromEnvironment(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	var hosts sync.Map
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts.Store(r.URL.Host, true)
		pulumi.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)

	workspace := newWorkspace(t, `
data "pulumicloud_agent_pools" "all" {
  organization = "acme"
}`, "HTTP_PROXY="+proxy.URL, "PULUMI_BACKEND_URL=http://pulumi.invalid", "PULUMI_ACCESS_TOKEN="+accessToken)
	workspace.MustRun(t, "init")
	output := workspace.MustRun(t, "plan")
	if !strings.Contains(output, "Access token travels in clear") {
		t.Errorf("the warning of plain HTTP did not reach the user:\n%s", output)
	}
	if _, ok := hosts.Load("pulumi.invalid"); !ok {
		t.Error("the proxy was not asked for pulumi.invalid")
	}
	agents := map[string]bool{}
	for _, r := range pulumi.Requests() {
		agents[r.Header.Get("User-Agent")] = true
	}
	version := regexp.MustCompile(`^terraform-provider-pulumicloud/\S+ .*Terraform/[0-9]+\.[0-9]+\.[0-9]+`)
	for agent := range agents {
		if !version.MatchString(agent) {
			t.Errorf("the User-Agent is %q", agent)
		}
	}
	if len(agents) == 0 {
		t.Error("no request arrived")
	}
}
