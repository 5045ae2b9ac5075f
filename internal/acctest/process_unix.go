//go:build unix

package acctest

import (
	"os/exec"
	"syscall"
)

// ownProcessGroup makes Cancel kill the command together with the processes that it started, such as providers.
func ownProcessGroup(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
}
