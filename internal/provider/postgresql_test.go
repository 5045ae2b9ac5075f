//go:build unix

package provider_test

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// startPostgreSQL starts a server with these databases, for this test alone. It skips where PostgreSQL is not installed.
func startPostgreSQL(t *testing.T, databases ...string) postgreSQL {
	t.Helper()
	programs := postgreSQLPrograms(t)
	//nolint:usetesting // A socket's name may have a hundred characters, and another user has to get there.
	directory, err := os.MkdirTemp("", "postgresql-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(directory); err != nil {
			t.Error(err)
		}
	})
	server := postgreSQL{programs: programs, directory: directory}
	if os.Geteuid() == 0 {
		server.user = unprivilegedUser(t)
		if err := os.Chown(directory, int(server.user.Uid), int(server.user.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(directory, "data")
	server.run(t, "", "initdb", "--pgdata="+data, "--username="+postgreSQLUser, "--auth=trust", "--locale=C", "--encoding=UTF8",
		"--no-sync")
	var statements strings.Builder
	for _, database := range databases {
		fmt.Fprintf(&statements, "CREATE DATABASE %s\n", database)
	}
	server.run(t, statements.String(), "postgres", "--single", "-D", data, "postgres")

	ready, ended := make(chan struct{}), make(chan struct{})
	log := output{awaited: map[string]chan struct{}{"ready to accept connections": ready}}
	// Without an address to listen at, it is reached through the socket alone.
	command := server.command(t, "postgres", "-D", data, "-k", directory, "-c", "listen_addresses=", "-c", "fsync=off")
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(ended)
		_ = command.Wait() // It is stopped by a signal.
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGINT) // A fast shutdown; an error says that it has ended.
		<-ended
	})
	select {
	case <-ready:
	case <-ended:
		t.Fatalf("postgres: %s\n%s", command.ProcessState, &log)
	}
	return server
}

const postgreSQLUser = "terraform"

type postgreSQL struct {
	// programs is the directory of the server's programs.
	programs, directory string
	// user is whom they run as: they refuse to run as root. It is nil where the test does not run as root either.
	user *syscall.Credential
}

// url is what a client connects to one of the databases with.
func (p postgreSQL) url(database string) string {
	connection := url.URL{
		Scheme: "postgres", User: url.User(postgreSQLUser), Path: "/" + database,
		RawQuery: url.Values{"host": {p.directory}, "sslmode": {"disable"}}.Encode(),
	}
	return connection.String()
}

func (p postgreSQL) run(t *testing.T, input, program string, arguments ...string) {
	t.Helper()
	command := p.command(t, program, arguments...)
	command.Stdin = strings.NewReader(input)
	if printed, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, printed)
	}
}

func (p postgreSQL) command(t *testing.T, program string, arguments ...string) *exec.Cmd {
	t.Helper()
	//nolint:noctx // The server ends in a cleanup, not by force.
	command := exec.Command(filepath.Join(p.programs, program), arguments...)
	command.Dir = p.directory
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: p.user}
	return command
}

// postgreSQLPrograms finds the programs on PATH, or where Debian keeps them, which puts clients alone on PATH.
func postgreSQLPrograms(t *testing.T) string {
	t.Helper()
	if initdb, err := exec.LookPath("initdb"); err == nil {
		initdb, err = filepath.EvalSymlinks(initdb)
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Dir(initdb)
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Skip("PostgreSQL is not installed: there is no initdb on PATH or below /usr/lib/postgresql")
	}
	return filepath.Dir(found[len(found)-1])
}

// unprivilegedUser returns one that every system has.
func unprivilegedUser(t *testing.T) *syscall.Credential {
	t.Helper()
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	var ids []uint32
	for _, text := range []string{nobody.Uid, nobody.Gid} {
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, uint32(id))
	}
	return &syscall.Credential{Uid: ids[0], Gid: ids[1]}
}
