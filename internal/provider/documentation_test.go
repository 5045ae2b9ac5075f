package provider_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	repositoryDirectory = "../.."
	// registryDocs is where the registry shows docs/.
	registryDocs = "https://registry.terraform.io/providers/pulumicloud/pulumicloud/latest/docs"
	// repositoryURL is where GitHub shows the repository.
	repositoryURL = "https://github.com/pulumicloud/terraform-provider-pulumicloud"
)

// TestDocumentationTroubleshooting holds the guide against the code: each title of an error or a warning is a heading of
// it, and no heading is left of a title that is gone.
func TestDocumentationTroubleshooting(t *testing.T) {
	t.Parallel()
	guide := readDocument(t, "templates/guides/troubleshooting.md")
	var documented []string
	for _, heading := range headings.FindAllStringSubmatch(guide, -1) {
		if heading[1] == "###" {
			documented = append(documented, heading[2])
		}
	}
	titles := diagnosticTitles(t)
	for _, title := range titles {
		if !slices.Contains(documented, title) {
			t.Errorf("templates/guides/troubleshooting.md lacks %q", title)
		}
	}
	for _, title := range documented {
		if !slices.Contains(titles, title) {
			t.Errorf("templates/guides/troubleshooting.md has %q, which the provider never says", title)
		}
	}
}

// diagnosticTitles reads the titles of errors and warnings from the provider's source: what is passed to a method that
// adds one, assigned to a variable named title, or returned as a result of that name.
func diagnosticTitles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	titles := map[string]bool{}
	collect := func(expression ast.Expr) {
		if literal, ok := expression.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			title, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			titles[title] = true
		}
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.CallExpr:
				if i, ok := titleArgument(node); ok && i < len(node.Args) {
					collect(node.Args[i])
				}
			case *ast.AssignStmt:
				for i, left := range node.Lhs {
					if name, ok := left.(*ast.Ident); ok && name.Name == "title" && len(node.Rhs) == len(node.Lhs) {
						collect(node.Rhs[i])
					}
				}
			case *ast.FuncDecl:
				for i, result := range resultNames(node.Type) {
					if result == "title" {
						collectReturned(node.Body, i, collect)
					}
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(titles))
}

// titleArgument tells which argument of a call is the title of a diagnostic.
func titleArgument(call *ast.CallExpr) (int, bool) {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return 0, false
	}
	switch selector.Sel.Name {
	case "AddError", "AddWarning":
		return 0, true
	case "AddAttributeError", "AddAttributeWarning":
		return 1, true
	}
	return 0, false
}

func resultNames(function *ast.FuncType) []string {
	if function.Results == nil {
		return nil
	}
	var names []string
	for _, field := range function.Results.List {
		for _, name := range field.Names {
			names = append(names, name.Name)
		}
	}
	return names
}

func collectReturned(body *ast.BlockStmt, result int, collect func(ast.Expr)) {
	ast.Inspect(body, func(node ast.Node) bool {
		if statement, ok := node.(*ast.ReturnStmt); ok && result < len(statement.Results) {
			collect(statement.Results[result])
		}
		return true
	})
}

// TestDocumentationLinks follows the links inside the documentation, those that go by way of the registry and GitHub
// included, to a file and to a heading of it.
func TestDocumentationLinks(t *testing.T) {
	t.Parallel()
	for _, document := range documents(t) {
		text := readDocument(t, document)
		for _, link := range links.FindAllStringSubmatch(withoutCode(text), -1) {
			if problem := brokenLink(document, link[1]); problem != "" {
				t.Errorf("%s: %s %s", document, link[1], problem)
			}
		}
	}
}

var (
	// links are Markdown's, [text](target), and its definitions, [text]: target.
	links    = regexp.MustCompile(`(?m)(?:\]\(|^\[[^\]]+\]:\s*)<?([^)\s>]+)`)
	headings = regexp.MustCompile(`(?m)^(#{1,6}) +(.+?) *$`)
	anchors  = regexp.MustCompile(`<a id="([^"]+)"`)
	fenced   = regexp.MustCompile("(?ms)^ *```.*?\n *```")
	quoted   = regexp.MustCompile("`[^`\n]*`")
	// templated is what tfplugindocs puts in a template's place.
	templated = regexp.MustCompile(`{{[^}]*}}`)
)

func withoutCode(text string) string {
	return quoted.ReplaceAllString(fenced.ReplaceAllString(templated.ReplaceAllString(text, ""), ""), "")
}

// documents returns the paths of all Markdown, templates of it included, from the repository's root.
func documents(t *testing.T) []string {
	t.Helper()
	root := os.DirFS(repositoryDirectory)
	found, err := fs.Glob(root, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, directory := range []string{"docs", "templates", "examples", ".github"} {
		err := fs.WalkDir(root, directory, func(name string, _ fs.DirEntry, err error) error {
			if ext := path.Ext(strings.TrimSuffix(name, ".tmpl")); ext == ".md" {
				found = append(found, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func readDocument(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repositoryDirectory, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// brokenLink says what is wrong with a link in a document, if it leads into this repository.
func brokenLink(document, link string) (problem string) {
	target, err := url.Parse(link)
	if err != nil {
		return "is no URL"
	}
	name, inside := linkedFile(document, target)
	if !inside {
		return ""
	}
	content, err := os.ReadFile(filepath.Join(repositoryDirectory, filepath.FromSlash(name)))
	if err != nil {
		if info, statErr := os.Stat(filepath.Join(repositoryDirectory, filepath.FromSlash(name))); statErr == nil &&
			info.IsDir() && target.Fragment == "" {
			return ""
		}
		return "leads to " + name + ", which is not there"
	}
	if target.Fragment != "" && !slices.Contains(fragments(string(content)), target.Fragment) {
		return "leads to a heading that " + name + " lacks"
	}
	return ""
}

// linkedFile returns the file or directory of this repository that a link leads to.
func linkedFile(document string, target *url.URL) (name string, inside bool) {
	address := url.URL{Scheme: target.Scheme, Host: target.Host, Path: target.Path}
	if page, ok := strings.CutPrefix(address.String(), registryDocs); ok {
		if page = strings.Trim(page, "/"); page == "" {
			page = "index"
		}
		return path.Join("docs", page+".md"), true
	}
	for _, view := range []string{"/blob/main/", "/tree/main/"} {
		if name, ok := strings.CutPrefix(address.String(), repositoryURL+view); ok {
			return name, true
		}
	}
	switch {
	case target.Scheme != "" || target.Host != "":
		return "", false
	case target.Path == "":
		return document, true
	}
	return path.Join(path.Dir(document), target.Path), true
}

// fragments returns what links can name of a document: its headings, as GitHub and the registry spell them, and the
// anchors that it sets itself.
func fragments(text string) []string {
	var found []string
	for _, heading := range headings.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		found = append(found, fragment(heading[2]))
	}
	for _, anchor := range anchors.FindAllStringSubmatch(text, -1) {
		found = append(found, anchor[1])
	}
	return found
}

var punctuation = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)

func fragment(heading string) string {
	return strings.ReplaceAll(punctuation.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}
