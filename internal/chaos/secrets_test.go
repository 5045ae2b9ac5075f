package chaos_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// secrets finds secrets in text, in plaintext and in the encodings in which they may leak.
type secrets struct {
	mu    sync.RWMutex
	forms []string
}

func (s *secrets) add(secret string) {
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret)}
	// The Base64 form of a secret depends on the number of bytes before it, modulo 3, and at its edges on their value.
	for preceding, edge := range []int{0, 2, 3} {
		padded := []byte(strings.Repeat("-", preceding) + secret)
		whole := len(padded) / 3 * 4
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, encoding.EncodeToString(padded)[edge:whole])
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forms = append(s.forms, forms...)
}

// in reports whether the text holds a secret.
func (s *secrets) in(text string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, form := range s.forms {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

func TestSecrets_encodings(t *testing.T) {
	t.Parallel()
	const secret = "pul-4f+/3=abcdef"
	var known secrets
	known.add(secret)
	for _, text := range []string{
		"token " + secret + ".",
		"https://example.com/?token=" + url.QueryEscape(secret),
		"https://example.com/" + url.PathEscape(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.URLEncoding.EncodeToString([]byte("user:" + secret + " and more")),
		base64.StdEncoding.EncodeToString([]byte("token " + secret + "!")),
	} {
		if !known.in(text) {
			t.Errorf("the secret was not found in %q", text)
		}
	}
	if known.in("pul-4f and no more") {
		t.Error("a secret was found in part of it")
	}
}
