package provider_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"golang.org/x/crypto/ssh"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// ageRecipient is a public key whose private key does not exist any more.
const ageRecipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

func encrypted(recipients ...string) acctest.Values {
	return acctest.Values{"name": "runners", "token_recipients": stringList(recipients...)}
}

func TestTokenRecipients(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	ageKey, err := age.GenerateX25519Identity()
	mustDo(t, err)
	sshRecipient, sshKey := newSSHKey(t)

	change, diagnostics := pools.Plan(t.Context(), pools.Absent(), encrypted(ageKey.Recipient().String(), sshRecipient))
	expectNone(t, diagnostics)
	planned := acctest.Attributes(change.Planned.Value)
	if planned["token"] != nil || planned["encrypted_token"] != tftypes.UnknownValue {
		t.Errorf("planned token %v and encrypted_token %v", planned["token"], planned["encrypted_token"])
	}
	pool, diagnostics := pools.ApplyChange(t.Context(), change)
	expectNone(t, diagnostics)
	for _, key := range []age.Identity{ageKey, sshKey} {
		if !cloud.TokenMatches("acme", pool.Text("id"), decrypt(t, pool.Text("encrypted_token"), key)) {
			t.Error("encrypted_token is not the token of the agent pool")
		}
	}

	for _, config := range []acctest.Values{encrypted(ageRecipient), {"name": "runners"}, encrypted(ageRecipient)} {
		change, diagnostics := pools.Plan(t.Context(), pool, config)
		expectWarning(t, diagnostics, "Agent pool must be replaced", `AttributeName("token_recipients")`)
		if change.Action != acctest.Replace {
			t.Fatalf("the plan is %s, want %s", change.Action, acctest.Replace)
		}
		pool, diagnostics = pools.ApplyChange(t.Context(), change)
		expectNone(t, diagnostics)
		if isEncrypted := config["token_recipients"] != nil; (pool.Text("token") == "") != isEncrypted ||
			(pool.Text("encrypted_token") != "") != isEncrypted {
			t.Error("the state does not have exactly one form of the token")
		}
	}
}

func TestTokenRecipients_equal(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	sshRecipient, _ := newSSHKey(t)
	sshRecipient += " first comment"
	pool := pools.MustApply(t, pools.Absent(), encrypted(ageRecipient, sshRecipient))
	withoutComment := strings.TrimSuffix(sshRecipient, " first comment")
	for name, test := range map[string]struct {
		recipients []string
		want       acctest.Action
	}{
		"order":             {[]string{sshRecipient, ageRecipient}, acctest.NoOp},
		"line ends":         {[]string{sshRecipient + "\r\n", "\n" + ageRecipient + "\n"}, acctest.Update},
		"different comment": {[]string{withoutComment + " second comment", ageRecipient}, acctest.Update},
		"no comment":        {[]string{withoutComment, ageRecipient}, acctest.Update},
		"age comment":       {[]string{sshRecipient, "# runner\n" + ageRecipient}, acctest.Update},
		"one less":          {[]string{ageRecipient}, acctest.Replace},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change, diagnostics := pools.Plan(t.Context(), pool, encrypted(test.recipients...))
			if change.Action != test.want {
				t.Errorf("the plan is %s, want %s: %s", change.Action, test.want, diagnostics)
			}
			if change.Action == acctest.Update && change.Planned.Text("encrypted_token") != pool.Text("encrypted_token") {
				t.Error("the update changes the token")
			}
		})
	}
}

func TestTokenRecipients_validation(t *testing.T) {
	t.Parallel()
	pools := newProvider(t).Resource(poolType)
	postQuantum, err := age.GenerateHybridIdentity()
	mustDo(t, err)
	firstSSH, _ := newSSHKey(t)
	secondSSH, _ := newSSHKey(t)
	const privateKey, invalid = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQ", "Invalid token recipient"
	for name, test := range map[string]struct {
		recipients any
		summary    string
	}{
		"incompatible":        {stringList(ageRecipient, postQuantum.Recipient().String()), "Incompatible token recipients"},
		"private key":         {stringList(privateKey), invalid},
		"truncated SSH key":   {stringList("ssh-ed25519 AAAA"), invalid},
		"two age keys in one": {stringList(ageRecipient + "\n" + ageRecipient), invalid},
		"two SSH keys in one": {stringList(firstSSH + "\n" + secondSSH), invalid},
		"empty text":          {stringList(""), invalid},
		"empty set":           {stringList(), "Invalid Attribute Value"},
		"null":                {[]tftypes.Value{tftypes.NewValue(tftypes.String, nil)}, "Null Set Value"},
		"unknown element":     {[]tftypes.Value{tftypes.NewValue(tftypes.String, tftypes.UnknownValue)}, ""},
		"SSH key":             {stringList(firstSSH, secondSSH), ""},
		"post-quantum":        {stringList(postQuantum.Recipient().String()), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			diagnostics := pools.ValidateConfig(t.Context(), acctest.Values{"name": "runners", "token_recipients": test.recipients})
			if test.summary == "" {
				expectNone(t, diagnostics)
				return
			}
			expectError(t, diagnostics, test.summary)
			if text := diagnostics.String(); strings.Contains(text, privateKey) {
				t.Errorf("the diagnostic has the private key: %s", text)
			}
		})
	}
}

// An agent pool whose token cannot be stored must not be created.
func TestTokenRecipients_invalidAfterPlan(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	unknown := acctest.Values{"name": "runners", "token_recipients": tftypes.UnknownValue}
	change, diagnostics := pools.Plan(t.Context(), pools.Absent(), unknown)
	expectNone(t, diagnostics)
	planned := acctest.Attributes(change.Planned.Value)
	if planned["token"] != tftypes.UnknownValue || planned["encrypted_token"] != tftypes.UnknownValue {
		t.Errorf("planned token %v and encrypted_token %v", planned["token"], planned["encrypted_token"])
	}
	// The provider does not validate the configuration of an apply again.
	_, diagnostics = pools.Apply(t.Context(), pools.Absent(), encrypted("AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQ"))
	expectError(t, diagnostics, "Invalid token recipient", `AttributeName("token_recipients")`)
	cloud.expectWrites(t)

	pool := pools.MustApply(t, pools.Absent(), encrypted(ageRecipient))
	_, diagnostics = pools.Plan(t.Context(), pool, unknown)
	expectNone(t, diagnostics)
}

func TestTokenRecipients_imported(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	existing := cloud.mustCreate(t, "acme", "runners", "")
	pools := cloud.acme(t)
	imported, _ := pools.Import(t.Context(), "acme/"+existing.ID)
	pool := pools.MustRead(t, imported)

	config := func(month string) acctest.Values {
		config := encrypted(ageRecipient)
		config["rotate_triggers"] = triggers(month)
		return config
	}
	cloud.ResetRequests()
	change, diagnostics := pools.Plan(t.Context(), pool, config("2026-11"))
	expectNone(t, diagnostics)
	if change.Action != acctest.Update {
		t.Fatalf("the plan is %s, want %s", change.Action, acctest.Update)
	}
	pool, diagnostics = pools.ApplyChange(t.Context(), change)
	expectNone(t, diagnostics)
	if pool.Text("id") != existing.ID || pool.Text("token")+pool.Text("encrypted_token") != "" {
		t.Error("the imported agent pool has a different ID or a token")
	}
	cloud.expectWrites(t)
	pool = pools.MustApply(t, pool, config("2026-12"))
	if pool.Text("id") == existing.ID || pool.Text("encrypted_token") == "" {
		t.Error("the agent pool was not replaced")
	}
	cloud.expectWrites(t, http.MethodDelete, http.MethodPost)
}

func newSSHKey(t *testing.T) (recipient string, identity age.Identity) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	mustDo(t, err)
	key, err := ssh.NewPublicKey(public)
	mustDo(t, err)
	identity, err = agessh.NewEd25519Identity(private)
	mustDo(t, err)
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), identity
}

func decrypt(t *testing.T, file string, key age.Identity) string {
	t.Helper()
	plaintext, err := age.Decrypt(armor.NewReader(strings.NewReader(file)), key)
	mustDo(t, err)
	token, err := io.ReadAll(plaintext)
	mustDo(t, err)
	return string(token)
}
