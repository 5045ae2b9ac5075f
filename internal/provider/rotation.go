package provider

import (
	"context"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/boolplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/setplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

const (
	replaceDescription    = "Changing this forces a new resource, unless the agent pool was imported and has no token."
	storeTokenDescription = "Changing this from false to true forces a new resource."
)

func triggersRequireReplace(
	ctx context.Context, req planmodifier.MapRequest, resp *mapplanmodifier.RequiresReplaceIfFuncResponse,
) {
	if !equalTriggers(req.StateValue, req.PlanValue) {
		resp.RequiresReplace, resp.Diagnostics = requiresReplaceUnlessImported(ctx, req.State, req.StateValue.IsNull())
	}
}

func recipientsRequireReplace(
	ctx context.Context, req planmodifier.SetRequest, resp *setplanmodifier.RequiresReplaceIfFuncResponse,
) {
	if !equalRecipients(req.StateValue, req.PlanValue) {
		resp.RequiresReplace, resp.Diagnostics = requiresReplaceUnlessImported(ctx, req.State, req.StateValue.IsNull())
	}
}

// requiresReplaceUnlessImported reports whether a new value replaces the agent pool. The first value of an imported one,
// which has no token, does not.
func requiresReplaceUnlessImported(ctx context.Context, state tfsdk.State, isFirst bool) (bool, diag.Diagnostics) {
	var model agentPoolModel
	diags := state.Get(ctx, &model)
	return !isFirst || !model.isImported(), diags
}

// storeTokenRequiresReplace: the token that was discarded cannot be read again.
func storeTokenRequiresReplace(
	_ context.Context, req planmodifier.BoolRequest, resp *boolplanmodifier.RequiresReplaceIfFuncResponse,
) {
	resp.RequiresReplace = !req.StateValue.ValueBool() && (req.PlanValue.IsUnknown() || req.PlanValue.ValueBool())
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
