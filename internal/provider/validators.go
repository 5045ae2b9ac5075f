package provider

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
)

// stringValidator is a validator of strings that are set and known.
type stringValidator struct {
	description string
	// validate returns a diagnostic for an invalid value, else nil.
	validate func(path.Path, string) diag.Diagnostic
}

// Description implements [validator.Describer].
func (v stringValidator) Description(context.Context) string { return v.description }

// MarkdownDescription implements [validator.Describer].
func (v stringValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements [validator.String].
func (v stringValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if problem := v.validate(req.Path, req.ConfigValue.ValueString()); problem != nil {
		resp.Diagnostics.Append(problem)
	}
}

// notEmpty rejects the empty string, and a token in an attribute that is not for tokens.
func notEmpty() validator.String {
	return textValidator("must not be empty", "Invalid value", func(value string) string {
		if value == "" {
			return "value must not be empty. To use the default, remove it"
		}
		return ""
	})
}

// validName rejects names that no agent pool, team or user can have.
func validName() validator.String {
	return textValidator("must be a name", "Invalid name", invalidName)
}

// validPathName is validName for a name that is a segment of a path, such as that of a project.
func validPathName() validator.String {
	return textValidator("must be a name without slashes", "Invalid name", func(value string) string {
		if value == "." || value == ".." || strings.Contains(value, "/") {
			return `name must not contain slashes, and cannot be "." or ".."`
		}
		return invalidName(value)
	})
}

// textValidator rejects tokens, and values for which invalid returns a reason.
func textValidator(description, summary string, invalid func(string) string) validator.String {
	return stringValidator{description, func(at path.Path, value string) diag.Diagnostic {
		if credentials.LooksLikeToken(value) {
			return tokenInWrongPlace(at)
		}
		if reason := invalid(value); reason != "" {
			return diag.NewAttributeErrorDiagnostic(at, summary, "The "+reason+".")
		}
		return nil
	}}
}

// invalidName returns why a name is invalid, without "The" and the full stop, or "".
func invalidName(name string) string {
	switch {
	case name == "":
		return "name must not be empty"
	case strings.TrimSpace(name) != name:
		return "name must not start or end with white space"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "name must not contain line breaks, tabs or other control characters"
	}
	return ""
}

// tokenInWrongPlace is the error for a token in an attribute that is not for tokens. It does not quote the value.
func tokenInWrongPlace(at path.Path) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(at, "Token in the wrong argument",
		"The value looks like a token. Terraform shows the values of this argument in plans and logs. Set the token in "+
			"PULUMI_ACCESS_TOKEN or access_token instead, and replace it if it was shown.")
}

func validBaseURL() validator.String {
	return stringValidator{"must be the https URL of Pulumi Cloud", func(_ path.Path, value string) diag.Diagnostic {
		if _, err := credentials.ParseBaseURL(value); err != nil {
			return settingsDiagnostic(err)
		}
		return nil
	}}
}

// positiveDuration rejects what parseDuration cannot parse, and durations that are not positive.
func positiveDuration() validator.String {
	return stringValidator{"must be a positive duration such as 30s", func(at path.Path, value string) diag.Diagnostic {
		if duration, err := time.ParseDuration(value); err != nil || duration <= 0 {
			return diag.NewAttributeErrorDiagnostic(at, "Invalid duration",
				fmt.Sprintf("%q is not a positive duration. Set a number with a unit, such as \"30s\", \"5m\" or \"1h30m\".", value))
		}
		return nil
	}}
}

// durationOr returns a duration that positiveDuration accepted, or the default if it is null.
func durationOr(value types.String, otherwise time.Duration) time.Duration {
	if duration, err := time.ParseDuration(value.ValueString()); err == nil {
		return duration
	}
	return otherwise
}

func validRegex() validator.String {
	return stringValidator{"must be a regular expression", func(at path.Path, value string) diag.Diagnostic {
		if _, err := regexp.Compile(value); err != nil {
			return diag.NewAttributeErrorDiagnostic(at, "Invalid regular expression",
				fmt.Sprintf("The value is not a regular expression in RE2 syntax: %s.", err))
		}
		return nil
	}}
}
