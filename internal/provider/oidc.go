package provider

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/hashicorp/terraform-plugin-framework-validators/objectvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// oidcModel configures the exchange of an ID token for an access token.
type oidcModel struct {
	Token              types.String `tfsdk:"token"`
	TokenFile          types.String `tfsdk:"token_file"`
	TokenEnvVar        types.String `tfsdk:"token_env_var"`
	RequestedTokenType types.String `tfsdk:"requested_token_type"`
	Team               types.String `tfsdk:"team"`
	User               types.String `tfsdk:"user"`
	Admin              types.Bool   `tfsdk:"admin"`
	Expiration         types.String `tfsdk:"expiration"`
}

func oidcAttribute() schema.SingleNestedAttribute {
	sibling := func(name string) path.Expression { return path.MatchRelative().AtParent().AtName(name) }
	return schema.SingleNestedAttribute{
		MarkdownDescription: "Authenticates with an OIDC ID token, which is exchanged for a short-lived access token. Register the " +
			"issuer of the ID token in the organization first. In HCP Terraform and GitHub Actions, `oidc = {}` is sufficient. " +
			"Requires an organization in the provider block, in `PULUMI_DEFAULT_ORGANIZATION` or in the configuration of the Pulumi " +
			"CLI. Conflicts with `access_token`.",
		Optional:   true,
		Validators: []validator.Object{objectvalidator.ConflictsWith(path.MatchRoot("access_token"))},
		Attributes: map[string]schema.Attribute{
			"token": schema.StringAttribute{
				MarkdownDescription: "ID token. At most one of `token`, `token_file` or `token_env_var` can be set. Defaults to the ID " +
					"token of HCP Terraform (`TFC_WORKLOAD_IDENTITY_TOKEN`), or of a GitHub Actions job with the permission `id-token: write`.",
				Optional:   true,
				Sensitive:  true,
				Validators: []validator.String{stringvalidator.ConflictsWith(sibling("token_file"), sibling("token_env_var"))},
			},
			"token_file": schema.StringAttribute{
				MarkdownDescription: "Path to a file with the ID token, such as a projected Kubernetes service account token. It is read " +
					"again for every exchange.",
				Optional:   true,
				Validators: []validator.String{notEmpty(), stringvalidator.ConflictsWith(sibling("token_env_var"))},
			},
			"token_env_var": schema.StringAttribute{
				MarkdownDescription: "Name of the environment variable with the ID token, such as one from `id_tokens` in a GitLab job.",
				Optional:            true,
				Validators:          []validator.String{notEmpty()},
			},
			"requested_token_type": schema.StringAttribute{
				MarkdownDescription: "Type of the access token: `organization`, `team` or `personal`. Defaults to `organization`.",
				Optional:            true,
				Validators:          []validator.String{stringvalidator.OneOf("organization", "team", "personal")},
			},
			"team": schema.StringAttribute{
				MarkdownDescription: "Name of the team. Required if `requested_token_type` is `team`.",
				Optional:            true,
				Validators:          []validator.String{validName()},
			},
			"user": schema.StringAttribute{
				MarkdownDescription: "Login of the user. Required if `requested_token_type` is `personal`.",
				Optional:            true,
				Validators:          []validator.String{validName()},
			},
			"admin": schema.BoolAttribute{
				MarkdownDescription: "Whether to request administrator permissions for an `organization` token. Defaults to `false`. Not " +
					"required if the OIDC policy assigns a role with the `agent_pool` permissions.",
				Optional: true,
			},
			"expiration": schema.StringAttribute{
				MarkdownDescription: "Lifetime of the access token, as a duration such as `30m`. Defaults to the lifetime that Pulumi " +
					"Cloud sets. If a run takes longer, the provider exchanges the ID token again.",
				Optional:   true,
				Validators: []validator.String{positiveDuration()},
			},
		},
	}
}

// oidcFrom returns nil if the attribute is not set or not known.
func oidcFrom(ctx context.Context, value types.Object) (model *oidcModel, diags diag.Diagnostics) {
	diags = value.As(ctx, &model, basetypes.ObjectAsOptions{UnhandledUnknownAsEmpty: true})
	return model, diags
}

// validate checks attributes against each other.
func (m oidcModel) validate() diag.Diagnostics {
	var diags diag.Diagnostics
	if m.RequestedTokenType.IsUnknown() {
		return nil
	}
	tokenType := m.tokenType()
	for _, name := range []struct {
		attribute string
		value     types.String
		tokenType string
	}{{"team", m.Team, "team"}, {"user", m.User, "personal"}} {
		at := path.Root("oidc").AtName(name.attribute)
		switch {
		case tokenType == name.tokenType && name.value.IsNull():
			diags.AddAttributeError(at, "Missing required argument",
				fmt.Sprintf("A token of type %q requires a %s. Set oidc.%[2]s to its name.", tokenType, name.attribute))
		case tokenType != name.tokenType && !name.value.IsNull():
			diags.AddAttributeError(at, "Conflicting configuration arguments",
				fmt.Sprintf("Only a token of type %q has a %s. Set requested_token_type to %[1]q, or remove %[2]s.",
					name.tokenType, name.attribute))
		}
	}
	if m.Admin.ValueBool() && tokenType != "organization" {
		diags.AddAttributeError(path.Root("oidc").AtName("admin"), "Conflicting configuration arguments",
			"Only a token of type \"organization\" can request admin. Remove oidc.admin or oidc.requested_token_type.")
	}
	return diags
}

func (m oidcModel) tokenType() string {
	return cmp.Or(m.RequestedTokenType.ValueString(), "organization")
}

// scope returns the scope of the access token. validate accepts at most one of the attributes.
func (m oidcModel) scope() string {
	switch {
	case !m.Team.IsNull():
		return "team:" + m.Team.ValueString()
	case !m.User.IsNull():
		return "user:" + m.User.ValueString()
	case m.Admin.ValueBool():
		return "admin"
	}
	return ""
}

// exchange returns the token exchange. client requests the ID tokens of GitHub Actions.
func (m oidcModel) exchange(
	organization string, env credentials.Environment, client *http.Client, maxRetries int,
) *pulumiapi.TokenExchange {
	idToken := credentials.PipelineIDToken(env, client, maxRetries)
	switch {
	case !m.Token.IsNull():
		idToken = credentials.StaticIDToken(m.Token.ValueString())
	case !m.TokenFile.IsNull():
		idToken = credentials.IDTokenFile(env, m.TokenFile.ValueString())
	case !m.TokenEnvVar.IsNull():
		idToken = credentials.IDTokenVariable(env, m.TokenEnvVar.ValueString())
	}
	return &pulumiapi.TokenExchange{
		IDToken:      idToken,
		Organization: organization,
		TokenType:    m.tokenType(),
		Scope:        m.scope(),
		Expiration:   durationOr(m.Expiration, 0),
	}
}
