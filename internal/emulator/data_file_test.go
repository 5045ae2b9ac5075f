package emulator_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestDataFileKeepsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "emulator.db")
	clock := newClock()
	options := emulator.Options{DataFile: path, Now: clock.Now, Organizations: []string{"acme", "a/b"}}

	before := newAPI(t, options)
	one, token := mustCreate(t, before.Server, "one")
	gone, _ := mustCreate(t, before.Server, "gone")
	two, _ := mustCreate(t, before.Server, "two")
	elsewhere, _, err := before.CreateAgentPool("a/b", "one", "other")
	if err != nil {
		t.Fatal(err)
	}
	name, description := "uno", "first"
	for call, err := range map[string]error{
		"update":          before.UpdateAgentPool("acme", one.ID, &name, &description),
		"last deployment": before.SetLastDeployment("acme", one.ID, clock.Now()),
		"connect":         before.ConnectAgent("acme", one.ID, emulator.Agent{Hostname: "a", PID: "1", Platform: "linux"}),
		"default pool":    before.SetDefaultAgentPool("acme", two.ID),
		"stack":           before.SetStackPool("acme", "p/q", "dev", two.ID),
		"delete":          before.DeleteAgentPool("acme", gone.ID),
	} {
		if err != nil {
			t.Fatalf("%s: %v", call, err)
		}
	}
	want, wantElsewhere := before.AgentPools("acme"), before.AgentPools("a/b")
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}

	// Organizations that the file knows exist although the options do not name them.
	options.Organizations = []string{"acme"}
	after := newAPI(t, options)
	if diff := cmp.Diff(want, after.AgentPools("acme")); diff != "" {
		t.Errorf("pools of acme (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(wantElsewhere, after.AgentPools("a/b")); diff != "" {
		t.Errorf("pools of a/b (-before +after):\n%s", diff)
	}
	if elsewhere.ID != after.AgentPools("a/b")[0].ID {
		t.Error("the pool of the other organization has another id")
	}
	if !after.TokenMatches("acme", one.ID, token) {
		t.Error("the token does not match any more")
	}
	refused(t, after.send(t, http.MethodDelete, pools+"/"+two.ID, nil), http.StatusBadRequest)
	refused(t, after.send(t, http.MethodPost, pools, map[string]any{"name": "uno", "description": ""}),
		http.StatusConflict)
	after.succeed(t, http.MethodDelete, pools+"/"+two.ID+"?force=true", nil, http.StatusNoContent)
	if err := after.Close(); err != nil {
		t.Fatal(err)
	}

	last := newAPI(t, options)
	settings := last.succeed(t, http.MethodGet, "/api/stacks/acme/p%2Fq/dev/deployments/settings", nil, http.StatusOK)
	if settings["agentPoolID"] != "" {
		t.Errorf("settings %v, want those that the forced delete cleared", settings)
	}
	if got := last.AgentPools("acme"); len(got) != 1 || got[0].IsDefault {
		t.Errorf("pools %v, want one that is not the default", got)
	}
}

func TestDataFileHoldsNoToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "emulator.db")
	api := newAPI(t, emulator.Options{DataFile: path})
	answer := api.succeed(t, http.MethodPost, pools, map[string]any{"name": "pool-name", "description": ""}, http.StatusOK)
	if err := api.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte("pool-name")) {
		t.Fatal("the file does not hold the pool")
	}
	digits := strings.TrimPrefix(answer["tokenValue"].(string), "pul-")
	raw, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal("the token is not in hexadecimal")
	}
	if bytes.Contains(data, []byte(digits)) || bytes.Contains(data, raw) || bytes.Contains(data, []byte(accessToken)) {
		t.Error("the file holds a token")
	}
}

func TestDataFileBelongsToOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "emulator.db")
	newAPI(t, emulator.Options{DataFile: path})
	_, err := emulator.New(emulator.Options{AccessToken: accessToken, DataFile: path})
	if err == nil {
		t.Fatal("a second emulator opened the file")
	}
	if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("error %q does not say that the file is in use", err)
	}
}

func TestDataFileOfAnotherKind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, bytes.Repeat([]byte("not a database\n"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := emulator.New(emulator.Options{AccessToken: accessToken, DataFile: path})
	if err == nil {
		t.Fatal("a text file was opened as a data file")
	}
	if !strings.Contains(err.Error(), path) {
		t.Errorf("error %q does not name the file", err)
	}
}

func TestWritesAfterCloseFail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "emulator.db")
	api := newAPI(t, emulator.Options{DataFile: path})
	if err := api.Close(); err != nil {
		t.Fatal(err)
	}
	body := map[string]any{"name": "one", "description": ""}
	refused(t, api.send(t, http.MethodPost, pools, body), http.StatusInternalServerError)
	if got := api.AgentPools("acme"); len(got) != 0 {
		t.Errorf("a write that failed is visible: %v", got)
	}
}

// killedProcessFile is the environment variable that makes the test binary write to a data file until it is killed.
const killedProcessFile = "EMULATOR_TEST_KILLED_PROCESS_FILE"

// writeUntilKilled reports each write on stdout once it was acknowledged, and each deletion before it as well.
func writeUntilKilled(path string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	server, err := emulator.New(emulator.Options{AccessToken: accessToken, DataFile: path})
	fail(err)
	for i := 0; ; i++ {
		pool, token, err := server.CreateAgentPool("acme", fmt.Sprintf("%d-%d", os.Getpid(), i), "")
		fail(err)
		fmt.Println("created", pool.ID, token)
		switch description := "changed"; i % 3 {
		case 1:
			fail(server.UpdateAgentPool("acme", pool.ID, nil, &description))
			fmt.Println("changed", pool.ID)
		case 2:
			fail(server.SetStackPool("acme", "shop", pool.Name, pool.ID))
			fmt.Println("deleting", pool.ID)
			fail(server.DeleteAgentPool("acme", pool.ID))
			fmt.Println("deleted", pool.ID)
		}
	}
}

func TestDataFileSurvivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "emulator.db")
	tokens := make(map[string]string)
	reported := map[string]map[string]bool{"changed": {}, "deleting": {}, "deleted": {}}

	for _, lines := range []int{1, 2, 5, 13, 40} {
		process := exec.CommandContext(t.Context(), os.Args[0])
		process.Env = append(os.Environ(), killedProcessFile+"="+path)
		process.Stderr = t.Output()
		output, err := process.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		// What was reported between the last of these lines and the kill counts as well, and is read to the end.
		scanner := bufio.NewScanner(output)
		for n := 1; scanner.Scan(); n++ {
			fields := strings.Fields(scanner.Text())
			switch {
			case len(fields) == 3 && fields[0] == "created":
				tokens[fields[1]] = fields[2]
			case len(fields) == 2:
				reported[fields[0]][fields[1]] = true
			}
			if n == lines {
				if err := process.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := process.Wait(); err == nil || process.ProcessState.ExitCode() != -1 {
			t.Fatalf("the process ended by itself: %v", err)
		}

		server, err := emulator.New(emulator.Options{AccessToken: accessToken, DataFile: path})
		if err != nil {
			t.Fatal(err)
		}
		found := make(map[string]emulator.AgentPool)
		unreported := 0
		for _, pool := range server.AgentPools("acme") {
			found[pool.ID] = pool
			if tokens[pool.ID] == "" {
				unreported++
				if err := server.DeleteAgentPool("acme", pool.ID); err != nil {
					t.Error(err)
				}
			}
		}
		if unreported > 1 {
			t.Errorf("%d pools were never reported, want at most the one that was being created", unreported)
		}
		for id, token := range tokens {
			pool, ok := found[id]
			switch {
			case ok && reported["deleted"][id]:
				t.Errorf("pool %s is back after its deletion", id)
			case !ok && !reported["deleting"][id]:
				t.Errorf("pool %s is lost", id)
			case ok && !server.TokenMatches("acme", id, token):
				t.Errorf("the token of pool %s does not match", id)
			case ok && reported["changed"][id] && pool.Description != "changed":
				t.Errorf("the change of pool %s is lost", id)
			}
		}
		after, _ := mustCreate(t, server, "after the kill")
		if err := server.DeleteAgentPool("acme", after.ID); err != nil {
			t.Error(err)
		}
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
