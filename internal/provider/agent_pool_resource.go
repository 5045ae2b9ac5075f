package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

const (
	// createdKey is where the private state keeps when the pool was created, as an RFC 3339 string.
	createdKey = "created_at"
	// settlingTime is how long after its creation a pool may be missing from reads without being gone.
	settlingTime = time.Minute
)

type agentPoolResource struct {
	connection *connection
}

var (
	_ resource.ResourceWithConfigure   = &agentPoolResource{}
	_ resource.ResourceWithIdentity    = &agentPoolResource{}
	_ resource.ResourceWithImportState = &agentPoolResource{}
	_ resource.ResourceWithModifyPlan  = &agentPoolResource{}
)

func newAgentPoolResource() resource.Resource { return &agentPoolResource{} }

// Metadata implements [resource.Resource].
func (r *agentPoolResource) Metadata(
	_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_agent_pool"
}

// Schema implements [resource.Resource].
func (r *agentPoolResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "An agent pool: a named group of self-hosted runners that share one token. Stacks whose deployment " +
			"settings name the pool are deployed by its runners instead of Pulumi's own. The console calls it a *workflow runner " +
			"pool*, stack settings a *deployment runner pool*.",
		Attributes: map[string]schema.Attribute{
			"organization": organizationResourceAttribute("Organization that the pool belongs to. Defaults to the provider's. Another " +
				"organization means another pool: a change replaces it, also a change of the provider's default."),
			"name": schema.StringAttribute{
				MarkdownDescription: "Name of the pool, unique within its organization. It can be changed in place.",
				Required:            true,
				Validators:          []validator.String{nameValidator{}},
			},
			"description": schema.StringAttribute{
				MarkdownDescription: "What the pool is for. Leaving it out and setting it to `\"\"` mean the same.",
				Optional:            true,
				Computed:            true,
				Default:             stringdefault.StaticString(""),
			},
			"force_destroy": schema.BoolAttribute{
				MarkdownDescription: "Whether to delete the pool although stacks' deployment settings name it; these stacks then fall " +
					"back to Pulumi-hosted runners. It has to be applied before the destroy that it is meant for. Defaults to `false`.",
				Optional: true,
				Computed: true,
				Default:  booldefault.StaticBool(false),
			},
			"id": schema.StringAttribute{
				MarkdownDescription: "The pool's id, a UUID.",
				Computed:            true,
				PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"token": schema.StringAttribute{
				MarkdownDescription: "Token that the pool's runners authenticate with. Pulumi Cloud shows it once, when the pool is " +
					"created, and it is kept in the state from then on; a new one takes a new pool. Null for an imported pool.",
				Computed:      true,
				Sensitive:     true,
				PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
		},
	}
}

// IdentitySchema implements [resource.ResourceWithIdentity].
func (r *agentPoolResource) IdentitySchema(
	_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse,
) {
	resp.IdentitySchema = identityschema.Schema{
		Attributes: map[string]identityschema.Attribute{
			"organization": identityschema.StringAttribute{
				Description:       "Organization that the pool belongs to. Defaults to the provider's.",
				OptionalForImport: true,
			},
			"id": identityschema.StringAttribute{
				Description:       "The pool's id, a UUID.",
				RequiredForImport: true,
			},
		},
	}
}

// Configure implements [resource.ResourceWithConfigure].
func (r *agentPoolResource) Configure(
	_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse,
) {
	r.connection = connectionFrom(req.ProviderData, &resp.Diagnostics)
}

// ModifyPlan implements [resource.ResourceWithModifyPlan].
func (r *agentPoolResource) ModifyPlan(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	r.connection.planOrganization(ctx, req, resp)
}

// Create implements [resource.Resource]. It is one request, whose answer becomes the state before anything else can
// fail: it holds the token.
func (r *agentPoolResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan agentPoolModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if !r.connection.ready() {
		resp.Diagnostics.AddError(r.connection.notReady())
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if plan.Organization.IsUnknown() {
		organization, diagnostics := r.connection.organizationOf(ctx, types.StringNull())
		resp.Diagnostics.Append(diagnostics...)
		if resp.Diagnostics.HasError() {
			return
		}
		plan.Organization = types.StringValue(organization)
	}

	ctx, warnings := cloud.WithWarnings(ctx)
	organization, name := plan.Organization.ValueString(), plan.Name.ValueString()
	created, err := r.connection.client.CreateAgentPool(ctx, organization, name, plan.Description.ValueString())
	var lost *cloud.TokenLostError
	switch {
	case err == nil:
		plan.ID, plan.Token = types.StringValue(created.ID), types.StringValue(created.Token)
	case errors.As(err, &lost):
		// A state with an error makes Terraform mark the pool as tainted, and so replace it with the user watching.
		plan.ID, plan.Token = types.StringValue(lost.Pool.ID), types.StringNull()
		addTokenLost(&resp.Diagnostics, lost)
	default:
		addError(&resp.Diagnostics, operation{
			verb:       fmt.Sprintf("create agent pool %q in organization %q", name, organization),
			permission: "agent_pool:create", organization: organization,
		}, err)
		addWarnings(&resp.Diagnostics, warnings)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, plan.identity())...)
	if now, err := json.Marshal(r.connection.now().UTC()); err == nil {
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, createdKey, now)...)
	}
	addWarnings(&resp.Diagnostics, warnings)
}

// Read implements [resource.Resource]. Only a pool that Pulumi Cloud says is not there leaves the state.
func (r *agentPoolResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state agentPoolModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	// Older CLIs and states bring no identity along, and it has to be there also when the pool is not.
	resp.Diagnostics.Append(resp.Identity.Set(ctx, state.identity())...)
	if !r.connection.ready() {
		title, detail := r.connection.notReady()
		resp.Diagnostics.AddWarning(title, "The agent pool was not refreshed. "+detail)
		return
	}

	ctx, warnings := cloud.WithWarnings(ctx)
	organization, id := state.Organization.ValueString(), state.ID.ValueString()
	pool, err := r.connection.client.ReadAgentPool(ctx, organization, id)
	var gone *cloud.AgentPoolNotFoundError
	if errors.As(err, &gone) && r.settling(ctx, req) {
		pool, err = r.connection.client.AwaitAgentPool(ctx, organization, id)
	}
	addWarnings(&resp.Diagnostics, warnings)
	if errors.As(err, &gone) {
		tflog.Info(ctx, "agent pool is gone", map[string]any{"organization": organization, "id": id})
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		addError(&resp.Diagnostics, operation{
			verb:       fmt.Sprintf("read agent pool %q (%s) of organization %q", state.Name.ValueString(), id, organization),
			permission: "agent_pool:read", organization: organization,
		}, err)
		return
	}
	state.refresh(pool)
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

// settling tells whether the pool is so new that reads may not show it yet.
func (r *agentPoolResource) settling(ctx context.Context, req resource.ReadRequest) bool {
	value, diagnostics := req.Private.GetKey(ctx, createdKey)
	var created time.Time
	if diagnostics.HasError() || len(value) == 0 || json.Unmarshal(value, &created) != nil {
		return false
	}
	age := r.connection.now().Sub(created)
	return age >= 0 && age < settlingTime
}

// Update implements [resource.Resource]. It is one request, or none if only force_destroy changes.
func (r *agentPoolResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state agentPoolModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, state.identity())...)
	if resp.Diagnostics.HasError() {
		return
	}
	if changes := plan.changes(state); changes != (cloud.AgentPoolUpdate{}) {
		if !r.connection.ready() {
			resp.Diagnostics.AddError(r.connection.notReady())
			return
		}
		ctx, warnings := cloud.WithWarnings(ctx)
		organization, id := state.Organization.ValueString(), state.ID.ValueString()
		pool, err := r.connection.client.UpdateAgentPool(ctx, organization, id, changes)
		addWarnings(&resp.Diagnostics, warnings)
		if err != nil {
			addError(&resp.Diagnostics, operation{
				verb:       fmt.Sprintf("update agent pool %q (%s) of organization %q", state.Name.ValueString(), id, organization),
				permission: "agent_pool:update", organization: organization,
			}, err)
			return
		}
		plan.refresh(pool)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

// Delete implements [resource.Resource].
func (r *agentPoolResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state agentPoolModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if !r.connection.ready() {
		resp.Diagnostics.AddError(r.connection.notReady())
	}
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, warnings := cloud.WithWarnings(ctx)
	organization, id, name := state.Organization.ValueString(), state.ID.ValueString(), state.Name.ValueString()
	force := state.ForceDestroy.ValueBool()
	if err := r.connection.client.DeleteAgentPool(ctx, organization, id, force); err != nil {
		addDeleteError(&resp.Diagnostics, operation{
			verb:       fmt.Sprintf("delete agent pool %q (%s) of organization %q", name, id, organization),
			permission: "agent_pool:delete", organization: organization,
		}, inUseOperation{pool: name, forced: force}, err)
	}
	addWarnings(&resp.Diagnostics, warnings)
}

// ImportState implements [resource.ResourceWithImportState].
func (r *agentPoolResource) ImportState(
	ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse,
) {
	if !r.connection.ready() {
		resp.Diagnostics.AddError(r.connection.notReady())
		return
	}
	identity, diagnostics := r.imported(ctx, req)
	resp.Diagnostics.Append(diagnostics...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.Identity.Set(ctx, identity)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("organization"), identity.Organization)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), identity.ID)...)
	// The API has no such field, so that reading can't fill it in: without it the first plan would.
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("force_destroy"), false)...)
	resp.Diagnostics.AddWarning("Agent pool imported without its token",
		fmt.Sprintf("Pulumi Cloud shows the token of an agent pool only once, when it is created, so token is null for the imported "+
			"pool %s. Its runners keep working with the token that they have. To get a new token, replace the pool.",
			identity.ID.ValueString()))
}
