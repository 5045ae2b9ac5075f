package acctest

import (
	"reflect"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

func TestValues_roundTrip(t *testing.T) {
	texts := tftypes.List{ElementType: tftypes.String}
	typ := tftypes.Object{AttributeTypes: map[string]tftypes.Type{
		"text": tftypes.String, "value": tftypes.Bool, "number": tftypes.Number, "list": texts,
		"nested":  tftypes.Object{AttributeTypes: map[string]tftypes.Type{"text": tftypes.String}},
		"unknown": tftypes.String, "absent": tftypes.String,
	}}
	object := Values{
		"text": "a", "value": tftypes.NewValue(tftypes.Bool, true), "number": 3, "unknown": tftypes.UnknownValue,
		"list":   []tftypes.Value{tftypes.NewValue(tftypes.String, "b")},
		"nested": map[string]tftypes.Value{"text": tftypes.NewValue(tftypes.String, "c")},
	}.Object(typ)
	want := map[string]any{
		"text": "a", "value": true, "number": 3.0, "unknown": tftypes.UnknownValue, "absent": nil,
		"list": []any{"b"}, "nested": map[string]any{"text": "c"},
	}
	if got := Attributes(decode(typ, encode(object))); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := Attributes(decode(typ, nil)); got != nil {
		t.Errorf("a null object has %v", got)
	}
}

// The cases follow the tests of Terraform's objchange.ProposedNew.
func TestProposedNewState(t *testing.T) {
	schema := &tfprotov6.Schema{Block: &tfprotov6.SchemaBlock{Attributes: []*tfprotov6.SchemaAttribute{
		{Name: "optional", Type: tftypes.String, Optional: true},
		{Name: "computed", Type: tftypes.String, Computed: true},
		{Name: "both", Type: tftypes.String, Optional: true, Computed: true},
	}}}
	typ := schema.ValueType()
	none, prior := tftypes.NewValue(typ, nil), Values{"optional": "old", "computed": "old", "both": "old"}.Object(typ)
	for name, test := range map[string]struct {
		prior        tftypes.Value
		config, want Values
	}{
		"create without arguments": {none, nil, nil},
		"create":                   {none, Values{"optional": "new", "both": "new"}, Values{"optional": "new", "both": "new"}},
		"update without arguments": {prior, nil, Values{"computed": "old", "both": "old"}},
		"update": {
			prior, Values{"optional": "new", "both": "new"}, Values{"optional": "new", "computed": "old", "both": "new"},
		},
		"unknown": {
			prior, Values{"both": tftypes.UnknownValue}, Values{"computed": "old", "both": tftypes.UnknownValue},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, want := proposedNewState(schema, test.prior, test.config.Object(typ)), test.want.Object(typ)
			if !got.Equal(want) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	if got := proposedNewState(schema, prior, none); !got.IsNull() {
		t.Errorf("destroy: got %s", got)
	}
}

func TestConsistent(t *testing.T) {
	typ := tftypes.Object{AttributeTypes: map[string]tftypes.Type{"name": tftypes.String, "id": tftypes.String}}
	null := tftypes.NewValue(typ, nil)
	planned := Values{"name": "a", "id": tftypes.UnknownValue}.Object(typ)
	for name, test := range map[string]struct {
		planned, result tftypes.Value
		want            bool
	}{
		"as planned":       {planned, Values{"name": "a", "id": "1"}.Object(typ), true},
		"different":        {planned, Values{"name": "b", "id": "1"}.Object(typ), false},
		"still unknown":    {planned, planned, false},
		"not created":      {planned, null, false},
		"deleted":          {null, null, true},
		"not deleted":      {null, Values{"name": "a", "id": "1"}.Object(typ), false},
		"unknown and null": {planned, Values{"name": "a"}.Object(typ), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := consistent(test.planned, test.result); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}
