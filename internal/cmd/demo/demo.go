package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

const (
	organization = "acme" // the emulator's default
	example      = "examples/team-pools"
	// version satisfies the constraint of the example. No release has build metadata.
	version = "0.1.0+demo"
)

// demo is a workspace next to an emulated Pulumi Cloud.
type demo struct {
	*acctest.Workspace

	cloud  *emulator.Server
	stdout io.Writer
	// ids are the IDs of the agent pools by team.
	ids map[string]string
}

// build builds and installs the provider, and copies the example.
func (d *demo) build(ctx context.Context) error {
	binary, err := acctest.Build(ctx, d.Root, ".", "-ldflags=-X main.version="+version)
	if err != nil {
		return err
	}
	// The folder may also have a user's state, which stays there.
	files, err := filepath.Glob(filepath.Join(example, "*.tf"))
	for _, file := range files {
		content, readErr := os.ReadFile(file)
		err = errors.Join(err, readErr, d.Write(filepath.Base(file), string(content)))
	}
	return errors.Join(err, d.InstallProvider(version, binary))
}

// setTeams sets the example's variable.
func (d *demo) setTeams(teams ...string) error {
	return d.Write("terraform.tfvars", "teams = {\n  "+strings.Join(teams, "\n  ")+"\n}\n")
}

func (d *demo) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(d.stdout, format, args...) // A demo that is not read still cleans up.
}

// step is a command of the CLI.
type step struct {
	title   string
	prepare func() error
	args    []string
	// wants is a text in the output, of an error if fails is true.
	wants string
	fails bool
	// writes are the requests that write, with their statuses.
	writes      []string
	checkTokens bool
}

func (d *demo) run(ctx context.Context, s step) error {
	d.printf("\n%s\n", s.title)
	if s.prepare != nil {
		if err := s.prepare(); err != nil {
			return err
		}
	}
	d.cloud.ResetRequests()
	output, err := d.Run(ctx, s.args...)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case err != nil && !s.fails:
		return err
	case err == nil && s.fails, !strings.Contains(output, s.wants):
		return fmt.Errorf("the output does not contain %q:\n%s", s.wants, output)
	}
	d.printf("  $ %s %s\n%s", filepath.Base(d.CLI), strings.Join(s.args, " "), excerpt(output))

	var writes []string
	for _, request := range d.cloud.Requests() {
		target := url.URL{Path: request.Path, RawQuery: request.Query.Encode()}
		d.printf("  > %s %s: %d\n", request.Method, &target, request.Status)
		if request.Method != http.MethodGet {
			writes = append(writes, fmt.Sprintf("%s %d", request.Method, request.Status))
		}
	}
	if !slices.Equal(writes, s.writes) {
		return fmt.Errorf("the requests that write are %v, want %v", writes, s.writes)
	}
	if s.checkTokens {
		return d.checkTokens(ctx)
	}
	return nil
}

// important matches the lines of the CLI's output that the demo shows.
var important = regexp.MustCompile(`^(pulumicloud\S+ \w+ complete|Plan:|No changes|\w+ complete!|\[|.*successfully initialized)`)

// excerpt returns the important lines of an output, and everything from the first error on.
func excerpt(output string) string {
	var text strings.Builder
	failed := false
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		failed = failed || strings.HasPrefix(line, "Error: ")
		if line != "" && failed || important.MatchString(line) {
			fmt.Fprintf(&text, "  %s\n", line)
		}
	}
	return text.String()
}

// checkTokens checks that the state has the tokens of the agent pools, apart from the imported one.
func (d *demo) checkTokens(ctx context.Context) error {
	state, err := d.State(ctx)
	if err != nil {
		return err
	}
	d.ids = make(map[string]string)
	for _, resource := range state.RootModule.Resources {
		team, _ := resource.Index.(string)
		id, _ := resource.AttributeValues["id"].(string)
		token, _ := resource.AttributeValues["token"].(string)
		if resource.Mode != tfjson.ManagedResourceMode {
			continue
		}
		if team != "legacy" && !d.cloud.TokenMatches(organization, id, token) {
			return fmt.Errorf("the state does not have the token of team %s", team)
		}
		d.ids[team] = id
	}
	return nil
}
