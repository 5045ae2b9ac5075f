package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// defaultAgentPoolResource is a setting of an organization, of which there is one.
type defaultAgentPoolResource struct {
	connection *connection
}

type defaultAgentPoolModel struct {
	Organization types.String `tfsdk:"organization"`
	AgentPoolID  types.String `tfsdk:"agent_pool_id"`
}

type defaultAgentPoolIdentity struct {
	Organization types.String `tfsdk:"organization"`
}

var (
	_ resource.ResourceWithConfigure   = &defaultAgentPoolResource{}
	_ resource.ResourceWithIdentity    = &defaultAgentPoolResource{}
	_ resource.ResourceWithImportState = &defaultAgentPoolResource{}
	_ resource.ResourceWithModifyPlan  = &defaultAgentPoolResource{}
)

func newDefaultAgentPoolResource() resource.Resource { return &defaultAgentPoolResource{} }

// Metadata implements [resource.Resource].
func (r *defaultAgentPoolResource) Metadata(
	_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_default_agent_pool"
}

// Schema implements [resource.Resource].
func (r *defaultAgentPoolResource) Schema(
	_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse,
) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The default agent pool of an organization: the one for stacks whose deployment settings name none. " +
			"An organization has one such setting, so manage it in one place. Destroying this resource goes back to the " +
			"Pulumi-hosted pool.",
		Attributes: map[string]schema.Attribute{
			"organization": organizationResourceAttribute("Organization whose default it is. Defaults to the provider's; a change, " +
				"also of the provider's default, replaces the resource."),
			"agent_pool_id": schema.StringAttribute{
				MarkdownDescription: "Id of the agent pool, which has to belong to the organization.",
				Required:            true,
				Validators:          []validator.String{nameValidator{}},
			},
		},
	}
}

// IdentitySchema implements [resource.ResourceWithIdentity]. The pool is no part of it: that is what changes.
func (r *defaultAgentPoolResource) IdentitySchema(
	_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse,
) {
	resp.IdentitySchema = identityschema.Schema{
		Attributes: map[string]identityschema.Attribute{
			"organization": identityschema.StringAttribute{
				Description:       "Organization whose default it is.",
				RequiredForImport: true,
			},
		},
	}
}

// Configure implements [resource.ResourceWithConfigure].
func (r *defaultAgentPoolResource) Configure(
	_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse,
) {
	r.connection = connectionFrom(req.ProviderData, &resp.Diagnostics)
}

// ModifyPlan implements [resource.ResourceWithModifyPlan].
func (r *defaultAgentPoolResource) ModifyPlan(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	r.connection.planOrganization(ctx, req, resp)
	if req.Plan.Raw.IsNull() {
		return
	}
	attribute := path.Root("agent_pool_id")
	var id types.String
	resp.Diagnostics.Append(req.Plan.GetAttribute(ctx, attribute, &id)...)
	if !id.IsNull() && !id.IsUnknown() && !isPoolID(id.ValueString()) {
		resp.Diagnostics.AddAttributeError(attribute, "Not an agent pool's id",
			fmt.Sprintf("%q is not the id of an agent pool, which is a UUID. The data source pulumicloud_agent_pool finds the id of a "+
				"pool by its name.", id.ValueString()))
	}
}

// Create implements [resource.Resource].
func (r *defaultAgentPoolResource) Create(
	ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse,
) {
	var plan defaultAgentPoolModel
	if !r.connection.load(ctx, req.Plan, &plan, &resp.Diagnostics) {
		return
	}
	ctx, warnings := cloud.WithWarnings(ctx)
	defer addWarnings(&resp.Diagnostics, warnings)
	if plan.Organization.IsUnknown() {
		plan.Organization = types.StringNull()
	}
	organization, diagnostics := r.connection.organizationOf(ctx, plan.Organization)
	resp.Diagnostics.Append(diagnostics...)
	if resp.Diagnostics.HasError() {
		return
	}
	plan.Organization = types.StringValue(organization)
	resp.Diagnostics.Append(r.set(ctx, organization, plan.AgentPoolID.ValueString())...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, defaultAgentPoolIdentity{plan.Organization})...)
}

// set is create, update and delete in one: they differ in the pool that is the default afterwards.
func (r *defaultAgentPoolResource) set(ctx context.Context, organization, id string) diag.Diagnostics {
	var diagnostics diag.Diagnostics
	if err := r.connection.client.SetDefaultAgentPool(ctx, organization, id); err != nil {
		addError(&diagnostics, operation{
			verb: fmt.Sprintf("set the default agent pool of organization %q", organization),
			// Pulumi's documentation does not say which it is.
			permission: "organization:update (most likely)", organization: organization,
		}, err)
	}
	return diagnostics
}

// Read implements [resource.Resource].
func (r *defaultAgentPoolResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state defaultAgentPoolModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.Identity.Set(ctx, defaultAgentPoolIdentity{state.Organization})...)
	if !r.connection.ready() {
		title, detail := r.connection.notReady()
		resp.Diagnostics.AddWarning(title, "The default agent pool was not refreshed. "+detail)
		return
	}
	ctx, warnings := cloud.WithWarnings(ctx)
	organization := state.Organization.ValueString()
	list, err := r.connection.client.AgentPools(ctx, organization)
	addWarnings(&resp.Diagnostics, warnings)
	if err != nil {
		addError(&resp.Diagnostics, readOperation(organization, "read the default agent pool"), err)
		return
	}
	if list.DefaultID == "" {
		resp.State.RemoveResource(ctx)
		return
	}
	state.AgentPoolID = types.StringValue(list.DefaultID)
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

// Update implements [resource.Resource].
func (r *defaultAgentPoolResource) Update(
	ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse,
) {
	var plan defaultAgentPoolModel
	loaded := r.connection.load(ctx, req.Plan, &plan, &resp.Diagnostics)
	// It has to be there also after a failure.
	resp.Diagnostics.Append(resp.Identity.Set(ctx, defaultAgentPoolIdentity{plan.Organization})...)
	if !loaded || resp.Diagnostics.HasError() {
		return
	}
	ctx, warnings := cloud.WithWarnings(ctx)
	defer addWarnings(&resp.Diagnostics, warnings)
	resp.Diagnostics.Append(r.set(ctx, plan.Organization.ValueString(), plan.AgentPoolID.ValueString())...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

// Delete implements [resource.Resource].
func (r *defaultAgentPoolResource) Delete(
	ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse,
) {
	var state defaultAgentPoolModel
	if !r.connection.load(ctx, req.State, &state, &resp.Diagnostics) {
		return
	}
	ctx, warnings := cloud.WithWarnings(ctx)
	defer addWarnings(&resp.Diagnostics, warnings)
	const pulumiHosted = ""
	resp.Diagnostics.Append(r.set(ctx, state.Organization.ValueString(), pulumiHosted)...)
}

// ImportState implements [resource.ResourceWithImportState]. The id is the organization's name.
func (r *defaultAgentPoolResource) ImportState(
	ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse,
) {
	organization := path.Root("organization")
	resource.ImportStatePassthroughWithIdentity(ctx, organization, organization, req, resp)
}
