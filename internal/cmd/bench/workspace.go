package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

const module = "github.com/pulumicloud/terraform-provider-pulumicloud"

// variant is a program that is measured.
type variant string

const (
	// subject is the provider, built as a release is.
	subject variant = "provider"
	// unshared is the provider with a request for each read.
	unshared variant = "unshared"
	// reference is the limit.
	reference variant = "reference"
	// empty is a provider of another name that does nothing: it can be started, not applied.
	empty variant = "empty"
)

func (v variant) importPath() string {
	if v == subject {
		return module
	}
	return path.Join(module, "internal/cmd/bench", string(v))
}

// workspace is a directory that holds all that is built, and the configuration and state of each variant.
type workspace struct {
	root string
	// source is the root of the module.
	source string
}

func newWorkspace(ctx context.Context) (workspace, error) {
	source, err := goCommand(ctx, "", "list", "-m", "-f={{.Dir}}", module)
	if err != nil {
		return workspace{}, err
	}
	root, err := os.MkdirTemp("", "pulumicloud-bench-")
	if err != nil {
		return workspace{}, err
	}
	w := workspace{root: root, source: strings.TrimSpace(source)}
	for _, v := range []variant{subject, unshared, reference, empty} {
		if err := w.build(ctx, v); err != nil {
			_ = w.remove()
			return workspace{}, err
		}
	}
	return w, nil
}

func (w workspace) remove() error { return os.RemoveAll(w.root) }

// binary is where a variant is, in a directory by itself as a development override wants it.
func (w workspace) binary(v variant) string {
	name := "terraform-provider-pulumicloud"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(w.root, string(v), "bin", name)
}

func (w workspace) configurationDir(v variant) string {
	return filepath.Join(w.root, string(v), "configuration")
}

func (w workspace) stateFile(v variant) string {
	return filepath.Join(w.configurationDir(v), "terraform.tfstate")
}

func (w workspace) cliConfigFile(v variant) string {
	return filepath.Join(w.root, string(v), "cli.tfrc")
}

const configurationFile = `terraform {
  required_providers {
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

variable "pools" {
  type = number
}

provider "pulumicloud" {
  organization = "` + organization + `"
}

resource "pulumicloud_agent_pool" "this" {
  count       = var.pools
  name        = format("pool-%04d", count.index)
  description = "Runners of team ${count.index}"
}
`

// build compiles a variant as a release is, and makes it what a configuration of its own runs with. An override saves
// each run the checksum of the provider, which takes the longer the larger the provider is.
func (w workspace) build(ctx context.Context, v variant) error {
	_, err := goCommand(ctx, w.source, "build", "-trimpath", "-ldflags=-s -w", "-o", w.binary(v), v.importPath())
	if err != nil {
		return err
	}
	if err := os.Mkdir(w.configurationDir(v), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.configurationDir(v), "main.tf"), []byte(configurationFile), 0o600); err != nil {
		return err
	}
	return os.WriteFile(w.cliConfigFile(v), fmt.Appendf(nil, `provider_installation {
  dev_overrides {
    "pulumicloud/pulumicloud" = %q
  }
}
`, filepath.ToSlash(filepath.Dir(w.binary(v)))), 0o600)
}

// setPools makes each variant's configuration one of that many agent pools, with nothing applied.
func (w workspace) setPools(n int, variants []variant) error {
	for _, v := range variants {
		variables := filepath.Join(w.configurationDir(v), "terraform.tfvars")
		if err := os.WriteFile(variables, fmt.Appendf(nil, "pools = %d\n", n), 0o600); err != nil {
			return err
		}
		if err := os.RemoveAll(w.stateFile(v)); err != nil {
			return err
		}
	}
	return nil
}

func (w workspace) setState(state []byte, variants []variant) error {
	for _, v := range variants {
		if err := os.WriteFile(w.stateFile(v), state, 0o600); err != nil { //nolint:gosec // The file is in the workspace.
			return err
		}
	}
	return nil
}

// sizes are the binaries', in bytes.
func (w workspace) sizes() (map[variant]int64, error) {
	sizes := make(map[variant]int64)
	for _, v := range []variant{subject, empty} {
		info, err := os.Stat(w.binary(v))
		if err != nil {
			return nil, err
		}
		sizes[v] = info.Size()
	}
	return sizes, nil
}
