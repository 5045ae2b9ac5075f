package provider

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// poolAssignment is the model of a resource that assigns an agent pool.
type poolAssignment interface {
	fields() (organization, poolID *types.String)
	identity() any
	assign(ctx context.Context, client *pulumiapi.Client) error
	errorContext(verb string) errorContext
}

// assign is Create and Update of a resource that assigns an agent pool. Terraform requires the identity even after an
// error.
func (d *providerData) assign(
	ctx context.Context, model poolAssignment, plan tfsdk.Plan,
	state *tfsdk.State, identity *tfsdk.ResourceIdentity, private privateState,
) (diags diag.Diagnostics) {
	diags.Append(d.decode(ctx, plan, model)...)
	if diags.HasError() {
		return diags
	}
	d.markWrite()
	defer d.appendWarnings(&diags)
	organization, poolID := model.fields()
	name, more := d.resolveOrganization(ctx, *organization)
	diags.Append(more...)
	if diags.HasError() {
		return diags
	}
	*organization = types.StringValue(name)
	diags.Append(identity.Set(ctx, model.identity())...)
	diags.Append(setAssigned(ctx, private, append(assignedIDs(ctx, private), poolID.ValueString())...)...)
	if err := model.assign(ctx, d.client); err != nil {
		return append(diags, d.errorDiagnostic(model.errorContext("set"), err))
	}
	diags.Append(setAssigned(ctx, private, poolID.ValueString())...)
	return append(diags, state.Set(ctx, model)...)
}

// privateState is the private state of a resource.
type privateState interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// assignedKey is the private state with the IDs of the agent pools that a resource has assigned, or has tried to. A
// refresh may write to the state what a different user assigned, which a delete must not clear.
const assignedKey = "assigned"

func setAssigned(ctx context.Context, private privateState, ids ...string) diag.Diagnostics {
	value, _ := json.Marshal(ids) // Strings always have a JSON form.
	return private.SetKey(ctx, assignedKey, value)
}

func assignedIDs(ctx context.Context, private privateState) []string {
	var ids []string
	value, _ := private.GetKey(ctx, assignedKey)
	_ = json.Unmarshal(value, &ids) // An imported resource has none.
	return ids
}

// isAssigned reports whether the resource assigned the agent pool in the state, or was imported.
func isAssigned(ctx context.Context, private privateState, poolID types.String) bool {
	ids := assignedIDs(ctx, private)
	return len(ids) == 0 || slices.ContainsFunc(ids, func(id string) bool { return strings.EqualFold(id, poolID.ValueString()) })
}
