package provider_test

import (
	"cmp"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	repositoryDir = "../.."
	// registryDocs is where the registry shows docs/, and repositoryURL where GitHub shows the repository.
	registryDocs  = "https://registry.terraform.io/providers/pulumicloud/pulumicloud/latest/docs"
	repositoryURL = "https://github.com/pulumicloud/terraform-provider-pulumicloud"
)

var (
	// linkPattern matches [text](target) and [text]: target.
	linkPattern    = regexp.MustCompile(`(?m)(?:\]\(|^\[[^\]]+\]:\s*)<?([^)\s>]+)`)
	headingPattern = regexp.MustCompile(`(?m)^(#{1,6}) +(.+?) *$`)
	anchorPattern  = regexp.MustCompile(`<a id="([^"]+)"`)
	// codePattern matches code and template actions.
	codePattern        = regexp.MustCompile("(?ms){{[^}]*}}|^ *```.*?\n *```|`[^`\n]*`")
	punctuationPattern = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// The headings of Troubleshooting are summaries of diagnostics.
func TestDocumentation_troubleshooting(t *testing.T) {
	t.Parallel()
	const guide = "templates/guides/troubleshooting.md"
	var code strings.Builder
	for _, dir := range []string{".", "../credentials"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		mustDo(t, err)
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				content, err := os.ReadFile(file)
				mustDo(t, err)
				code.Write(content)
			}
		}
	}
	for _, heading := range headingPattern.FindAllStringSubmatch(readDocument(t, guide), -1) {
		if heading[1] == "###" && !strings.Contains(code.String(), `"`+heading[2]+`"`) {
			t.Errorf("%s has %q, which is no diagnostic", guide, heading[2])
		}
	}
}

// Links to the documentation in the registry and to the repository lead to a file and a heading.
func TestDocumentation_links(t *testing.T) {
	t.Parallel()
	root := os.DirFS(repositoryDir)
	documents, err := fs.Glob(root, "*.md")
	mustDo(t, err)
	for _, dir := range []string{"docs", "examples", ".github"} {
		mustDo(t, fs.WalkDir(root, dir, func(name string, _ fs.DirEntry, err error) error {
			if path.Ext(name) == ".md" {
				documents = append(documents, name)
			}
			return err
		}))
	}
	for _, document := range documents {
		base, err := url.Parse(pageURL(document))
		mustDo(t, err)
		text := codePattern.ReplaceAllString(readDocument(t, document), "")
		for _, link := range linkPattern.FindAllStringSubmatch(text, -1) {
			target, err := base.Parse(link[1])
			mustDo(t, err)
			file := linkedFile(target)
			if file == "" {
				continue
			}
			if info, err := fs.Stat(root, file); err != nil {
				t.Errorf("%s: %s leads to %s, which does not exist", document, link[1], file)
			} else if target.Fragment != "" && (info.IsDir() || !slices.Contains(fragments(readDocument(t, file)), target.Fragment)) {
				t.Errorf("%s: %s leads to a heading that %s lacks", document, link[1], file)
			}
		}
	}
}

// pageURL returns the URL of a document, to which its links are relative.
func pageURL(document string) string {
	if page, ok := strings.CutPrefix(document, "docs/"); ok {
		return registryDocs + strings.TrimSuffix("/"+strings.TrimSuffix(page, ".md"), "/index")
	}
	return repositoryURL + "/blob/main/" + document
}

// linkedFile is the inverse of pageURL. It returns "" for other URLs.
func linkedFile(target *url.URL) string {
	address := target.Scheme + "://" + target.Host + target.Path
	if page, ok := strings.CutPrefix(address, registryDocs); ok {
		return "docs" + cmp.Or(page, "/index") + ".md"
	}
	for _, view := range []string{"/blob/main/", "/tree/main/"} {
		if file, ok := strings.CutPrefix(address, repositoryURL+view); ok {
			return strings.TrimSuffix(file, "/")
		}
	}
	return ""
}

func readDocument(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repositoryDir, filepath.FromSlash(name)))
	mustDo(t, err)
	return string(content)
}

// fragments returns the fragments of the headings of a document, as GitHub and the registry form them, and its anchors.
func fragments(text string) []string {
	var found []string
	for _, anchor := range anchorPattern.FindAllStringSubmatch(text, -1) {
		found = append(found, anchor[1])
	}
	for _, heading := range headingPattern.FindAllStringSubmatch(text, -1) {
		words := punctuationPattern.ReplaceAllString(strings.ToLower(heading[2]), "")
		found = append(found, strings.ReplaceAll(words, " ", "-"))
	}
	return found
}
