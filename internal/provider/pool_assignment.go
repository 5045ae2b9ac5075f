package provider

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// poolAssignment is the model of a resource that assigns an agent pool.
type poolAssignment interface {
	fmt.Stringer
	fields() (organization, poolID *types.String)
	// key is the same for every resource that assigns this agent pool. The name of an organization ignores case.
	key() string
	identity() any
	// fromImport sets the fields of the identity from an import ID or an identity.
	fromImport(ctx context.Context, req resource.ImportStateRequest) diag.Diagnostics
	// read returns the ID of the agent pool, which is empty if none is assigned.
	read(ctx context.Context, client *pulumiapi.Client) (id string, err error)
	assign(ctx context.Context, client *pulumiapi.Client) error
	clear(ctx context.Context, client *pulumiapi.Client) error
	// errorContext describes a request. The verb is "read", "set" or "clear".
	errorContext(verb string) errorContext
}

// poolAssignmentResource is embedded in resources that assign an agent pool.
type poolAssignmentResource struct {
	withPoolReference

	newModel func() poolAssignment
}

// assignedPoolAttribute is the agent pool that a resource assigns.
func assignedPoolAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		MarkdownDescription: "ID of the agent pool, which must belong to the organization.",
		Required:            true,
		Validators:          []validator.String{validPoolID()},
		PlanModifiers:       []planmodifier.String{ignoreCase{"ignores case"}},
	}
}

func (r *poolAssignmentResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	model := r.newModel()
	resp.Diagnostics.Append(req.State.Get(ctx, model)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, model.identity())...)
	resp.Diagnostics.Append(r.data.refreshProblem(model)...)
	if resp.Diagnostics.HasError() || r.data.client == nil {
		return
	}
	defer r.data.appendWarnings(&resp.Diagnostics)
	id, err := model.read(ctx, r.data.client)
	switch {
	case isA[*pulumiapi.StackNotFoundError](err):
		resp.Diagnostics.AddWarning("Stack no longer exists",
			fmt.Sprintf("The stack or its deployment settings do not exist any more, or the access token cannot see them. Terraform "+
				"removes the %s from the state. If the stack was deleted, remove this resource.", model))
		resp.State.RemoveResource(ctx)
		return
	case err != nil:
		resp.Diagnostics.Append(r.data.errorDiagnostic(model.errorContext("read"), err))
		return
	}
	resp.Diagnostics.Append(refreshAssigned(ctx, resp.Private, model, id)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}

func (r *poolAssignmentResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	resp.Diagnostics.Append(r.assign(ctx, req.Plan, &resp.State, resp.Identity, resp.Private)...)
}

func (r *poolAssignmentResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	resp.Diagnostics.Append(r.assign(ctx, req.Plan, &resp.State, resp.Identity, resp.Private)...)
}

// assign assigns the agent pool and sets the state. Terraform requires the identity even after an error.
func (r *poolAssignmentResource) assign(
	ctx context.Context, plan tfsdk.Plan, state *tfsdk.State, identity *tfsdk.ResourceIdentity, private privateState,
) (diags diag.Diagnostics) {
	model := r.newModel()
	organization, poolID := model.fields()
	defer r.data.appendWarnings(&diags)
	diags.Append(r.data.decodeInOrganization(ctx, plan, model, organization)...)
	if diags.HasError() {
		return diags
	}
	r.data.markWrite()
	target := r.lockTarget(model)
	defer target.Unlock()
	diags.Append(identity.Set(ctx, model.identity())...)
	err := model.assign(ctx, r.data.client)
	if err == nil {
		diags.Append(setAssigned(ctx, private, poolID.ValueString())...)
		target.writer = strconv.Quote(rand.Text())
		diags.Append(private.SetKey(ctx, writerKey, []byte(target.writer))...)
		return append(diags, state.Set(ctx, model)...)
	}
	op := model.errorContext("set")
	if isA[*pulumiapi.AmbiguousAssignmentError](err) {
		// Terraform marks a resource that is created with an error as tainted.
		diags.Append(setAssigned(ctx, private, append(assignedIDs(ctx, private), poolID.ValueString())...)...)
		if state.Raw.IsNull() {
			diags.Append(state.Set(ctx, model)...)
		}
		op.note = "An attempt may have taken effect. The next apply sets the agent pool again, and a destroy clears it."
	}
	return append(diags, r.data.errorDiagnostic(op, err))
}

// assignmentTarget is a stack or an organization. Two resource instances have the same one with create_before_destroy
// and after a change of the address. Destroying the old one in the same run must not clear what the new one has assigned.
// A later run does not know of the new one, so it clears the agent pool, and the next plan sets it again.
type assignmentTarget struct {
	sync.Mutex

	writer string // private state of the instance that last assigned an agent pool in this run, or empty
}

// writerKey is the private state with a random JSON string that identifies the last successful create or update.
const writerKey = "writer"

func (r *poolAssignmentResource) lockTarget(model poolAssignment) *assignmentTarget {
	value, _ := r.data.targets.LoadOrStore(model.key(), &assignmentTarget{})
	target := value.(*assignmentTarget) //nolint:forcetypeassert // The map has no others.
	target.Lock()
	return target
}

func (r *poolAssignmentResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	model := r.newModel()
	resp.Diagnostics.Append(r.data.decode(ctx, req.State, model)...)
	_, poolID := model.fields()
	if resp.Diagnostics.HasError() {
		return
	}
	target := r.lockTarget(model)
	defer target.Unlock()
	if writer, _ := req.Private.GetKey(ctx, writerKey); target.writer != "" && target.writer != string(writer) {
		return
	}
	r.data.markWrite()
	defer r.data.appendWarnings(&resp.Diagnostics)
	// After a failed update, Pulumi Cloud may have any of them.
	ids := assignedIDs(ctx, req.Private)
	if !poolID.IsNull() {
		ids = append(ids, poolID.ValueString())
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		*poolID = types.StringValue(id)
		if err := model.clear(ctx, r.data.client); err != nil {
			resp.Diagnostics.Append(r.data.errorDiagnostic(model.errorContext("clear"), err))
			return
		}
	}
}

// ImportState implements [resource.ResourceWithImportState]. The refresh that follows sets the agent pool.
func (r *poolAssignmentResource) ImportState(
	ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse,
) {
	resp.Diagnostics.Append(r.data.problem...)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.data.appendWarnings(&resp.Diagnostics)
	model := r.newModel()
	organization, _ := model.fields()
	resp.Diagnostics.Append(model.fromImport(ctx, req)...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(r.data.resolveOrganization(ctx, organization)...)
	if resp.Diagnostics.HasError() {
		return
	}
	switch id, err := model.read(ctx, r.data.client); {
	case err != nil:
		op := model.errorContext("read")
		if isA[*pulumiapi.StackNotFoundError](err) {
			op.note = "If the stack exists but has no deployment settings, remove the import, and apply the resource."
		}
		resp.Diagnostics.Append(r.data.errorDiagnostic(op, err))
		return
	case id == "":
		resp.Diagnostics.AddError("Nothing to import",
			fmt.Sprintf("The %s is not set. Remove the import, and apply the resource.", model))
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, model.identity())...)
}

// privateState is the private state of a resource.
type privateState interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// assignedKey is the private state with the IDs of the agent pools that a resource has assigned, or has tried to.
const assignedKey = "assigned"

func setAssigned(ctx context.Context, private privateState, ids ...string) diag.Diagnostics {
	value, _ := json.Marshal(ids) // Strings always have a JSON form.
	return private.SetKey(ctx, assignedKey, value)
}

func assignedIDs(ctx context.Context, private privateState) []string {
	var ids []string
	value, _ := private.GetKey(ctx, assignedKey)
	_ = json.Unmarshal(value, &ids) // An imported resource has none yet.
	return ids
}

// refreshAssigned sets agent_pool_id in a refresh, where id is the agent pool that Pulumi Cloud returned. It is null for an
// agent pool that the resource neither assigned nor imported, so that a destroy does not clear it.
func refreshAssigned(ctx context.Context, private privateState, model poolAssignment, id string) diag.Diagnostics {
	ids := assignedIDs(ctx, private)
	_, poolID := model.fields()
	switch {
	case strings.EqualFold(id, poolID.ValueString()): // Both may be empty.
		return nil
	case id != "" && len(ids) == 0: // the first refresh after an import
		*poolID = types.StringValue(id)
		return setAssigned(ctx, private, id)
	case slices.ContainsFunc(ids, func(assigned string) bool { return strings.EqualFold(assigned, id) }):
		*poolID = types.StringValue(id)
		return nil
	}
	*poolID = types.StringNull()
	change := "is not set any more"
	if id != "" {
		change = fmt.Sprintf("is now %s, which is not the agent pool that this resource assigned last", id)
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic("Agent pool was changed outside of this resource",
		fmt.Sprintf("The %s %s. An apply assigns the configured agent pool again. A destroy leaves it as it is.", model, change))}
}
