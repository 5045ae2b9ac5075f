package credentials_test

import (
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
)

func TestLooksLikeToken(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		secret:                         true,
		"pul-0123abcd":                 true,
		"PUL-0123ABCD":                 true,
		" \"" + secret + "\"\n":        true,
		"'" + secret + "'":             true,
		"eyJhbGciOi.eyJzdWIi.c2lnbmF0": true,
		"":                             false,
		"acme":                         false,
		"pulumi":                       false,
		"pul-0123abc":                  false,
		"pul-department":               false,
		"pul-0123abcd-acme":            false,
		"/run/pul-0123abcd":            false,
		"https://api.pulumi.com":       false,
		"eyJhbGciOi.eyJzdWIi":          false,
		"eyJhbGciOi.eyJzdWIi.":         false,
		"api.pulumi.com":               false,
	} {
		if got := credentials.LooksLikeToken(value); got != want {
			t.Errorf("%q: got %t, want %t", value, got, want)
		}
	}
}
