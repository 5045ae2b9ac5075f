package credentials_test

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
)

func TestResolve_missingAccessToken(t *testing.T) {
	t.Parallel()
	const theFile, startsWrong = "the credentials file " + credentialsPath, " starts with a tilde or a quotation mark)"
	for name, tc := range map[string]struct {
		env    fakeEnvironment
		path   string
		reason string
	}{
		"no file": {path: credentialsPath, reason: theFile + " does not exist"},
		"no home directory": {
			fakeEnvironment{homeless: true},
			"credentials.json",
			"there is no home directory that could contain a credentials file",
		},
		"empty file": {
			fakeEnvironment{files: map[string]string{credentialsPath: ""}}, credentialsPath, theFile + " has no access tokens",
		},
		"logged out": {
			fakeEnvironment{files: map[string]string{credentialsPath: `{"current":"",
				"accessTokens":{"https://other.example":""},"accounts":{"https://api.pulumi.com":null}}`}},
			credentialsPath, theFile + " has no access tokens",
		},
		"tokens for different URLs": {
			fakeEnvironment{files: map[string]string{credentialsPath: `{
				"accessTokens":{"https://b.example/":"pul-b","file://~":"pul-file","https://u:p@c.example":"pul-c"},
				"accounts":{"https://b.example":{"accessToken":"pul-b"},"https://a.example":{"accessToken":"pul-a"}}}`}},
			credentialsPath, theFile + " only has access tokens for https://a.example, https://b.example",
		},
		"tilde": {
			fakeEnvironment{variables: map[string]string{"PULUMI_HOME": "~/.pulumi"}},
			"~/.pulumi/credentials.json",
			"the credentials file ~/.pulumi/credentials.json does not exist (the path in PULUMI_HOME" + startsWrong,
		},
		"quotation marks": {
			fakeEnvironment{variables: map[string]string{"PULUMI_CREDENTIALS_PATH": `"/run"`}},
			`"/run"/credentials.json`,
			`the credentials file "/run"/credentials.json does not exist (the path in PULUMI_CREDENTIALS_PATH` + startsWrong,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := credentials.Resolve(credentials.Overrides{}, tc.env.environment())
			requireError(t, err, credentials.AccessToken, "Missing access token (the credentials file "+tc.path+
				"): There is no access token for https://api.pulumi.com: access_token and PULUMI_ACCESS_TOKEN are not set, and "+
				tc.reason+".")
			if !errors.Is(err, credentials.ErrNoAccessToken) {
				t.Error("the error does not wrap ErrNoAccessToken")
			}
			if got.BaseURL.String() != credentials.DefaultBaseURL || got.BaseURLSource != "the default" || got.AccessToken != "" {
				t.Errorf("got %+v, want everything but the token", got)
			}
		})
	}
}

func TestResolve_accessTokenOfURL(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		file    string
		want    string
		renewed bool
	}{
		"accessTokens": {file: `{"accessTokens":{"HTTPS://Pulumi.Example.COM:443/api/":" pul-one\n"}}`, want: "pul-one"},
		"accounts":     {file: `{"accounts":{"https://pulumi.example.com/":{"accessToken":"pul-two"}}}`, want: "pul-two"},
		"unknown keys": {
			file: `{"later":1,"accounts":{"https://pulumi.example.com":{"accessToken":"pul-two","organizations":["acme"]}}}`,
			want: "pul-two",
		},
		"accounts before accessTokens": {
			file: `{"accounts":{"https://pulumi.example.com/":{"accessToken":"pul-two"}},
				"accessTokens":{"https://pulumi.example.com":"pul-one"}}`,
			want: "pul-two",
		},
		"account without access token": {
			file: `{"accounts":{"https://pulumi.example.com":{"refreshToken":"r"}},
				"accessTokens":{"https://pulumi.example.com":"pul-one"}}`,
			want: "pul-one",
		},
		"account with refresh token": {
			file: `{"accounts":{"https://pulumi.example.com":{"accessToken":"pul-two","refreshToken":"r"}}}`,
			want: "pul-two", renewed: true,
		},
		"two spellings": {
			file: `{"accessTokens":{"https://pulumi.example.com/":"pul-two","https://pulumi.example.com":"pul-one"}}`,
			want: "pul-one",
		},
		"different backends": {
			file: `{"accessTokens":{"https://api.pulumi.com":"pul-two","s3://bucket":"pul-six",
				"https://pulumi.example.com":"pul-one"}}`,
			want: "pul-one",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := &fakeEnvironment{files: map[string]string{credentialsPath: tc.file}}
			got, err := credentials.Resolve(
				credentials.Overrides{APIURL: "https://pulumi.example.com"}, env.environment())
			if err != nil || got.AccessToken != tc.want || got.RenewedByCLI != tc.renewed {
				t.Errorf("got %q, %t, %v; want %q, %t", got.AccessToken, got.RenewedByCLI, err, tc.want, tc.renewed)
			}
		})
	}
}

func TestResolve_accessTokenOfDifferentURL(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"https://api.pulumi.com",
		"http://pulumi.example.com",
		"https://pulumi.example.com:8443",
		"https://pulumi.example.com/prefix",
		"https://pulumi.example.com.",
		"https://pulumi.example.com.evil.example",
		"https://user@pulumi.example.com",
		"pulumi.example.com",
		"s3://pulumi.example.com",
	} {
		env := &fakeEnvironment{files: map[string]string{credentialsPath: toJSON(t, map[string]any{
			"accessTokens": map[string]string{key: secret},
			"accounts":     map[string]any{key: map[string]string{"accessToken": secret}},
		})}}
		got, err := credentials.Resolve(
			credentials.Overrides{APIURL: "https://pulumi.example.com"}, env.environment())
		if !errors.Is(err, credentials.ErrNoAccessToken) || got.AccessToken != "" {
			t.Errorf("%q: got %q and %v, want no token", key, got.AccessToken, err)
		}
	}
}

func TestResolve_unusableCredentialsFile(t *testing.T) {
	t.Parallel()
	const (
		malformed = "Error reading credentials file (the credentials file " + credentialsPath +
			"): The file is not valid JSON or contains unexpected values."
		encrypted = "Credentials file is encrypted (the credentials file " + credentialsPath +
			"): The file is encrypted, and only the Pulumi CLI can read it."
	)
	overrides := credentials.Overrides{APIURL: credentials.DefaultBaseURL}
	for content, want := range map[string]string{
		" ":    malformed,
		secret: malformed,
		`{"accessTokens":{"https://api.pulumi.com":"` + secret:             malformed,
		`{"accessTokens":{"https://api.pulumi.com":{"` + secret + `":1}}}`: malformed,
		`{"accounts":{"https://` + secret + `":"` + secret + `"}}`:         malformed,
		`{"$pulumiSecureStore":1,"backend":"keychain","data":"b64"}`:       encrypted,
		`{"$pulumiSecureStore":"v2","accounts":"` + secret + `"}`:          encrypted,
	} {
		env := fakeEnvironment{files: map[string]string{credentialsPath: content}}
		_, err := credentials.Resolve(overrides, env.environment())
		requireError(t, err, credentials.AccessToken, want)
		_, err = credentials.Resolve(credentials.Overrides{AccessTokenOptional: true}, env.environment())
		requireError(t, err, credentials.APIURL, want)
		env.variables = map[string]string{"PULUMI_ACCESS_TOKEN": "pul-one"}
		if _, err := credentials.Resolve(overrides, env.environment()); err != nil {
			t.Errorf("the file is not needed, but its error is returned: %v", err)
		}
	}
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	for name, tc := range map[string]struct {
		content string
		want    string
		wantErr string
	}{
		"text":                 {content: "text\n", want: "text\n"},
		"empty":                {},
		"largest":              {content: strings.Repeat("a", limit), want: strings.Repeat("a", limit)},
		"too large":            {content: strings.Repeat("a", limit+1), wantErr: "larger than 1048576 bytes"},
		"UTF-8 mark":           {content: "\xef\xbb\xbftext", want: "text"},
		"UTF-16 little endian": {content: "\xff\xfet\x00", wantErr: "encoded in UTF-16 little endian instead of UTF-8"},
		"UTF-16 big endian":    {content: "\xfe\xff\x00t", wantErr: "encoded in UTF-16 big endian instead of UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := credentials.ProcessEnvironment().ReadFile(path)
			if string(got) != tc.want {
				t.Errorf("got %d bytes, want %d", len(got), len(tc.want))
			}
			if message := fmt.Sprint(err); message != cmp.Or(tc.wantErr, "<nil>") {
				t.Errorf("got error %s, want %q", message, tc.wantErr)
			}
		})
	}
}

func TestReadFile_notRegular(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := credentials.ReadFile(dir); err == nil || err.Error() != "not a regular file" {
		t.Errorf("directory: got %v", err)
	}
	_, err := credentials.ReadFile(filepath.Join(dir, "missing"))
	if !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), dir) {
		t.Errorf("missing file: got %v, want an error without the path", err)
	}
}
