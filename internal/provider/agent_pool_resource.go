package provider

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/setplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

const (
	// createdKey is where the private state keeps when the pool was created, in seconds since 1970. The CLI writes the whole
	// state after each of many creations, so that every byte of it counts.
	createdKey = "created"
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
				MarkdownDescription: "Name of the pool, unique within its organization. It can be changed in place. Exactly one of " +
					"`name` and `name_prefix` is set.",
				Optional: true,
				Computed: true,
				Validators: []validator.String{
					stringvalidator.ExactlyOneOf(path.MatchRoot("name_prefix")), nameValidator{},
				},
			},
			"name_prefix": schema.StringAttribute{
				MarkdownDescription: "Beginning of a unique name that is made when the pool is created, for a pool that is replaced with " +
					"`create_before_destroy`. Another prefix renames the pool in place.",
				Optional:   true,
				Validators: []validator.String{nameValidator{}},
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
			"rotate_triggers": schema.MapAttribute{
				MarkdownDescription: "Values of any meaning, such as a date. When one changes the pool is replaced, and so gets a new " +
					"token and id. An imported pool takes the first values over as they are.",
				ElementType:   types.StringType,
				Optional:      true,
				PlanModifiers: []planmodifier.Map{mapplanmodifier.RequiresReplaceIf(unlessImportedMap, replaceText, replaceText)},
			},
			"token_recipients": schema.SetAttribute{
				MarkdownDescription: "Public keys to encrypt the token to, as [age](https://age-encryption.org) recipients (`age1…`) or " +
					"SSH public keys. If they are set, the state holds `encrypted_token` instead of `token`. A change replaces the pool, " +
					"since its token can't be had again to be encrypted anew; an imported pool takes them over as they are.",
				ElementType: types.StringType,
				Optional:    true,
				Validators: []validator.Set{
					setvalidator.SizeAtLeast(1), setvalidator.NoNullValues(), recipientsValidator{},
				},
				PlanModifiers: []planmodifier.Set{setplanmodifier.RequiresReplaceIf(unlessImportedSet, replaceText, replaceText)},
			},
			"id": schema.StringAttribute{
				MarkdownDescription: "The pool's id, a UUID.",
				Computed:            true,
				PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"token": schema.StringAttribute{
				MarkdownDescription: "Token that the pool's runners authenticate with. Pulumi Cloud shows it once, when the pool is " +
					"created, and it is kept in the state from then on; a new one takes a new pool. Null for an imported pool, and if " +
					"`token_recipients` is set.",
				Computed:      true,
				Sensitive:     true,
				PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"encrypted_token": schema.StringAttribute{
				MarkdownDescription: "The token encrypted to `token_recipients`, as an ASCII-armoured age file: `age --decrypt` with a " +
					"recipient's private key prints it. Null if `token_recipients` is not set, and for an imported pool.",
				Computed:      true,
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
	if req.Plan.Raw.IsNull() || resp.Diagnostics.HasError() {
		return
	}
	var configuredName types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("name"), &configuredName)...)
	if !configuredName.IsNull() && resp.Plan.Raw.Equal(req.State.Raw) {
		return // Nothing changes, as in most plans of most pools.
	}
	var plan agentPoolModel
	resp.Diagnostics.Append(resp.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	state := agentPoolModel{Name: types.StringNull()}
	if exists := !req.State.Raw.IsNull(); exists {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
		if state.hasToken() && !plan.TokenRecipients.IsUnknown() && !plan.TokenRecipients.Equal(state.TokenRecipients) {
			resp.Diagnostics.AddAttributeWarning(path.Root("token_recipients"), "Agent pool is replaced for its token's sake",
				"The recipients of the token change. Pulumi Cloud shows a token only when a pool is created, so that it takes a new "+
					"pool, with a new token and id, to encrypt one to the new recipients.")
		}
	}
	if configuredName.IsNull() {
		plan.Name = types.StringUnknown()
		if prefix := plan.NamePrefix; !prefix.IsUnknown() && strings.HasPrefix(state.Name.ValueString(), prefix.ValueString()) {
			plan.Name = state.Name
		}
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("name"), plan.Name)...)
	}
	// Which of the two the token becomes is known before the token is.
	if plan.Token.IsUnknown() && !plan.TokenRecipients.IsNull() && !plan.TokenRecipients.IsUnknown() {
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("token"), types.StringNull())...)
	}
	if plan.EncryptedToken.IsUnknown() && plan.TokenRecipients.IsNull() {
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("encrypted_token"), types.StringNull())...)
	}
}

const replaceText = "A change replaces the pool, unless it was imported and so has no token to replace."

func unlessImportedMap(
	ctx context.Context, req planmodifier.MapRequest, resp *mapplanmodifier.RequiresReplaceIfFuncResponse,
) {
	resp.RequiresReplace, resp.Diagnostics = replacesToken(ctx, req.State, req.StateValue.IsNull())
}

func unlessImportedSet(
	ctx context.Context, req planmodifier.SetRequest, resp *setplanmodifier.RequiresReplaceIfFuncResponse,
) {
	resp.RequiresReplace, resp.Diagnostics = replacesToken(ctx, req.State, req.StateValue.IsNull())
}

// replacesToken tells whether a change of what a pool's token depends on replaces the pool: not if it had no such value
// before and no token either, as after an import.
func replacesToken(ctx context.Context, state tfsdk.State, hadNone bool) (bool, diag.Diagnostics) {
	var model agentPoolModel
	diagnostics := state.Get(ctx, &model)
	return !hadNone || model.hasToken(), diagnostics
}

// Create implements [resource.Resource]. It is one request, whose answer becomes the state before anything else can
// fail: it holds the token.
func (r *agentPoolResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan agentPoolModel
	if !r.connection.load(ctx, req.Plan, &plan, &resp.Diagnostics) {
		return
	}
	// What was unknown while planning has not been looked at yet.
	resp.Diagnostics.Append(checkRecipients(path.Root("token_recipients"), plan.TokenRecipients)...)
	ctx, warnings := cloud.WithWarnings(ctx)
	defer addWarnings(&resp.Diagnostics, warnings)
	if plan.Organization.IsUnknown() {
		organization, diagnostics := r.connection.organizationOf(ctx, types.StringNull())
		resp.Diagnostics.Append(diagnostics...)
		plan.Organization = types.StringValue(organization)
	}
	if resp.Diagnostics.HasError() {
		return
	}

	plan.chooseName()
	organization, name := plan.Organization.ValueString(), plan.Name.ValueString()
	created, err := r.connection.client.CreateAgentPool(ctx, organization, name, plan.Description.ValueString())
	var lost *cloud.TokenLostError
	switch {
	case err == nil:
		plan.ID = types.StringValue(created.ID)
		resp.Diagnostics.Append(plan.keep(ctx, created.Token)...)
	case errors.As(err, &lost):
		// A state with an error makes Terraform mark the pool as tainted, and so replace it with the user watching.
		plan.ID, plan.Token, plan.EncryptedToken = types.StringValue(lost.Pool.ID), types.StringNull(), types.StringNull()
		addTokenLost(&resp.Diagnostics, lost)
	default:
		addError(&resp.Diagnostics, operation{
			verb:       fmt.Sprintf("create agent pool %q in organization %q", name, organization),
			permission: "agent_pool:create", organization: organization,
		}, err)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, plan.identity())...)
	now := strconv.AppendInt(nil, r.connection.now().Unix(), 10)
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, createdKey, now)...)
}

// Read implements [resource.Resource]. Only a pool that Pulumi Cloud says is not there leaves the state.
func (r *agentPoolResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	// Only what it takes, and one by one: a refresh reads every pool, and a whole model takes the framework longer than
	// all the rest.
	var organization, id, name, description types.String
	for attribute, value := range map[string]*types.String{
		"organization": &organization, "id": &id, "name": &name, "description": &description,
	} {
		resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root(attribute), value)...)
	}
	// Older CLIs and states bring no identity along, and it has to be there also when the pool is not.
	if resp.Identity.Raw.IsFullyNull() {
		resp.Diagnostics.Append(resp.Identity.Set(ctx, agentPoolIdentity{organization, id})...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if !r.connection.ready() {
		title, detail := r.connection.notReady()
		resp.Diagnostics.AddWarning(title, "The agent pool was not refreshed. "+detail)
		return
	}

	ctx, warnings := cloud.WithWarnings(ctx)
	pool, err := r.connection.client.ReadAgentPool(ctx, organization.ValueString(), id.ValueString())
	var gone *cloud.AgentPoolNotFoundError
	if errors.As(err, &gone) && r.settling(ctx, req) {
		pool, err = r.connection.client.AwaitAgentPool(ctx, organization.ValueString(), id.ValueString())
	}
	addWarnings(&resp.Diagnostics, warnings)
	if errors.As(err, &gone) {
		tflog.Info(ctx, "agent pool is gone", map[string]any{"organization": organization.ValueString(), "id": id.ValueString()})
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		what := fmt.Sprintf("read agent pool %q (%s)", name.ValueString(), id.ValueString())
		addError(&resp.Diagnostics, readOperation(organization.ValueString(), what), err)
		return
	}
	if refreshed := types.StringValue(pool.Name); !refreshed.Equal(name) {
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("name"), refreshed)...)
	}
	if refreshed := types.StringValue(pool.Description); !refreshed.Equal(description) {
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("description"), refreshed)...)
	}
}

// settling tells whether the pool is so new that reads may not show it yet.
func (r *agentPoolResource) settling(ctx context.Context, req resource.ReadRequest) bool {
	value, diagnostics := req.Private.GetKey(ctx, createdKey)
	created, err := strconv.ParseInt(string(value), 10, 64)
	if diagnostics.HasError() || err != nil {
		return false
	}
	age := r.connection.now().Sub(time.Unix(created, 0))
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
	plan.chooseName()
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
	if !r.connection.load(ctx, req.State, &state, &resp.Diagnostics) {
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
	ctx, warnings := cloud.WithWarnings(ctx)
	defer addWarnings(&resp.Diagnostics, warnings)
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
