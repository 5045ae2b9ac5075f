package cloud

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

const (
	ownToken   = "pul-0123456789abcdef0123456789abcdef01234567"
	otherToken = "pul-fedcba9876543210fedcba9876543210fedcba98"
)

// leaked returns a part of the text that gives a secret away: eight of its bytes in a row, plain, or so that base64
// of any alignment decodes to them.
func leaked(text, secret string) string {
	const giveaway = 12
	for i := 0; i+giveaway <= len(secret); i++ {
		part := secret[i : i+giveaway]
		forms := []string{part, url.QueryEscape(part)}
		for preceding, edge := range []int{0, 2, 3} {
			padded := []byte(strings.Repeat("-", preceding) + part)
			whole := len(padded) / 3 * 4
			forms = append(forms,
				base64.RawStdEncoding.EncodeToString(padded)[edge:whole],
				base64.RawURLEncoding.EncodeToString(padded)[edge:whole])
		}
		for _, form := range forms {
			if strings.Contains(text, form) {
				return form
			}
		}
	}
	return ""
}

func TestCleanRemovesSecrets(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{ownToken, otherToken, `s3cr3t/with+odd&"chars" ü`} {
		r := newRedactor(ownToken, `s3cr3t/with+odd&"chars" ü`)
		forms := map[string]string{
			"plain": secret, "query": url.QueryEscape(secret), "path": url.PathEscape(secret),
			"URL": "https://x/?t=" + url.QueryEscape(secret), "header": "Authorization: token " + secret,
		}
		for preceding := range 7 {
			for following := range 4 {
				text := []byte(strings.Repeat("x", preceding) + secret + strings.Repeat("y", following))
				name := fmt.Sprintf("base64 %d %d", preceding, following)
				forms[name] = base64.StdEncoding.EncodeToString(text)
				forms[name+" URL"] = base64.RawURLEncoding.EncodeToString(text)
			}
		}
		for name, form := range forms {
			if got := r.clean("before " + form + " after"); leaked(got, secret) != "" ||
				!strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") {
				t.Errorf("%s of %s: got %q", name, secret, got)
			}
		}
	}
}

func TestCleanNeutralises(t *testing.T) {
	t.Parallel()
	r := newRedactor(ownToken)
	for text, want := range map[string]string{
		"plain":                     "plain",
		" \n trimmed\t ":            "trimmed",
		"two\r\nlines":              "two  lines",
		"\x1b[31mred\x1b[0m":        "�[31mred�[0m",
		"\x1b]0;title\x07":          "�]0;title�",
		"\u009b31m":                 "�31m",
		"null\x00byte":              "null�byte",
		"back\bspace":               "back�space",
		"abc\u202etxt.exe":          "abc�txt.exe",
		"\u2066isolate\u2069":       "�isolate�",
		"zero\u200bwidth":           "zero�width",
		"line\u2028separator":       "line�separator",
		"\ufeffmark":                "�mark",
		"invalid \xff\xfe":          "invalid ��",
		"tag \U000e0041":            "tag �",
		"ümläut, 漢字, 🚀 stay":        "ümläut, 漢字, 🚀 stay",
		strings.Repeat("é", 1000):   strings.Repeat("é", 1000),
		strings.Repeat("é", 100000): strings.Repeat("é", 1000) + "…",
		"":                          "",
	} {
		if got := r.clean(text); got != want {
			t.Errorf("%.40q: got %.40q, want %.40q", text, got, want)
		}
	}
}

func TestCleanWithoutSecrets(t *testing.T) {
	t.Parallel()
	if got := newRedactor("").clean("as it is"); got != "as it is" {
		t.Errorf("got %q", got)
	}
}

func TestBodyIsLoggedWithoutSecrets(t *testing.T) {
	t.Parallel()
	odd := `s3cr3t<&>"\` + "\u2028" + `quotes`
	quoted, err := json.Marshal(odd)
	if err != nil {
		t.Fatal(err)
	}
	r := newRedactor(odd)
	for body, want := range map[string]string{
		"":                                   "",
		`{"id":"7","tokenValue":"x"}`:        `{"id":"7","tokenValue":"(redacted)"}`,
		`{"TokenValue":{"deep":"x"}}`:        `{"TokenValue":"(redacted)"}`,
		`[{"a":[{"access_token":1}]}]`:       `[{"a":[{"access_token":"(redacted)"}]}]`,
		`{"subject_token":"jwt"}`:            `{"subject_token":"(redacted)"}`,
		`{"message":"` + otherToken + `"}`:   `{"message":"(redacted)"}`,
		`{"` + otherToken + `":1}`:           `{"(redacted)":1}`,
		`{"message":` + string(quoted) + `}`: `{"message":"(redacted)"}`,
		`{` + string(quoted) + `:1}`:         `{"(redacted)":1}`,
		`{"n":12345678901234567890}`:         `{"n":12345678901234567890}`,
		`{"a":"` + "\u001b" + `"}`:           `(9 bytes)`,
		`{"a":"\u001b"}`:                     `{"a":"\u001b"}`,
		`{"tokenValue":"pul-`:                `(19 bytes)`,
		`<html>` + otherToken:                fmt.Sprintf("(%d bytes)", 6+len(otherToken)),
		strings.Repeat(" ", 16<<10) + "{}":   "(16386 bytes)",
	} {
		if got := r.body([]byte(body)); got != want {
			t.Errorf("%.60q: got %q, want %q", body, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, text := range []string{
		"", "plain", ownToken, otherToken, "x" + base64.StdEncoding.EncodeToString([]byte("user:"+ownToken)), "\x1b[2J", "\u202e",
		"pul-", "pul-0123456789abcdef pul-0123456789abcdef", "cHVsLTAxMjM0NTY3ODlhYmNkZWYw", "\xff\xfe", "pul-\x000123456789",
		"(redacted)", strings.Repeat("ü", 2000), url.QueryEscape("s3cr3t/with+odd&"),
	} {
		f.Add(text, 0)
		f.Add(text, 3)
	}
	const secret = "s3cr3t/with+odd&chars"
	r := newRedactor(ownToken, secret)
	f.Fuzz(func(t *testing.T, text string, at int) {
		if at < 0 || at > len(text) {
			at = len(text)
		}
		encoded := base64.StdEncoding.EncodeToString([]byte(text[:at] + secret + text[at:]))
		for _, hidden := range []string{
			text[:at] + secret + text[at:], text[:at] + " " + ownToken + " " + text[at:], text[:at] + url.QueryEscape(secret) + text[at:],
			text[:at] + " " + otherToken + " " + text[at:], encoded,
		} {
			got := r.clean(hidden)
			if !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxTextRunes+1 {
				t.Errorf("%d runes, valid: %t", utf8.RuneCountInString(got), utf8.ValidString(got))
			}
			if strings.ContainsFunc(got, func(c rune) bool { return !unicode.IsPrint(c) }) {
				t.Errorf("%q has what a terminal may obey", got)
			}
			for _, s := range []string{secret, ownToken, otherToken} {
				if strings.Contains(got, s) {
					t.Errorf("%q holds %q", got, s)
				}
			}
			if hidden == encoded && leaked(got, secret) != "" && leaked(text, secret) == "" {
				t.Errorf("%q holds %q", got, leaked(got, secret))
			}
		}
	})
}

func BenchmarkClean(b *testing.B) {
	r := newRedactor(ownToken)
	text := "Conflict: agent pool already exists; the token was " + ownToken + " and not " + otherToken
	b.ReportAllocs()
	for b.Loop() {
		if got := r.clean(text); len(got) > len(text) {
			b.Fatal(got)
		}
	}
}
