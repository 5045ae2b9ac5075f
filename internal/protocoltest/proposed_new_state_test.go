package protocoltest_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/protocoltest"
)

func TestProposedNewState(t *testing.T) {
	schema := &tfprotov6.Schema{Block: &tfprotov6.SchemaBlock{Attributes: []*tfprotov6.SchemaAttribute{
		{Name: "optional", Type: tftypes.String, Optional: true},
		{Name: "computed", Type: tftypes.String, Computed: true},
		{Name: "either", Type: tftypes.String, Optional: true, Computed: true},
	}}}
	typ := schema.ValueType().(tftypes.Object)
	object := func(attributes map[string]any) tftypes.Value { return protocoltest.Object(typ, attributes) }
	none := tftypes.NewValue(typ, nil)
	prior := object(map[string]any{"optional": "old", "computed": "old", "either": "old"})

	for name, test := range map[string]struct {
		prior        tftypes.Value
		config, want map[string]any
	}{
		// As Terraform's objchange.ProposedNew does, whose tests say the same of a prior that is null.
		"creation leaves what is computed null": {none, nil, nil},
		"creation": {
			none, map[string]any{"optional": "new", "either": "new"}, map[string]any{"optional": "new", "either": "new"},
		},
		"what is computed stays, and what is not goes": {prior, nil, map[string]any{"computed": "old", "either": "old"}},
		"what is configured is new": {
			prior,
			map[string]any{"optional": "new", "either": "new"},
			map[string]any{"optional": "new", "computed": "old", "either": "new"},
		},
		"what is not known yet does not stay": {
			prior,
			map[string]any{"either": tftypes.UnknownValue},
			map[string]any{"computed": "old", "either": tftypes.UnknownValue},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := protocoltest.ProposedNewState(schema, test.prior, object(test.config))
			if want := object(test.want); err != nil || !got.Equal(want) {
				t.Errorf("got %s (%v), want %s", got, err, want)
			}
		})
	}
}
