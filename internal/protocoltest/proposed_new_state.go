package protocoltest

import (
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// ProposedNewState merges a configuration into the prior state as Terraform does before it asks for a plan: attributes that
// the provider computes and the configuration leaves out are as they were, which is null, and not unknown, if there was no
// object. All others are as configured. The schema must have no blocks and no nested attributes, which Terraform merges
// deeper.
func ProposedNewState(schema *tfprotov6.Schema, prior, config tftypes.Value) (tftypes.Value, error) {
	before, err := Attributes(prior)
	if err != nil {
		return tftypes.Value{}, err
	}
	proposed, err := Attributes(config)
	if err != nil {
		return tftypes.Value{}, err
	}
	for _, attribute := range schema.Block.Attributes {
		if was, ok := before[attribute.Name]; ok && attribute.Computed && proposed[attribute.Name].IsNull() {
			proposed[attribute.Name] = was
		}
	}
	return tftypes.NewValue(schema.ValueType(), proposed), nil
}
