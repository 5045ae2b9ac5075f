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
		resp.Diagnostics.Append(d.problem)
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
		if d.organizationUnknown || d.configuredOrganization == "" ||
			strings.EqualFold(d.configuredOrganization, current.ValueString()) {
			return
		}
		resp.RequiresReplace.Append(organizationPath)
	}
	planned := types.StringUnknown()
	if d.client != nil && !d.organizationUnknown {
		organization, diags := d.resolveOrganization(ctx, types.StringNull())
		resp.Diagnostics.Append(diags...)
		if diags.HasError() {
			return
		}
		planned = types.StringValue(organization)
	}
	resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, organizationPath, planned)...)
}

// resolveOrganization returns the given organization or, if that is null, unknown or empty, the default: that of the
// provider block, the environment, the Pulumi CLI's files or the API.
func (d *providerData) resolveOrganization(ctx context.Context, organization types.String) (string, diag.Diagnostics) {
	if organization.ValueString() != "" {
		return organization.ValueString(), nil
	}
	if d.organizationUnknown {
		return "", diag.Diagnostics{diag.NewAttributeErrorDiagnostic(organizationPath, "Organization is not known yet",
			"The provider argument organization depends on values that are known only after apply. Set organization in this "+
				"block to a value that is known during plan.")}
	}
	if name, diags := d.localOrganization(); name != "" || diags.HasError() {
		return name, diags
	}
	name, err := d.client.DefaultOrganization(ctx)
	if err != nil {
		return "", diag.Diagnostics{d.errorDiagnostic(errorContext{
			action: "read the default organization", rejected: "Or set organization in this block or in the provider block.",
		}, err)}
	}
	if name == "" {
		return "", diag.Diagnostics{diag.NewAttributeErrorDiagnostic(organizationPath, "Missing organization",
			fmt.Sprintf("Pulumi Cloud at %s has no default organization for the user of the access token. Set organization in this "+
				"block or in the provider block, or set PULUMI_DEFAULT_ORGANIZATION.", d.urlSource()))}
	}
	return name, nil
}

// localOrganization returns the default organization as far as it is known without a request, else "".
func (d *providerData) localOrganization() (string, diag.Diagnostics) {
	if d.configuredOrganization != "" {
		return d.configuredOrganization, nil
	}
	found := d.defaultOrganization
	if found.err != nil {
		return "", diag.Diagnostics{settingsDiagnostic(found.err)}
	}
	return found.name, nil
}

// organizationSource names an organization and, if it is the default, where the default was found.
func (d *providerData) organizationSource(organization string) string {
	if found := d.defaultOrganization; d.configuredOrganization == "" && found.source != "" && found.name == organization {
		return fmt.Sprintf("Organization %q from %s", organization, found.source)
	}
	return fmt.Sprintf("Organization %q", organization)
}

// organizationForExchange returns the organization whose OIDC policies apply. No request can be made to find it.
func (d *providerData) organizationForExchange() (string, diag.Diagnostics) {
	name, diags := d.localOrganization()
	if name == "" && !diags.HasError() {
		diags.AddAttributeError(organizationPath, "Missing organization",
			"OIDC authentication requires an organization. Set organization in the provider block, or set "+
				"PULUMI_DEFAULT_ORGANIZATION.")
	}
	return name, diags
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
