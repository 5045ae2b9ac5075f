//go:build unix

package provider_test

import (
	"bytes"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// process is a CLI that runs beside the test, and is killed if the test ends before it.
type process struct {
	command *exec.Cmd
	output  output
	// waitsForLock and creates are closed when the CLI says that it does, and ended when it has.
	waitsForLock, creates, ended chan struct{}
}

func startProcess(t *testing.T, w workspace, arguments ...string) *process {
	t.Helper()
	p := &process{
		command:      w.command(t, arguments...),
		waitsForLock: make(chan struct{}), creates: make(chan struct{}), ended: make(chan struct{}),
	}
	p.output.awaited = map[string]chan struct{}{"Acquiring state lock": p.waitsForLock, ": Creating...": p.creates}
	// The provider is a process of its own, which would outlive a CLI that is killed.
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.command.Cancel = func() error { return syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL) }
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait() // Its status is looked at by succeeded and failed.
	}()
	t.Cleanup(func() { <-p.ended })
	return p
}

// bothEnd returns a channel that is closed when both have ended.
func bothEnd(first, second *process) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-first.ended
		<-second.ended
	}()
	return ended
}

// await waits until the CLI has said something.
func (p *process) await(t *testing.T, said <-chan struct{}) {
	t.Helper()
	select {
	case <-said:
	case <-p.ended:
		t.Fatalf("%s\n%s", p.command.ProcessState, &p.output)
	}
}

func (p *process) succeeded(t *testing.T, message string) {
	t.Helper()
	p.expect(t, 0, message)
}

func (p *process) failed(t *testing.T, message string) {
	t.Helper()
	p.expect(t, 1, message)
}

func (p *process) expect(t *testing.T, status int, message string) {
	t.Helper()
	<-p.ended
	if p.command.ProcessState.ExitCode() != status || !strings.Contains(p.output.String(), message) {
		t.Fatalf("%s, want exit status %d and %q\n%s", p.command.ProcessState, status, message, &p.output)
	}
}

// output keeps what is printed and closes the channel of each text that comes.
type output struct {
	mu      sync.Mutex
	printed bytes.Buffer
	awaited map[string]chan struct{}
}

// Write implements [io.Writer].
func (o *output) Write(printed []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.printed.Write(printed)
	for text, come := range o.awaited {
		if bytes.Contains(o.printed.Bytes(), []byte(text)) {
			close(come)
			delete(o.awaited, text)
		}
	}
	return len(printed), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.printed.String()
}
