package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"golang.org/x/crypto/ssh"
)

// recipientsValidator accepts sets of public keys that one token can be encrypted to.
type recipientsValidator struct{ description }

func (recipientsValidator) ValidateSet(_ context.Context, req validator.SetRequest, resp *validator.SetResponse) {
	resp.Diagnostics.Append(validateRecipients(req.Path, req.ConfigValue)...)
}

// validateRecipients returns an error if a token cannot be encrypted to the recipients that are known. It must run
// before there is a token.
func validateRecipients(attribute path.Path, set types.Set) diag.Diagnostics {
	var diags diag.Diagnostics
	var known []age.Recipient
	for _, element := range set.Elements() {
		text, ok := element.(types.String)
		if !ok || text.IsNull() || text.IsUnknown() {
			continue
		}
		recipient, _, err := parseRecipient(text.ValueString())
		if err != nil {
			// The value may be a private key. The parser quotes it, and the path of the element has it.
			diags.AddAttributeError(attribute, "Invalid token recipient",
				"The value must be one age recipient (age1…) or one SSH public key (ssh-ed25519 … or ssh-rsa …), and not a private "+
					"key (AGE-SECRET-KEY-1…). Set one value for each recipient.")
		}
		known = append(known, recipient)
	}
	if len(known) == 0 || diags.HasError() {
		return diags
	}
	if _, err := encryptToken("", known); err != nil {
		diags.AddAttributeError(attribute, "Incompatible token recipients",
			fmt.Sprintf("A token cannot be encrypted to all of these recipients at once. Post-quantum recipients (age1pq1…), for "+
				"example, cannot be combined with others. Remove one kind of recipient.\n\nCause: %s", err))
	}
	return diags
}

var errNotOneRecipient = errors.New("not exactly one recipient")

// parseRecipient parses a public key, and returns its canonical form without comments and white space.
func parseRecipient(text string) (recipient age.Recipient, canonical string, err error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "ssh-") {
		key, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(text))
		if err != nil {
			return nil, "", err
		}
		if len(bytes.TrimSpace(rest)) > 0 {
			return nil, "", errNotOneRecipient
		}
		canonical = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
		recipient, err = agessh.ParseRecipient(canonical)
		return recipient, canonical, err
	}
	recipients, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil {
		return nil, "", err
	}
	if len(recipients) != 1 {
		return nil, "", errNotOneRecipient
	}
	return recipients[0], fmt.Sprint(recipients[0]), nil
}

// parseRecipients parses a set of public keys, and returns them with their sorted canonical forms.
func parseRecipients(set types.Set) (recipients []age.Recipient, canonical []string, err error) {
	for _, element := range set.Elements() {
		text, _ := element.(types.String)
		recipient, form, err := parseRecipient(text.ValueString())
		if err != nil {
			return nil, nil, err
		}
		recipients, canonical = append(recipients, recipient), append(canonical, form)
	}
	slices.Sort(canonical)
	return recipients, slices.Compact(canonical), nil
}

// equalRecipients reports whether two sets have the same public keys.
func equalRecipients(a, b types.Set) bool {
	if a.Equal(b) {
		return true
	}
	if a.IsUnknown() || b.IsUnknown() {
		return false
	}
	_, first, err := parseRecipients(a)
	_, second, otherErr := parseRecipients(b)
	return errors.Join(err, otherErr) == nil && slices.Equal(first, second)
}

// encryptToken returns an ASCII-armored age file that each of the recipients can decrypt.
func encryptToken(token string, recipients []age.Recipient) (string, error) {
	var file bytes.Buffer
	armored := armor.NewWriter(&file)
	plaintext, err := age.Encrypt(armored, recipients...)
	if err != nil {
		return "", err
	}
	_, err = io.WriteString(plaintext, token)
	if err := errors.Join(err, plaintext.Close(), armored.Close()); err != nil {
		return "", err
	}
	return file.String(), nil
}
