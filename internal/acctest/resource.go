package acctest

import (
	"context"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Object is a resource instance as a state holds it. The zero Object is no instance.
type Object struct {
	Value    tftypes.Value
	Private  []byte
	Identity *tfprotov6.ResourceIdentityData
	Tainted  bool
}

// Exists reports whether there is an instance.
func (o Object) Exists() bool { return !o.Value.IsNull() }

// Text returns a string attribute, or "" if it is null or unknown.
func (o Object) Text(name string) string {
	text, _ := Attributes(o.Value)[name].(string)
	return text
}

// Resource plays Terraform core for the resources of one type, which must have an identity.
type Resource struct {
	*Provider

	Type     string
	schema   *tfprotov6.Schema
	identity *tfprotov6.ResourceIdentitySchema
}

// Resource returns the resource type with that name.
func (p *Provider) Resource(typeName string) *Resource {
	return &Resource{
		Provider: p, Type: typeName, schema: p.Schemas.ResourceSchemas[typeName], identity: p.identities[typeName],
	}
}

// Absent returns the object of a resource that does not exist.
func (r *Resource) Absent() Object { return Object{Value: tftypes.NewValue(r.schema.ValueType(), nil)} }

func (r *Resource) object(
	value *tfprotov6.DynamicValue, private []byte, identity *tfprotov6.ResourceIdentityData,
) Object {
	return Object{Value: decode(r.schema.ValueType(), value), Private: private, Identity: identity}
}

// IdentityOf returns the identity of an object, or nil if it has none.
func (r *Resource) IdentityOf(o Object) map[string]any {
	if o.Identity == nil {
		return nil
	}
	return Attributes(decode(r.identity.ValueType(), o.Identity.IdentityData))
}

// sent returns the identity that a request sends.
func (r *Resource) sent(identity *tfprotov6.ResourceIdentityData) *tfprotov6.ResourceIdentityData {
	if r.OmitIdentity {
		return nil
	}
	return identity
}

// ValidateConfig validates a resource block.
func (r *Resource) ValidateConfig(ctx context.Context, config Values) Diagnostics {
	return must(r.Server.ValidateResourceConfig(ctx, &tfprotov6.ValidateResourceConfigRequest{
		TypeName: r.Type, Config: config.encode(r.schema),
	})).Diagnostics
}

// Action is what a plan does with an object.
type Action string

// Actions of a [Change].
const (
	NoOp    Action = "no-op"
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace"
	Delete  Action = "delete"
)

// Change is the part of a plan that concerns one object.
type Change struct {
	Action         Action
	Prior, Planned Object
	Config         tftypes.Value
}

// Plan plans a resource block, or its removal if config is nil. As Terraform does, it plans a tainted object as if it
// did not exist, and plans again without the prior object if the provider cannot update it in place.
func (r *Resource) Plan(ctx context.Context, prior Object, config Values) (Change, Diagnostics) {
	none := r.Absent()
	if !prior.Exists() {
		prior = none
	}
	change := Change{Action: NoOp, Prior: prior, Planned: none, Config: none.Value}
	if config == nil && !prior.Exists() {
		return change, nil
	}
	base := prior
	if config != nil {
		change.Config = config.Object(r.schema.ValueType())
		if prior.Tainted {
			base = none
		}
	}
	replace, diagnostics := r.plan(ctx, &change, base)
	switch {
	case diagnostics.HasError():
	case config == nil:
		change.Action = Delete
	case !prior.Exists():
		change.Action = Create
	case prior.Tainted:
		change.Action = Replace
	case replace:
		_, more := r.plan(ctx, &change, none)
		change.Action, diagnostics = Replace, append(diagnostics, more...)
	case !change.Planned.Value.Equal(prior.Value):
		change.Action = Update
	}
	return change, diagnostics
}

// plan requests a plan that starts from base. It reports whether the provider cannot update base in place.
func (r *Resource) plan(ctx context.Context, change *Change, base Object) (replace bool, diagnostics Diagnostics) {
	resp := must(r.Server.PlanResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{
		TypeName: r.Type, PriorState: encode(base.Value), Config: encode(change.Config),
		ProposedNewState: encode(proposedNewState(r.schema, base.Value, change.Config)),
		PriorPrivate:     base.Private, PriorIdentity: r.sent(base.Identity),
	}))
	change.Planned = r.object(resp.PlannedState, resp.PlannedPrivate, resp.PlannedIdentity)
	return len(resp.RequiresReplace) > 0, resp.Diagnostics
}

// Inconsistent is the summary of the error after an apply whose result is not what was planned, which is a bug of the
// provider.
const Inconsistent = "Provider produced inconsistent result after apply"

// ApplyChange applies a plan and returns the object that Terraform would keep. A replacement deletes, then creates.
func (r *Resource) ApplyChange(ctx context.Context, change Change) (Object, Diagnostics) {
	if change.Action == NoOp {
		return change.Prior, nil
	}
	var diagnostics Diagnostics
	if change.Action == Replace {
		var kept Object
		if kept, diagnostics = r.Destroy(ctx, change.Prior); diagnostics.HasError() {
			return kept, diagnostics
		}
		change.Action, change.Prior = Create, r.Absent()
	}
	resp := must(r.Server.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: r.Type, PriorState: encode(change.Prior.Value), Config: encode(change.Config),
		PlannedState: encode(change.Planned.Value), PlannedPrivate: change.Planned.Private,
		PlannedIdentity: r.sent(change.Planned.Identity),
	}))
	result := r.object(resp.NewState, resp.Private, resp.NewIdentity)
	diagnostics = append(diagnostics, resp.Diagnostics...)
	failed := diagnostics.HasError()
	if failed && !result.Exists() {
		return change.Prior, diagnostics
	}
	if !failed && !consistent(change.Planned.Value, result.Value) {
		diagnostics = append(diagnostics, &tfprotov6.Diagnostic{
			Severity: tfprotov6.DiagnosticSeverityError, Summary: Inconsistent, Detail: r.Type,
		})
	}
	result.Tainted = result.Exists() && (change.Prior.Tainted || failed && change.Action == Create)
	return result, diagnostics
}

// consistent reports whether the result of an apply has the planned values where these were known.
func consistent(planned, result tftypes.Value) bool {
	if planned.IsNull() || result.IsNull() {
		return planned.IsNull() && result.IsNull()
	}
	after := as[map[string]tftypes.Value](result)
	for name, value := range as[map[string]tftypes.Value](planned) {
		if !after[name].IsFullyKnown() || value.IsFullyKnown() && !value.Equal(after[name]) {
			return false
		}
	}
	return true
}

// Apply plans a resource block, or its removal if config is nil, and applies the plan.
func (r *Resource) Apply(ctx context.Context, prior Object, config Values) (Object, Diagnostics) {
	change, diagnostics := r.Plan(ctx, prior, config)
	if diagnostics.HasError() {
		return prior, diagnostics
	}
	result, applied := r.ApplyChange(ctx, change)
	return result, append(diagnostics, applied...)
}

// Destroy plans the removal of a resource block and applies the plan.
func (r *Resource) Destroy(ctx context.Context, prior Object) (Object, Diagnostics) {
	return r.Apply(ctx, prior, nil)
}

// Read refreshes an object. After an error it returns the prior object, as Terraform keeps it.
func (r *Resource) Read(ctx context.Context, prior Object) (Object, Diagnostics) {
	resp := must(r.Server.ReadResource(ctx, &tfprotov6.ReadResourceRequest{
		TypeName: r.Type, CurrentState: encode(prior.Value), Private: prior.Private, CurrentIdentity: r.sent(prior.Identity),
	}))
	if diagnostics := Diagnostics(resp.Diagnostics); diagnostics.HasError() {
		return prior, diagnostics
	}
	result := r.object(resp.NewState, resp.Private, resp.NewIdentity)
	result.Tainted = prior.Tainted && result.Exists()
	return result, resp.Diagnostics
}

// Import imports an object by its import ID. It does not read it.
func (r *Resource) Import(ctx context.Context, id string) (Object, Diagnostics) {
	return r.importState(ctx, &tfprotov6.ImportResourceStateRequest{TypeName: r.Type, ID: id})
}

// ImportByIdentity imports an object by its identity. It does not read it.
func (r *Resource) ImportByIdentity(ctx context.Context, identity Values) (Object, Diagnostics) {
	return r.importState(ctx, &tfprotov6.ImportResourceStateRequest{
		TypeName: r.Type,
		Identity: &tfprotov6.ResourceIdentityData{IdentityData: encode(identity.Object(r.identity.ValueType()))},
	})
}

func (r *Resource) importState(ctx context.Context, req *tfprotov6.ImportResourceStateRequest) (Object, Diagnostics) {
	resp := must(r.Server.ImportResourceState(ctx, req))
	if len(resp.ImportedResources) == 0 {
		return r.Absent(), resp.Diagnostics
	}
	imported := resp.ImportedResources[0]
	return r.object(imported.State, imported.Private, imported.Identity), resp.Diagnostics
}

// Listed is a result of a list block.
type Listed struct {
	DisplayName string
	// Object has no value unless the resource was requested.
	Object      Object
	Diagnostics Diagnostics
}

// List runs a list block to its end.
func (r *Resource) List(ctx context.Context, config Values, limit int64, includeResource bool) []Listed {
	server := r.Server.(tfprotov6.ListResourceServer) //nolint:forcetypeassert // Callers list what the provider lists.
	stream := must(server.ListResource(ctx, &tfprotov6.ListResourceRequest{
		TypeName: r.Type, Config: config.encode(r.Schemas.ListResourceSchemas[r.Type]),
		Limit: limit, IncludeResource: includeResource,
	}))
	var listed []Listed
	for result := range stream.Results {
		listed = append(listed, Listed{result.DisplayName, r.object(result.Resource, nil, result.Identity), result.Diagnostics})
	}
	return listed
}

// MustApply is [Resource.Apply] in a test that an error ends.
func (r *Resource) MustApply(tb testing.TB, prior Object, config Values) Object {
	tb.Helper()
	result, diagnostics := r.Apply(tb.Context(), prior, config)
	if diagnostics.HasError() {
		tb.Fatalf("apply: %s", diagnostics)
	}
	return result
}

// MustRead is [Resource.Read] in a test that an error ends.
func (r *Resource) MustRead(tb testing.TB, prior Object) Object {
	tb.Helper()
	result, diagnostics := r.Read(tb.Context(), prior)
	if diagnostics.HasError() {
		tb.Fatalf("read: %s", diagnostics)
	}
	return result
}
