package provider

import (
	"context"

	datasource "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// organizationResourceAttribute is the organization of a resource, which [connection.planOrganization] plans.
func organizationResourceAttribute(description string) schema.StringAttribute {
	return schema.StringAttribute{
		MarkdownDescription: description,
		Optional:            true,
		Computed:            true,
		Validators:          []validator.String{organizationValidator{}},
		PlanModifiers: []planmodifier.String{
			stringplanmodifier.UseStateForUnknown(),
			stringplanmodifier.RequiresReplace(),
		},
	}
}

// organizationAttribute is the organization that a data source asks.
func organizationAttribute() datasource.StringAttribute {
	return datasource.StringAttribute{
		MarkdownDescription: "Organization to ask. Defaults to the provider's.",
		Optional:            true,
		Computed:            true,
		Validators:          []validator.String{organizationValidator{}},
	}
}

// planOrganization plans the provider's default for a resource that names no organization itself. (A plan modifier in
// the schema could not: the schema is made before the provider is configured.)
func (c *connection) planOrganization(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	if req.Plan.Raw.IsNull() || c == nil {
		return
	}
	attribute := path.Root("organization")
	var configured, current types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, attribute, &configured)...)
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.GetAttribute(ctx, attribute, &current)...)
	}
	if resp.Diagnostics.HasError() || !configured.IsNull() {
		return
	}
	// What exists stays where it is unless somebody who configures this run chose another organization: what the API
	// has as its user's default may change without anybody meaning the pools.
	planned, diagnostics := c.defaultOrganization(ctx, current)
	resp.Diagnostics.Append(diagnostics...)
	if diagnostics.HasError() || planned.IsUnknown() && !current.IsNull() {
		return
	}
	resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, attribute, planned)...)
	if !current.IsNull() && !planned.Equal(current) {
		resp.RequiresReplace.Append(attribute)
	}
}
