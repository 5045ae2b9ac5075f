package provider

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/objectvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// oidcModel says how to exchange a pipeline's ID token for an access token.
type oidcModel struct {
	Token      types.String         `tfsdk:"token"`
	TokenFile  types.String         `tfsdk:"token_file"`
	TokenEnv   types.String         `tfsdk:"token_env"`
	TokenType  types.String         `tfsdk:"token_type"`
	Team       types.String         `tfsdk:"team"`
	User       types.String         `tfsdk:"user"`
	Admin      types.Bool           `tfsdk:"admin"`
	Expiration timetypes.GoDuration `tfsdk:"expiration"`
}

func oidcAttribute() schema.SingleNestedAttribute {
	sibling := func(name string) path.Expression { return path.MatchRelative().AtParent().AtName(name) }
	return schema.SingleNestedAttribute{
		MarkdownDescription: "Authenticate with a pipeline's OIDC ID token instead of a stored access token: it is exchanged for a " +
			"short-lived one when the first request needs it. Pulumi Cloud has to trust the token's issuer (an OIDC issuer " +
			"registered in the organization, with a policy that matches). `oidc = {}` is enough in HCP Terraform and in GitHub " +
			"Actions. The exchange is with the provider's organization, so that one has to be set here, in the environment or in " +
			"the Pulumi CLI's configuration.",
		Optional:   true,
		Validators: []validator.Object{objectvalidator.ConflictsWith(path.MatchRoot("access_token"))},
		Attributes: map[string]schema.Attribute{
			"token": schema.StringAttribute{
				MarkdownDescription: "The ID token itself. At most one of `token`, `token_file` and `token_env` is set; without any, " +
					"it is HCP Terraform's (`TFC_WORKLOAD_IDENTITY_TOKEN`), or the one that GitHub Actions gives to a job with the " +
					"permission `id-token: write`.",
				Optional:   true,
				Sensitive:  true,
				Validators: []validator.String{stringvalidator.ConflictsWith(sibling("token_file"), sibling("token_env"))},
			},
			"token_file": schema.StringAttribute{
				MarkdownDescription: "Path of a file that holds the ID token, such as a projected Kubernetes service account token. It " +
					"is read anew for every exchange.",
				Optional:   true,
				Validators: []validator.String{stringvalidator.LengthAtLeast(1), stringvalidator.ConflictsWith(sibling("token_env"))},
			},
			"token_env": schema.StringAttribute{
				MarkdownDescription: "Name of the environment variable that holds the ID token, such as one that a GitLab job names.",
				Optional:            true,
				Validators:          []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"token_type": schema.StringAttribute{
				MarkdownDescription: "Kind of access token to ask for: `organization`, `team` or `personal`. Defaults to `organization`.",
				Optional:            true,
				Validators: []validator.String{stringvalidator.OneOf(
					string(cloud.OrganizationToken), string(cloud.TeamToken), string(cloud.PersonalToken))},
			},
			"team": schema.StringAttribute{
				MarkdownDescription: "Name of the team, with `token_type = \"team\"`.",
				Optional:            true,
				Validators:          []validator.String{nameValidator{}},
			},
			"user": schema.StringAttribute{
				MarkdownDescription: "Login of the user, with `token_type = \"personal\"`.",
				Optional:            true,
				Validators:          []validator.String{nameValidator{}},
			},
			"admin": schema.BoolAttribute{
				MarkdownDescription: "Whether an `organization` token gets an administrator's permissions. Defaults to `false`.",
				Optional:            true,
			},
			"expiration": schema.StringAttribute{
				CustomType: timetypes.GoDurationType{},
				MarkdownDescription: "Lifetime to ask for, as a duration such as `30m`. Defaults to Pulumi Cloud's choice. A run that " +
					"takes longer exchanges again.",
				Optional:   true,
				Validators: []validator.String{positiveDurationValidator{}},
			},
		},
	}
}

// oidcFrom returns the attribute's value, nil if it is not set or not known.
func oidcFrom(ctx context.Context, value types.Object) (*oidcModel, diag.Diagnostics) {
	if value.IsNull() || value.IsUnknown() {
		return nil, nil
	}
	var model oidcModel
	diagnostics := value.As(ctx, &model, basetypes.ObjectAsOptions{})
	return &model, diagnostics
}

// validate checks what attributes have to do with each other.
func (m oidcModel) validate() diag.Diagnostics {
	var diagnostics diag.Diagnostics
	if m.TokenType.IsUnknown() {
		return nil
	}
	tokenType := m.tokenType()
	for _, name := range []struct {
		attribute string
		value     attr.Value
		tokenType cloud.TokenType
	}{
		{"team", m.Team, cloud.TeamToken},
		{"user", m.User, cloud.PersonalToken},
	} {
		at := path.Root("oidc").AtName(name.attribute)
		switch {
		case tokenType == name.tokenType && name.value.IsNull():
			diagnostics.AddAttributeError(at, "Missing name for the access token",
				fmt.Sprintf("A token of the type %q is for one %s: set %[2]s.", tokenType, name.attribute))
		case tokenType != name.tokenType && !name.value.IsNull():
			diagnostics.AddAttributeError(at, "Name does not fit the access token's type",
				fmt.Sprintf("Only a token of the type %q takes a %s: set token_type to it, or remove this.",
					name.tokenType, name.attribute))
		}
	}
	if m.Admin.ValueBool() && tokenType != cloud.OrganizationToken {
		diagnostics.AddAttributeError(path.Root("oidc").AtName("admin"), "Only an organization token can be an administrator's",
			fmt.Sprintf("A token of the type %q has its team's or user's permissions. Remove admin or token_type.", tokenType))
	}
	return diagnostics
}

func (m oidcModel) tokenType() cloud.TokenType {
	if m.TokenType.IsNull() {
		return cloud.OrganizationToken
	}
	return cloud.TokenType(m.TokenType.ValueString())
}

// idTokens is where the ID token comes from: the one source that is given, else what the pipeline has.
func (m oidcModel) idTokens(environment cloud.Environment) cloud.IDTokenSource {
	switch {
	case !m.Token.IsNull():
		return cloud.IDToken(m.Token.ValueString())
	case !m.TokenFile.IsNull():
		return cloud.IDTokenFile{Path: m.TokenFile.ValueString(), Environment: environment}
	case !m.TokenEnv.IsNull():
		return cloud.IDTokenVariable{Name: m.TokenEnv.ValueString(), Environment: environment}
	default:
		return cloud.PipelineIDToken{Environment: environment}
	}
}

// exchange is what to ask for.
func (m oidcModel) exchange(organization string) (cloud.TokenExchange, diag.Diagnostics) {
	exchange := cloud.TokenExchange{
		Organization: organization,
		TokenType:    m.tokenType(),
		Name:         m.Team.ValueString() + m.User.ValueString(), // validate lets only one be set.
		Admin:        m.Admin.ValueBool(),
	}
	if m.Expiration.IsNull() {
		return exchange, nil
	}
	var diagnostics diag.Diagnostics
	exchange.Expiration, diagnostics = m.Expiration.ValueGoDuration()
	return exchange, diagnostics
}

// unknown tells whether the exchange depends on something that is not known yet.
func (m oidcModel) unknown() bool {
	return slices.ContainsFunc([]attr.Value{
		m.Token, m.TokenFile, m.TokenEnv, m.TokenType, m.Team, m.User, m.Admin, m.Expiration,
	}, attr.Value.IsUnknown)
}
