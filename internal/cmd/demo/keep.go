package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// keep applies the example again, and prints how to use it from a second terminal. The emulator runs until ctx ends.
func (d *demo) keep(ctx context.Context) error {
	script := filepath.Join(d.Root, "environment.sh")
	err := errors.Join(
		os.Remove(filepath.Join(d.Dir, "import.tf")),
		os.Remove(filepath.Join(d.Dir, "terraform.tfvars")),
		os.WriteFile(script, []byte(d.environment()), 0o600),
		d.run(ctx, step{
			title: "Apply the example again.", args: []string{"apply", "-auto-approve"},
			writes: []string{"POST 200", "POST 200"}, checkTokens: true,
		}),
	)
	if err != nil {
		return err
	}
	d.printf(`
To continue, open a second terminal and load the settings of the demo:

    . %s
    %s plan

To end the demo and delete its files, close the second terminal and press Ctrl-C here.
`, quote(script), quote(d.CLI))
	<-ctx.Done()
	return nil
}

// environment returns a shell script that sets the variables of the workspace, and no others of Terraform and Pulumi.
func (d *demo) environment() string {
	lines := []string{`for name in $(env | grep -Eo '^(TF|TOFU|PULUMI)_[A-Za-z0-9_]*'); do unset "$name"; done`}
	for _, variable := range d.Env {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "PULUMI_") || name == "TF_CLI_CONFIG_FILE" {
			lines = append(lines, "export "+name+"="+quote(value))
		}
	}
	return strings.Join(append(lines, "cd "+quote(d.Dir), ""), "\n")
}

// quote quotes a word for a shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
