package protocoltest_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/protocoltest"
)

func TestObject(t *testing.T) {
	typ := tftypes.Object{AttributeTypes: map[string]tftypes.Type{
		"given": tftypes.String, "value": tftypes.Bool, "unknown": tftypes.Number, "absent": tftypes.String,
	}}
	object := protocoltest.Object(typ, map[string]any{
		"given": "text", "value": tftypes.NewValue(tftypes.Bool, true), "unknown": tftypes.UnknownValue,
	})
	attributes, err := protocoltest.Attributes(object)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]tftypes.Value{
		"given":   tftypes.NewValue(tftypes.String, "text"),
		"value":   tftypes.NewValue(tftypes.Bool, true),
		"unknown": tftypes.NewValue(tftypes.Number, tftypes.UnknownValue),
		"absent":  tftypes.NewValue(tftypes.String, nil),
	} {
		if got := attributes[name]; !got.Equal(want) {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	attributes["given"] = tftypes.NewValue(tftypes.String, "another text")
	if again, err := protocoltest.Attributes(object); err != nil || again["given"].Equal(attributes["given"]) {
		t.Errorf("who changes the attributes changes the object (%v)", err)
	}

	encoded, err := protocoltest.Encode(object)
	if err != nil {
		t.Fatal(err)
	}
	if decoded, err := protocoltest.Decode(typ, encoded); err != nil || !decoded.Equal(object) {
		t.Errorf("after a request it is %s (%v), want %s", decoded, err, object)
	}
}

func TestAttributes(t *testing.T) {
	typ := tftypes.Object{AttributeTypes: map[string]tftypes.Type{"name": tftypes.String}}
	if attributes, err := protocoltest.Attributes(tftypes.NewValue(typ, nil)); err != nil || len(attributes) > 0 {
		t.Errorf("null has %v (%v)", attributes, err)
	}
	for name, value := range map[string]tftypes.Value{
		"unknown": tftypes.NewValue(typ, tftypes.UnknownValue), "text": tftypes.NewValue(tftypes.String, "text"),
	} {
		if attributes, err := protocoltest.Attributes(value); err == nil {
			t.Errorf("%s has %v, want an error", name, attributes)
		}
	}
}

func TestDecode_nothing(t *testing.T) {
	if value, err := protocoltest.Decode(tftypes.String, nil); err != nil || !value.IsNull() {
		t.Errorf("got %s, %v, want null", value, err)
	}
}
