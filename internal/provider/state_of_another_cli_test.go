package provider_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli/terraformclitest"
)

// TestStateOfAnotherCLI has the CLI under test write a state, each other one go on with it, and the first one take it
// back. Each must find nothing to do, and the tokens and private states that the other has left.
func TestStateOfAnotherCLI(t *testing.T) {
	t.Parallel()
	cli := terraformclitest.UnderTest(t)
	var others []string
	for other := range strings.FieldsSeq(os.Getenv("TEST_CLIS")) {
		if other != cli {
			others = append(others, other)
		}
	}
	if len(others) == 0 {
		t.Skip("TEST_CLIS names no other CLI; make test-matrix builds some")
	}
	config := func(description string) string {
		return `
resource "pulumicloud_agent_pool" "test" {
  name_prefix     = "runners-"
  description     = "` + description + `"
  rotate_triggers = { month = "2026-11" }
}

resource "pulumicloud_agent_pool" "encrypted" {
  name             = "encrypted"
  token_recipients = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]
}

resource "pulumicloud_default_agent_pool" "test" {
  agent_pool_id = pulumicloud_agent_pool.test.id
}

output "token" {
  value     = pulumicloud_agent_pool.test.token
  sensitive = true
}
`
	}
	for _, other := range others {
		t.Run(filepath.Base(filepath.Dir(other))+"/"+filepath.Base(other), func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{})
			writer := newWorkspace(t, pulumi.config(`organization = "acme"`, config("written")))
			writer.mustRun(t, "init")
			writer.mustRun(t, "apply", "-auto-approve")
			written := kept(t, writer)

			reader := writer
			reader.cli = other
			reader.expectNothingToDo(t, pulumi)
			pulumi.ResetRequests()
			reader.write(t, "main.tf", pulumi.config(`organization = "acme"`, config("changed")))
			reader.mustRun(t, "apply", "-auto-approve")
			expectWrites(t, pulumi, "PATCH")

			writer.expectNothingToDo(t, pulumi)
			if !reflect.DeepEqual(kept(t, writer), written) {
				t.Error("tokens or private states are not those that were written") // Not which: they are secrets.
			}
			writer.mustRun(t, "destroy", "-auto-approve")
			if err := pulumi.noPools(nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// expectNothingToDo expects that another CLI's state asks for no change. Terraform 1.5 may plan an update of what newer ones
// have marked as sensitive in the state: that changes nothing but these marks.
func (w workspace) expectNothingToDo(t *testing.T, pulumi pulumiCloud) {
	t.Helper()
	w.mustRun(t, "init")
	pulumi.ResetRequests()
	w.mustRun(t, "apply", "-auto-approve")
	expectWrites(t, pulumi)
	w.mustRun(t, "plan", "-detailed-exitcode")
}

// keptOnce is what a state holds of a pool that no read can bring back.
type keptOnce struct{ Token, EncryptedToken, Private string }

// kept returns that of all pools, by their names in the configuration.
func kept(t *testing.T, w workspace) map[string]keptOnce {
	t.Helper()
	var state struct {
		Resources []struct {
			Type, Name string
			Instances  []struct {
				Private    string
				Attributes struct {
					Token          string
					EncryptedToken string `json:"encrypted_token"`
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(w.mustRun(t, "state", "pull")), &state); err != nil {
		t.Fatal(err)
	}
	pools := map[string]keptOnce{}
	for _, resource := range state.Resources {
		if resource.Type != poolType {
			continue
		}
		for _, instance := range resource.Instances {
			once := keptOnce{instance.Attributes.Token, instance.Attributes.EncryptedToken, instance.Private}
			if once.Token+once.EncryptedToken == "" || once.Private == "" {
				t.Errorf("the state of %s lacks the token or the private state", resource.Name)
			}
			pools[resource.Name] = once
		}
	}
	return pools
}
