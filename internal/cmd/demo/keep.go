package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
)

// keep applies the example to an emulator that outlives the demo, and prints how to continue.
func (d *demo) keep(ctx context.Context) (err error) {
	process, url, err := d.startEmulator(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, process.Kill())
		}
	}()
	d.useEmulator(url)
	script := filepath.Join(d.Root, "environment.sh")
	err = errors.Join(
		os.Remove(filepath.Join(d.Dir, "import.tf")),
		os.Remove(filepath.Join(d.Dir, "terraform.tfvars")),
		os.WriteFile(script, []byte(d.environment()), 0o600),
		d.run(ctx, step{
			title: "Apply the example again, to an emulator that keeps running.", args: []string{"apply", "-auto-approve"},
		}),
	)
	if err != nil {
		return err
	}
	d.printf(`
To continue, start a shell and load the settings of the demo:

    $SHELL
    . %s
    %s plan

To clean up, leave that shell, stop the emulator and delete the files:

    exit
    kill %d
    rm -r %s
`, quote(script), quote(d.CLI), process.Pid, quote(d.Root))
	return nil
}

// startEmulator returns the process of an emulator, and its URL.
func (d *demo) startEmulator(ctx context.Context) (*os.Process, string, error) {
	binary, err := acctest.Build(ctx, d.Root, "internal/cmd/emulator")
	if err != nil {
		return nil, "", err
	}
	command := exec.CommandContext(context.WithoutCancel(ctx), binary, "-listen=127.0.0.1:0", "-token="+d.token)
	stdout, err := command.StdoutPipe()
	if err := errors.Join(err, command.Start()); err != nil {
		return nil, "", err
	}
	// The emulator prints its URL once it listens.
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "export PULUMI_BACKEND_URL="); ok {
			return command.Process, url, nil
		}
	}
	return nil, "", errors.Join(errors.New("the emulator did not start"), command.Wait())
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
