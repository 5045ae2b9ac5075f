package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// keep applies the example as it is to an emulator that goes on after the demo ended, and says how to go on.
func (d *demo) keep(ctx context.Context) (err error) {
	var process *os.Process
	defer func() {
		if err != nil && process != nil {
			// It may have ended by itself, and if not, Wait reports the kill.
			_ = process.Kill()
			_, _ = process.Wait()
		}
	}()
	err = d.runStep(ctx, step{
		"keep", "The example is applied once more, to an emulator that goes on.",
		func(ctx context.Context) (err error) {
			process, err = d.applyToStay(ctx)
			return err
		},
	})
	if err != nil {
		return err
	}
	w := d.workspace
	return d.printf(`
To go on:

    . %s
    cd %s
    %s plan

To end it:

    kill %d
    rm -r %s
`, shellQuote(w.environmentFile()), shellQuote(w.configurationDir()), shellQuote(d.cliPath),
		process.Pid, shellQuote(w.root))
}

// applyToStay returns the emulator, also when it fails after that was started.
func (d *demo) applyToStay(ctx context.Context) (process *os.Process, err error) {
	w := d.workspace
	binary := w.path(executable("emulator"))
	if _, err := w.goCommand(ctx, "build", "-o", binary, module+"/internal/cmd/emulator"); err != nil {
		return nil, err
	}
	log, err := os.Create(w.path("emulator.log"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	// It must not end with ctx, which is done when the demo is.
	command := exec.CommandContext(context.WithoutCancel(ctx), binary, "-listen", "127.0.0.1:0", "-organization", organization)
	command.Env = append(os.Environ(), "PULUMI_ACCESS_TOKEN=")
	command.Stderr = log
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}

	// The emulator prints what a shell needs to reach it, which includes its token: it goes into a file.
	variables := map[string]string{"PULUMI_BACKEND_URL": "", "PULUMI_ACCESS_TOKEN": ""}
	lines := bufio.NewScanner(stdout)
	for range len(variables) {
		if !lines.Scan() {
			printed, readErr := os.ReadFile(log.Name())
			return command.Process, fmt.Errorf("the emulator did not start: %w\n%s",
				errors.Join(cmp.Or(lines.Err(), io.ErrUnexpectedEOF), readErr), printed)
		}
		name, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		variables[name] = value
	}
	backendURL, accessToken := variables["PULUMI_BACKEND_URL"], variables["PULUMI_ACCESS_TOKEN"]
	if err := w.writeEnvironmentFile(backendURL, accessToken); err != nil {
		return command.Process, err
	}
	if err := os.Remove(w.variablesFile()); err != nil {
		return command.Process, err
	}
	d.cli, err = newCLI(d.cliPath, w.configurationDir(), w.path("plan"), w.environment(backendURL, accessToken), d.logger)
	if err != nil {
		return command.Process, err
	}
	return command.Process, d.cli.apply(ctx)
}
