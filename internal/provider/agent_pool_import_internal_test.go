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
		parsed, ok := parseImportID(text)
		switch {
		case !ok && parsed != (importID{}):
			t.Errorf("%q: %+v although it is invalid", text, parsed)
		case !ok:
		case parsed.id == "" && parsed.name == "":
			t.Errorf("%q: neither ID nor name", text)
		case parsed.id != "" && !isPoolID(parsed.id):
			t.Errorf("%q: %q is not an agent pool ID", text, parsed.id)
		case strings.Contains(parsed.organization, "/"):
			t.Errorf("%q: the organization %q contains a slash", text, parsed.organization)
		}
	})
}
