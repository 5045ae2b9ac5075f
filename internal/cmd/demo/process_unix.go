//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// cancelWithChildren makes the end of the command's context the end of the processes that it started, too.
func cancelWithChildren(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
}
