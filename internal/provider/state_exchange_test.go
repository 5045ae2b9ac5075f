package provider_test

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// TestAccState_exchangedBetweenCLIs has the CLI under test write a state, the CLI in TEST_OTHER_CLI change it, and the
// first CLI destroy it. Neither may plan a change that the configuration does not ask for, or lose a token.
func TestAccState_exchangedBetweenCLIs(t *testing.T) {
	t.Parallel()
	acctest.RequireCLI(t)
	other := os.Getenv("TEST_OTHER_CLI")
	if other == "" {
		t.Skip("TEST_OTHER_CLI is not set")
	}
	pulumi := startPulumiCloud(t, emulator.Options{})
	config := func(description string) string {
		return pulumi.config(`organization = "acme"`, `
resource "pulumicloud_agent_pool" "test" {
  name_prefix     = "runners-"
  description     = "`+description+`"
  rotate_triggers = { month = "2026-11" }
}

resource "pulumicloud_agent_pool" "encrypted" {
  name             = "encrypted"
  token_recipients = ["`+ageRecipient+`"]
}

resource "pulumicloud_default_agent_pool" "test" {
  agent_pool_id = pulumicloud_agent_pool.test.id
}

output "token" {
  value     = pulumicloud_agent_pool.test.token
  sensitive = true
}
`)
	}
	writer := newWorkspace(t, config("written"))
	writer.MustRun(t, "init")
	writer.MustRun(t, "apply", "-auto-approve")
	written := unreadableValues(t, writer)

	reader := *writer
	reader.CLI = other
	expectNoChanges(t, &reader, pulumi)
	mustDo(t, reader.Write("main.tf", config("changed")))
	pulumi.ResetRequests()
	reader.MustRun(t, "apply", "-auto-approve")
	expectWrites(t, pulumi, "PATCH")

	expectNoChanges(t, writer, pulumi)
	if !reflect.DeepEqual(unreadableValues(t, writer), written) {
		t.Error("tokens or private states have changed") // The values are secret.
	}
	writer.MustRun(t, "destroy", "-auto-approve")
	if err := pulumi.noPools(nil); err != nil {
		t.Error(err)
	}
}

// expectNoChanges applies first, because Terraform 1.5 may plan an update that only changes how the state marks
// sensitive values.
func expectNoChanges(t *testing.T, w *acctest.Workspace, pulumi pulumiCloud) {
	t.Helper()
	w.MustRun(t, "init")
	pulumi.ResetRequests()
	w.MustRun(t, "apply", "-auto-approve")
	expectWrites(t, pulumi)
	w.MustRun(t, "plan", "-detailed-exitcode")
}

// unreadable are the values in a state that no read returns.
type unreadable struct{ Token, EncryptedToken, Private string }

// unreadableValues returns these values of each agent pool by its name in the configuration.
func unreadableValues(t *testing.T, w *acctest.Workspace) map[string]unreadable {
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
	if err := json.Unmarshal([]byte(w.MustRun(t, "state", "pull")), &state); err != nil {
		t.Fatal(err)
	}
	pools := map[string]unreadable{}
	for _, resource := range state.Resources {
		if resource.Type != poolType {
			continue
		}
		for _, instance := range resource.Instances {
			values := unreadable{instance.Attributes.Token, instance.Attributes.EncryptedToken, instance.Private}
			if values.Token+values.EncryptedToken == "" || values.Private == "" {
				t.Errorf("the state of %s lacks the token or the private state", resource.Name)
			}
			pools[resource.Name] = values
		}
	}
	return pools
}
