package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
)

// seed leaves a scenario's agent pools in the emulator and in each variant's state, as an apply of the configuration
// would. It applies one and copies it, since an apply of thousands takes longer than all the plans that follow.
func (b bench) seed(ctx context.Context, a *api, s scenario) error {
	one := scenario{pools: 1, parallelism: 1}
	if err := b.workspace.setPools(one.pools, []variant{reference}); err != nil {
		return err
	}
	if _, err := b.runOnce(ctx, a, one, apply, reference); err != nil {
		return err
	}
	applied, err := os.ReadFile(b.workspace.stateFile(reference))
	if err != nil {
		return err
	}
	instances := make([]map[string]any, s.pools-one.pools)
	for i := range instances {
		index := i + one.pools
		name, description := fmt.Sprintf("pool-%04d", index), fmt.Sprintf("Runners of team %d", index)
		pool, token, err := a.cloud.CreateAgentPool(organization, name, description)
		if err != nil {
			return err
		}
		instances[i] = map[string]any{
			"index_key": index, "id": pool.ID, "name": name, "description": description, "token": token,
		}
	}
	state, err := multiply(applied, instances)
	if err != nil {
		return err
	}
	if err := b.workspace.setPools(s.pools, s.variants); err != nil {
		return err
	}
	return b.workspace.setState(state, s.variants)
}

// multiply adds copies of a state's only resource instance to it, each with values of its own for index_key and
// attributes.
func multiply(applied []byte, instances []map[string]any) ([]byte, error) {
	var state map[string]json.RawMessage
	if err := json.Unmarshal(applied, &state); err != nil {
		return nil, err
	}
	var resources []map[string]any
	if err := json.Unmarshal(state["resources"], &resources); err != nil {
		return nil, err
	}
	if len(resources) != 1 {
		return nil, fmt.Errorf("the state has %d resources, not one", len(resources))
	}
	all, ok := resources[0]["instances"].([]any)
	if !ok || len(all) != 1 {
		return nil, fmt.Errorf("the state's resource has %d instances, not one", len(all))
	}
	template, ok := all[0].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the state's instance is a %T", all[0])
	}
	for _, values := range instances {
		instance := maps.Clone(template)
		instance["index_key"] = values["index_key"]
		// CLIs that know no identity have none in the state.
		for _, part := range []string{"attributes", "identity"} {
			if attributes, ok := template[part].(map[string]any); ok {
				attributes = maps.Clone(attributes)
				for name := range attributes {
					if value, changed := values[name]; changed {
						attributes[name] = value
					}
				}
				instance[part] = attributes
			}
		}
		all = append(all, instance)
	}
	resources[0]["instances"] = all
	encoded, err := json.Marshal(resources)
	if err != nil {
		return nil, err
	}
	state["resources"] = encoded
	return json.Marshal(state)
}
