package chaos_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
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

// addTokens is middleware that adds the tokens of new pools.
func (s *secrets) addTokens(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		api.ServeHTTP(recorder, r)
		var created struct{ TokenValue string }
		if json.Unmarshal(recorder.Body.Bytes(), &created) == nil && created.TokenValue != "" {
			s.add(created.TokenValue)
		}
		maps.Copy(w.Header(), recorder.Header())
		w.WriteHeader(recorder.Code)
		_, _ = recorder.Body.WriteTo(w) // The client may be gone.
	})
}

func TestSecrets_encodings(t *testing.T) {
	t.Parallel()
	const secret = "pul-4f+/3=abcdef"
	var known secrets
	known.add(secret)
	for text, want := range map[string]bool{
		"token " + secret + ".":              true,
		"/?token=" + url.QueryEscape(secret): true,
		base64.URLEncoding.EncodeToString([]byte("user:" + secret + " and more")): true,
		base64.StdEncoding.EncodeToString([]byte("token " + secret + "!")):        true,
		"pul-4f and no more": false,
	} {
		if known.in(text) != want {
			t.Errorf("secret found in %q: %t, want %t", text, !want, want)
		}
	}
}
