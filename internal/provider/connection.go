package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// connection is what the provider's configuration makes of itself for resources and data sources.
type connection struct {
	// client is nil while the configuration depends on values that are not known yet.
	client *cloud.Client
	// unknown names the attributes with such values.
	unknown []string
	now     func() time.Time

	// chosenOrganization returns the default organization by configuration, environment or file; empty if none says.
	chosenOrganization  func() (string, error)
	organizationUnknown bool
}

// connectionFrom returns what Configure left for a resource or data source, nil before Configure was called.
func connectionFrom(providerData any, diagnostics *diag.Diagnostics) *connection {
	if providerData == nil {
		return nil
	}
	connection, ok := providerData.(*connection)
	if !ok {
		diagnostics.AddError("Unexpected provider data",
			fmt.Sprintf("The provider passed %T to its own resource. Please report this as a bug.", providerData))
	}
	return connection
}

// ready tells whether requests can be made.
func (c *connection) ready() bool { return c != nil && c.client != nil }

// notReady explains why not.
func (c *connection) notReady() (title, detail string) {
	if c == nil {
		return "Provider is not configured", "Nothing has configured the provider yet, so Pulumi Cloud can't be asked."
	}
	return "Provider configuration is not known yet",
		fmt.Sprintf("The provider's %s depends on something that is not applied yet, so Pulumi Cloud can't be asked now. Apply "+
			"what it depends on first, for example with -target, or give the provider a value that is known while planning.",
			strings.Join(c.unknown, ", "))
}

// modelSource is a configuration, a plan or a state.
type modelSource interface {
	Get(ctx context.Context, target any) diag.Diagnostics
}

// load reads a configuration, plan or state into a model for what is to make requests, and tells whether it can.
func (c *connection) load(ctx context.Context, from modelSource, model any, diagnostics *diag.Diagnostics) bool {
	diagnostics.Append(from.Get(ctx, model)...)
	if !c.ready() {
		diagnostics.AddError(c.notReady())
	}
	return !diagnostics.HasError()
}

// defaultOrganization returns the organization of what names none itself, unknown while only a later run can know it.
// If nobody chose one it is fallback; and where that is null, it is what Pulumi Cloud has as its user's default.
func (c *connection) defaultOrganization(
	ctx context.Context, fallback types.String,
) (types.String, diag.Diagnostics) {
	var diagnostics diag.Diagnostics
	if !c.ready() || c.organizationUnknown {
		return types.StringUnknown(), nil
	}
	chosen, err := c.chosenOrganization()
	switch {
	case err != nil:
		addSettingsError(&diagnostics, err)
		return types.StringNull(), diagnostics
	case chosen != "":
		return types.StringValue(chosen), nil
	case !fallback.IsNull():
		return fallback, nil
	}
	organization, err := c.client.DefaultOrganization(ctx)
	if _, ok := errors.AsType[*cloud.NoDefaultOrganizationError](err); ok {
		diagnostics.AddAttributeError(path.Root("organization"), "No organization",
			"Neither this block nor the provider names an organization, and the access token's user has no default one. Set "+
				"organization here or on the provider, or PULUMI_DEFAULT_ORGANIZATION.")
		return types.StringNull(), diagnostics
	}
	if err != nil {
		addError(&diagnostics, operation{verb: "find the default organization"}, err)
		return types.StringNull(), diagnostics
	}
	return types.StringValue(organization), nil
}

// organizationOf returns the organization that a data source or an import is about, as far as it is known.
func (c *connection) organizationOf(ctx context.Context, configured types.String) (string, diag.Diagnostics) {
	var diagnostics diag.Diagnostics
	organization := configured
	if configured.ValueString() == "" {
		organization, diagnostics = c.defaultOrganization(ctx, types.StringNull())
	}
	if !diagnostics.HasError() && organization.IsUnknown() {
		diagnostics.AddAttributeError(path.Root("organization"), "Organization is not known yet",
			"The provider's organization depends on something that is not applied yet. Set organization to a known value.")
	}
	return organization.ValueString(), diagnostics
}

// exchangeTokens has the client authenticate with access tokens that the pipeline's ID token is exchanged for.
func (c *connection) exchangeTokens(
	oidc oidcModel, environment cloud.Environment, config *cloud.Config,
) diag.Diagnostics {
	var diagnostics diag.Diagnostics
	organization, err := c.chosenOrganization()
	if err != nil {
		addSettingsError(&diagnostics, err)
		return diagnostics
	}
	if organization == "" {
		diagnostics.AddAttributeError(path.Root("organization"), "No organization",
			"An ID token is exchanged with an organization, and nothing says with which. Set the provider's organization, or "+
				"PULUMI_DEFAULT_ORGANIZATION.")
		return diagnostics
	}
	exchange, diagnostics := oidc.exchange(organization)
	config.Tokens = cloud.NewExchangedTokens(oidc.idTokens(environment), exchange)
	return diagnostics
}
