package provider_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"golang.org/x/crypto/ssh"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// ageRecipient is a key whose private half nobody has kept.
const ageRecipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

func TestAccAgentPool_tokenRecipients(t *testing.T) {
	t.Parallel()
	const address = "pulumicloud_agent_pool.test"
	pulumi := startPulumiCloud(t, emulator.Options{})
	ageKey, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	sshRecipient, sshKey := newSSHKey(t)
	with := func(recipients string) string {
		return pulumi.config(`organization = "acme"`, `
resource "pulumicloud_agent_pool" "test" {
  name             = "runners"
  description      = "encrypted"
  token_recipients = `+recipients+`
}`)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			{
				Config: with(`["` + ageKey.Recipient().String() + `", "` + sshRecipient + `"]`),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectKnownValue(address, tfjsonpath.New("token"), knownvalue.Null()),
						plancheck.ExpectUnknownValue(address, tfjsonpath.New("encrypted_token")),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				Check: func(state *terraform.State) error {
					pool := state.RootModule().Resources[address].Primary
					if _, there := pool.Attributes["token"]; there {
						return errors.New("token is in the state")
					}
					for _, key := range []age.Identity{ageKey, sshKey} {
						token := decrypt(t, pool.Attributes["encrypted_token"], key)
						if !pulumi.TokenMatches("acme", pool.ID, token) {
							return errors.New("what encrypted_token holds is not the pool's token")
						}
					}
					return nil
				},
			},
			{ // The order of a set means nothing.
				Config:   with(`["` + sshRecipient + `", "` + ageKey.Recipient().String() + `"]`),
				PlanOnly: true,
			},
			{
				Config: with(`["` + ageRecipient + `"]`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionDestroyBeforeCreate),
				}},
			},
			{
				Config: with("null"),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionDestroyBeforeCreate),
					plancheck.ExpectKnownValue(address, tfjsonpath.New("encrypted_token"), knownvalue.Null()),
				}},
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(address, tfjsonpath.New("token"), knownvalue.NotNull()),
				},
			},
		},
	})
}

func TestAccAgentPool_invalidTokenRecipients(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	postQuantum, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	var steps []resource.TestStep
	for recipients, message := range map[string]string{
		fmt.Sprintf("[%q, %q]", ageRecipient, postQuantum.Recipient()): `recipients do not go together`,
		`["AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQ"]`:                         `Invalid token recipient`,
		`["ssh-ed25519 AAAA"]`:                                         `Invalid token recipient`,
		`["` + ageRecipient + `\nand more"]`:                           `Invalid token recipient`,
		`[]`:                                                           `at least 1 element`,
	} {
		steps = append(steps, resource.TestStep{
			Config: pulumi.config("", `
resource "pulumicloud_agent_pool" "test" {
  name             = "runners"
  token_recipients = `+recipients+`
}`),
			PlanOnly:    true,
			ExpectError: regexp.MustCompile(message),
		})
	}
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: factories(), Steps: steps})
	if requests := pulumi.Requests(); len(requests) > 0 {
		t.Errorf("%d requests before the configuration was valid", len(requests))
	}
}

// Recipients that depend on something that is yet to be created are known only when they are applied.
func TestAccAgentPool_tokenRecipientsKnownAfterApply(t *testing.T) {
	t.Parallel()
	const address = "pulumicloud_agent_pool.test"
	is := func(attribute string, value knownvalue.Check) statecheck.StateCheck {
		return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
	}
	for name, test := range map[string]struct {
		key, recipients string
		step            resource.TestStep
	}{
		"valid": {ageRecipient, "[terraform_data.key.output]", resource.TestStep{ConfigStateChecks: []statecheck.StateCheck{
			is("token", knownvalue.Null()),
			is("encrypted_token", knownvalue.StringRegexp(regexp.MustCompile(`^-{5}BEGIN AGE ENCRYPTED FILE-{5}\n`))),
		}}},
		"none": {"none", `terraform_data.key.output == "none" ? null : [terraform_data.key.output]`, resource.TestStep{
			ConfigStateChecks: []statecheck.StateCheck{is("token", knownvalue.NotNull()), is("encrypted_token", knownvalue.Null())},
		}},
		// There must be no pool then: its token could not be kept.
		"invalid": {"AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQ", "[terraform_data.key.output]", resource.TestStep{
			ExpectError: regexp.MustCompile(`Invalid token recipient`),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{})
			test.step.Config = pulumi.config(`organization = "acme"`, fmt.Sprintf(`
resource "terraform_data" "key" {
  input = %q
}

resource "pulumicloud_agent_pool" "test" {
  name             = "runners"
  token_recipients = %s
}`, test.key, test.recipients))
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: factories(), Steps: []resource.TestStep{test.step},
			})
			if test.step.ExpectError != nil {
				expectWrites(t, pulumi)
			}
		})
	}
}

func newSSHKey(t *testing.T) (recipient string, identity age.Identity) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	identity, err = agessh.NewEd25519Identity(private)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), identity
}

func decrypt(t *testing.T, file string, key age.Identity) string {
	t.Helper()
	plain, err := age.Decrypt(armor.NewReader(strings.NewReader(file)), key)
	if err != nil {
		t.Fatal(err)
	}
	token, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}
