package cloud_test

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// fakeEnvironment has the home directory /home/ann and records which files are read.
type fakeEnvironment struct {
	variables  map[string]string
	files      map[string]string
	readErrors map[string]error
	homeless   bool
	reads      []string
}

func (e *fakeEnvironment) environment() cloud.Environment {
	return cloud.Environment{
		Getenv: func(name string) string { return e.variables[name] },
		UserHomeDir: func() (string, error) {
			if e.homeless {
				return "", errors.New("$HOME is not defined")
			}
			return "/home/ann", nil
		},
		ReadFile: func(name string) ([]byte, error) {
			e.reads = append(e.reads, name)
			if err, ok := e.readErrors[name]; ok {
				return nil, err
			}
			content, ok := e.files[name]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			return []byte(content), nil
		},
	}
}

// resolved is [cloud.Settings] in a form that prints and compares well.
type resolved struct{ BaseURL, AccessToken, Organization string }

// everything is all that can be resolved.
type everything struct {
	cloud.Settings

	Organization string
}

func resolveAll(overrides cloud.Overrides, env cloud.Environment) (everything, error) {
	settings, err := cloud.ResolveSettings(overrides, env)
	if err != nil {
		return everything{settings, ""}, err
	}
	organization, err := cloud.ResolveOrganization(overrides, env, settings.BaseURL)
	if err != nil {
		return everything{}, err
	}
	return everything{settings, organization}, nil
}

func TestResolveSettings(t *testing.T) {
	t.Parallel()
	const (
		credentialsPath = "/home/ann/.pulumi/credentials.json"
		configPath      = "/home/ann/.pulumi/config.json"
		credentials     = `{"current":"https://current.example/",
			"accessTokens":{"https://current.example":"pul-current","https://other.example":"pul-other"}}`
		config = `{"backends":{"https://current.example":{"defaultOrg":"current-org"},
			"https://Other.example/":{"defaultOrg":"other-org"}}}`
	)
	homeFiles := map[string]string{credentialsPath: credentials, configPath: config}
	variables := map[string]string{
		"PULUMI_BACKEND_URL":          "https://env.example/api",
		"PULUMI_ACCESS_TOKEN":         "pul-env\n",
		"PULUMI_DEFAULT_ORGANIZATION": "env-org\n",
	}
	explicit := cloud.Overrides{APIURL: "https://given.example", AccessToken: " pul-given\n", Organization: "given-org"}

	for name, tc := range map[string]struct {
		overrides cloud.Overrides
		env       fakeEnvironment
		want      resolved
		wantReads []string
	}{
		"overrides win": {
			overrides: explicit,
			env:       fakeEnvironment{variables: variables, files: homeFiles},
			want:      resolved{"https://given.example", "pul-given", "given-org"},
		},
		"variables win over files": {
			env:  fakeEnvironment{variables: variables, files: homeFiles},
			want: resolved{"https://env.example", "pul-env", "env-org"},
		},
		"files": {
			env:       fakeEnvironment{files: homeFiles},
			want:      resolved{"https://current.example", "pul-current", "current-org"},
			wantReads: []string{credentialsPath, configPath},
		},
		"files follow the URL in force": {
			overrides: cloud.Overrides{APIURL: "https://other.example/api/"},
			env:       fakeEnvironment{files: homeFiles},
			want:      resolved{"https://other.example", "pul-other", "other-org"},
			wantReads: []string{credentialsPath, configPath},
		},
		"token from the file for the URL from a variable": {
			env: fakeEnvironment{
				variables: map[string]string{"PULUMI_BACKEND_URL": "https://other.example"}, files: homeFiles,
			},
			want:      resolved{"https://other.example", "pul-other", "other-org"},
			wantReads: []string{credentialsPath, configPath},
		},
		"URL from the file for the token from a variable": {
			env: fakeEnvironment{
				variables: map[string]string{"PULUMI_ACCESS_TOKEN": "pul-env"}, files: homeFiles,
			},
			want:      resolved{"https://current.example", "pul-env", "current-org"},
			wantReads: []string{credentialsPath, configPath},
		},
		"defaults without any file": {
			overrides: cloud.Overrides{AccessToken: "pul-given"},
			want:      resolved{"https://api.pulumi.com", "pul-given", ""},
			wantReads: []string{credentialsPath, configPath},
		},
		"defaults without a home directory": {
			overrides: cloud.Overrides{AccessToken: "pul-given"},
			env:       fakeEnvironment{homeless: true},
			want:      resolved{"https://api.pulumi.com", "pul-given", ""},
		},
		"no current backend": {
			env: fakeEnvironment{files: map[string]string{
				credentialsPath: `{"accessTokens":{"https://api.pulumi.com":"pul-one"}}`,
			}},
			want:      resolved{"https://api.pulumi.com", "pul-one", ""},
			wantReads: []string{credentialsPath, configPath},
		},
		"PULUMI_HOME": {
			env: fakeEnvironment{
				variables: map[string]string{"PULUMI_HOME": "/opt/pulumi"},
				files:     map[string]string{"/opt/pulumi/credentials.json": credentials, "/opt/pulumi/config.json": config},
				homeless:  true,
			},
			want:      resolved{"https://current.example", "pul-current", "current-org"},
			wantReads: []string{"/opt/pulumi/credentials.json", "/opt/pulumi/config.json"},
		},
		"PULUMI_CREDENTIALS_PATH wins over PULUMI_HOME": {
			env: fakeEnvironment{
				variables: map[string]string{"PULUMI_CREDENTIALS_PATH": "/run/secrets", "PULUMI_HOME": "/opt/pulumi"},
				files:     map[string]string{"/run/secrets/credentials.json": credentials, "/run/secrets/config.json": config},
			},
			want:      resolved{"https://current.example", "pul-current", "current-org"},
			wantReads: []string{"/run/secrets/credentials.json", "/run/secrets/config.json"},
		},
		"malformed credentials are ignored when nothing of them is needed": {
			overrides: cloud.Overrides{APIURL: "https://given.example", AccessToken: "pul-given"},
			env:       fakeEnvironment{files: map[string]string{credentialsPath: "{"}},
			want:      resolved{"https://given.example", "pul-given", ""},
			wantReads: []string{configPath},
		},
		"encrypted credentials are ignored when nothing of them is needed": {
			env: fakeEnvironment{
				variables: variables, files: map[string]string{credentialsPath: `{"$pulumiSecureStore":1}`, configPath: "{"},
			},
			want: resolved{"https://env.example", "pul-env", "env-org"},
		},
		"optional token is not searched for": {
			overrides: cloud.Overrides{APIURL: "https://current.example", Organization: "given-org", AccessTokenOptional: true},
			env:       fakeEnvironment{files: homeFiles},
			want:      resolved{"https://current.example", "", "given-org"},
		},
		"optional token that is given": {
			overrides: cloud.Overrides{Organization: "given-org", AccessTokenOptional: true},
			env:       fakeEnvironment{variables: variables},
			want:      resolved{"https://env.example", "pul-env", "given-org"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings, err := resolveAll(tc.overrides, tc.env.environment())
			if err != nil {
				t.Fatal(err)
			}
			got := resolved{settings.BaseURL.String(), settings.AccessToken, settings.Organization}
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if !slices.Equal(tc.env.reads, tc.wantReads) {
				t.Errorf("files read: got %q, want %q", tc.env.reads, tc.wantReads)
			}
		})
	}
}

func TestResolveSettingsNamesURLSource(t *testing.T) {
	t.Parallel()
	const fileSource = `"current" in /home/ann/.pulumi/credentials.json`
	for _, backend := range []struct {
		url string
		diy bool
	}{{"s3://bucket", true}, {"https://user@api.pulumi.com", false}} {
		for wantSource, tc := range map[string]struct {
			overrides cloud.Overrides
			env       fakeEnvironment
		}{
			"api_url": {
				overrides: cloud.Overrides{APIURL: backend.url},
				env:       fakeEnvironment{variables: map[string]string{"PULUMI_BACKEND_URL": "https://api.pulumi.com"}},
			},
			"PULUMI_BACKEND_URL": {
				env: fakeEnvironment{variables: map[string]string{"PULUMI_BACKEND_URL": backend.url}},
			},
			fileSource: {
				env: fakeEnvironment{files: map[string]string{
					"/home/ann/.pulumi/credentials.json": fmt.Sprintf(`{"current":%q}`, backend.url),
				}},
			},
		} {
			t.Run(backend.url+" from "+wantSource, func(t *testing.T) {
				t.Parallel()
				_, err := resolveAll(tc.overrides, tc.env.environment())
				var source string
				var diy *cloud.DIYBackendError
				var invalid *cloud.InvalidURLError
				switch {
				case backend.diy && errors.As(err, &diy):
					source = diy.Source
				case !backend.diy && errors.As(err, &invalid):
					source = invalid.Source
				default:
					t.Fatalf("unexpected error %v", err)
				}
				if source != wantSource {
					t.Errorf("got source %q, want %q", source, wantSource)
				}
				if !strings.Contains(err.Error(), wantSource) {
					t.Errorf("%q does not name its source", err)
				}
			})
		}
	}
}

func TestResolveSettingsMissingToken(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env          fakeEnvironment
		want         cloud.MissingTokenError
		wantMentions []string
	}{
		"no file": {
			want: cloud.MissingTokenError{
				BaseURL: "https://api.pulumi.com", CredentialsPath: "/home/ann/.pulumi/credentials.json",
			},
			wantMentions: []string{"access_token", "PULUMI_ACCESS_TOKEN", "pulumi login https://api.pulumi.com"},
		},
		"no home directory": {
			env:          fakeEnvironment{homeless: true},
			want:         cloud.MissingTokenError{BaseURL: "https://api.pulumi.com"},
			wantMentions: []string{"access_token", "PULUMI_ACCESS_TOKEN", "pulumi login https://api.pulumi.com"},
		},
		"logged out": {
			env: fakeEnvironment{
				variables: map[string]string{"PULUMI_HOME": "/opt/pulumi"},
				files: map[string]string{
					"/opt/pulumi/credentials.json": `{"current":"","accessTokens":{"https://other.example":""}}`,
				},
			},
			want: cloud.MissingTokenError{
				BaseURL: "https://api.pulumi.com", CredentialsPath: "/opt/pulumi/credentials.json",
			},
			wantMentions: []string{"pulumi login https://api.pulumi.com"},
		},
		"tokens for other backends": {
			env: fakeEnvironment{
				variables: map[string]string{"PULUMI_BACKEND_URL": "https://pulumi.example.com/"},
				files: map[string]string{"/home/ann/.pulumi/credentials.json": `{
					"accessTokens":{"https://b.example/":"pul-b","file://~":"pul-file","https://u:p@c.example":"pul-c"},
					"accounts":{"https://b.example":{"accessToken":"pul-b"},"https://a.example":{"accessToken":"pul-a"}}}`},
			},
			want: cloud.MissingTokenError{
				BaseURL: "https://pulumi.example.com", CredentialsPath: "/home/ann/.pulumi/credentials.json",
				OtherBackends: []string{"https://a.example", "https://b.example"},
			},
			wantMentions: []string{
				"pulumi login https://pulumi.example.com", "https://a.example, https://b.example",
				"/home/ann/.pulumi/credentials.json", "api_url",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := resolveAll(cloud.Overrides{}, tc.env.environment())
			var missing *cloud.MissingTokenError
			if !errors.As(err, &missing) {
				t.Fatalf("got %v, want a MissingTokenError", err)
			}
			if !reflect.DeepEqual(*missing, tc.want) {
				t.Errorf("got %+v, want %+v", *missing, tc.want)
			}
			for _, want := range tc.wantMentions {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not mention %s", err, want)
				}
			}
		})
	}
}

func TestResolveSettingsInvalidToken(t *testing.T) {
	t.Parallel()
	const path = "/home/ann/.pulumi/credentials.json"
	for token, wantReason := range map[string]string{
		" ":                     "blank",
		"\r\n":                  "blank",
		"pul-5ec2e7 pul-5ec2e7": "white space",
		"pul-5ec2e7\r\nX: y":    "control character",
		"pul-5ec2e7\x1b[0m":     "control character",
		"pul-5ec2e7\u007f":      "control character",
		"“pul-5ec2e7”":          "ASCII",
		"\ufeffpul-5ec2e7":      "ASCII",
	} {
		for wantSource, tc := range map[string]struct {
			overrides cloud.Overrides
			env       fakeEnvironment
		}{
			"access_token": {
				overrides: cloud.Overrides{AccessToken: token},
				env:       fakeEnvironment{variables: map[string]string{"PULUMI_ACCESS_TOKEN": "pul-env"}},
			},
			"PULUMI_ACCESS_TOKEN": {env: fakeEnvironment{variables: map[string]string{"PULUMI_ACCESS_TOKEN": token}}},
			path: {env: fakeEnvironment{files: map[string]string{
				path: `{"accessTokens":{"https://api.pulumi.com":` + jsonString(t, token) + `}}`,
			}}},
		} {
			t.Run(fmt.Sprintf("%q from %s", token, wantSource), func(t *testing.T) {
				t.Parallel()
				_, err := resolveAll(tc.overrides, tc.env.environment())
				var invalid *cloud.InvalidTokenError
				if !errors.As(err, &invalid) {
					t.Fatalf("got %v, want an InvalidTokenError", err)
				}
				if invalid.Source != wantSource || !strings.Contains(err.Error(), wantSource) {
					t.Errorf("%q with source %q does not name %s", err, invalid.Source, wantSource)
				}
				if !strings.Contains(invalid.Reason, wantReason) {
					t.Errorf("reason %q does not contain %q", invalid.Reason, wantReason)
				}
				if strings.Contains(err.Error(), "5ec2e7") {
					t.Errorf("the token is echoed: %v", err)
				}
			})
		}
	}
}

func FuzzResolveSettings(f *testing.F) {
	const credentials = `{"current":"https://api.pulumi.com","accessTokens":{"https://api.pulumi.com/":"pul-0123456789"}}`
	const config = `{"backends":{"https://api.pulumi.com":{"defaultOrg":"acme"}}}`
	f.Add("", "", "", "", "", "", credentials, config, false)
	f.Add("https://given.example/api/", "pul-given-123", "given", "", "", "", "{", "{", false)
	f.Add("", "", "", "https://env.example", "pul-env-12345\n", "env", credentials, config, false)
	f.Add("", "", "", "s3://pul-env-12345@bucket", "", "", credentials, config, true)
	f.Add("https://other.example", "", "", "", "", "", credentials, config, false)
	f.Add("", "pul bad token", "", "", "", "", credentials, config, true)
	f.Add("", "", "", "", "", "", `{"$pulumiSecureStore":1}`, config, false)
	f.Fuzz(func(t *testing.T, apiURL, token, org, envURL, envToken, envOrg, credentials, config string, optional bool) {
		env := &fakeEnvironment{
			variables: map[string]string{
				"PULUMI_BACKEND_URL": envURL, "PULUMI_ACCESS_TOKEN": envToken, "PULUMI_DEFAULT_ORGANIZATION": envOrg,
			},
			files: map[string]string{
				"/home/ann/.pulumi/credentials.json": credentials, "/home/ann/.pulumi/config.json": config,
			},
		}
		got, err := resolveAll(cloud.Overrides{
			APIURL: apiURL, AccessToken: token, Organization: org, AccessTokenOptional: optional,
		}, env.environment())

		haveURL, haveToken := apiURL+envURL != "", token+envToken != ""
		if slices.Contains(env.reads, "/home/ann/.pulumi/credentials.json") && haveURL && (haveToken || optional) {
			t.Error("the credentials file was read needlessly")
		}
		if slices.Contains(env.reads, "/home/ann/.pulumi/config.json") && org != "" {
			t.Error("the configuration file was read needlessly")
		}
		if len(env.reads) > 2 {
			t.Errorf("files were read more than once: %q", env.reads)
		}

		document := decodeCredentials([]byte(credentials))
		if !strings.Contains(strings.Join([]string{apiURL, org, envURL, envOrg, credentials, config}, " "), fuzzSecret) {
			secretEnv := &fakeEnvironment{
				variables: map[string]string{"PULUMI_BACKEND_URL": envURL},
				files: map[string]string{
					"/home/ann/.pulumi/credentials.json": document.withTokensPrefixed(t, fuzzSecret),
				},
			}
			overrides := cloud.Overrides{APIURL: apiURL}
			if token != "" {
				overrides.AccessToken = fuzzSecret + token
			}
			if envToken != "" {
				secretEnv.variables["PULUMI_ACCESS_TOKEN"] = fuzzSecret + envToken
			}
			if _, err := resolveAll(overrides, secretEnv.environment()); err != nil {
				requireNoFuzzSecret(t, err)
			}
		}

		if err != nil {
			requireSettingsError(t, err)
			if got != (everything{}) {
				t.Errorf("settings beside the error: %+v", got)
			}
			return
		}

		if canonical, err := cloud.ParseBaseURL(got.BaseURL.String()); err != nil || *canonical != *got.BaseURL {
			t.Errorf("%s is not canonical: %v", got.BaseURL, err)
		}
		if given := cmp.Or(apiURL, envURL); given != "" {
			if want, err := cloud.ParseBaseURL(given); err != nil || *want != *got.BaseURL {
				t.Errorf("URL %q became %s", given, got.BaseURL)
			}
		}
		if given := cmp.Or(token, envToken); given != "" {
			if got.AccessToken != strings.TrimSpace(given) {
				t.Errorf("token %q became %q", given, got.AccessToken)
			}
		} else if optional && got.AccessToken != "" {
			t.Errorf("token %q was not asked for", got.AccessToken)
		} else if !optional && !document.holds(got.AccessToken, got.BaseURL) {
			t.Errorf("token %q is not stored for %s", got.AccessToken, got.BaseURL)
		}
		if org != "" && got.Organization != org {
			t.Errorf("organization %q became %q", org, got.Organization)
		}
	})
}
