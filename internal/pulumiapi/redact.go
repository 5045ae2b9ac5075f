package pulumiapi

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

const (
	redacted        = "(redacted)"
	maxTextRunes    = 1000 // of a text from the server, enough for any sentence meant for people
	minSecretLength = 6    // Shorter ones occur in ordinary words.
)

// secretFields are the JSON fields of responses that contain a secret.
var secretFields = []string{"tokenValue", "access_token", "refresh_token"}

var (
	// tokenShape matches tokens of Pulumi Cloud and JSON Web Tokens, also if they are truncated.
	tokenShape     = regexp.MustCompile(`(?i)pul-[0-9a-f]{8,}|eyj[0-9a-z_-]{8,}\.[0-9a-z_-]{4,}(?:\.[0-9a-z_-]*)?`)
	percentEncoded = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	base64Text     = regexp.MustCompile(`[0-9A-Za-z+/_-]{8,}={0,2}`)
	base64URLToStd = strings.NewReplacer("-", "+", "_", "/", "=", "")
)

// redactor removes secrets from texts: known ones, and everything with the shape of a token. It finds them in any case,
// percent-encoded, and inside base64.
type redactor struct {
	mu    sync.RWMutex
	known []string
	added map[string]bool // for each of known
}

func newRedactor(secrets ...string) *redactor {
	r := &redactor{added: make(map[string]bool)}
	r.add(secrets...)
	return r
}

// add makes secrets known. Of a JSON Web Token the parts are secrets too.
func (r *redactor) add(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, secret := range secrets {
		if strings.HasPrefix(secret, "pul-") && tokenShape.FindString(secret) == secret {
			continue // It needs no entry, and an apply may create thousands.
		}
		forms := []string{secret}
		if parts := strings.Split(secret, "."); len(parts) == 3 && tokenShape.MatchString(secret) {
			forms = append(forms, parts[0]+"."+parts[1], parts[2])
		}
		for _, form := range forms {
			if len(form) >= minSecretLength && !r.added[form] {
				r.added[form] = true
				r.known = append(r.known, form)
			}
		}
	}
}

// redact replaces all secrets in a text. It percent-decodes repeatedly while the decoded text contains a secret.
func (r *redactor) redact(text string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for {
		text = r.replaceBase64(r.replace(text))
		decoded := percentDecode(text)
		if decoded == text || r.replaceBase64(r.replace(decoded)) == decoded {
			return text
		}
		text = decoded
	}
}

// percentDecode ignores errors, which [url.PathUnescape] does not.
func percentDecode(text string) string {
	return percentEncoded.ReplaceAllStringFunc(text, func(code string) string {
		value, _ := strconv.ParseUint(code[1:], 16, 8)
		return string([]byte{byte(value)})
	})
}

func (r *redactor) replace(text string) string {
	text = tokenShape.ReplaceAllString(text, redacted)
	for _, secret := range r.known {
		text = replaceFold(text, secret)
	}
	return text
}

// replaceBase64 replaces base64 with a secret in it. The base64 may start after a few of the characters that match.
func (r *redactor) replaceBase64(text string) string {
	return base64Text.ReplaceAllStringFunc(text, func(encoded string) string {
		std := base64URLToStd.Replace(encoded)
		for start := range 4 {
			// An error at the end does not matter, because the rest is decoded.
			decoded, _ := base64.RawStdEncoding.DecodeString(std[start:])
			if text := string(decoded); r.replace(text) != text {
				return redacted
			}
		}
		return encoded
	})
}

// replaceFold replaces a secret in any case.
func replaceFold(text, secret string) string {
	var clean strings.Builder
	for start := 0; start+len(secret) <= len(text); start++ {
		if end := start + len(secret); strings.EqualFold(text[start:end], secret) {
			clean.WriteString(text[:start] + redacted)
			text, start = text[end:], -1
		}
	}
	return clean.String() + text
}

func (o *operation) sanitize(text string) string { return o.client.redactor.sanitize(text) }

// sanitize returns a text that is safe to print: one line of bounded length, without secrets, control characters,
// terminal escapes and the invisible characters that reorder text.
func (r *redactor) sanitize(text string) string {
	text = strings.Map(func(c rune) rune {
		switch {
		case c == '\n', c == '\r', c == '\t':
			return ' '
		case !unicode.IsPrint(c):
			return unicode.ReplacementChar
		}
		return c
	}, r.redact(text))
	if runes := []rune(text); len(runes) > maxTextRunes {
		text = string(runes[:maxTextRunes]) + "…"
	}
	return strings.TrimSpace(text)
}
