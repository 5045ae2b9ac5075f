package provider

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

func (r *agentPoolResource) ModifyPlan(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	r.data.planOrganization(ctx, req, resp)
	if req.Plan.Raw.IsNull() || resp.Diagnostics.HasError() {
		return
	}
	var configuredName types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("name"), &configuredName)...)
	if !configuredName.IsNull() && resp.Plan.Raw.Equal(req.State.Raw) {
		return // Decoding the models would take most of the time of a plan without changes.
	}
	var plan, state agentPoolModel
	resp.Diagnostics.Append(resp.Plan.Get(ctx, &plan)...)
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
		resp.RequiresReplace.Append(state.replacedBy(plan)...)
		r.data.managed.Store(strings.ToLower(state.ID.ValueString()), true)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if configuredName.IsNull() {
		plan.Name = types.StringUnknown()
		if prefix := plan.NamePrefix; !prefix.IsUnknown() && strings.HasPrefix(state.Name.ValueString(), prefix.ValueString()) {
			plan.Name = state.Name
		}
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("name"), plan.Name)...)
	}
	resp.Diagnostics.Append(r.checkName(ctx, plan, state)...)
	if state.hasToken() && !plan.TokenRecipients.IsUnknown() && !equalRecipients(state.TokenRecipients, plan.TokenRecipients) {
		resp.Diagnostics.AddAttributeWarning(path.Root("token_recipients"), "Agent pool must be replaced",
			"Pulumi Cloud returns the token of an agent pool only once, so a change of token_recipients replaces the agent pool. The "+
				"new one has a new token and ID.")
	}
	// The recipients decide which of the two attributes gets the token. The other one is null.
	discard := plan.StoreToken.Equal(types.BoolValue(false))
	if discard || plan.Token.IsUnknown() && !plan.TokenRecipients.IsNull() && !plan.TokenRecipients.IsUnknown() {
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("token"), types.StringNull())...)
	}
	if discard || plan.EncryptedToken.IsUnknown() && plan.TokenRecipients.IsNull() {
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("encrypted_token"), types.StringNull())...)
	}
}

// checkName checks the name of an agent pool that is created or renamed: it must be valid, and a name that a different
// agent pool has is a warning. Pulumi Cloud may have accepted different names before, which import and refresh must
// accept too.
func (r *agentPoolResource) checkName(ctx context.Context, plan, state agentPoolModel) diag.Diagnostics {
	if plan.Name.IsUnknown() || plan.Name.Equal(state.Name) {
		return nil
	}
	organization, name, stateID := plan.Organization.ValueString(), plan.Name.ValueString(), state.ID.ValueString()
	if reason := invalidName(name); reason != "" {
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("name"), "Invalid name", "The "+reason+".")}
	}
	list, diags := r.data.planList(ctx, organization)
	if list == nil {
		return diags
	}
	for _, pool := range list.ByName(name) {
		// A replacement is planned as a create. The agent pool that it replaces has the name and is in managed.
		_, managed := r.data.managed.Load(strings.ToLower(pool.ID))
		if managed && stateID == "" || strings.EqualFold(pool.ID, stateID) {
			continue
		}
		advice := "Choose a different name, or rename that agent pool in a separate apply."
		if stateID == "" {
			advice = fmt.Sprintf("If this configuration manages that agent pool, set name_prefix instead of name. Otherwise import "+
				"it:\n\n  import {\n    to = ADDRESS\n    id = \"%s/%s\"\n  }\n\nwhere ADDRESS is the address of this resource.",
				organization, pool.ID)
		}
		diags.AddAttributeWarning(path.Root("name"), "Agent pool name is already in use",
			fmt.Sprintf("Organization %q already has an agent pool named %q, with the ID %s. The apply fails unless it renames or "+
				"deletes that agent pool first. %s", organization, name, pool.ID, advice))
	}
	return diags
}

// replacedBy returns the attributes whose planned values replace the agent pool, because it needs a new token. The first
// values that an imported agent pool gets do not replace it.
func (m *agentPoolModel) replacedBy(plan agentPoolModel) (attributes path.Paths) {
	isFirst := func(value attr.Value) bool { return value.IsNull() && m.lacksToken() }
	if !equalTriggers(m.RotateTriggers, plan.RotateTriggers) && !isFirst(m.RotateTriggers) {
		attributes.Append(path.Root("rotate_triggers"))
	}
	if !equalRecipients(m.TokenRecipients, plan.TokenRecipients) && !isFirst(m.TokenRecipients) {
		attributes.Append(path.Root("token_recipients"))
	}
	if !m.StoreToken.ValueBool() && (plan.StoreToken.IsUnknown() || plan.StoreToken.ValueBool()) {
		attributes.Append(path.Root("store_token")) // The token was discarded.
	}
	return attributes
}

// equalTriggers ignores null values. An empty map is the same as null.
func equalTriggers(a, b types.Map) bool {
	if a.IsUnknown() || b.IsUnknown() {
		return false
	}
	withoutNulls := func(m types.Map) map[string]attr.Value {
		elements := m.Elements()
		maps.DeleteFunc(elements, func(_ string, value attr.Value) bool { return value.IsNull() })
		return elements
	}
	return maps.EqualFunc(withoutNulls(a), withoutNulls(b), attr.Value.Equal)
}
