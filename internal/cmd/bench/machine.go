package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// describeMachine says on what is measured.
func describeMachine(ctx context.Context, w workspace, cliPath string) (string, error) {
	goVersion, err := goCommand(ctx, w.source, "env", "GOVERSION")
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, cliPath, "version")
	command.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull)
	version, err := command.Output()
	if err != nil {
		return "", err
	}
	cli, _, _ := strings.Cut(string(version), "\n")
	processor := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if model, ok := field(info, "model name"); ok {
			processor = model
		}
	}
	return fmt.Sprintf("%s, %d cores, %s, %s, %s", processor, runtime.NumCPU(), runtime.GOOS,
		strings.TrimSpace(goVersion), cli), nil
}

// field returns what stands after the first "name:" of a file under /proc.
func field(content []byte, name string) (string, bool) {
	for line := range bytes.Lines(content) {
		if key, value, found := strings.Cut(string(line), ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// parsePeakMemory returns the peak of resident memory in /proc/PID/status, in bytes; 0 for a process that has ended.
func parsePeakMemory(status []byte) int64 {
	value, _ := field(status, "VmHWM")
	kilobytes, found := strings.CutSuffix(value, " kB")
	if !found {
		return 0
	}
	n, err := strconv.ParseInt(kilobytes, 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}
