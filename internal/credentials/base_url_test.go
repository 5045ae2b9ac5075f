package credentials_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
)

func TestParseBaseURL_canonicalForm(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://api.pulumi.com":                   "https://api.pulumi.com",
		"https://api.pulumi.com/":                  "https://api.pulumi.com",
		"https://api.pulumi.com/api":               "https://api.pulumi.com",
		"https://api.pulumi.com//api//":            "https://api.pulumi.com",
		"https://api.pulumi.com/api/api":           "https://api.pulumi.com",
		"https://api.pulumi.com#":                  "https://api.pulumi.com",
		" https://api.pulumi.com\n":                "https://api.pulumi.com",
		"HTTPS://API.Pulumi.COM":                   "https://api.pulumi.com",
		"https://api.pulumi.com:443":               "https://api.pulumi.com",
		"https://api.pulumi.com:0443":              "https://api.pulumi.com",
		"https://api.pulumi.com:80":                "https://api.pulumi.com:80",
		"https://api.pulumi.com.":                  "https://api.pulumi.com.",
		"http://localhost:80":                      "http://localhost",
		"http://127.0.0.1:34567/":                  "http://127.0.0.1:34567",
		"https://[2001:DB8:0:0:0:0:0:1]:8443/":     "https://[2001:db8::1]:8443",
		"http://[::ffff:127.0.0.1]":                "http://[::ffff:127.0.0.1]",
		"https://tools.example.com/Pulumi/api":     "https://tools.example.com/Pulumi",
		"https://tools.example.com/a/./b/../c/api": "https://tools.example.com/a/c",
		"https://tools.example.com/../../x":        "https://tools.example.com/x",
		"https://tools.example.com/my-api":         "https://tools.example.com/my-api",
		"https://tools.example.com/api/v2":         "https://tools.example.com/api/v2",
		"https://tools.example.com/API":            "https://tools.example.com/API",
		"https://xn--bcher-kva.example":            "https://xn--bcher-kva.example",
	} {
		got, err := credentials.ParseBaseURL(raw)
		if err != nil {
			t.Errorf("%q: %v", raw, err)
		} else if got.String() != want {
			t.Errorf("%q: got %s, want %s", raw, got, want)
		}
	}
}

func TestParseBaseURL_invalid(t *testing.T) {
	t.Parallel()
	const (
		needsScheme = "The URL must start with https:// or http://."
		malformed   = "The URL is malformed."
		needsHost   = "The URL requires a host name or an IP address (an internationalized name in its xn-- form)."
		invalidPort = "The port of the URL is not between 1 and 65535."
		escaped     = "The path of the URL contains characters that require escaping."
		hasUser     = "The URL contains a user name or a password."
		hasQuery    = "The URL contains a query or a fragment."
		hasToken    = "The URL contains a token."
	)
	for raw, problem := range map[string]string{
		"":                                   "The URL is blank.",
		" \n":                                "The URL is blank.",
		"api.pulumi.com":                     needsScheme + " Did you mean https://api.pulumi.com?",
		"app.pulumi.com":                     needsScheme + " Did you mean https://api.pulumi.com?",
		"api.pulumi.com/api/":                needsScheme + " Did you mean https://api.pulumi.com?",
		"pulumi.example.com:8443":            needsScheme + " Did you mean https://pulumi.example.com:8443?",
		"localhost:8080":                     needsScheme + " Did you mean http://localhost:8080?",
		secret + ".example.com":              needsScheme,
		"127.0.0.1:8080":                     needsScheme + " Did you mean http://127.0.0.1:8080?",
		"https:/api.pulumi.com":              needsScheme,
		"file":                               needsScheme,
		"ftp://api.pulumi.com":               needsScheme,
		"://api.pulumi.com":                  needsScheme,
		"https://api.pulumi.com/%zz":         malformed,
		"https://api.pulumi.com:port":        malformed,
		"https://[::1":                       malformed,
		"https://":                           needsHost,
		"https:///api":                       needsHost,
		"https://.":                          needsHost,
		"https://bücher.example":             needsHost,
		"https://[fe80::1%25eth0]":           needsHost,
		"https://" + strings.Repeat("a", 64): needsHost,
		"https://api.pulumi.com:0":           invalidPort,
		"https://api.pulumi.com:65536":       invalidPort,
		"https://api.pulumi.com/a%2Fb":       escaped,
		"https://api.pulumi.com/%2e%2e/x":    escaped,
		"https://api.pulumi.com/a b":         escaped,
		"https://user@api.pulumi.com":        hasUser,
		"https://api.pulumi.com?":            hasQuery,
		"https://api.pulumi.com/?a=b":        hasQuery,
		"https://api.pulumi.com/#top":        hasQuery,
		"https://" + secret:                  hasToken,
		"https://api.pulumi.com/" + secret:   hasToken,
		secret:                               tokenShape,
		"eyJhbGciOi.eyJzdWIiOi.c2lnbmF0":     tokenShape,
	} {
		_, err := credentials.ParseBaseURL(raw)
		requireError(t, err, credentials.APIURL, "Invalid API URL (api_url in the provider block): "+problem)
	}
}

func TestParseBaseURL_diyBackend(t *testing.T) {
	t.Parallel()
	for raw, scheme := range map[string]string{
		"s3://bucket?region=eu-west-1":            "s3",
		"S3://key:password@bucket":                "s3",
		"gs://bucket":                             "gs",
		"azblob://container?storage_account=name": "azblob",
		"file://~":        "file",
		"file:~":          "file",
		`file://C:\state`: "file",
	} {
		_, err := credentials.ParseBaseURL(raw)
		requireError(t, err, credentials.APIURL, "Backend is not Pulumi Cloud (api_url in the provider block): "+
			"The URL selects a DIY backend ("+scheme+"), but only Pulumi Cloud has agent pools.")
	}
}

func TestIsPlaintext(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"https://api.pulumi.com":       false,
		"http://localhost:8080":        false,
		"http://LOCALHOST":             false,
		"http://localhost.":            false,
		"http://pulumi.localhost":      false,
		"http://127.0.0.1":             false,
		"http://[::1]:8080":            false,
		"http://[::ffff:127.0.0.1]":    false,
		"http://api.pulumi.com":        true,
		"http://128.0.0.1":             true,
		"http://0.0.0.0":               true,
		"http://localhost.example.com": true,
		"http://notlocalhost":          true,
		"http://127.0.0.1.example.com": true,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := credentials.IsPlaintext(u); got != want {
			t.Errorf("%s: got %t, want %t", raw, got, want)
		}
	}
}

func FuzzParseBaseURL(f *testing.F) {
	for _, seed := range []string{
		"", "https://api.pulumi.com", "HTTPS://API.PULUMI.COM:443/api/", "http://[::1]:8080/prefix/api",
		"api.pulumi.com", "localhost:8080", "s3://bucket?region=x", "file:~", "https://u:p4ssw0rd@host/?q=secret#f",
		"https://host/a/../%2e%2e/api", "https://[fe80::1%25eth0]:0", "https://xn--bcher-kva.example.", "http://0/!000",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		skipIfSecret(t, raw)
		for _, withSecret := range []string{
			secret, `"` + secret + `"`, "https://" + secret, "https://host/" + secret,
			strings.Replace(raw, "://", "://user:"+secret+"@", 1),
			strings.Replace(raw, "://", "://"+secret+"@", 1),
			"user:" + secret + "@" + raw,
			"api.pulumi.com?token=" + secret + raw,
			raw + "?token=" + secret,
			raw + "#" + secret,
		} {
			u, err := credentials.ParseBaseURL(withSecret)
			if err != nil {
				requireNoSecret(t, err)
			} else if strings.Contains(u.String(), secret) {
				t.Errorf("%q became %s", withSecret, u)
			}
		}

		u, err := credentials.ParseBaseURL(raw)
		if err != nil {
			requireSettingsError(t, err)
			return
		}
		if u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" ||
			u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || u.RawPath != "" {
			t.Errorf("%q became %#v", raw, u)
		}
		if strings.HasSuffix(u.Path, "/") || strings.HasSuffix(u.Path, "/api") || strings.Contains(u.Path, "//") {
			t.Errorf("path %q", u.Path)
		}
		for _, suffix := range []string{"", "/", "/api", "/api/"} {
			if again, err := credentials.ParseBaseURL(u.String() + suffix); err != nil || *again != *u {
				t.Errorf("%s%s became %v: %v", u, suffix, again, err)
			}
		}
		// The canonical form is the same backend for net/url as the raw form.
		original, err := url.Parse(strings.TrimSpace(raw))
		if err != nil {
			t.Fatal(err)
		}
		if original.Scheme != u.Scheme {
			t.Errorf("scheme of %q became %q", raw, u.Scheme)
		}
		if !strings.Contains(u.Host, ":") && !strings.EqualFold(original.Hostname(), u.Host) {
			t.Errorf("host of %q became %q", raw, u.Host)
		}
	})
}
