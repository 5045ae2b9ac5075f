package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// runnerTokenEphemeralResource is a short-lived token for one runner.
type runnerTokenEphemeralResource struct {
	connection *connection
}

type runnerTokenModel struct {
	Organization types.String         `tfsdk:"organization"`
	Runner       types.String         `tfsdk:"runner"`
	Expiration   timetypes.GoDuration `tfsdk:"expiration"`
	Token        types.String         `tfsdk:"token"`
	ExpiresAt    types.String         `tfsdk:"expires_at"`
}

var _ ephemeral.EphemeralResourceWithConfigure = &runnerTokenEphemeralResource{}

func newRunnerTokenEphemeralResource() ephemeral.EphemeralResource {
	return &runnerTokenEphemeralResource{}
}

// Metadata implements [ephemeral.EphemeralResource].
func (r *runnerTokenEphemeralResource) Metadata(
	_ context.Context, req ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_runner_token"
}

// Schema implements [ephemeral.EphemeralResource].
func (r *runnerTokenEphemeralResource) Schema(
	_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse,
) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A short-lived token for one runner, which never enters a plan or a state. The provider's OIDC ID token " +
			"(see the provider's `oidc`) is exchanged for it; nothing else is created. Hand it to a write-only argument or to " +
			"another provider.",
		Attributes: map[string]schema.Attribute{
			"organization": schema.StringAttribute{
				MarkdownDescription: "Organization that the runner works for. Defaults to the provider's.",
				Optional:            true,
				Computed:            true,
				Validators:          []validator.String{organizationValidator{}},
			},
			"runner": schema.StringAttribute{
				MarkdownDescription: "The runner's name, which the token is limited to (scope `runner:NAME`).",
				Required:            true,
				Validators:          []validator.String{nameValidator{}},
			},
			"expiration": schema.StringAttribute{
				CustomType: timetypes.GoDurationType{},
				MarkdownDescription: "Lifetime to ask for, as a duration such as `1h`, in whole seconds. Defaults to Pulumi Cloud's " +
					"choice.",
				Optional:   true,
				Validators: []validator.String{positiveDurationValidator{}},
			},
			"token": schema.StringAttribute{
				MarkdownDescription: "The token.",
				Computed:            true,
				Sensitive:           true,
			},
			"expires_at": schema.StringAttribute{
				MarkdownDescription: "When it expires, in RFC 3339 form and UTC. Null if Pulumi Cloud does not say.",
				Computed:            true,
			},
		},
	}
}

// Configure implements [ephemeral.EphemeralResourceWithConfigure].
func (r *runnerTokenEphemeralResource) Configure(
	_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse,
) {
	r.connection = connectionFrom(req.ProviderData, &resp.Diagnostics)
}

// Open implements [ephemeral.EphemeralResource]. It is one request.
func (r *runnerTokenEphemeralResource) Open(
	ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse,
) {
	var model runnerTokenModel
	if !r.connection.load(ctx, req.Config, &model, &resp.Diagnostics) {
		return
	}
	if r.connection.idTokens == nil {
		resp.Diagnostics.AddError("No ID token to exchange",
			"A runner's token is what an OIDC ID token is exchanged for, and this provider authenticates with a stored access token. "+
				"Set the provider's oidc.")
		return
	}
	ctx, warnings := cloud.WithWarnings(ctx)
	defer addWarnings(&resp.Diagnostics, warnings)
	organization, diagnostics := r.connection.organizationOf(ctx, model.Organization)
	resp.Diagnostics.Append(diagnostics...)
	exchange, diagnostics := model.exchange(organization)
	resp.Diagnostics.Append(diagnostics...)
	if resp.Diagnostics.HasError() {
		return
	}
	grant, err := r.connection.client.ExchangeToken(ctx, r.connection.idTokens, exchange)
	if err != nil {
		addError(&resp.Diagnostics, operation{
			verb: fmt.Sprintf("get a token for runner %q of organization %q", exchange.Name, organization), organization: organization,
		}, err)
		return
	}
	model.Organization = types.StringValue(organization)
	model.Token, model.ExpiresAt = types.StringValue(grant.Token), rfc3339(grant.ExpiresAt)
	resp.Diagnostics.Append(resp.Result.Set(ctx, model)...)
}

func (m runnerTokenModel) exchange(organization string) (cloud.TokenExchange, diag.Diagnostics) {
	exchange := cloud.TokenExchange{
		Organization: organization, TokenType: cloud.RunnerToken, Name: m.Runner.ValueString(),
	}
	if m.Expiration.IsNull() {
		return exchange, nil
	}
	var diagnostics diag.Diagnostics
	exchange.Expiration, diagnostics = m.Expiration.ValueGoDuration()
	return exchange, diagnostics
}
