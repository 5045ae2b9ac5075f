// Package protocoltest holds what tests need that speak the plugin protocol to the provider in the place of Terraform's
// core: values, their encoding, and the new state that Terraform proposes.
package protocoltest

import (
	"maps"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Object returns an object of these values, each a [tftypes.Value] or what [tftypes.NewValue] makes one of. Attributes that
// are not given are null. It panics if a value is not of its attribute's type.
func Object(typ tftypes.Object, given map[string]any) tftypes.Value {
	attributes := make(map[string]tftypes.Value, len(typ.AttributeTypes))
	for name, attributeType := range typ.AttributeTypes {
		value, ok := given[name].(tftypes.Value)
		if !ok {
			value = tftypes.NewValue(attributeType, given[name])
		}
		attributes[name] = value
	}
	return tftypes.NewValue(typ, attributes)
}

// Attributes returns a copy of what an object holds, which is nothing if it is null. It is an error if the value is not
// known, or no object.
func Attributes(object tftypes.Value) (map[string]tftypes.Value, error) {
	var attributes map[string]tftypes.Value
	err := object.As(&attributes)
	return maps.Clone(attributes), err // The value's own map, until it is cloned.
}

// Encode returns a value as requests carry it.
func Encode(value tftypes.Value) (*tfprotov6.DynamicValue, error) {
	encoded, err := tfprotov6.NewDynamicValue(value.Type(), value)
	return &encoded, err
}

// Decode returns the value of a response, which is null if the response has none.
func Decode(typ tftypes.Type, encoded *tfprotov6.DynamicValue) (tftypes.Value, error) {
	if encoded == nil {
		return tftypes.NewValue(typ, nil), nil
	}
	return encoded.Unmarshal(typ)
}
