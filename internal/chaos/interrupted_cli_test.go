//go:build unix

package chaos_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli/terraformclitest"
)

const (
	// defaultRuns is how often the command line is interrupted in an ordinary run of the tests.
	defaultRuns = 2
	// latency is what a request takes before and after its effect, so that several are under way at a time.
	latency = 10 * time.Millisecond
	// maxApplies is how many applies may follow an interruption until nothing is left to do.
	maxApplies = 5
	// commandTimeout ends a command that hangs.
	commandTimeout = 3 * time.Minute
)

const interruptedConfiguration = `
terraform {
  required_providers {
    pulumicloud = { source = "pulumicloud/pulumicloud" }
  }
}

variable "pools" {
  type = map(string)
}

resource "pulumicloud_agent_pool" "p" {
  for_each = var.pools
  name     = each.value
}
`

// TestInterruptedCLI ends a real command line in the middle of an apply, politely and then by force, and has the
// applies that follow converge. SEED chooses the moments, RUNS how many workspaces live through it.
//
//nolint:tparallel // A command line at a time is enough beside the other tests.
func TestInterruptedCLI(t *testing.T) {
	t.Parallel()
	cli := terraformclitest.UnderTest(t)
	seed, runs := number(t, "SEED", defaultSeed), number(t, "RUNS", defaultRuns)
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "terraform-provider-pulumicloud"), "../..")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the provider: %v\n%s", err, output)
	}
	var total interruptedFigures
	for i := range runs {
		t.Run(fmt.Sprintf("run-%d", i), func(t *testing.T) {
			r := newInterruptedRun(t, cli, bin, seed, i)
			r.play()
			total.add(r.figures)
		})
	}
	t.Logf("SEED=%d RUNS=%d\n%s", seed, runs, &total)
}

// interruptedFigures are what the interrupted runs count.
type interruptedFigures struct {
	interrupted, killed, applies int
	// tainted and named are what an interrupt left: pools in the state without their token, and pools that an error
	// named as possibly existing.
	tainted, named int
	// cutOff are the state files that a kill caught Terraform writing, unsaved the pools that it kept Terraform from
	// saving, and imported those of them that came back the way that the error for the taken name says.
	cutOff, unsaved, imported int
	// lost must be 0: pools that an interrupt, or following the errors after a kill, left out of the state.
	lost int
}

func (f *interruptedFigures) add(other interruptedFigures) {
	f.interrupted += other.interrupted
	f.killed += other.killed
	f.applies += other.applies
	f.tainted += other.tainted
	f.named += other.named
	f.cutOff += other.cutOff
	f.unsaved += other.unsaved
	f.imported += other.imported
	f.lost += other.lost
}

func (f *interruptedFigures) String() string {
	return fmt.Sprintf(`applies interrupted (SIGINT)                        %5d
  pools created without their token, tainted        %5d
  pools not in the state, named by an error         %5d
applies killed (SIGKILL, the provider as well)      %5d
  state files cut off, and restored from the backup %5d
  pools that Terraform could not save               %5d
  of these, imported as the next error told         %5d
further applies until nothing was left to do        %5d
pools lost                                          %5d
`, f.interrupted, f.tainted, f.named, f.killed, f.cutOff, f.unsaved, f.imported, f.applies, f.lost)
}

// interruptedRun is a workspace of the command line.
type interruptedRun struct {
	*testing.T

	cli, directory string
	logFile        string
	environment    []string
	random         *rand.Rand
	pulumi         *pulumiCloud
	secrets        secrets
	figures        interruptedFigures

	mu sync.Mutex
	// writes counts down to the request that changes something and during which strike is called.
	writes int
	at     moment
	strike func()
}

func newInterruptedRun(t *testing.T, cli, bin string, seed, number uint64) *interruptedRun {
	t.Helper()
	home := t.TempDir()
	r := &interruptedRun{
		T: t, cli: cli, directory: t.TempDir(),
		random: rand.New(rand.NewPCG(seed, number)),
		pulumi: startPulumiCloud(t, emulator.Options{}),
	}
	r.secrets.add(accessToken)
	r.pulumi.Use(r.middleware)
	r.logFile = filepath.Join(home, "terraform.log")
	cliConfiguration := filepath.Join(home, "cli.tfrc")
	r.write(cliConfiguration, fmt.Sprintf(`provider_installation {
  dev_overrides {
    "pulumicloud/pulumicloud" = %q
  }
  direct {}
}
`, bin))
	r.write(filepath.Join(r.directory, "main.tf"), interruptedConfiguration)
	r.environment = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TF_CLI_CONFIG_FILE=" + cliConfiguration, "TF_IN_AUTOMATION=1",
		"CHECKPOINT_DISABLE=1", "PULUMI_ACCESS_TOKEN=" + accessToken, "PULUMI_BACKEND_URL=" + r.pulumi.url,
		"PULUMI_DEFAULT_ORGANIZATION=" + organization, "TF_LOG=TRACE", "TF_LOG_PATH=" + r.logFile,
	}
	return r
}

func (r *interruptedRun) write(path, text string) {
	r.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
}

// middleware slows the API down, strikes when its time has come, and answers each creation twice, which net/http
// reports where nobody would look for a token.
func (r *interruptedRun) middleware(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		at, strike := r.due(request)
		r.wait(request)
		if strike != nil && at == before {
			strike()
		}
		answer := httptest.NewRecorder()
		maps.Copy(answer.Header(), w.Header())
		api.ServeHTTP(answer, request)
		r.learn(answer)
		if strike != nil && at == after {
			strike()
		}
		r.wait(request)
		if request.Method == http.MethodPost {
			twice(w, request, answer)
			return
		}
		pass(w, request, answer)
	})
}

// learn takes note of the token of a new pool, which may get nowhere else.
func (r *interruptedRun) learn(answer *httptest.ResponseRecorder) {
	var created struct{ TokenValue string }
	if json.Unmarshal(answer.Body.Bytes(), &created) == nil && created.TokenValue != "" {
		r.secrets.add(created.TokenValue)
	}
}

func (r *interruptedRun) due(request *http.Request) (moment, func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if request.Method == http.MethodGet || r.strike == nil {
		return 0, nil
	}
	r.writes--
	if r.writes > 0 {
		return 0, nil
	}
	strike := r.strike
	r.strike = nil
	return r.at, strike
}

// wait holds a request up for as long as its client waits.
func (r *interruptedRun) wait(request *http.Request) {
	timer := time.NewTimer(latency)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-request.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// play interrupts the creation of pools, lets it converge, and then kills a mixture of all changes.
func (r *interruptedRun) play() {
	pools := make(map[string]string)
	for i := range 12 {
		pools[fmt.Sprintf("p%d", i)] = fmt.Sprintf("pool %d", i)
	}
	r.configure(pools)
	r.interrupt()
	r.converge(pools)

	changed := maps.Clone(pools)
	for i := range 4 {
		changed[fmt.Sprintf("p%d", i)] = fmt.Sprintf("pool %d, renamed", i)
		delete(changed, fmt.Sprintf("p%d", 4+i))
		changed[fmt.Sprintf("p%d", 12+i)] = fmt.Sprintf("pool %d", 12+i)
		changed[fmt.Sprintf("p%d", 16+i)] = fmt.Sprintf("pool %d", 16+i)
	}
	r.configure(changed)
	r.kill()
	r.converge(changed)

	if _, err := r.run("destroy", "-auto-approve"); err != nil {
		r.Error(err)
	}
	for _, pool := range r.pulumi.pools() {
		r.lose("%s is left after everything was destroyed", pool)
	}
}

func (r *interruptedRun) configure(pools map[string]string) {
	r.Helper()
	variables, err := json.Marshal(map[string]any{"pools": pools})
	if err != nil {
		r.Fatal(err)
	}
	r.write(filepath.Join(r.directory, "terraform.tfvars.json"), string(variables))
}

// interrupt sends SIGINT to the command line alone, as a pipeline does, and expects that nothing is lost.
func (r *interruptedRun) interrupt() {
	diagnostics, err := r.applyStruck(1+r.random.IntN(12), func(process *os.Process) error {
		return process.Signal(syscall.SIGINT)
	})
	r.figures.interrupted++
	r.Logf("interrupted: %v", err)
	state := r.state()
	for id, pool := range r.pulumi.pools() {
		instance, saved := state[id]
		switch {
		case saved && instance.tainted:
			r.figures.tainted++
		case saved && !r.pulumi.TokenMatches(organization, id, instance.token):
			r.lose("the token of %s is not in the state, and it is not tainted", pool)
		case !saved && names(diagnostics, pool.Name):
			r.figures.named++
		case !saved:
			r.lose("%s is not in the state, and no error named it", pool)
		}
	}
}

// names tells whether an error says that a pool of that name may exist.
func names(diagnostics []cliDiagnostic, pool string) bool {
	for _, diagnostic := range diagnostics {
		if strings.Contains(diagnostic.Detail, fmt.Sprintf("%q", pool)) && whatNext.MatchString(diagnostic.Detail) {
			return true
		}
	}
	return false
}

// kill ends the command line and the provider at the same moment, as the end of a container does.
func (r *interruptedRun) kill() {
	_, err := r.applyStruck(1+r.random.IntN(14), func(process *os.Process) error {
		return syscall.Kill(-process.Pid, syscall.SIGKILL)
	})
	r.figures.killed++
	r.Logf("killed: %v", err)
	state, err := r.readState()
	if err != nil {
		// Terraform writes the file in place. Whoever finds it cut off goes back to what it was before the apply.
		r.Logf("state file: %v", err)
		r.figures.cutOff++
		r.restore()
		state = r.state()
	}
	for id := range r.pulumi.pools() {
		if _, saved := state[id]; !saved {
			r.figures.unsaved++
		}
	}
}

// restore puts the state file back to what it was before the last apply.
func (r *interruptedRun) restore() {
	r.Helper()
	path := filepath.Join(r.directory, "terraform.tfstate")
	if err := os.Rename(path+".backup", path); err != nil {
		r.Fatal(err)
	}
}

// applyStruck applies, and strikes the process while Pulumi Cloud has so many requests for changes.
func (r *interruptedRun) applyStruck(writes int, signal func(*os.Process) error) ([]cliDiagnostic, error) {
	started := make(chan *os.Process, 1)
	r.mu.Lock()
	r.writes, r.at = writes, moment(r.random.IntN(2))
	r.strike = func() {
		if err := signal(<-started); err != nil {
			r.Errorf("signalling: %v", err)
		}
	}
	r.mu.Unlock()
	output, err := r.finish(r.command("apply", "-auto-approve", "-json"), started)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.strike != nil {
		r.Errorf("the apply ended before request %d:\n%s", writes, output)
		r.strike = nil
	}
	return diagnosticsIn(output), err
}

// converge applies, and does what errors say, until nothing is left to do. Then configuration, state and Pulumi Cloud
// must agree.
func (r *interruptedRun) converge(pools map[string]string) {
	for range maxApplies {
		output, err := r.run("apply", "-auto-approve", "-json")
		r.figures.applies++
		if err == nil {
			break
		}
		for _, diagnostic := range diagnosticsIn(output) {
			command := importCommand.FindStringSubmatch(diagnostic.Detail)
			if command == nil || diagnostic.Address == "" {
				r.Logf("apply: %s: %s", diagnostic.Summary, diagnostic.Detail)
				continue
			}
			if _, err := r.run("import", diagnostic.Address, command[1]); err != nil {
				r.Error(err)
			}
			r.figures.imported++
		}
	}
	if output, err := r.run("plan", "-detailed-exitcode"); err != nil {
		r.Errorf("the plan after all is not empty: %v\n%s", err, output)
	}
	state, existing := r.state(), r.pulumi.pools()
	byName := make(map[string]bool)
	for id, pool := range existing {
		byName[pool.Name] = true
		if _, saved := state[id]; !saved {
			r.lose("%s is not in the state", pool)
		}
	}
	for key, name := range pools {
		if !byName[name] {
			r.Errorf("%s, %q, does not exist", key, name)
		}
	}
	if len(state) != len(pools) || len(existing) != len(pools) {
		r.Errorf("%d pools are configured, %d in the state, and %d exist", len(pools), len(state), len(existing))
	}
}

func (r *interruptedRun) lose(format string, arguments ...any) {
	r.Helper()
	r.figures.lost++
	r.Errorf(format, arguments...)
}

// command is one that leads a process group of its own.
func (r *interruptedRun) command(arguments ...string) *exec.Cmd {
	command := exec.CommandContext(r.Context(), r.cli, append(arguments, "-no-color", "-input=false")...)
	if arguments[0] == "import" { // Its arguments follow its options.
		command.Args = append([]string{r.cli, "import", "-no-color", "-input=false"}, arguments[1:]...)
	}
	command.Dir, command.Env = r.directory, r.environment
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return command
}

func (r *interruptedRun) run(arguments ...string) (string, error) {
	r.Helper()
	output, err := r.finish(r.command(arguments...), make(chan *os.Process, 1))
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(arguments, " "), err, output)
	}
	return output, err
}

// finish runs a command to its end, passes its process on when that is there, and searches what it printed.
func (r *interruptedRun) finish(command *exec.Cmd, started chan<- *os.Process) (string, error) {
	r.Helper()
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		return "", err
	}
	started <- command.Process
	group := -command.Process.Pid
	overdue := time.AfterFunc(commandTimeout, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	err := command.Wait()
	if !overdue.Stop() {
		err = errors.Join(err, fmt.Errorf("it did not end within %s", commandTimeout))
	}
	// Nothing of it may be left to work on.
	_ = syscall.Kill(group, syscall.SIGKILL)
	if r.secrets.in(output.String()) {
		r.Errorf("%q printed a secret", command.Args[1])
	}
	log, logErr := os.ReadFile(r.logFile)
	if logErr != nil {
		r.Error(logErr)
	}
	for line := range strings.Lines(string(log)) {
		if r.secrets.in(line) {
			r.Errorf("%q logged a secret: %s", command.Args[1], line)
		}
	}
	return output.String(), errors.Join(err, os.Truncate(r.logFile, 0))
}

// cliDiagnostic is one that the command line prints as JSON.
type cliDiagnostic struct {
	Severity, Summary, Detail, Address string
}

func diagnosticsIn(output string) []cliDiagnostic {
	var diagnostics []cliDiagnostic
	for line := range strings.Lines(output) {
		var message struct{ Diagnostic *cliDiagnostic }
		if json.Unmarshal([]byte(line), &message) == nil && message.Diagnostic != nil && message.Diagnostic.Severity == "error" {
			diagnostics = append(diagnostics, *message.Diagnostic)
		}
	}
	return diagnostics
}

// instance is a pool as the state file has it.
type instance struct {
	token   string
	tainted bool
}

func (r *interruptedRun) state() map[string]instance {
	r.Helper()
	state, err := r.readState()
	if err != nil {
		r.Fatalf("the state file can't be read: %v", err)
	}
	return state
}

// readState returns the pools in the state file, by id.
func (r *interruptedRun) readState() (map[string]instance, error) {
	text, err := os.ReadFile(filepath.Join(r.directory, "terraform.tfstate"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var file struct {
		Resources []struct {
			Instances []struct {
				Status     string
				Attributes struct{ ID, Token string }
			}
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err != nil {
		return nil, err
	}
	instances := make(map[string]instance)
	for _, resource := range file.Resources {
		for _, i := range resource.Instances {
			instances[i.Attributes.ID] = instance{token: i.Attributes.Token, tainted: i.Status == "tainted"}
		}
	}
	return instances, nil
}
