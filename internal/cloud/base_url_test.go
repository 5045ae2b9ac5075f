package cloud_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

func TestParseBaseURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://api.pulumi.com":                   "https://api.pulumi.com",
		"https://api.pulumi.com/":                  "https://api.pulumi.com",
		"https://api.pulumi.com///":                "https://api.pulumi.com",
		"https://api.pulumi.com/api":               "https://api.pulumi.com",
		"https://api.pulumi.com/api/":              "https://api.pulumi.com",
		"https://api.pulumi.com//api//":            "https://api.pulumi.com",
		"https://api.pulumi.com/api/api":           "https://api.pulumi.com",
		"https://api.pulumi.com#":                  "https://api.pulumi.com",
		" https://api.pulumi.com\n":                "https://api.pulumi.com",
		"HTTPS://API.Pulumi.COM":                   "https://api.pulumi.com",
		"https://api.pulumi.com:443":               "https://api.pulumi.com",
		"https://api.pulumi.com:0443":              "https://api.pulumi.com",
		"https://api.pulumi.com:":                  "https://api.pulumi.com",
		"https://api.pulumi.com:80":                "https://api.pulumi.com:80",
		"http://localhost:80":                      "http://localhost",
		"http://localhost:8080":                    "http://localhost:8080",
		"http://127.0.0.1:34567/":                  "http://127.0.0.1:34567",
		"https://[2001:DB8:0:0:0:0:0:1]:8443/":     "https://[2001:db8::1]:8443",
		"http://[::1]":                             "http://[::1]",
		"https://tools.example.com/pulumi":         "https://tools.example.com/pulumi",
		"https://tools.example.com/Pulumi/api":     "https://tools.example.com/Pulumi",
		"https://tools.example.com/a/./b/../c/api": "https://tools.example.com/a/c",
		"https://tools.example.com/../../x":        "https://tools.example.com/x",
		"https://tools.example.com/my-api":         "https://tools.example.com/my-api",
		"https://tools.example.com/api/v2":         "https://tools.example.com/api/v2",
		"https://tools.example.com/API":            "https://tools.example.com/API",
		"https://xn--bcher-kva.example":            "https://xn--bcher-kva.example",
		"https://pulumi_cloud:8443":                "https://pulumi_cloud:8443",
	} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			got, err := cloud.ParseBaseURL(raw)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestParseBaseURLInvalid(t *testing.T) {
	t.Parallel()
	for raw, wantReason := range map[string]string{
		"":                                   "blank",
		" \n":                                "blank",
		"api.pulumi.com":                     "did you mean https://api.pulumi.com?",
		"api.pulumi.com/api/":                "did you mean https://api.pulumi.com?",
		"//api.pulumi.com":                   "did you mean https://api.pulumi.com?",
		"pulumi.example.com:8443":            "did you mean https://pulumi.example.com:8443?",
		"localhost:8080":                     "did you mean http://localhost:8080?",
		"127.0.0.1:8080":                     "did you mean http://127.0.0.1:8080?",
		"https:/api.pulumi.com":              "must start with https://",
		"https":                              "must start with https://",
		"file":                               "must start with https://",
		"ftp://api.pulumi.com":               "must start with https://",
		"://api.pulumi.com":                  "malformed",
		"https://api.pulumi.com/\x00":        "malformed",
		"https://api.pulumi.com/%zz":         "malformed",
		"https://api.pulumi.com:port":        "malformed",
		"https://[::1":                       "malformed",
		"https://":                           "needs a host name",
		"https:///api":                       "needs a host name",
		"https://:443":                       "needs a host name",
		"https:opaque://x":                   "needs a host name",
		"https://.":                          "needs a host name",
		"https://a..b":                       "needs a host name",
		"https://bücher.example":             "xn--",
		"https://%ff.example":                "needs a host name",
		"https://[fe80::1%25eth0]":           "needs a host name",
		"https://" + strings.Repeat("a", 64): "needs a host name",
		"https://api.pulumi.com:0":           "between 1 and 65535",
		"https://api.pulumi.com:65536":       "between 1 and 65535",
		"https://api.pulumi.com/a%2Fb":       "escaping",
		"https://api.pulumi.com/%2e%2e/x":    "escaping",
		"https://api.pulumi.com/a b":         "escaping",
		"https://api.pulumi.com/a!":          "escaping",
		"https://user@api.pulumi.com":        "user name or password",
		"https://api.pulumi.com?":            "query",
		"https://api.pulumi.com/?a=b":        "query",
		"https://api.pulumi.com/#top":        "fragment",
	} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			_, err := cloud.ParseBaseURL(raw)
			var invalid *cloud.InvalidURLError
			if !errors.As(err, &invalid) {
				t.Fatalf("got %v, want an InvalidURLError", err)
			}
			if !strings.Contains(invalid.Reason, wantReason) {
				t.Errorf("reason %q does not contain %q", invalid.Reason, wantReason)
			}
			if !strings.Contains(err.Error(), cloud.DefaultBaseURL) {
				t.Errorf("%q does not show what a URL looks like", err)
			}
		})
	}
}

func TestParseBaseURLDIYBackend(t *testing.T) {
	t.Parallel()
	for raw, wantScheme := range map[string]string{
		"s3://bucket?region=eu-west-1":            "s3",
		"S3://bucket":                             "s3",
		"gs://bucket":                             "gs",
		"azblob://container?storage_account=name": "azblob",
		"file://~":                                "file",
		"file:~":                                  "file",
		`file://C:\state`:                         "file",
	} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			_, err := cloud.ParseBaseURL(raw)
			var diy *cloud.DIYBackendError
			if !errors.As(err, &diy) {
				t.Fatalf("got %v, want a DIYBackendError", err)
			}
			if diy.Scheme != wantScheme {
				t.Errorf("got scheme %q, want %q", diy.Scheme, wantScheme)
			}
			for _, want := range []string{"agent pools", "api_url", "PULUMI_BACKEND_URL"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not mention %s", err, want)
				}
			}
		})
	}
}

func TestParseBaseURLErrorsHideSecrets(t *testing.T) {
	t.Parallel()
	const secret = "pul-5ec2e75ec2e7"
	for _, raw := range []string{
		secret,
		"https://user:" + secret + "@api.pulumi.com",
		"https://" + secret + "@api.pulumi.com",
		"https://user:" + secret + "@api.pulumi.com:port\n/",
		"user:" + secret + "@api.pulumi.com",
		"api.pulumi.com/" + secret,
		"api.pulumi.com?token=" + secret,
		"https://api.pulumi.com/?token=" + secret,
		"https://api.pulumi.com/#" + secret,
		"https://api.pulumi.com/%zz" + secret,
		"s3://key:" + secret + "@bucket",
		"s3://bucket?secret=" + secret,
		secret + "://api.pulumi.com",
		secret + ":443",
		"eyJhbGciOi." + secret + ".c2lnbmF0dXJl",
	} {
		_, err := cloud.ParseBaseURL(raw)
		if err == nil {
			t.Errorf("%q was accepted", raw)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%q is echoed: %v", raw, err)
		}
	}
}

func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"https://api.pulumi.com":       false,
		"https://localhost":            false,
		"http://localhost:8080":        false,
		"http://LOCALHOST":             false,
		"http://localhost.":            false,
		"http://pulumi.localhost":      false,
		"http://127.0.0.1":             false,
		"http://127.255.255.254:1":     false,
		"http://[::1]:8080":            false,
		"http://[::ffff:127.0.0.1]":    false,
		"http://api.pulumi.com":        true,
		"http://10.0.0.1":              true,
		"http://128.0.0.1":             true,
		"http://0.0.0.0":               true,
		"http://[::]":                  true,
		"http://[2001:db8::1]":         true,
		"http://localhost.example.com": true,
		"http://notlocalhost":          true,
		"http://127.0.0.1.example.com": true,
	} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			if got := cloud.PlainHTTP(u); got != want {
				t.Errorf("got %t, want %t", got, want)
			}
		})
	}
}

func FuzzParseBaseURL(f *testing.F) {
	for _, seed := range []string{
		"", "https://api.pulumi.com", "HTTPS://API.PULUMI.COM:443/api/", "http://[::1]:8080/prefix/api",
		"api.pulumi.com", "localhost:8080", "s3://bucket?region=x", "file:~", "https://u:p4ssw0rd@host/?q=secret#f",
		"https://host/a/../%2e%2e/api", "https://[fe80::1%25eth0]:0", "https://xn--bcher-kva.example.",
	} {
		f.Add(seed)
	}
	const secret = "pul-5ec2e75ec2e7"
	f.Fuzz(func(t *testing.T, raw string) {
		if strings.Contains(strings.ToLower(raw), secret) {
			t.Skip("only the secrets added below are looked for")
		}
		for _, withSecret := range []string{
			strings.Replace(raw, "://", "://user:"+secret+"@", 1),
			strings.Replace(raw, "://", "://"+secret+"@", 1),
			"user:" + secret + "@" + raw,
			raw + "?token=" + secret,
			raw + "#" + secret,
		} {
			if u, err := cloud.ParseBaseURL(withSecret); err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the secret in %q is echoed: %v", withSecret, err)
			} else if err == nil && strings.Contains(u.String(), secret) {
				t.Errorf("the secret in %q was taken for a part of %s", withSecret, u)
			}
		}

		u, err := cloud.ParseBaseURL(raw)
		if err != nil {
			var invalid *cloud.InvalidURLError
			var diy *cloud.DIYBackendError
			if !errors.As(err, &invalid) && !errors.As(err, &diy) {
				t.Fatalf("unexpected error type %T", err)
			}
			return
		}

		if u.Scheme != "https" && u.Scheme != "http" {
			t.Errorf("scheme %q", u.Scheme)
		}
		if u.Hostname() == "" {
			t.Error("no host")
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || u.RawPath != "" {
			t.Errorf("more than scheme, host and path: %#v", u)
		}
		if strings.HasSuffix(u.Path, "/") || strings.HasSuffix(u.Path, "/api") || strings.Contains(u.Path, "//") {
			t.Errorf("path %q", u.Path)
		}
		for _, variant := range []string{"", "/", "/api", "/api/"} {
			again, err := cloud.ParseBaseURL(u.String() + variant)
			if err != nil {
				t.Fatalf("%s%s: %v", u, variant, err)
			}
			if *again != *u {
				t.Errorf("%s%s became %s", u, variant, again)
			}
		}
		// What net/url reads in the canonical form is the backend that it reads in the raw one.
		original, err := url.Parse(strings.TrimSpace(raw))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.EqualFold(original.Scheme, u.Scheme) {
			t.Errorf("scheme of %q became %q", raw, u.Scheme)
		}
		if !strings.Contains(u.Host, ":") && !strings.EqualFold(original.Hostname(), u.Host) {
			t.Errorf("host of %q became %q", raw, u.Host)
		}
	})
}
