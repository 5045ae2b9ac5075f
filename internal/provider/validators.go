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

// description describes a validator or a plan modifier.
type description string

func (d description) Description(context.Context) string         { return string(d) }
func (d description) MarkdownDescription(context.Context) string { return string(d) }

// stringValidator is a validator of strings that are set and known.
type stringValidator struct {
	description
	// validate returns a diagnostic for an invalid value, else nil.
	validate func(path.Path, string) diag.Diagnostic
}

func (v stringValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	problem := v.validate(req.Path, req.ConfigValue.ValueString())
	switch {
	case problem == nil:
	case len(req.Path.Steps()) > 1: // The CLI shows only the block.
		resp.Diagnostics.AddAttributeError(req.Path, problem.Summary(), req.Path.String()+": "+problem.Detail())
	default:
		resp.Diagnostics.Append(problem)
	}
}

// notEmpty rejects the empty string, and a token in an attribute that is not for tokens.
func notEmpty() validator.String {
	return textValidator("must not be empty", "Invalid value", func(value string) string {
		if value == "" {
			return "value must not be empty. Set a value, or remove the argument"
		}
		return ""
	})
}

// validName rejects names that no agent pool, team or user can have.
func validName() validator.String {
	return textValidator("must be a name", "Invalid name", invalidName)
}

// validNamePrefix requires a prefix with which a name is valid.
func validNamePrefix() validator.String {
	return textValidator("must be the beginning of a name", "Invalid name", func(prefix string) string {
		return invalidName(prefix + "x")
	})
}

// validPathName is validName for a name that is a segment of a path, such as that of a project.
func validPathName() validator.String {
	return textValidator("must be a name without slashes", "Invalid name", invalidPathName)
}

func invalidPathName(name string) string {
	if name == "." || name == ".." || strings.Contains(name, "/") {
		return `name must not contain slashes, and cannot be "." or ".."`
	}
	return invalidName(name)
}

// isPathName reports whether validPathName accepts a name.
func isPathName(name string) bool {
	return invalidPathName(name) == "" && !credentials.LooksLikeToken(name)
}

// textValidator rejects tokens, and values for which invalid returns a reason.
func textValidator(text description, summary string, invalid func(string) string) validator.String {
	return stringValidator{text, func(at path.Path, value string) diag.Diagnostic {
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

var poolIDPattern = regexp.MustCompile(`^(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// isPoolID reports whether a text has the form of an agent pool ID, a UUID.
func isPoolID(text string) bool { return poolIDPattern.MatchString(text) }

// validPoolID rejects texts that are not agent pool IDs, such as names.
func validPoolID() validator.String {
	return stringValidator{"must be an agent pool ID", func(at path.Path, value string) diag.Diagnostic {
		if !isPoolID(value) {
			return invalidPoolID(at, value)
		}
		return nil
	}}
}

func invalidPoolID(at path.Path, value string) diag.Diagnostic {
	if credentials.LooksLikeToken(value) {
		return tokenInWrongPlace(at)
	}
	return diag.NewAttributeErrorDiagnostic(at, "Invalid agent pool ID",
		fmt.Sprintf("%q is not an agent pool ID, which is a UUID. To find the ID of an agent pool by its name, use the data source "+
			"pulumicloud_agent_pool.", value))
}

func validBaseURL() validator.String {
	return stringValidator{"must be the https URL of Pulumi Cloud", func(_ path.Path, value string) diag.Diagnostic {
		if _, err := credentials.ParseBaseURL(value); err != nil {
			return settingsDiagnostic(err)
		}
		return nil
	}}
}

// positiveDuration requires a duration greater than zero, such as 30s.
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
