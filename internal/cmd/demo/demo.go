package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// organization is the emulator's only one.
const organization = "acme"

// demo is a workspace beside an emulated Pulumi Cloud.
type demo struct {
	workspace workspace
	cliPath   string
	cli       *cli
	logger    hclog.Logger

	cloud       *emulator.Server
	closeServer func() error
	backendURL  string
	accessToken string

	// created are the pools as the state first held them, and teams what the example's variable is now.
	created map[string]agentPool
	teams   map[string]team
	// quote is what the CLI said in this step, where the user should see it.
	quote string

	stdout, stderr io.Writer
}

func newDemo(ctx context.Context, w workspace, cliPath string, logger hclog.Logger) (*demo, error) {
	d := &demo{workspace: w, cliPath: cliPath, logger: logger, accessToken: "pul-" + rand.Text()}
	var err error
	d.cloud, err = emulator.New(emulator.Options{
		AccessToken:   d.accessToken,
		Organizations: []string{organization},
		Logger:        logger.Named("emulator"),
	})
	if err != nil {
		return nil, err
	}
	if err := d.cloud.CreateStack(organization, emulator.Stack{Project: "website", Name: "production"}); err != nil {
		return nil, err
	}
	if d.backendURL, d.closeServer, err = emulator.ServeLoopback(ctx, d.cloud, nil, logger); err != nil {
		return nil, err
	}
	d.cli, err = newCLI(cliPath, w.configurationDir(), w.path("plan"), w.environment(d.backendURL, d.accessToken), logger)
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// close stops the emulator. What -keep left is not its own.
func (d *demo) close() error { return d.closeServer() }

// step is a part of the demo: what it proves, if it returns no error, in a line.
type step struct {
	name, proves string
	run          func(context.Context) error
}

func (d *demo) prove(ctx context.Context) error {
	started := time.Now()
	version, err := d.cli.version(ctx)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, &d.cli.stderr)
	}
	err = d.printf("%s %s applies %s to an emulated Pulumi Cloud\n\n", d.cli.name, version, example)
	if err != nil {
		return err
	}
	for _, step := range d.steps() {
		if err := d.runStep(ctx, step); err != nil {
			return err
		}
	}
	return d.printf("\nEverything was as expected (%.1fs).\n", time.Since(started).Seconds())
}

// runStep reports on the step. If it failed, what the CLI printed in it is needed to see why.
func (d *demo) runStep(ctx context.Context, step step) error {
	started := time.Now()
	d.cloud.ResetRequests()
	d.cli.transcript.Reset()
	d.quote = ""
	if err := d.printf("%-14s", step.name); err != nil {
		return err
	}
	err := step.run(ctx)
	elapsed := time.Since(started).Seconds()
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), d.printf("%5.1fs  interrupted\n", elapsed))
	}
	if err != nil {
		reportErr := d.printf("%5.1fs  FAILED\n\n", elapsed)
		_, transcriptErr := d.cli.transcript.WriteTo(d.stderr)
		return errors.Join(fmt.Errorf("%s: %w", step.name, err), reportErr, transcriptErr)
	}
	if err := d.printf("%5.1fs  %s\n", elapsed, step.proves); err != nil || d.quote == "" {
		return err
	}
	quote := strings.ReplaceAll("\n"+strings.TrimSpace(d.quote), "\n", "\n    | ")
	return d.printf("%s\n\n", strings.ReplaceAll(quote, " \n", "\n"))
}

func (d *demo) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(d.stdout, format, args...)
	return err
}

// write is a request that may change something, as the emulator saw it.
type write struct {
	method, path string
	forced       bool
	status       int
}

func (w write) String() string {
	return fmt.Sprintf("%s %s (forced: %t): %d", w.method, w.path, w.forced, w.status)
}

const poolsPath = "/api/orgs/" + organization + "/agent-pools"

func poolPath(id string) string { return poolsPath + "/" + id }

// expectWrites holds the requests since the step began, or since the log was reset, against those that should have been
// made, in any order.
func (d *demo) expectWrites(want ...write) error {
	var got []write
	for _, request := range d.cloud.Requests() {
		if request.Method != http.MethodGet {
			got = append(got, write{
				request.Method, request.Path, request.Query.Get("force") == "true", request.Status,
			})
		}
	}
	compare := func(a, b write) int { return cmp.Compare(a.String(), b.String()) }
	slices.SortFunc(got, compare)
	slices.SortFunc(want, compare)
	if !slices.Equal(got, want) {
		return fmt.Errorf("the requests that write are %v, want %v", got, want)
	}
	return nil
}

// stackPool makes a request for a stack's deployment settings, as Pulumi does, and returns the pool that they name, or
// "". A body changes them.
func (d *demo) stackPool(ctx context.Context, method, body string) (poolID string, err error) {
	url := d.backendURL + "/api/stacks/" + organization + "/website/production/deployments/settings"
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "token "+d.accessToken)
	request.Header.Set("Accept", "application/vnd.pulumi+9")
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "demo")
	request.Header.Set("X-Pulumi-Source", "provider")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("a stack's deployment settings: %s %s", method, response.Status)
	}
	var settings struct {
		AgentPoolID string `json:"agentPoolID"`
	}
	err = json.NewDecoder(response.Body).Decode(&settings)
	return settings.AgentPoolID, err
}
