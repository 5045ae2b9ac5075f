package provider

import (
	"context"
	"fmt"
	"strings"

	datasource "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
)

var organizationPath = path.Root("organization")

// organizationResourceAttribute is the organization of a resource. planOrganization plans its default.
func organizationResourceAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		MarkdownDescription: "Name of the organization. Defaults to the provider's organization. Changing this, or the " +
			"organization of the provider block, forces a new resource.",
		Optional:   true,
		Computed:   true,
		Validators: []validator.String{validPathName()},
		PlanModifiers: []planmodifier.String{
			stringplanmodifier.UseStateForUnknown(), ignoreCase{"ignores case"}, stringplanmodifier.RequiresReplace(),
		},
	}
}

// organizationDataSourceAttribute is the organization that a data source reads.
func organizationDataSourceAttribute() datasource.StringAttribute {
	return datasource.StringAttribute{
		MarkdownDescription: "Name of the organization. Defaults to the provider's organization.",
		Optional:            true,
		Computed:            true,
		Validators:          []validator.String{validPathName()},
	}
}

// planOrganization plans the organization of a resource that does not set one. Only the configuration moves an existing
// resource: the environment, the Pulumi CLI's files and the API choose where new ones are created. A plan modifier of
// the schema could not do this, because the schema exists before the provider is configured. A missing access token is
// an error here, so that each resource reports it during plan.
func (d *providerData) planOrganization(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	if req.Plan.Raw.IsNull() {
		return
	}
	if !d.unknown && d.problem != nil {
		resp.Diagnostics.Append(d.problem...)
		return
	}
	var configured, current types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, organizationPath, &configured)...)
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.GetAttribute(ctx, organizationPath, &current)...)
	}
	if resp.Diagnostics.HasError() || !configured.IsNull() {
		return
	}
	if !current.IsNull() {
		wanted := d.organization.ValueString()
		if wanted == "" || strings.EqualFold(wanted, current.ValueString()) {
			return
		}
		resp.RequiresReplace.Append(organizationPath)
	}
	planned := types.StringUnknown()
	if d.client != nil && !d.organization.IsUnknown() {
		resp.Diagnostics.Append(d.resolveOrganization(ctx, &planned)...)
	}
	resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, organizationPath, planned)...)
}

// resolveOrganization replaces an organization that is null, unknown or empty with the default: that of the provider
// block, the environment, the Pulumi CLI's files or the API.
func (d *providerData) resolveOrganization(ctx context.Context, organization *types.String) diag.Diagnostics {
	found := d.defaultOrganization
	switch {
	case credentials.LooksLikeToken(organization.ValueString()): // Nothing validates an import or a value that was unknown.
		return diag.Diagnostics{tokenInWrongPlace(organizationPath)}
	case organization.ValueString() != "":
		return nil
	case d.organization.IsUnknown():
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(organizationPath, "Organization is not known yet",
			"The provider argument organization depends on values that are known only after apply. Set organization in this "+
				"block to a value that is known during plan.")}
	case found.err != nil:
		return diag.Diagnostics{settingsDiagnostic(found.err)}
	case found.name != "":
		*organization = types.StringValue(found.name)
		return nil
	}
	name, err := d.client.DefaultOrganization(ctx)
	switch {
	case err != nil:
		return diag.Diagnostics{d.errorDiagnostic(errorContext{
			action: "read the default organization", rejected: "Or set organization in this block or in the provider block.",
		}, err)}
	case name == "":
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(organizationPath, "Missing organization",
			fmt.Sprintf("Pulumi Cloud at %s has no default organization for the user of the access token. Set organization in this "+
				"block or in the provider block, or set PULUMI_DEFAULT_ORGANIZATION.", d.urlSource()))}
	}
	*organization = types.StringValue(name)
	return nil
}

// organizationSource names an organization and, if it is the default, where the default was found.
func (d *providerData) organizationSource(organization string) string {
	if found := d.defaultOrganization; found.source != "" && found.name == organization {
		return fmt.Sprintf("Organization %q from %s", organization, found.source)
	}
	return fmt.Sprintf("Organization %q", organization)
}

// ignoreCase keeps the value in the state if the configuration differs from it only in case.
type ignoreCase struct{ description }

func (ignoreCase) PlanModifyString(
	_ context.Context, req planmodifier.StringRequest, resp *planmodifier.StringResponse,
) {
	if !req.StateValue.IsNull() && strings.EqualFold(req.StateValue.ValueString(), req.PlanValue.ValueString()) {
		resp.PlanValue = req.StateValue
	}
}
