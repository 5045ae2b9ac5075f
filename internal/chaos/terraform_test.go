package chaos_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/protocoltest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

const resourceType = "pulumicloud_agent_pool"

// providerProcess is the provider as Terraform starts it for one walk of the graph.
type providerProcess struct {
	server tfprotov6.ProviderServer
	schema *tfprotov6.Schema
	// operations counts the calls that plan, apply, read or import.
	operations *atomic.Int64
}

func startProvider(
	ctx context.Context, arguments map[string]any, operations *atomic.Int64, option provider.Option,
) (*providerProcess, []*tfprotov6.Diagnostic, error) {
	server := provider.NewServer("chaos", option)()
	schemas, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return nil, nil, err
	}
	p := &providerProcess{server: server, schema: schemas.ResourceSchemas[resourceType], operations: operations}
	config, err := protocoltest.Encode(protocoltest.Object(schemas.Provider.ValueType().(tftypes.Object), arguments))
	if err != nil {
		return nil, nil, err
	}
	configured, err := server.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{
		TerraformVersion: "1.14.0", Config: config,
	})
	if err != nil {
		return nil, nil, err
	}
	return p, configured.Diagnostics, nil
}

// stop is what Terraform does when it is interrupted.
func (p *providerProcess) stop() {
	//nolint:errcheck // It has no way to fail.
	p.server.StopProvider(context.Background(), &tfprotov6.StopProviderRequest{})
}

// object is a resource instance in the state. The zero object is none.
type object struct {
	value    *tftypes.Value
	private  []byte
	identity *tfprotov6.ResourceIdentityData
	tainted  bool
	// imported tells that its token can't be known.
	imported bool
}

func (o object) exists() bool { return o.value != nil }

func (o object) attributes() map[string]tftypes.Value {
	if o.value == nil {
		return nil
	}
	attributes, _ := protocoltest.Attributes(*o.value) // It was made as an object.
	return attributes
}

// text returns a string attribute, empty if it is null.
func (o object) text(name string) string { return textOf(o.attributes()[name]) }

func (o object) forced() bool {
	var forced *bool
	_ = o.attributes()["force_destroy"].As(&forced) // It is a bool.
	return forced != nil && *forced
}

func textOf(value tftypes.Value) string {
	var text *string
	if !value.IsKnown() || value.As(&text) != nil || text == nil {
		return ""
	}
	return *text
}

// action is what Terraform plans for an object.
type action string

const (
	noAction      action = "no-op"
	createAction  action = "create"
	updateAction  action = "update"
	replaceAction action = "replace"
	deleteAction  action = "delete"
)

// plannedChange is one object's part of a plan.
type plannedChange struct {
	action  action
	prior   object
	config  tftypes.Value
	planned tftypes.Value
	private []byte
	// identity is the planned one.
	identity *tfprotov6.ResourceIdentityData
}

// read refreshes an object as Terraform does. The new one stands only if the diagnostics hold no error.
func (p *providerProcess) read(ctx context.Context, o object) (object, []*tfprotov6.Diagnostic, error) {
	state, err := protocoltest.Encode(*o.value)
	if err != nil {
		return o, nil, err
	}
	p.operations.Add(1)
	resp, err := p.server.ReadResource(ctx, &tfprotov6.ReadResourceRequest{
		TypeName: resourceType, CurrentState: state, Private: o.private, CurrentIdentity: o.identity,
	})
	if err != nil {
		return o, nil, err
	}
	if hasError(resp.Diagnostics) {
		return o, resp.Diagnostics, nil
	}
	value, err := p.decode(resp.NewState)
	if err != nil || value == nil {
		return object{}, resp.Diagnostics, err
	}
	o.value, o.private, o.identity = value, resp.Private, resp.NewIdentity
	return o, resp.Diagnostics, nil
}

// plan plans an object whose configuration is null if it is to go. Terraform plans what is tainted as if it were not
// there, and what the provider can't change in place once more in that way.
func (p *providerProcess) plan(
	ctx context.Context, o object, config *tftypes.Value,
) (plannedChange, []*tfprotov6.Diagnostic, error) {
	none := tftypes.NewValue(p.schema.ValueType(), nil)
	change := plannedChange{action: noAction, prior: o, config: none, planned: none}
	switch {
	case config == nil && !o.exists():
		return change, nil, nil
	case config == nil:
		change.action = deleteAction
		resp, err := p.planChange(ctx, *o.value, none, none, o)
		if err != nil {
			return change, nil, err
		}
		change.private, change.identity = resp.PlannedPrivate, o.identity
		return change, resp.Diagnostics, nil
	}
	change.config = *config
	prior, past := none, object{}
	if o.exists() && !o.tainted {
		prior, past = *o.value, o
	}
	resp, err := p.planObject(ctx, prior, *config, past)
	if err != nil || hasError(resp.Diagnostics) {
		return change, diagnosticsOf(resp), err
	}
	diagnostics := resp.Diagnostics
	switch {
	case !o.exists():
		change.action = createAction
	case o.tainted:
		change.action = replaceAction
	case len(resp.RequiresReplace) > 0:
		change.action = replaceAction
		if resp, err = p.planObject(ctx, none, *config, object{}); err != nil {
			return change, diagnostics, err
		}
		diagnostics = append(diagnostics, resp.Diagnostics...)
	}
	planned, err := p.decode(resp.PlannedState)
	if err != nil || planned == nil {
		return change, diagnostics, fmt.Errorf("planned state %v: %w", planned, err)
	}
	change.planned, change.private, change.identity = *planned, resp.PlannedPrivate, resp.PlannedIdentity
	if change.action == noAction && !planned.Equal(prior) {
		change.action = updateAction
	}
	return change, diagnostics, nil
}

func diagnosticsOf(resp *tfprotov6.PlanResourceChangeResponse) []*tfprotov6.Diagnostic {
	if resp == nil {
		return nil
	}
	return resp.Diagnostics
}

// planObject has a configuration planned that is not to go.
func (p *providerProcess) planObject(
	ctx context.Context, prior, config tftypes.Value, past object,
) (*tfprotov6.PlanResourceChangeResponse, error) {
	proposed, err := protocoltest.ProposedNewState(p.schema, prior, config)
	if err != nil {
		return nil, err
	}
	return p.planChange(ctx, prior, proposed, config, past)
}

func (p *providerProcess) planChange(
	ctx context.Context, prior, proposed, config tftypes.Value, past object,
) (*tfprotov6.PlanResourceChangeResponse, error) {
	values, err := encode(prior, proposed, config)
	if err != nil {
		return nil, err
	}
	p.operations.Add(1)
	return p.server.PlanResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{
		TypeName: resourceType, PriorState: values[0], ProposedNewState: values[1], Config: values[2],
		PriorPrivate: past.private, PriorIdentity: past.identity,
	})
}

// apply carries out a change but for replacements, which are a deletion and a creation. It returns the object that
// Terraform then keeps in the state, and whether what was planned did not come about.
func (p *providerProcess) apply(
	ctx context.Context, change plannedChange,
) (result object, inconsistent string, diagnostics []*tfprotov6.Diagnostic, err error) {
	prior := tftypes.NewValue(p.schema.ValueType(), nil)
	if change.action != createAction {
		prior = *change.prior.value
	}
	values, err := encode(prior, change.planned, change.config)
	if err != nil {
		return change.prior, "", nil, err
	}
	p.operations.Add(1)
	resp, err := p.server.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: resourceType, PriorState: values[0], PlannedState: values[1], Config: values[2],
		PlannedPrivate: change.private, PlannedIdentity: change.identity,
	})
	if err != nil {
		return change.prior, "", nil, err
	}
	value, err := p.decode(resp.NewState)
	if err != nil {
		return change.prior, "", resp.Diagnostics, err
	}
	failed := hasError(resp.Diagnostics)
	if !failed {
		inconsistent = contradiction(change.planned, value)
	}
	if value == nil {
		if failed && change.action != createAction {
			return change.prior, "", resp.Diagnostics, nil
		}
		return object{}, inconsistent, resp.Diagnostics, nil
	}
	result = object{
		value: value, private: resp.Private, identity: resp.NewIdentity,
		tainted: change.prior.tainted || change.action == createAction && failed, imported: change.prior.imported,
	}
	return result, inconsistent, resp.Diagnostics, nil
}

// contradiction names an attribute that is not what was planned, which Terraform reports as the provider's bug.
func contradiction(planned tftypes.Value, result *tftypes.Value) string {
	if result == nil || planned.IsNull() {
		if (result == nil) != planned.IsNull() {
			return "the object itself"
		}
		return ""
	}
	applied := object{value: result}.attributes()
	for name, value := range (object{value: &planned}).attributes() {
		if value.IsKnown() && !value.Equal(applied[name]) || !applied[name].IsKnown() {
			return name
		}
	}
	return ""
}

// importObject imports and then reads an object, as Terraform does.
func (p *providerProcess) importObject(ctx context.Context, id string) (object, []*tfprotov6.Diagnostic, error) {
	p.operations.Add(1)
	resp, err := p.server.ImportResourceState(ctx, &tfprotov6.ImportResourceStateRequest{TypeName: resourceType, ID: id})
	if err != nil || hasError(resp.Diagnostics) {
		return object{}, importDiagnostics(resp), err
	}
	imported := resp.ImportedResources[0]
	value, err := p.decode(imported.State)
	if err != nil || value == nil {
		return object{}, resp.Diagnostics, fmt.Errorf("imported state %v: %w", value, err)
	}
	o, diagnostics, err := p.read(ctx, object{
		value: value, private: imported.Private, identity: imported.Identity, imported: true,
	})
	diagnostics = append(resp.Diagnostics, diagnostics...)
	if hasError(diagnostics) {
		return object{}, diagnostics, err
	}
	return o, diagnostics, err
}

func importDiagnostics(resp *tfprotov6.ImportResourceStateResponse) []*tfprotov6.Diagnostic {
	if resp == nil {
		return nil
	}
	return resp.Diagnostics
}

// decode returns nil for null.
func (p *providerProcess) decode(encoded *tfprotov6.DynamicValue) (*tftypes.Value, error) {
	value, err := protocoltest.Decode(p.schema.ValueType(), encoded)
	if err != nil || value.IsNull() {
		return nil, err
	}
	return &value, nil
}

func encode(values ...tftypes.Value) ([]*tfprotov6.DynamicValue, error) {
	encoded := make([]*tfprotov6.DynamicValue, len(values))
	for i, value := range values {
		var err error
		if encoded[i], err = protocoltest.Encode(value); err != nil {
			return nil, err
		}
	}
	return encoded, nil
}

func hasError(diagnostics []*tfprotov6.Diagnostic) bool {
	for _, diagnostic := range diagnostics {
		if diagnostic.Severity == tfprotov6.DiagnosticSeverityError {
			return true
		}
	}
	return false
}
