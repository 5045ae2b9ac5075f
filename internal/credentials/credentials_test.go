package credentials_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
)

const (
	credentialsPath = "/home/ann/.pulumi/credentials.json"
	configPath      = "/home/ann/.pulumi/config.json"

	secret     = "pul-5ec2e75ec2e7"
	tokenShape = "The value looks like a token, so it is neither shown nor used."
)

// fakeEnvironment has the home directory /home/ann and records which files are read.
type fakeEnvironment struct {
	variables map[string]string
	files     map[string]string
	readErr   error
	homeless  bool
	reads     []string
}

func (e *fakeEnvironment) environment() credentials.Environment {
	return credentials.Environment{
		Getenv: func(name string) string { return e.variables[name] },
		UserHomeDir: func() (string, error) {
			if e.homeless {
				return "", errors.New("$HOME is not defined")
			}
			return "/home/ann", nil
		},
		ReadFile: func(path string) ([]byte, error) {
			e.reads = append(e.reads, path)
			content, ok := e.files[path]
			if err := e.readErr; err != nil || !ok {
				return nil, cmp.Or(err, fs.ErrNotExist)
			}
			return []byte(content), nil
		},
	}
}

// requireSettingsError fails the test unless err is a complete SettingsError.
func requireSettingsError(t *testing.T, err error) {
	t.Helper()
	settingsErr, ok := err.(*credentials.SettingsError) //nolint:errorlint // It must not be wrapped.
	if !ok {
		t.Fatalf("got %T %v, want a SettingsError", err, err)
	}
	if settingsErr.Setting == "" || settingsErr.Summary == "" || settingsErr.Source == "" || settingsErr.Err == nil {
		t.Errorf("incomplete error %#v", settingsErr)
	}
	requireNoSecret(t, err)
}

// requireNoSecret fails the test if any error in the chain contains the secret.
func requireNoSecret(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.Contains(strings.ToLower(fmt.Sprintf("%v %+v %#v", err, err, err)), secret[len("pul-"):]) {
			t.Errorf("the error contains a secret: %v", err)
		}
	}
}

func requireError(t *testing.T, err error, setting credentials.Setting, want string) {
	t.Helper()
	requireSettingsError(t, err)
	var settingsErr *credentials.SettingsError
	if !errors.As(err, &settingsErr) || settingsErr.Setting != setting || err.Error() != want {
		t.Errorf("got setting %q, error\n%v\nwant setting %q, error\n%s", settingsErr.Setting, err, setting, want)
	}
}

func toJSON(t *testing.T, content any) string {
	t.Helper()
	encoded, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func TestResolve_precedence(t *testing.T) {
	t.Parallel()
	type (
		overrides = credentials.Overrides
		variables = map[string]string
		files     = map[string]string
	)
	const file = `{"current":"https://current.example",
		"accessTokens":{"https://current.example":"pul-current","https://other.example":"pul-other"}}`
	home := files{credentialsPath: file}
	all := variables{
		"PULUMI_BACKEND_URL": "https://env.example/api", "PULUMI_API": "https://last.example",
		"PULUMI_ACCESS_TOKEN": "pul-env\n",
	}
	for name, tc := range map[string]struct {
		overrides overrides
		env       fakeEnvironment
		url       string
		token     string
		readsNone bool
	}{
		"overrides": {
			overrides: overrides{APIURL: "https://given.example", AccessToken: " pul-given\n"},
			env:       fakeEnvironment{variables: all, files: home}, readsNone: true,
			url:   "https://given.example from api_url in the provider block",
			token: "pul-given from access_token in the provider block",
		},
		"variables": {
			env: fakeEnvironment{variables: all, files: home}, readsNone: true,
			url: "https://env.example from PULUMI_BACKEND_URL", token: "pul-env from PULUMI_ACCESS_TOKEN",
		},
		"file": {
			env:   fakeEnvironment{variables: variables{"PULUMI_API": "https://last.example"}, files: home},
			url:   "https://current.example from current in the credentials file /home/ann/.pulumi/credentials.json",
			token: "pul-current from the credentials file /home/ann/.pulumi/credentials.json",
		},
		"PULUMI_API": {
			env: fakeEnvironment{
				variables: variables{"PULUMI_API": "https://other.example"},
				files:     files{credentialsPath: strings.Replace(file, "https://current.example", "", 1)},
			},
			url:   "https://other.example from PULUMI_API",
			token: "pul-other from the credentials file /home/ann/.pulumi/credentials.json",
		},
		"default": {
			env:   fakeEnvironment{files: files{credentialsPath: `{"accessTokens":{"https://api.pulumi.com":"pul-one"}}`}},
			url:   "https://api.pulumi.com from the default",
			token: "pul-one from the credentials file /home/ann/.pulumi/credentials.json",
		},
		"URL in the overrides, token in the file": {
			overrides: overrides{APIURL: "https://other.example/api/"}, env: fakeEnvironment{files: home},
			url:   "https://other.example from api_url in the provider block",
			token: "pul-other from the credentials file /home/ann/.pulumi/credentials.json",
		},
		"URL in the file, token in a variable": {
			env:   fakeEnvironment{variables: variables{"PULUMI_ACCESS_TOKEN": "pul-env"}, files: home},
			url:   "https://current.example from current in the credentials file /home/ann/.pulumi/credentials.json",
			token: "pul-env from PULUMI_ACCESS_TOKEN",
		},
		"no home directory": {
			overrides: overrides{AccessToken: "pul-given"}, env: fakeEnvironment{homeless: true}, readsNone: true,
			url: "https://api.pulumi.com from the default", token: "pul-given from access_token in the provider block",
		},
		"PULUMI_HOME": {
			env: fakeEnvironment{
				variables: variables{"PULUMI_HOME": "/opt/pulumi"}, files: files{"/opt/pulumi/credentials.json": file},
				homeless: true,
			},
			url:   "https://current.example from current in the credentials file /opt/pulumi/credentials.json",
			token: "pul-current from the credentials file /opt/pulumi/credentials.json",
		},
		"PULUMI_CREDENTIALS_PATH before PULUMI_HOME": {
			overrides: overrides{APIURL: "https://other.example"},
			env: fakeEnvironment{
				variables: variables{"PULUMI_CREDENTIALS_PATH": "/run/secrets", "PULUMI_HOME": "/opt/pulumi"},
				files:     files{"/run/secrets/credentials.json": file},
			},
			url:   "https://other.example from api_url in the provider block",
			token: "pul-other from the credentials file /run/secrets/credentials.json",
		},
		"optional token": {
			overrides: overrides{APIURL: "https://current.example", AccessTokenOptional: true},
			env:       fakeEnvironment{files: home}, readsNone: true,
			url: "https://current.example from api_url in the provider block", token: " from ",
		},
		"optional token, URL in the file": {
			overrides: overrides{AccessTokenOptional: true}, env: fakeEnvironment{files: home},
			url:   "https://current.example from current in the credentials file /home/ann/.pulumi/credentials.json",
			token: " from ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := credentials.Resolve(tc.overrides, tc.env.environment())
			if err != nil {
				t.Fatal(err)
			}
			if gotURL := fmt.Sprintf("%s from %s", got.BaseURL, got.BaseURLSource); gotURL != tc.url {
				t.Errorf("got %q, want %q", gotURL, tc.url)
			}
			if gotToken := fmt.Sprintf("%s from %s", got.AccessToken, got.AccessTokenSource); gotToken != tc.token {
				t.Errorf("got %q, want %q", gotToken, tc.token)
			}
			if (len(tc.env.reads) == 0) != tc.readsNone || len(tc.env.reads) > 1 {
				t.Errorf("read %q", tc.env.reads)
			}
		})
	}
}

func TestResolve_errors(t *testing.T) {
	t.Parallel()
	const fileSource = "the credentials file " + credentialsPath
	file := func(content string) *fakeEnvironment {
		return &fakeEnvironment{files: map[string]string{credentialsPath: content}}
	}
	variable := func(name, value string) *fakeEnvironment {
		return &fakeEnvironment{variables: map[string]string{name: value}}
	}
	for _, tc := range []struct {
		env     *fakeEnvironment
		setting credentials.Setting
		want    string
	}{
		{
			variable("PULUMI_BACKEND_URL", "s3://bucket"), credentials.APIURL,
			"Backend is not Pulumi Cloud (PULUMI_BACKEND_URL): " +
				"The URL selects a DIY backend (s3), but only Pulumi Cloud has agent pools.",
		},
		{variable("PULUMI_API", " "), credentials.APIURL, "Invalid API URL (PULUMI_API): The URL is blank."},
		{
			file(`{"current":"` + secret + `"}`), credentials.APIURL,
			"Invalid API URL (current in " + fileSource + "): " + tokenShape,
		},
		{
			&fakeEnvironment{readErr: fs.ErrPermission}, credentials.AccessToken,
			"Error reading credentials file (" + fileSource + "): The file cannot be read: permission denied.",
		},
	} {
		got, err := credentials.Resolve(credentials.Overrides{}, tc.env.environment())
		requireError(t, err, tc.setting, tc.want)
		if got != (credentials.Credentials{}) {
			t.Errorf("got %+v with the error", got)
		}
	}
}

func TestResolve_invalidAccessToken(t *testing.T) {
	t.Parallel()
	const (
		unprintable = "contains a control character or a character outside ASCII"
		quoted      = "contains quotation marks or white space, which are never part of an access token"
	)
	for token, problem := range map[string]string{
		"\r\n":                     "is blank",
		secret + " " + secret:      quoted,
		`"` + secret + `"`:         quoted,
		secret + "'":               quoted,
		secret + "\r\nX: y":        unprintable,
		secret + "\x1b[0m":         unprintable,
		secret + "\u007f":          unprintable,
		"“" + secret + "”":         unprintable,
		"\ufeff" + secret:          "starts with a byte-order mark (UTF-8)",
		strings.Repeat("a", 65537): "is longer than 65536 bytes",
	} {
		env := &fakeEnvironment{variables: map[string]string{"PULUMI_ACCESS_TOKEN": token}}
		got, err := credentials.Resolve(credentials.Overrides{}, env.environment())
		requireError(t, err, credentials.AccessToken,
			"Invalid access token (PULUMI_ACCESS_TOKEN): The access token "+problem+".")
		if got.AccessToken != "" {
			t.Error("the invalid token is returned with the error")
		}
	}
}

func TestDefaultOrganization_precedence(t *testing.T) {
	t.Parallel()
	const file = `{"backends":{"https://api.pulumi.com":{"defaultOrg":" file-org\n"},
		"https://Other.example/":{"defaultOrg":"other-org"},"https://other.example":{"defaultOrg":" "},"s3://x":{}}}`
	home := map[string]string{configPath: file}
	for name, tc := range map[string]struct {
		override string
		env      fakeEnvironment
		url      string
		want     string
		source   string
	}{
		"override": {
			override: "given-org",
			env:      fakeEnvironment{variables: map[string]string{"PULUMI_DEFAULT_ORGANIZATION": "env-org"}, readErr: fs.ErrInvalid},
			want:     "given-org", source: "organization in the provider block",
		},
		"variable": {
			env: fakeEnvironment{
				variables: map[string]string{"PULUMI_DEFAULT_ORGANIZATION": " env-org\n"}, readErr: fs.ErrInvalid,
			},
			want: "env-org", source: "PULUMI_DEFAULT_ORGANIZATION",
		},
		"blank variable": {
			env:  fakeEnvironment{variables: map[string]string{"PULUMI_DEFAULT_ORGANIZATION": " "}, files: home},
			want: "file-org", source: "the config file " + configPath,
		},
		"file": {env: fakeEnvironment{files: home}, want: "file-org", source: "the config file " + configPath},
		"file for a different spelling of the URL": {
			env: fakeEnvironment{files: home}, url: "https://other.example",
			want: "other-org", source: "the config file " + configPath,
		},
		"file without the URL": {env: fakeEnvironment{files: home}, url: "https://third.example"},
		"empty file":           {env: fakeEnvironment{files: map[string]string{configPath: ""}}},
		"no file":              {},
		"no home directory":    {env: fakeEnvironment{homeless: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			baseURL, err := url.Parse(cmp.Or(tc.url, credentials.DefaultBaseURL))
			if err != nil {
				t.Fatal(err)
			}
			got, source, err := credentials.DefaultOrganization(
				credentials.Overrides{Organization: tc.override}, tc.env.environment(), baseURL)
			if err != nil || got != tc.want || source != tc.source {
				t.Errorf("got %q from %q, %v; want %q from %q", got, source, err, tc.want, tc.source)
			}
		})
	}
}

func TestDefaultOrganization_errors(t *testing.T) {
	t.Parallel()
	const (
		fileSource = "the config file " + configPath
		notAName   = "The value is a dot segment or contains a control character, " +
			"so it cannot be the name of an organization."
	)
	file := func(content string) *fakeEnvironment {
		return &fakeEnvironment{files: map[string]string{configPath: content}}
	}
	variable := func(value string) *fakeEnvironment {
		return &fakeEnvironment{variables: map[string]string{"PULUMI_DEFAULT_ORGANIZATION": value}}
	}
	for _, tc := range []struct {
		override string
		env      *fakeEnvironment
		want     string
	}{
		{secret, file(""), "Invalid organization (organization in the provider block): " + tokenShape},
		{"", variable(" '" + secret + "'\n"), "Invalid organization (PULUMI_DEFAULT_ORGANIZATION): " + tokenShape},
		{"", variable(" .. "), "Invalid organization (PULUMI_DEFAULT_ORGANIZATION): " + notAName},
		{"", variable("acme\nevil"), "Invalid organization (PULUMI_DEFAULT_ORGANIZATION): " + notAName},
		{
			"", file(`{"backends":{"https://api.pulumi.com":{"defaultOrg":"` + secret + `"}}}`),
			"Invalid organization (" + fileSource + "): " + tokenShape,
		},
		{
			"", file(`{"backends":["` + secret + `"]}`),
			"Error reading config file (" + fileSource + "): The file is not valid JSON or contains unexpected values.",
		},
		{
			"", &fakeEnvironment{readErr: fs.ErrPermission},
			"Error reading config file (" + fileSource + "): The file cannot be read: permission denied.",
		},
	} {
		_, _, err := credentials.DefaultOrganization(credentials.Overrides{Organization: tc.override},
			tc.env.environment(), &url.URL{Scheme: "https", Host: "api.pulumi.com"})
		requireError(t, err, credentials.Organization, tc.want)
	}
}
