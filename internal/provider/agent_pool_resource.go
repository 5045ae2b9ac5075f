package provider

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

const (
	// createdKey is the private state with the creation time in Unix seconds. It is short because the CLI writes the
	// whole state after each creation.
	createdKey = "created"
	// propagationTimeout is how long after its creation an agent pool may be missing from reads.
	propagationTimeout = time.Minute
)

type agentPoolResource struct{ withProviderData }

var (
	_ resource.ResourceWithConfigure      = &agentPoolResource{}
	_ resource.ResourceWithIdentity       = &agentPoolResource{}
	_ resource.ResourceWithImportState    = &agentPoolResource{}
	_ resource.ResourceWithModifyPlan     = &agentPoolResource{}
	_ resource.ResourceWithValidateConfig = &agentPoolResource{}
)

func newAgentPoolResource() resource.Resource { return &agentPoolResource{} }

func (r *agentPoolResource) Metadata(
	_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_agent_pool"
}

func (r *agentPoolResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Manages an agent pool: a group of self-hosted runners that share a token. Its runners execute the " +
			"deployments of the stacks that select it in their deployment settings. The Pulumi Cloud console calls it a *workflow " +
			"runner pool*, and deployment settings call it a *deployment runner pool*.",
		Attributes: map[string]schema.Attribute{
			"organization": organizationResourceAttribute(),
			"name": schema.StringAttribute{
				MarkdownDescription: "Name of the agent pool, unique within the organization. Exactly one of `name` or `name_prefix` " +
					"must be set.",
				Optional:   true,
				Computed:   true,
				Validators: []validator.String{notEmpty()},
			},
			"name_prefix": schema.StringAttribute{
				MarkdownDescription: "Prefix of a generated, unique name. Use it with `create_before_destroy`. Exactly one of `name` or " +
					"`name_prefix` must be set. Changing this renames the agent pool, unless its name already has the new prefix.",
				Optional:   true,
				Validators: []validator.String{notEmpty(), validNamePrefix()},
			},
			"description": schema.StringAttribute{
				MarkdownDescription: "Description of the agent pool. Defaults to an empty string.",
				Optional:            true,
				Computed:            true,
				Default:             stringdefault.StaticString(""),
			},
			"force_destroy": schema.BoolAttribute{
				MarkdownDescription: "Whether to delete the agent pool even if stacks use it. Those stacks fall back to the default agent " +
					"pool of the organization, or to the Pulumi-hosted pool. Apply this before you destroy or replace the agent pool. " +
					"Defaults to `false`.",
				Optional: true,
				Computed: true,
				Default:  booldefault.StaticBool(false),
			},
			"drain_timeout": schema.StringAttribute{
				MarkdownDescription: "Maximum time that a delete waits for running deployments, as a duration such as `30m`. After that " +
					"time, the delete fails. Requires the `deployments:read` permission. Apply this " +
					"before you destroy or replace the agent pool. Defaults to no wait.",
				Optional:   true,
				Validators: []validator.String{positiveDuration()},
			},
			"store_token": schema.BoolAttribute{
				MarkdownDescription: "Whether to store the token in the state. Set it to `false` if the runners authenticate with OIDC. " +
					"Changing this to `false` removes the token from the state, and changing it back to `true` forces a new resource. " +
					"Conflicts with `token_recipients`. Defaults to `true`.",
				Optional: true,
				Computed: true,
				Default:  booldefault.StaticBool(true),
			},
			"rotate_triggers": schema.MapAttribute{
				MarkdownDescription: "Arbitrary key-value pairs that, when changed, replace the agent pool and so issue a new token and " +
					"ID. Setting the first values replaces the agent pool, unless it was imported. Removing all values always replaces it.",
				ElementType: types.StringType,
				Optional:    true,
			},
			"token_recipients": schema.SetAttribute{
				MarkdownDescription: "Public keys to encrypt the token to: [age](https://age-encryption.org) recipients (`age1…`) or SSH " +
					"public keys. If set, the state contains `encrypted_token` instead of `token`. Changing this forces a new agent pool, " +
					"because Pulumi Cloud does not return the token again. The first values that you set on an imported agent pool do " +
					"not replace it.",
				ElementType: types.StringType,
				Optional:    true,
				Validators: []validator.Set{
					setvalidator.SizeAtLeast(1), setvalidator.NoNullValues(), recipientsValidator{"must be age recipients or SSH keys"},
				},
			},
			"id": schema.StringAttribute{
				MarkdownDescription: "ID of the agent pool, a UUID.",
				Computed:            true,
				PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"token": schema.StringAttribute{
				MarkdownDescription: "Token that runners use to join the agent pool. Pulumi Cloud returns it only when the agent pool is " +
					"created. To get a new token, replace the agent pool. Null if `token_recipients` is set, if `store_token` is `false`, and " +
					"for an imported agent pool.",
				Computed:      true,
				Sensitive:     true,
				PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"encrypted_token": schema.StringAttribute{
				MarkdownDescription: "Token, encrypted to `token_recipients` as an ASCII-armored age file. To decrypt it, run " +
					"`age --decrypt` with the private key of a recipient. Null if `token_recipients` is not set, and for an imported " +
					"agent pool.",
				Computed:      true,
				PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
		},
	}
}

func (r *agentPoolResource) IdentitySchema(
	_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse,
) {
	resp.IdentitySchema = agentPoolIdentitySchema()
}

// ValidateConfig implements [resource.ResourceWithValidateConfig]. The summary for two names is the one of the older
// Terraform SDK: Pulumi's bridge for Terraform providers names each resource, and removes that name on this summary.
func (r *agentPoolResource) ValidateConfig(
	ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse,
) {
	var config agentPoolModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	name := path.Root("name")
	switch {
	case config.Name.IsNull() && config.NamePrefix.IsNull():
		resp.Diagnostics.AddAttributeError(name, "Missing required argument",
			"Set name, or set name_prefix to generate a unique name.")
	case !config.Name.IsNull() && !config.NamePrefix.IsNull():
		resp.Diagnostics.AddAttributeError(name, "Conflicting configuration arguments",
			`"name": conflicts with name_prefix. Remove one of them.`)
	}
	if !config.TokenRecipients.IsNull() && config.StoreToken.Equal(types.BoolValue(false)) {
		resp.Diagnostics.AddAttributeError(path.Root("token_recipients"), "Conflicting configuration arguments",
			`"token_recipients": conflicts with store_token = false. Remove one of them.`)
	}
}

// Create implements [resource.Resource]. The state is written from the response, which contains the token, before
// anything else can fail.
func (r *agentPoolResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan agentPoolModel
	defer r.data.appendWarnings(&resp.Diagnostics)
	resp.Diagnostics.Append(r.data.decodeInOrganization(ctx, req.Plan, &plan, &plan.Organization)...)
	// Without valid recipients, the token would be lost. Not every caller validates values that were unknown during plan.
	resp.Diagnostics.Append(validateRecipients(path.Root("token_recipients"), plan.TokenRecipients)...)
	if resp.Diagnostics.HasError() {
		return
	}
	r.data.markWrite()
	newName := plan.Name.IsUnknown()
	plan.generateName()

	organization := plan.Organization.ValueString()
	name := plan.Name.ValueString()
	created, err := r.data.client.CreateAgentPool(ctx, organization, name, plan.Description.ValueString())
	var lost *pulumiapi.TokenLostError
	switch {
	case err == nil:
		plan.ID = types.StringValue(created.ID)
		resp.Diagnostics.Append(plan.setToken(created.Token)...)
	case errors.As(err, &lost):
		// Terraform marks a resource that is created with an error as tainted, and plans its replacement.
		plan.ID, plan.Token, plan.EncryptedToken = types.StringValue(lost.Pool.ID), types.StringNull(), types.StringNull()
		resp.Diagnostics.Append(tokenLostDiagnostic(organization, lost))
	default:
		op := contextIn(organization, "agent_pool:create", fmt.Sprintf("create agent pool %q", name))
		op.newName = newName
		resp.Diagnostics.Append(r.data.errorDiagnostic(op, err))
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, plan.agentPoolIdentity)...)
	now := strconv.AppendInt(nil, r.data.now().Unix(), 10)
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, createdKey, now)...)
}

func (r *agentPoolResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	// A refresh reads every agent pool, and decoding the whole model takes longer than everything else.
	var state agentPoolModel
	resp.Diagnostics.Append(req.State.GetAttribute(ctx, organizationPath, &state.Organization)...)
	resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root("id"), &state.ID)...)
	resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root("name"), &state.Name)...)
	resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root("description"), &state.Description)...)
	// The identity is required even if the agent pool is gone, and older CLIs do not send it.
	if resp.Identity.Raw.IsFullyNull() {
		resp.Diagnostics.Append(resp.Identity.Set(ctx, state.agentPoolIdentity)...)
	}
	resp.Diagnostics.Append(r.data.refreshProblem(&state)...)
	if resp.Diagnostics.HasError() || r.data.client == nil {
		return
	}
	defer r.data.appendWarnings(&resp.Diagnostics)
	r.data.managed.Store(strings.ToLower(state.ID.ValueString()), true)
	organization, id := state.Organization.ValueString(), state.ID.ValueString()
	pool, err := r.data.client.ReadAgentPool(ctx, organization, id)
	if isNotFound(err) && r.recentlyCreated(ctx, req) {
		pool, err = r.awaitAgentPool(ctx, organization, id)
	}
	if isNotFound(err) {
		resp.Diagnostics.AddWarning("Agent pool no longer exists",
			fmt.Sprintf("The %s does not exist at %s. Terraform removes it from the state. If the configuration contains it, apply "+
				"creates an agent pool with a new ID and a new token.", state.String(), r.data.urlSource()))
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.Append(r.data.errorDiagnostic(readContext(organization, "read "+state.String()), err))
		return
	}
	if name := types.StringValue(pool.Name); !name.Equal(state.Name) {
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("name"), name)...)
	}
	if description := types.StringValue(pool.Description); !description.Equal(state.Description) {
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("description"), description)...)
	}
}

// recentlyCreated reports whether reads may not return the agent pool yet. The clock that wrote the creation time may
// be ahead of or behind this one.
func (r *agentPoolResource) recentlyCreated(ctx context.Context, req resource.ReadRequest) bool {
	value, diags := req.Private.GetKey(ctx, createdKey)
	created, err := strconv.ParseInt(string(value), 10, 64)
	if diags.HasError() || err != nil {
		return false
	}
	return r.data.now().Sub(time.Unix(created, 0)).Abs() < propagationTimeout
}

func (r *agentPoolResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state agentPoolModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, state.agentPoolIdentity)...)
	resp.Diagnostics.Append(r.data.decode(ctx, req.Plan, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	plan.generateName()
	if !plan.Name.Equal(state.Name) || !plan.Description.Equal(state.Description) {
		r.data.markWrite()
		defer r.data.appendWarnings(&resp.Diagnostics)
		organization, name, description := state.Organization.ValueString(), plan.Name.ValueString(), plan.Description.ValueString()
		stored, err := r.data.client.UpdateAgentPool(ctx, organization, state.ID.ValueString(), name, description)
		if err != nil {
			op := contextIn(organization, "agent_pool:update", "update "+state.String())
			resp.Diagnostics.Append(r.data.errorDiagnostic(op, err))
			return
		}
		if stored.Name != name || stored.Description != description {
			resp.Diagnostics.AddWarning("Pulumi Cloud stored different values",
				fmt.Sprintf("The %s was updated to name %q and description %q, but Pulumi Cloud stored name %q and description %q. The "+
					"next plan shows the difference. Change the configuration to what Pulumi Cloud stored.",
					state.String(), name, description, stored.Name, stored.Description))
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

func (r *agentPoolResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state agentPoolModel
	resp.Diagnostics.Append(r.data.decode(ctx, req.State, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	r.data.markWrite()
	defer r.data.appendWarnings(&resp.Diagnostics)
	organization, force := state.Organization.ValueString(), state.ForceDestroy.ValueBool()
	resp.Diagnostics.Append(r.drain(ctx, state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if err := r.data.client.DeleteAgentPool(ctx, organization, state.ID.ValueString(), force); err != nil {
		op := contextIn(organization, "agent_pool:delete", "delete "+state.String())
		resp.Diagnostics.Append(r.data.deleteDiagnostic(op, force, err))
	}
}

func (r *agentPoolResource) ImportState(
	ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse,
) {
	resp.Diagnostics.Append(r.data.problem...)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.data.appendWarnings(&resp.Diagnostics)
	organization, pool, diags := r.resolveImport(ctx, req)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	model := newAgentPoolModel(organization, pool)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, model.agentPoolIdentity)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
	resp.Diagnostics.AddWarning("Agent pool imported without its token",
		fmt.Sprintf("Pulumi Cloud returns the token of an agent pool only when it is created, so token is null for the imported %s. "+
			"Runners that have the token keep working. To get a new token, replace the agent pool.", model.String()))
}
