package acctest

import (
	"maps"
	"math/big"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Values are the arguments of a block. Each is a [tftypes.Value] or a Go value that [tftypes.NewValue] accepts.
// Arguments that are left out are null.
type Values map[string]any

// Object returns an object of the given type with these values. It panics if a value does not fit its attribute.
func (v Values) Object(typ tftypes.Type) tftypes.Value {
	attributes := make(map[string]tftypes.Value)
	for name, attributeType := range typ.(tftypes.Object).AttributeTypes { //nolint:forcetypeassert // Schemas are objects.
		value, ok := v[name].(tftypes.Value)
		if !ok {
			value = tftypes.NewValue(attributeType, v[name])
		}
		attributes[name] = value
	}
	return tftypes.NewValue(typ, attributes)
}

func (v Values) encode(schema *tfprotov6.Schema) *tfprotov6.DynamicValue {
	return encode(v.Object(schema.ValueType()))
}

func encode(value tftypes.Value) *tfprotov6.DynamicValue {
	return new(must(tfprotov6.NewDynamicValue(value.Type(), value)))
}

func decode(typ tftypes.Type, encoded *tfprotov6.DynamicValue) tftypes.Value {
	if encoded == nil {
		return tftypes.NewValue(typ, nil)
	}
	return must(encoded.Unmarshal(typ))
}

// Attributes returns the attributes of an object in the types of [encoding/json]. Unknown values are
// [tftypes.UnknownValue]. A null object has no attributes.
func Attributes(object tftypes.Value) map[string]any {
	attributes, _ := plain(object).(map[string]any)
	return attributes
}

func plain(value tftypes.Value) any {
	switch typ := value.Type(); {
	case !value.IsKnown():
		return tftypes.UnknownValue
	case value.IsNull():
		return nil
	case typ.Is(tftypes.String):
		return as[string](value)
	case typ.Is(tftypes.Bool):
		return as[bool](value)
	case typ.Is(tftypes.Number):
		number, _ := as[*big.Float](value).Float64()
		return number
	case typ.Is(tftypes.Object{}), typ.Is(tftypes.Map{}):
		fields := make(map[string]any)
		for name, field := range as[map[string]tftypes.Value](value) {
			fields[name] = plain(field)
		}
		return fields
	default:
		list := make([]any, 0)
		for _, element := range as[[]tftypes.Value](value) {
			list = append(list, plain(element))
		}
		return list
	}
}

func as[T any](value tftypes.Value) T {
	var result T
	err := value.As(&result)
	return must(result, err)
}

// proposedNewState merges a configuration into the prior state as Terraform does before it requests a plan: computed
// attributes that are not configured keep their prior value, which is null if there is no prior object. It supports
// neither blocks nor nested attributes.
func proposedNewState(schema *tfprotov6.Schema, prior, config tftypes.Value) tftypes.Value {
	if config.IsNull() {
		return config
	}
	before := as[map[string]tftypes.Value](prior)
	proposed := maps.Clone(as[map[string]tftypes.Value](config))
	for _, attribute := range schema.Block.Attributes {
		if was, ok := before[attribute.Name]; ok && attribute.Computed && proposed[attribute.Name].IsNull() {
			proposed[attribute.Name] = was
		}
	}
	return tftypes.NewValue(config.Type(), proposed)
}
