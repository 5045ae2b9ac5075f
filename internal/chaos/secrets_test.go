package chaos_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// prefixLength is how much of a secret's form its index knows it by.
const prefixLength = 8

// secrets finds secrets in texts that must not hold them, in the forms in which they are likely to get there.
type secrets struct {
	mu sync.RWMutex
	// forms are those of all secrets, by their first bytes.
	forms map[string][]string
}

func (s *secrets) add(secret string) {
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret)}
	// In base64, what stands for the secret depends on how many bytes precede it, modulo 3, and at its edges on what
	// they are.
	for preceding, edge := range []int{0, 2, 3} {
		padded := []byte(strings.Repeat("-", preceding) + secret)
		whole := len(padded) / 3 * 4
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, encoding.EncodeToString(padded)[edge:whole])
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forms == nil {
		s.forms = make(map[string][]string)
	}
	for _, form := range forms {
		prefix := form[:prefixLength]
		s.forms[prefix] = append(s.forms[prefix], form)
	}
}

// in tells whether the text holds a secret.
func (s *secrets) in(text string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := 0; i+prefixLength <= len(text); i++ {
		for _, form := range s.forms[text[i:i+prefixLength]] {
			if strings.HasPrefix(text[i:], form) {
				return true
			}
		}
	}
	return false
}

func TestSecretsAreFound(t *testing.T) {
	t.Parallel()
	const secret = "pul-4f+/3=abcdef"
	var known secrets
	known.add(secret)
	for name, text := range map[string]string{
		"plain":             "token " + secret + ".",
		"URL-encoded":       "https://example.com/?token=" + url.QueryEscape(secret),
		"path-encoded":      "https://example.com/" + url.PathEscape(secret),
		"base64":            base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64, in a pair": base64.URLEncoding.EncodeToString([]byte("user:" + secret + " and more")),
		"base64, in a line": base64.StdEncoding.EncodeToString([]byte("token " + secret + "!")),
	} {
		if !known.in(text) {
			t.Errorf("%s: the secret was not found in %q", name, text)
		}
	}
	if text := "pul-4f and no more"; known.in(text) {
		t.Errorf("a secret was found in %q", text)
	}
}
