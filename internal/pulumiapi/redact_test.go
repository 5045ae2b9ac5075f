package pulumiapi

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

const (
	oddSecret = `s3cr3t/with+odd&"chars"%`
	// testIDToken has the form of an ID token.
	testIDToken = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwic3ViIjoiam9iIn0.c2lnbmF0dXJlLW9mLXRlc3Q"
)

// encodings returns the forms in which the redactor finds a secret.
func encodings(secret string) map[string]string {
	var everyByte strings.Builder
	for _, b := range []byte(secret) {
		fmt.Fprintf(&everyByte, "%%%02x", b)
	}
	forms := map[string]string{
		"plain": secret, "uppercase": strings.ToUpper(secret), "query": url.QueryEscape(secret), "path": url.PathEscape(secret),
		"every byte": everyByte.String(), "hyphen": strings.ReplaceAll(secret, "-", "%2D"), "header": "Authorization: token " + secret,
	}
	for preceding := range 4 {
		text := []byte(strings.Repeat("u", preceding) + secret + ":" + strings.Repeat("x", preceding))
		for name, encoded := range map[string]string{
			"base64": base64.StdEncoding.EncodeToString(text), "base64url": base64.RawURLEncoding.EncodeToString(text),
		} {
			forms[fmt.Sprint(name, preceding)] = encoded
			forms[fmt.Sprint(name, preceding, " percent-encoded")] = url.QueryEscape(encoded)
			forms[fmt.Sprint(name, preceding, " in a path")] = "some/path/" + encoded
		}
	}
	return forms
}

// leaked returns a secret of which a text has 8 bytes in it, in plaintext or encoded, or an empty string.
func leaked(text string, secrets ...string) string {
	text = strings.ReplaceAll(text, redacted, " ")
	text += " " + percentDecode(text)
	var decoded strings.Builder
	for _, run := range base64Text.FindAllString(text, -1) {
		for start := range 4 {
			part, _ := base64.RawStdEncoding.DecodeString(base64URLToStd.Replace(run)[start:])
			decoded.Write(part)
			decoded.WriteByte(' ')
		}
	}
	text = strings.ToLower(text + " " + decoded.String())
	for _, secret := range secrets {
		for i := 0; i+8 <= len(secret); i += 4 {
			if strings.Contains(text, strings.ToLower(secret[i:i+8])) {
				return secret
			}
		}
	}
	return ""
}

func TestRedactor(t *testing.T) {
	t.Parallel()
	parts := strings.Split(testIDToken, ".")
	r := newRedactor(oddSecret, testIDToken, "")
	for _, secret := range []string{
		oddSecret, testToken, poolToken, testIDToken, parts[2], parts[0] + "." + parts[1],
		testIDToken[:len(testIDToken)-5], testIDToken[:len(testIDToken)-len(parts[2])],
	} {
		for name, form := range encodings(secret) {
			got := r.sanitize("before " + form + " after")
			if leaked(got, secret) != "" || !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") ||
				!strings.Contains(got, redacted) {
				t.Errorf("%s of %s: got %q", name, secret, got)
			}
			if got = r.redact("pul%2D00000000 " + url.PathEscape(form)); leaked(got, secret) != "" {
				t.Errorf("%s of %s, percent-encoded once more: got %q", name, secret, got)
			}
		}
	}
	if got := newRedactor("redact").redact("redact%20x"); !strings.Contains(got, redacted) {
		t.Errorf("a part of the replacement: got %q", got)
	}
	unknown := newRedactor()
	for _, token := range []string{testToken, strings.ToUpper(testToken), testToken[:20], testIDToken, testIDToken[:60]} {
		if got := unknown.sanitize("x " + token + " y"); got != "x (redacted) y" {
			t.Errorf("unknown token %s: got %q", token, got)
		}
	}
	for _, text := range []string{
		"", "100% of 5%", "a%2Fb", "/api/orgs/acme/agent-pools/" + poolID, "pul-", "eyJ", "Conflict: agent pool already exists",
	} {
		if got := r.sanitize(text); got != text {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

func TestRedactor_sanitize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		" \n trimmed\t ":            "trimmed",
		"two\r\nlines":              "two  lines",
		"\x1b[31mred\x1b[0m":        "�[31mred�[0m",
		"\u009b31m":                 "�31m",
		"null\x00byte":              "null�byte",
		"abc\u202etxt.exe":          "abc�txt.exe",
		"zero\u200bwidth":           "zero�width",
		"line\u2028separator":       "line�separator",
		"\ufeffmark":                "�mark",
		"invalid \xff\xfe":          "invalid ��",
		"ümläut, 漢字, 🚀":             "ümläut, 漢字, 🚀",
		strings.Repeat("é", 1000):   strings.Repeat("é", 1000),
		strings.Repeat("é", 100000): strings.Repeat("é", 1000) + "…",
	} {
		if got := newRedactor().sanitize(text); got != want {
			t.Errorf("%.40q: got %.40q, want %.40q", text, got, want)
		}
	}
}

// BenchmarkRedactor_add shows that the time does not grow with the number of secrets.
func BenchmarkRedactor_add(b *testing.B) {
	for _, known := range []int{1, 10_000} {
		b.Run(fmt.Sprint(known), func(b *testing.B) {
			r := newRedactor()
			for i := range known {
				r.add(fmt.Sprint(testIDToken, i))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.add(fmt.Sprint(testIDToken, known+i))
			}
		})
	}
}
