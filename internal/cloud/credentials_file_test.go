package cloud_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

func TestCredentialsFileTokenLookup(t *testing.T) {
	t.Parallel()
	const base = "https://pulumi.example.com"
	for name, tc := range map[string]struct {
		credentials string
		want        string
	}{
		"access tokens":  {`{"accessTokens":{"https://pulumi.example.com":"pul-one"}}`, "pul-one"},
		"trailing slash": {`{"accessTokens":{"https://pulumi.example.com/":"pul-one"}}`, "pul-one"},
		"api path":       {`{"accessTokens":{"https://pulumi.example.com/api":"pul-one"}}`, "pul-one"},
		"case":           {`{"accessTokens":{"HTTPS://Pulumi.Example.COM":"pul-one"}}`, "pul-one"},
		"default port":   {`{"accessTokens":{"https://pulumi.example.com:443":"pul-one"}}`, "pul-one"},
		"white space":    {`{"accessTokens":{"https://pulumi.example.com":" pul-one\n"}}`, "pul-one"},
		"accounts":       {`{"accounts":{"https://pulumi.example.com/":{"accessToken":"pul-two"}}}`, "pul-two"},
		"unknown keys": {
			`{"later":1,"accounts":{"https://pulumi.example.com":{"accessToken":"pul-two","organizations":["acme"]}}}`,
			"pul-two",
		},
		"access tokens before accounts": {
			`{"accounts":{"https://pulumi.example.com":{"accessToken":"pul-two"}},
			  "accessTokens":{"https://pulumi.example.com":"pul-one"}}`,
			"pul-one",
		},
		"empty access token": {
			`{"accounts":{"https://pulumi.example.com":{"accessToken":"pul-two"}},
			  "accessTokens":{"https://pulumi.example.com":""}}`,
			"pul-two",
		},
		"two spellings": {
			`{"accessTokens":{"https://pulumi.example.com/":"pul-two","https://pulumi.example.com":"pul-one"}}`,
			"pul-one",
		},
		"other backends": {
			`{"accessTokens":{"https://api.pulumi.com":"pul-two","s3://bucket":"pul-six",
			  "https://pulumi.example.com":"pul-one"}}`,
			"pul-one",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := &fakeEnvironment{files: map[string]string{"/home/ann/.pulumi/credentials.json": tc.credentials}}
			got, err := resolveAll(cloud.Overrides{APIURL: base}, env.environment())
			if err != nil {
				t.Fatal(err)
			}
			if got.AccessToken != tc.want {
				t.Errorf("got %q, want %q", got.AccessToken, tc.want)
			}
		})
	}
}

func TestCredentialsFileKeepsTokensApart(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"https://api.pulumi.com",
		"http://pulumi.example.com",
		"https://pulumi.example.com:8443",
		"https://pulumi.example.com/prefix",
		"https://pulumi.example.com.",
		"https://pulumi.example.com.evil.example",
		"https://evil.example/pulumi.example.com",
		"https://user@pulumi.example.com",
		"https://pulumi.example.com?",
		"pulumi.example.com",
		"s3://pulumi.example.com",
		"",
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			quoted := jsonString(t, key)
			env := &fakeEnvironment{files: map[string]string{
				"/home/ann/.pulumi/credentials.json": `{"accessTokens":{` + quoted + `:"pul-0123456789"},
					"accounts":{` + quoted + `:{"accessToken":"pul-0123456789"}}}`,
			}}
			got, err := resolveAll(cloud.Overrides{APIURL: "https://pulumi.example.com"}, env.environment())
			if _, ok := errors.AsType[*cloud.MissingTokenError](err); !ok {
				t.Fatalf("got %+v and %v, want a MissingTokenError", got, err)
			}
			if got != (everything{}) {
				t.Errorf("settings beside the error: %+v", got)
			}
		})
	}
}

func TestCredentialsFileMalformed(t *testing.T) {
	t.Parallel()
	const secret = "5ec2e75ec2e7"
	for name, content := range map[string]string{
		"empty":            ``,
		"not JSON":         secret,
		"truncated":        `{"accessTokens":{"https://api.pulumi.com":"` + secret,
		"trailing data":    `{}` + secret,
		"wrong top level":  `["` + secret + `"]`,
		"token a number":   `{"accessTokens":{"https://api.pulumi.com":1234567890123}}`,
		"token an object":  `{"accessTokens":{"https://api.pulumi.com":{"` + secret + `":1}}}`,
		"current a number": `{"current":1234567890123}`,
		"account a string": `{"accounts":{"https://` + secret + `":"` + secret + `"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const path = "/home/ann/.pulumi/credentials.json"
			env := &fakeEnvironment{files: map[string]string{path: content}}
			_, err := resolveAll(cloud.Overrides{}, env.environment())
			var malformed *cloud.CredentialsFileError
			if !errors.As(err, &malformed) {
				t.Fatalf("got %v, want a CredentialsFileError", err)
			}
			if malformed.Path != path {
				t.Errorf("got path %q, want %q", malformed.Path, path)
			}
			for _, want := range []string{path, "at byte", "pulumi login", "PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not mention %s", err, want)
				}
			}
			for unwrapped := err; unwrapped != nil; unwrapped = errors.Unwrap(unwrapped) {
				for _, hidden := range []string{secret, "1234567890123"} {
					if strings.Contains(unwrapped.Error(), hidden) {
						t.Errorf("the file's content is echoed: %v", unwrapped)
					}
				}
			}
		})
	}
}

func TestCredentialsFileUnreadable(t *testing.T) {
	t.Parallel()
	const path = "/home/ann/.pulumi/credentials.json"
	env := &fakeEnvironment{readErrors: map[string]error{
		path: &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission},
	}}
	_, err := resolveAll(cloud.Overrides{}, env.environment())
	var unreadable *cloud.CredentialsFileError
	if !errors.As(err, &unreadable) || !errors.Is(err, fs.ErrPermission) {
		t.Fatalf("got %v, want a CredentialsFileError for want of permission", err)
	}
	if strings.Count(err.Error(), path) != 1 {
		t.Errorf("%q should name the path once", err)
	}
}

func TestCredentialsFileEncrypted(t *testing.T) {
	t.Parallel()
	const path = "/home/ann/.pulumi/credentials.json"
	for name, content := range map[string]string{
		"envelope":         `{"$pulumiSecureStore":1,"backend":"keychain","data":"b64"}`,
		"later version":    `{"$pulumiSecureStore":"v2"}`,
		"other key's type": `{"$pulumiSecureStore":1,"accounts":"b64","current":7}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := &fakeEnvironment{files: map[string]string{path: content}}
			_, err := resolveAll(cloud.Overrides{APIURL: cloud.DefaultBaseURL}, env.environment())
			var encrypted *cloud.EncryptedCredentialsError
			if !errors.As(err, &encrypted) {
				t.Fatalf("got %v, want an EncryptedCredentialsError", err)
			}
			if encrypted.Path != path {
				t.Errorf("got path %q, want %q", encrypted.Path, path)
			}
			for _, want := range []string{path, "encrypted", "PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not mention %s", err, want)
				}
			}
		})
	}
}

func TestConfigFileErrors(t *testing.T) {
	t.Parallel()
	const path = "/home/ann/.pulumi/config.json"
	for name, env := range map[string]*fakeEnvironment{
		"malformed":  {files: map[string]string{path: `{"backends":[]}`}},
		"unreadable": {readErrors: map[string]error{path: fs.ErrPermission}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := resolveAll(
				cloud.Overrides{APIURL: cloud.DefaultBaseURL, AccessToken: "pul-one"}, env.environment())
			var config *cloud.ConfigFileError
			if !errors.As(err, &config) || errors.Unwrap(config) == nil {
				t.Fatalf("got %v, want a ConfigFileError with a cause", err)
			}
			if config.Path != path {
				t.Errorf("got path %q, want %q", config.Path, path)
			}
			for _, want := range []string{path, "organization", "PULUMI_DEFAULT_ORGANIZATION"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not mention %s", err, want)
				}
			}
		})
	}
}

func TestProcessEnvironmentReadFile(t *testing.T) {
	t.Parallel()
	readFile := cloud.ProcessEnvironment().ReadFile
	dir := t.TempDir()
	write := func(name string, size int) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, bytes.Repeat([]byte(" "), size), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}

	if data, err := readFile(write("largest", 1<<20)); err != nil || len(data) != 1<<20 {
		t.Errorf("1 MiB: got %d bytes and %v", len(data), err)
	}
	if _, err := readFile(write("too-large", 1<<20+1)); err == nil || !strings.Contains(err.Error(), "1048576") {
		t.Errorf("above 1 MiB: got %v, want an error that names the limit", err)
	}
	if _, err := readFile(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("folder: got %v", err)
	}
	if _, err := readFile(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: got %v", err)
	}
}

func FuzzCredentialsFile(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, ``, `{"accessTokens":{"https://api.pulumi.com":1234567890}}`,
		`{"current":"https://api.pulumi.com","accessTokens":{"https://api.pulumi.com/":"pul-0123456789"}}`,
		`{"accessTokens":{"https://API.pulumi.com:443/api":"pul-0123456789\n","https://other.example":"pul-abcdefghij"}}`,
		`{"accounts":{"https://api.pulumi.com":{"accessToken":"pul-0123456789","username":"ann"}}}`,
		`{"accounts":{"https://user:secret@api.pulumi.com":{"accessToken":"pul-0123 456789"}}}`,
		`{"$pulumiSecureStore":1,"backend":"keychain","accessTokens":"pul-0123456789"}`,
		`{"current":"s3://bucket","accessTokens":{"https://other.example":"pul-0123456789"}}`,
	} {
		f.Add([]byte(seed), "https://api.pulumi.com")
		f.Add([]byte(seed), "")
	}
	f.Fuzz(func(t *testing.T, content []byte, apiURL string) {
		const path = "/home/ann/.pulumi/credentials.json"
		overrides := cloud.Overrides{APIURL: apiURL}
		env := &fakeEnvironment{files: map[string]string{path: string(content)}}
		document := decodeCredentials(content)
		got, err := resolveAll(overrides, env.environment())
		if err != nil {
			requireSettingsError(t, err)
		} else if !document.holds(got.AccessToken, got.BaseURL) {
			t.Errorf("token %q is not stored for %s", got.AccessToken, got.BaseURL)
		}

		if strings.Contains(string(content)+apiURL, fuzzSecret) {
			return
		}
		env.files[path] = document.withTokensPrefixed(t, fuzzSecret)
		if _, err := resolveAll(overrides, env.environment()); err != nil {
			requireNoFuzzSecret(t, err)
		}
	})
}

// fuzzSecret is put before every token, because a token that the fuzzer made up may well be a word of an error message.
const fuzzSecret = "pul-5ec2e75ec2e7"

func requireNoFuzzSecret(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), fuzzSecret) {
		t.Errorf("a token is echoed: %v", err)
	}
}

var contentFreeError = regexp.MustCompile(
	`^it (is not valid JSON|holds a JSON value of an unexpected type) \(at byte \d+\)$`)

// requireSettingsError fails unless err is of one of the types that ResolveSettings documents, and what it says about a
// file is free of the file's content.
func requireSettingsError(t *testing.T, err error) {
	t.Helper()
	switch any(err).(type) { // an error that wraps one of them is none of them
	case *cloud.InvalidURLError, *cloud.DIYBackendError, *cloud.MissingTokenError, *cloud.InvalidTokenError,
		*cloud.EncryptedCredentialsError:
	case *cloud.CredentialsFileError, *cloud.ConfigFileError:
		if cause := errors.Unwrap(err); !contentFreeError.MatchString(cause.Error()) {
			t.Errorf("the cause may hold content of the file: %v", cause)
		}
	default:
		t.Errorf("unexpected error type %T", err)
	}
}

// credentialsDocument is the tests' own reading of a credentials file.
type credentialsDocument struct {
	Current      string                        `json:"current"`
	AccessTokens map[string]string             `json:"accessTokens"`
	Accounts     map[string]credentialsAccount `json:"accounts"`
}

type credentialsAccount struct {
	AccessToken string `json:"accessToken"`
}

// decodeCredentials keeps what it can of malformed content.
func decodeCredentials(content []byte) credentialsDocument {
	var document credentialsDocument
	_ = json.Unmarshal(content, &document)
	return document
}

func (d credentialsDocument) holds(token string, baseURL *url.URL) bool {
	matches := func(key, stored string) bool {
		u, err := cloud.ParseBaseURL(key)
		return err == nil && *u == *baseURL && strings.TrimSpace(stored) == token
	}
	for key, stored := range d.AccessTokens {
		if matches(key, stored) {
			return true
		}
	}
	for key, account := range d.Accounts {
		if matches(key, account.AccessToken) {
			return true
		}
	}
	return false
}

func (d credentialsDocument) withTokensPrefixed(t *testing.T, prefix string) string {
	t.Helper()
	prefixed := credentialsDocument{
		Current: d.Current, AccessTokens: map[string]string{}, Accounts: map[string]credentialsAccount{},
	}
	for key, token := range d.AccessTokens {
		prefixed.AccessTokens[key] = prefix + token
	}
	for key, account := range d.Accounts {
		prefixed.Accounts[key] = credentialsAccount{AccessToken: prefix + account.AccessToken}
	}
	return jsonString(t, prefixed)
}

func jsonString(t *testing.T, value any) string {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}
