package provider

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// nameValidator accepts the name of a pool or an organization.
type nameValidator struct{}

// Description implements [validator.Describer].
func (nameValidator) Description(context.Context) string {
	return "must not be empty, and neither begin nor end with white space"
}

// MarkdownDescription implements [validator.Describer].
func (v nameValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements [validator.String].
func (v nameValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	value := req.ConfigValue.ValueString()
	switch {
	case value == "":
		resp.Diagnostics.AddAttributeError(req.Path, "Empty name", "The value "+v.Description(ctx)+".")
	case strings.TrimSpace(value) != value:
		resp.Diagnostics.AddAttributeError(req.Path, "White space around a name", "The value "+v.Description(ctx)+".")
	case strings.ContainsFunc(value, unicode.IsControl):
		resp.Diagnostics.AddAttributeError(req.Path, "Control character in a name",
			"The value has a line break, a tab or another control character in it.")
	}
}

// organizationValidator accepts the name of an organization, which is a segment of URLs.
type organizationValidator struct{ nameValidator }

// ValidateString implements [validator.String].
func (v organizationValidator) ValidateString(
	ctx context.Context, req validator.StringRequest, resp *validator.StringResponse,
) {
	v.nameValidator.ValidateString(ctx, req, resp)
	if name := req.ConfigValue.ValueString(); name == "." || name == ".." {
		resp.Diagnostics.AddAttributeError(req.Path, "Not an organization's name", fmt.Sprintf("No organization is called %q.", name))
	}
}

// baseURLValidator accepts the URL of a Pulumi Cloud.
type baseURLValidator struct{}

// Description implements [validator.Describer].
func (baseURLValidator) Description(context.Context) string {
	return "must be the http or https URL of a Pulumi Cloud"
}

// MarkdownDescription implements [validator.Describer].
func (v baseURLValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements [validator.String].
func (baseURLValidator) ValidateString(
	_ context.Context, req validator.StringRequest, resp *validator.StringResponse,
) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if _, err := cloud.ParseBaseURL(req.ConfigValue.ValueString()); err != nil {
		addSettingsError(&resp.Diagnostics, err)
	}
}

// positiveDurationValidator accepts durations above zero. The attribute's type has refused what is none.
type positiveDurationValidator struct{}

// Description implements [validator.Describer].
func (positiveDurationValidator) Description(context.Context) string {
	return "must be longer than zero"
}

// MarkdownDescription implements [validator.Describer].
func (v positiveDurationValidator) MarkdownDescription(ctx context.Context) string {
	return v.Description(ctx)
}

// ValidateString implements [validator.String].
func (v positiveDurationValidator) ValidateString(
	ctx context.Context, req validator.StringRequest, resp *validator.StringResponse,
) {
	duration, err := time.ParseDuration(req.ConfigValue.ValueString())
	if err == nil && duration <= 0 {
		resp.Diagnostics.AddAttributeError(req.Path, "Duration is not positive", "The value "+v.Description(ctx)+".")
	}
}

// regexValidator accepts regular expressions.
type regexValidator struct{}

// Description implements [validator.Describer].
func (regexValidator) Description(context.Context) string {
	return "must be a regular expression (RE2)"
}

// MarkdownDescription implements [validator.Describer].
func (v regexValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements [validator.String].
func (v regexValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if _, err := regexp.Compile(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid regular expression",
			fmt.Sprintf("The value %s: %s.", v.Description(ctx), err))
	}
}
