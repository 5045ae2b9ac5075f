package cloud

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

const (
	redacted = "(redacted)"
	// maxTextRunes bounds what is passed on of a server's message: enough for any sentence meant for a person.
	maxTextRunes = 1000
	// maxLoggedBytes bounds a body in the log.
	maxLoggedBytes = 16 << 10
)

// secretFields are the JSON fields, lower-cased, that hold secrets in the API's requests and answers.
var secretFields = map[string]bool{
	"tokenvalue":    true,
	"subject_token": true,
	"access_token":  true,
}

// pulumiToken is the shape of every token that Pulumi Cloud issues, and that shape in base64, with 0, 1 or 2 bytes
// (modulo 3) before it.
var pulumiToken = regexp.MustCompile(`pul-[0-9A-Fa-f]{8,}|(?:cHVsL|B1bC[01]|wdWwt)[0-9A-Za-z+/_-]{12,}={0,2}`)

// redactor makes what a server sent safe to show: without the secrets that it may echo, and without what a
// terminal would obey.
type redactor struct {
	known atomic.Pointer[regexp.Regexp]

	mu            sync.Mutex
	plain, base64 []string // the forms of what is known, as patterns
}

// newRedactor knows the given secrets in the forms in which they are likely to be echoed.
func newRedactor(secrets ...string) *redactor {
	r := &redactor{}
	for _, secret := range secrets {
		r.learn(secret)
	}
	return r
}

// learn adds a secret, unless it is known already.
func (r *redactor) learn(secret string) {
	if secret == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.plain, regexp.QuoteMeta(secret)) {
		return
	}
	for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
		r.plain = append(r.plain, regexp.QuoteMeta(form))
	}
	for _, form := range base64Forms(secret) {
		r.base64 = append(r.base64, regexp.QuoteMeta(form))
	}
	pattern := strings.Join(r.plain, "|")
	if len(r.base64) > 0 {
		// The characters beside it hold a part of the secret, too, or of another.
		pattern += "|[0-9A-Za-z+/_-]*(?:" + strings.Join(r.base64, "|") + ")[0-9A-Za-z+/_-]*={0,2}"
	}
	r.known.Store(regexp.MustCompile(pattern))
}

// base64Forms returns what every base64 text that has the secret somewhere in it has in it. Which characters stand
// for the secret depends on how many bytes precede it, modulo 3; those at its edges depend on its neighbours, too.
func base64Forms(secret string) []string {
	if len(secret) < 6 {
		return nil // What is left without the edges would be found in other words.
	}
	var forms []string
	for preceding, edge := range []int{0, 2, 3} {
		padded := []byte(strings.Repeat("-", preceding) + secret)
		whole := len(padded) / 3 * 4
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, encoding.EncodeToString(padded)[edge:whole])
		}
	}
	return forms
}

// secrets replaces the known secrets and everything that has the shape of a Pulumi token.
func (r *redactor) secrets(text string) string {
	if known := r.known.Load(); known != nil {
		text = known.ReplaceAllLiteralString(text, redacted)
	}
	return pulumiToken.ReplaceAllLiteralString(text, redacted)
}

// clean returns a server's text in one line of bounded length, without secrets, control characters, terminal
// escapes and the invisible characters that reorder text.
func (r *redactor) clean(text string) string {
	text = r.secrets(text)
	var clean strings.Builder
	runes := 0
	for _, c := range text {
		if runes == maxTextRunes {
			clean.WriteString("…")
			break
		}
		runes++
		switch {
		case c == '\n' || c == '\r' || c == '\t':
			clean.WriteByte(' ')
		case c == utf8.RuneError || !unicode.IsPrint(c):
			clean.WriteRune('�')
		default:
			clean.WriteRune(c)
		}
	}
	return strings.TrimSpace(clean.String())
}

// body returns a JSON body for the log, its secret fields blanked. Of anything but JSON it says only the size.
func (r *redactor) body(content []byte) string {
	if len(content) == 0 {
		return ""
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	if len(content) > maxLoggedBytes || decoder.Decode(&value) != nil {
		return fmt.Sprintf("(%d bytes)", len(content))
	}
	shown, err := json.Marshal(r.blank(value))
	if err != nil {
		return fmt.Sprintf("(%d bytes)", len(content))
	}
	return r.secrets(string(shown))
}

// blank returns a JSON value without secrets. It looks into strings, and the names of fields, before they are encoded
// again, which can spell a secret in another way.
func (r *redactor) blank(value any) any {
	switch value := value.(type) {
	case string:
		return r.secrets(value)
	case map[string]any:
		blanked := make(map[string]any, len(value))
		for name, field := range value {
			if secretFields[strings.ToLower(name)] {
				blanked[name] = redacted
			} else {
				blanked[r.secrets(name)] = r.blank(field)
			}
		}
		return blanked
	case []any:
		for i, element := range value {
			value[i] = r.blank(element)
		}
	}
	return value
}
