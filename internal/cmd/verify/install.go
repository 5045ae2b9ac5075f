package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli"
)

// shortCommit is how much of the commit the provider tells Pulumi Cloud.
const shortCommit = 12

// install installs the provider from its archive as a user's CLI does, creates and destroys an agent pool with it, and
// returns the CLI's version.
func install(ctx context.Context, r release, cli string) (version string, err error) {
	workspace, err := os.MkdirTemp("", "pulumicloud-verify-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(workspace)) }()
	if err := r.fillWorkspace(workspace); err != nil {
		return "", err
	}

	accessToken := "pul-" + rand.Text()
	cloud, err := emulator.New(emulator.Options{AccessToken: accessToken})
	if err != nil {
		return "", err
	}
	backendURL, closeServer, err := emulator.ServeLoopback(ctx, cloud, nil, hclog.NewNullLogger())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, closeServer()) }()

	terraform, err := tfexec.NewTerraform(workspace, cli)
	if err != nil {
		return "", err
	}
	var output bytes.Buffer
	terraform.SetStdout(&output)
	terraform.SetStderr(&output)
	environment := terraformcli.Environment(map[string]string{
		"CHECKPOINT_DISABLE":          "1",
		"TF_CLI_CONFIG_FILE":          cliConfigFile(workspace),
		"PULUMI_HOME":                 workspace,
		"PULUMI_BACKEND_URL":          backendURL,
		"PULUMI_ACCESS_TOKEN":         accessToken,
		"PULUMI_DEFAULT_ORGANIZATION": "acme",
	})
	if err := terraform.SetEnv(environment); err != nil {
		return "", err
	}
	if err := createAndDestroy(ctx, terraform); err != nil {
		return "", fmt.Errorf("%w\n%s", err, &output)
	}
	if err := r.checkUserAgent(cloud.Requests()); err != nil {
		return "", err
	}
	own, _, err := terraform.Version(ctx, true)
	if err != nil {
		return "", err
	}
	return own.String(), nil
}

func createAndDestroy(ctx context.Context, terraform *tfexec.Terraform) error {
	if err := terraform.Init(ctx); err != nil {
		return err
	}
	if err := terraform.Apply(ctx); err != nil {
		return err
	}
	changed, err := terraform.Plan(ctx)
	if err != nil {
		return err
	}
	if changed {
		return errors.New("a plan after the apply is not empty")
	}
	return terraform.Destroy(ctx)
}

// checkUserAgent expects that the provider says which release it is.
func (r release) checkUserAgent(requests []emulator.Request) error {
	if len(requests) == 0 {
		return errors.New("the provider made no request")
	}
	want := project + "/" + r.Version + "+" + r.Commit[:shortCommit] + " "
	for _, request := range requests {
		if got := request.Header.Get("User-Agent"); !strings.HasPrefix(got, want) {
			return fmt.Errorf("the User-Agent is %q, and should begin with %q", got, want)
		}
	}
	return nil
}

// fillWorkspace writes a configuration, and a mirror with the archive for this machine in the packed layout.
func (r release) fillWorkspace(workspace string) error {
	archive := r.file(runtime.GOOS + "_" + runtime.GOARCH + ".zip")
	content, err := os.ReadFile(r.path(archive))
	if err != nil {
		return err
	}
	mirror := filepath.Join(workspace, "mirror")
	files := map[string][]byte{
		cliConfigFile(workspace): []byte(terraformcli.InstallFromMirror(mirror)),
		// Prereleases, such as snapshots, are installed only when named exactly.
		filepath.Join(workspace, "main.tf"): fmt.Appendf(nil, `terraform {
  required_providers {
    pulumicloud = {
      source  = "pulumicloud/pulumicloud"
      version = "= %s"
    }
  }
}

resource "pulumicloud_agent_pool" "verify" {
  name = "verify"
}
`, r.Version),
	}
	for _, registry := range terraformcli.Registries {
		files[filepath.Join(mirror, registry, "pulumicloud", "pulumicloud", archive)] = content
	}
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func cliConfigFile(workspace string) string { return filepath.Join(workspace, "cli.tfrc") }
