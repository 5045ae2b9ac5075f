package provider_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// pulumiHome sets PULUMI_HOME to a directory with these files, and returns it.
func pulumiHome(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		mustDo(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	t.Setenv("PULUMI_HOME", dir)
	return dir
}

// listPools configures a provider and lists agent pools with it.
func listPools(t *testing.T, block acctest.Values) acctest.Diagnostics {
	t.Helper()
	p := newProvider(t)
	expectNone(t, p.Configure(t.Context(), block))
	_, diagnostics := p.ReadDataSource(t.Context(), poolsType, nil)
	return diagnostics
}

// Package credentials proves which source takes precedence. The path in front of /api identifies the source of the URL.
func TestProviderConfig_sources(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.Path + " " + r.Header.Get("Authorization")
		agent := r.Header.Get("User-Agent")
		if !strings.HasPrefix(agent, "terraform-provider-pulumicloud/test ") || !strings.HasSuffix(agent, " Terraform/1.14.0") ||
			r.Header.Get("X-Pulumi-Source") != "provider" {
			t.Errorf("header %v", r.Header)
		}
		w.Header().Set("Content-Type", jsonType)
		_, _ = io.WriteString(w, `{"agentPools":[]}`)
	}))
	t.Cleanup(server.Close)
	pulumiHome(t, map[string]string{
		"credentials.json": fmt.Sprintf(`{"current":"%[1]s/file","accounts":{"%[1]s/file":{"accessToken":"file-token"}}}`, server.URL),
		"config.json":      fmt.Sprintf(`{"backends":{"%s/file":{"defaultOrg":"file-org"}}}`, server.URL),
	})
	expect := func(block acctest.Values, want string) {
		t.Helper()
		expectNone(t, listPools(t, block))
		if got != want {
			t.Errorf("got request %s, want %s", got, want)
		}
	}
	expect(nil, "/file/api/orgs/file-org/agent-pools token file-token")
	t.Setenv("PULUMI_BACKEND_URL", server.URL+"/env/api/")
	t.Setenv("PULUMI_ACCESS_TOKEN", "env-token\n")
	t.Setenv("PULUMI_DEFAULT_ORGANIZATION", "env-org")
	expect(nil, "/env/api/orgs/env-org/agent-pools token env-token")
	expect(acctest.Values{"api_url": server.URL + "/block/", "access_token": "block-token", "organization": "block-org"},
		"/block/api/orgs/block-org/agent-pools token block-token")
}

func TestProviderConfig_errors(t *testing.T) {
	const secret = "pul-00000000000000000000000000000000000000ff"
	const invalidURL, invalidToken, invalidCA = "Invalid API URL", "Invalid access token", "Invalid CA certificate file"
	dir := t.TempDir()
	mustDo(t, os.WriteFile(filepath.Join(dir, "empty.pem"), []byte("no certificate"), 0o600))
	mustDo(t, os.WriteFile(filepath.Join(dir, "broken.pem"),
		[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o600))
	for name, test := range map[string]struct {
		argument string // Or the name of an environment variable.
		value    any
		summary  string
		text     string
	}{
		"DIY backend":           {"api_url", "s3://bucket", "Backend is not Pulumi Cloud", "s3"},
		"URL without scheme":    {"api_url", "pulumi.example.com", invalidURL, "https://pulumi.example.com"},
		"blank token":           {"PULUMI_ACCESS_TOKEN", " ", invalidToken, "PULUMI_ACCESS_TOKEN"},
		"quoted token":          {"access_token", `"` + secret + `"`, invalidToken, "quotation marks"},
		"token as organization": {"organization", secret, "Token in the wrong argument", "organization"},
		"white space":           {"organization", "acme ", "Invalid name", "white space"},
		"no CA file":            {"ca_cert_file", filepath.Join(dir, "none.pem"), invalidCA, "none.pem"},
		"no certificate":        {"ca_cert_file", filepath.Join(dir, "empty.pem"), invalidCA, "BEGIN CERTIFICATE"},
		"broken certificate":    {"ca_cert_file", filepath.Join(dir, "broken.pem"), invalidCA, "invalid certificate (number 1)"},
		"directory":             {"ca_cert_file", dir, invalidCA, "regular file"},
		"timeout without unit":  {"request_timeout", "30", "Invalid duration", `"30s"`},
		"negative retries":      {"max_retries", -1, "Invalid Attribute Value", "between 0 and 100"},
		"invalid proxy":         {"HTTPS_PROXY", "user:" + secret + "@%zz", "Invalid proxy setting", "HTTPS_PROXY"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PULUMI_ACCESS_TOKEN", secret)
			block := acctest.Values{test.argument: test.value}
			if test.argument == strings.ToUpper(test.argument) {
				block = nil
				t.Setenv(test.argument, fmt.Sprint(test.value))
			}
			diagnostics := newProvider(t).Configure(t.Context(), block)
			expectError(t, diagnostics, test.summary, test.text)
			if strings.Contains(diagnostics.String(), secret) {
				t.Error("the diagnostic has a secret")
			}
		})
	}
}

// Only what needs the access token or the default organization reports that it is missing or invalid.
func TestProviderConfig_missing(t *testing.T) {
	home := pulumiHome(t, map[string]string{"config.json": `{"backends":[`})
	p := newProvider(t)
	expectNone(t, p.Configure(t.Context(), nil))
	const summary = "Missing access token"
	_, diagnostics := p.ReadDataSource(t.Context(), poolsType, nil)
	expectError(t, diagnostics, summary, filepath.Join(home, "credentials.json"), "https://api.pulumi.com", `"pulumi login"`)
	for typeName, config := range map[string]acctest.Values{
		defaultPoolType: {"agent_pool_id": missingID, "organization": "acme"},
		stackPoolType:   assignment(missingID),
		readinessType:   {"agent_pool_id": missingID},
	} {
		r := p.Resource(typeName)
		_, diagnostics := r.Plan(t.Context(), r.Absent(), config)
		expectError(t, diagnostics, summary)
	}
	_, diagnostics = p.Resource(stackPoolType).Import(t.Context(), "web/dev")
	expectError(t, diagnostics, summary)

	t.Setenv("PULUMI_ACCESS_TOKEN", accessToken)
	expectError(t, listPools(t, nil), "Error reading config file", "organization", "config.json", "PULUMI_DEFAULT_ORGANIZATION")
	t.Setenv("PULUMI_DEFAULT_ORGANIZATION", accessToken)
	diagnostics = listPools(t, nil)
	expectError(t, diagnostics, "Invalid organization", "PULUMI_DEFAULT_ORGANIZATION", "looks like a token")
	if strings.Contains(diagnostics.String(), accessToken) {
		t.Error("the diagnostic has the access token")
	}
}

func TestProviderConfig_sourcesInErrors(t *testing.T) {
	cloud := startPulumiCloud(t, emulator.Options{})
	file := filepath.Join(pulumiHome(t, map[string]string{"credentials.json": fmt.Sprintf(
		`{"current":%[1]q,"accounts":{%[1]q:{"accessToken":"old","refreshToken":"refresh"}}}`, cloud.url)}), "credentials.json")
	const summary = "Access token rejected"
	block := acctest.Values{"organization": "acme"}
	expectError(t, listPools(t, block), summary, "token from the credentials file "+file, `Run "pulumi whoami"`)
	t.Setenv("PULUMI_ACCESS_TOKEN", "deleted")
	expectError(t, listPools(t, block), summary, "token from PULUMI_ACCESS_TOKEN", "Set a valid access token",
		fmt.Sprintf("%s (from current in the credentials file %s)", cloud.url, file))
}

func TestProviderConfig_plaintextURL(t *testing.T) {
	t.Parallel()
	configure := func(url string) acctest.Diagnostics {
		return newProvider(t).Configure(t.Context(), acctest.Values{"api_url": url, "access_token": accessToken})
	}
	expectWarning(t, configure("http://pulumi.invalid"), "API URL is not encrypted", "api_url", "Use an https URL")
	expectNone(t, append(configure("https://pulumi.invalid"), configure("http://[::1]:1")...))
}

func TestProviderConfig_caCertFile(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	server := httptest.NewUnstartedServer(cloud.Server)
	server.Config.ErrorLog = hclog.NewNullLogger().StandardLogger(&hclog.StandardLoggerOptions{})
	server.StartTLS()
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	mustDo(t, os.WriteFile(file, append([]byte("\ufeff"), certificate...), 0o600))
	list := func(url string, file any) acctest.Diagnostics {
		return listPools(t, acctest.Values{
			"api_url": url, "ca_cert_file": file, "access_token": accessToken, "organization": "acme",
		})
	}
	expectNone(t, list(server.URL, file))
	expectError(t, list(server.URL, nil), "Certificate not trusted", "ca_cert_file")
	localhost := "https://localhost" + server.URL[strings.LastIndex(server.URL, ":"):]
	expectError(t, list(localhost, file), "Invalid certificate", localhost, "not localhost")
	expectError(t, list("https"+strings.TrimPrefix(cloud.url, "http"), nil), "Server does not use TLS")
}

func TestProviderConfig_retriesAndTimeout(t *testing.T) {
	t.Parallel()
	var got pulumiapi.Config
	p := newProvider(t, func(config *pulumiapi.Config) { got = *config })
	block := acctest.Values{"access_token": accessToken}
	expectNone(t, p.Configure(t.Context(), block))
	if want := pulumiapi.DefaultConfig(); got.RequestTimeout != want.RequestTimeout || got.MaxRetries != want.MaxRetries {
		t.Errorf("default: timeout %s, %d retries", got.RequestTimeout, got.MaxRetries)
	}
	block["request_timeout"], block["max_retries"] = "1m30s", 0
	expectNone(t, p.Configure(t.Context(), block))
	if got.RequestTimeout != 90*time.Second || got.MaxRetries != 0 {
		t.Errorf("configured: timeout %s, %d retries", got.RequestTimeout, got.MaxRetries)
	}
}

func TestProviderConfig_unknown(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	for _, name := range []string{"access_token", "api_url", "ca_cert_file", "request_timeout", "max_retries"} {
		p := cloud.provider(t, acctest.Values{"organization": "acme", name: tftypes.UnknownValue})
		_, diagnostics := p.ReadDataSource(t.Context(), poolsType, nil)
		expectError(t, diagnostics, "Provider configuration is not known yet", "The provider argument "+name+" depends", "-target")
	}
	p := cloud.provider(t, acctest.Values{"organization": tftypes.UnknownValue})
	_, diagnostics := p.ReadDataSource(t.Context(), poolsType, acctest.Values{"organization": "globex"})
	expectNone(t, diagnostics)
}

// A CLI that supports deferred actions plans everything else.
func TestProviderConfig_unknownIsDeferred(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	typ := p.Schemas.Provider.ValueType()
	config, err := tfprotov6.NewDynamicValue(typ, acctest.Values{"access_token": tftypes.UnknownValue}.Object(typ))
	mustDo(t, err)
	_, err = p.Server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{
		Config: &config, ClientCapabilities: &tfprotov6.ConfigureProviderClientCapabilities{DeferralAllowed: true},
	})
	mustDo(t, err)
	typ = p.Schemas.DataSourceSchemas[poolsType].ValueType()
	config, err = tfprotov6.NewDynamicValue(typ, acctest.Values{}.Object(typ))
	mustDo(t, err)
	resp, err := p.Server.ReadDataSource(t.Context(), &tfprotov6.ReadDataSourceRequest{
		TypeName: poolsType, Config: &config,
		ClientCapabilities: &tfprotov6.ReadDataSourceClientCapabilities{DeferralAllowed: true},
	})
	mustDo(t, err)
	expectNone(t, resp.Diagnostics)
	if resp.Deferred == nil || resp.Deferred.Reason != tfprotov6.DeferredReasonProviderConfigUnknown {
		t.Errorf("deferred: %v, want %s", resp.Deferred, tfprotov6.DeferredReasonProviderConfigUnknown)
	}
}

func TestAccProviderConfig_proxy(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	var hosts sync.Map
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts.Store(r.URL.Host, true)
		cloud.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	w := newWorkspace(t, "data \"pulumicloud_agent_pools\" \"all\" {\n  organization = \"acme\"\n}",
		"HTTP_PROXY="+proxy.URL, "PULUMI_BACKEND_URL=http://pulumi.invalid", "PULUMI_ACCESS_TOKEN="+accessToken)
	if output := w.MustRun(t, "plan"); !strings.Contains(output, "API URL is not encrypted") {
		t.Errorf("the warning is missing:\n%s", output)
	}
	if _, ok := hosts.Load("pulumi.invalid"); !ok {
		t.Error("the request bypassed the proxy")
	}
}
