package credentials_test

import (
	"cmp"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
)

func FuzzCredentialsFile(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, ``, `{"accessTokens":{"https://api.pulumi.com":1234567890}}`,
		`{"current":"https://api.pulumi.com","accessTokens":{"https://api.pulumi.com/":"pul-0123456789"}}`,
		`{"accessTokens":{"https://API.pulumi.com:443/api":"pul-0123456789\n","https://other.example":"pul-abcdefghij"}}`,
		`{"accounts":{"https://api.pulumi.com":{"accessToken":"pul-0123456789","refreshToken":"r"}}}`,
		`{"accounts":{"https://user:secret@api.pulumi.com":{"accessToken":"pul-0123 456789"}}}`,
		`{"$pulumiSecureStore":1,"backend":"keychain","accessTokens":"pul-0123456789"}`,
		`{"current":"s3://bucket","accessTokens":{"https://other.example":"pul-0123456789"}}`,
	} {
		f.Add(seed, "https://api.pulumi.com")
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, content, apiURL string) {
		skipIfSecret(t, content, apiURL)
		for _, file := range []string{content, strings.ReplaceAll(content, `:"`, `:"`+secret)} {
			env := &fakeEnvironment{files: map[string]string{credentialsPath: file, configPath: file}}
			got, err := credentials.Resolve(credentials.Overrides{APIURL: apiURL}, env.environment())
			if err != nil {
				requireSettingsError(t, err)
			} else if got.AccessToken == "" {
				t.Error("got neither a token nor an error")
			}
			if _, _, err := credentials.DefaultOrganization(
				credentials.Overrides{}, env.environment(), cmp.Or(got.BaseURL, &url.URL{}),
			); err != nil {
				requireSettingsError(t, err)
			}
		}
	})
}

func FuzzResolve(f *testing.F) {
	const api = credentials.DefaultBaseURL
	f.Add("", "", "", "", "", api, api+"/", "pul-0123456789", false)
	f.Add("https://given.example/api/", "pul-given-123", "", "", "", "", "", "", false)
	f.Add("", "", "https://env.example", "pul-env-12345\n", "env", api, api, "pul-0123456789", false)
	f.Add("", "", "s3://pul-env-12345@bucket", "", "", "", "", "", true)
	f.Add("https://other.example", "", "", "", "..", "", api, "pul-0123456789", false)
	f.Add("", "pul bad token", "", "", "", "", "", "", true)
	f.Add("", "", "https://user:p4ssw0rd@api.pulumi.com", "pul-0123456789\r\nX-Injected: 1", "", "file://~", "", "", false)
	f.Fuzz(func(t *testing.T, apiURL, token, envURL, envToken, envOrg, current, key, stored string, optional bool) {
		skipIfSecret(t, apiURL, token, envURL, envToken, envOrg, current, key, stored)
		if !utf8.ValidString(current + key + stored) {
			t.Skip("JSON cannot represent the file.")
		}
		overrides := credentials.Overrides{APIURL: apiURL, AccessToken: token, AccessTokenOptional: optional}
		env := &fakeEnvironment{
			variables: map[string]string{
				"PULUMI_BACKEND_URL": envURL, "PULUMI_ACCESS_TOKEN": envToken, "PULUMI_DEFAULT_ORGANIZATION": envOrg,
			},
			files: map[string]string{credentialsPath: toJSON(t, map[string]any{
				"current": current, "accessTokens": map[string]string{key: stored},
			})},
		}
		got, err := credentials.Resolve(overrides, env.environment())
		if needed := apiURL+envURL == "" || token+envToken == "" && !optional; needed != (len(env.reads) == 1) {
			t.Errorf("read %q", env.reads)
		}
		if err != nil {
			requireSettingsError(t, err)
		} else {
			wantURL, err := credentials.ParseBaseURL(cmp.Or(apiURL, envURL, current, api))
			if err != nil || *got.BaseURL != *wantURL {
				t.Errorf("got URL %s, want %s, %v", got.BaseURL, wantURL, err)
			}
			want := strings.TrimSpace(cmp.Or(token, envToken))
			if want == "" && !optional {
				want = strings.TrimSpace(stored)
				if u, err := credentials.ParseBaseURL(key); err != nil || *u != *got.BaseURL {
					t.Errorf("the token for %q is used for %s", key, got.BaseURL)
				}
			}
			if got.AccessToken != want {
				t.Errorf("got token %q, want %q", got.AccessToken, want)
			}
		}

		// Secrets where they are expected, and then where they are not.
		env.files[credentialsPath] = toJSON(t, map[string]any{
			"current": current, "accessTokens": map[string]string{key: secret + stored},
		})
		if token != "" {
			overrides.AccessToken = secret + token
		}
		if envToken != "" {
			env.variables["PULUMI_ACCESS_TOKEN"] = secret + envToken
		}
		for range 2 {
			if _, err := credentials.Resolve(overrides, env.environment()); err != nil {
				requireSettingsError(t, err)
			}
			name, _, err := credentials.DefaultOrganization(overrides, env.environment(), &url.URL{})
			if err != nil {
				requireSettingsError(t, err)
			} else if name != strings.TrimSpace(envOrg) {
				t.Errorf("organization %q became %q", envOrg, name)
			}
			env.variables["PULUMI_BACKEND_URL"] = " " + secret
			env.variables["PULUMI_DEFAULT_ORGANIZATION"] = "'" + secret + "'"
		}
	})
}

// skipIfSecret skips inputs with the secret, because the fuzz targets look for it only after they added it themselves.
func skipIfSecret(t *testing.T, inputs ...string) {
	t.Helper()
	if strings.Contains(strings.ToLower(strings.Join(inputs, "\n")), secret[len("pul-"):]) {
		t.Skip("The input contains the secret.")
	}
}
