package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// recipientsValidator accepts sets of public keys that one token can be encrypted to.
type recipientsValidator struct{}

// Description implements [validator.Describer].
func (recipientsValidator) Description(context.Context) string {
	return "each must be an age recipient (age1…) or an SSH public key (ssh-ed25519 … or ssh-rsa …), and they must go together"
}

// MarkdownDescription implements [validator.Describer].
func (v recipientsValidator) MarkdownDescription(ctx context.Context) string {
	return v.Description(ctx)
}

// ValidateSet implements [validator.Set].
func (recipientsValidator) ValidateSet(_ context.Context, req validator.SetRequest, resp *validator.SetResponse) {
	resp.Diagnostics.Append(checkRecipients(req.Path, req.ConfigValue)...)
}

// checkRecipients reports what keeps a token from being encrypted to the recipients, as far as they are known. It is for
// the time before there is a token.
func checkRecipients(attribute path.Path, set types.Set) diag.Diagnostics {
	var diagnostics diag.Diagnostics
	var recipients []string
	for _, element := range set.Elements() {
		recipient, ok := element.(types.String)
		if !ok || recipient.IsNull() || recipient.IsUnknown() {
			continue
		}
		if _, err := parseRecipient(recipient.ValueString()); err != nil {
			// Not the parser's words: they quote the value, and what was pasted here by mistake may be a private key.
			diagnostics.AddAttributeError(attribute.AtSetValue(element), "Invalid token recipient",
				"The value must be an age recipient (age1…) or an SSH public key (ssh-ed25519 … or ssh-rsa …). A private key "+
					"(AGE-SECRET-KEY-1…) is not one.")
		}
		recipients = append(recipients, recipient.ValueString())
	}
	if len(recipients) == 0 || diagnostics.HasError() {
		return diagnostics
	}
	if _, err := encryptToken("", recipients); err != nil {
		diagnostics.AddAttributeError(attribute, "Token recipients do not go together",
			fmt.Sprintf("No token can be encrypted to all of these recipients at once: post-quantum ones (age1pq1…), for example, "+
				"can't be mixed with others.\n\nCause: %s", err))
	}
	return diagnostics
}

var errNotRecipient = errors.New("not a recipient")

func parseRecipient(text string) (age.Recipient, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "ssh-") {
		return agessh.ParseRecipient(text)
	}
	recipients, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	if len(recipients) != 1 {
		return nil, errNotRecipient
	}
	return recipients[0], nil
}

// encryptToken returns the token as an age file, ASCII-armoured, that each of the recipients can decrypt.
func encryptToken(token string, recipients []string) (string, error) {
	parsed := make([]age.Recipient, 0, len(recipients))
	for _, recipient := range recipients {
		to, err := parseRecipient(recipient)
		if err != nil {
			return "", err
		}
		parsed = append(parsed, to)
	}
	var file bytes.Buffer
	armored := armor.NewWriter(&file)
	encrypting, err := age.Encrypt(armored, parsed...)
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(encrypting, token); err != nil {
		return "", err
	}
	if err := encrypting.Close(); err != nil {
		return "", err
	}
	if err := armored.Close(); err != nil {
		return "", err
	}
	return file.String(), nil
}
