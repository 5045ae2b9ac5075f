package provider

import (
	"strings"
	"testing"
)

func FuzzParseImportID(f *testing.F) {
	const id = "6f2b1f0e-3c5a-4c60-9f1e-0a4b8f1d2c3e"
	for _, text := range []string{
		id, strings.ToUpper(id), "acme/" + id, "acme/runners", "acme/runners/" + id, "acme/a/b", "acme/a/b/" + id,
		"", "/", "acme", "acme/", "/runners", "acme//", "acme/ ", "{" + id + "}", "urn:uuid:" + id, id + "/" + id, "acme/../x",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseImportID(text)
		if err != nil {
			if parsed != (importID{}) {
				t.Errorf("%q: %+v beside the error", text, parsed)
			}
			return
		}
		if (parsed.id == "") == (parsed.name == "") {
			t.Fatalf("%q: %+v, want either an id or a name", text, parsed)
		}
		if strings.Contains(parsed.organization, "/") {
			t.Errorf("%q: the organization %q has a slash in it", text, parsed.organization)
		}
		if parsed.id != "" && !isPoolID(parsed.id) {
			t.Errorf("%q: %q is no pool's id", text, parsed.id)
		}
		if parsed.name != "" && parsed.organization+"/"+parsed.name != text {
			t.Errorf("%q: something is lost in %+v", text, parsed)
		}
		// The shortest form of what was understood means the same.
		short := parsed.organization + "/" + parsed.id + parsed.name
		if again, err := parseImportID(strings.TrimPrefix(short, "/")); err != nil || again != parsed {
			t.Errorf("%q: %q is %+v, not %+v (%v)", text, short, again, parsed, err)
		}
	})
}
