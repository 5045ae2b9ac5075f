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
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// recipientValidator accepts the public keys that a token can be encrypted to.
type recipientValidator struct{}

// Description implements [validator.Describer].
func (recipientValidator) Description(context.Context) string {
	return "must be an age recipient (age1…) or an SSH public key (ssh-ed25519 … or ssh-rsa …)"
}

// MarkdownDescription implements [validator.Describer].
func (v recipientValidator) MarkdownDescription(ctx context.Context) string {
	return v.Description(ctx)
}

// ValidateString implements [validator.String].
func (v recipientValidator) ValidateString(
	ctx context.Context, req validator.StringRequest, resp *validator.StringResponse,
) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if _, err := parseRecipient(req.ConfigValue.ValueString()); err != nil {
		// Not the parser's words: they quote the value, and what was pasted here by mistake may be a private key.
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid token recipient",
			fmt.Sprintf("The value %s. A private key (AGE-SECRET-KEY-1…) is not one.", v.Description(ctx)))
	}
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
