package main

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMultiply(t *testing.T) {
	const applied = `{"version":4,"serial":7,"resources":[{"type":"pulumicloud_agent_pool","instances":[
		{"index_key":0,"attributes":{"id":"a","name":"pool-0","organization":"acme"},"identity":{"id":"a"},"private":"x"}]}]}`
	const want = `{"version":4,"serial":7,"resources":[{"type":"pulumicloud_agent_pool","instances":[
		{"index_key":0,"attributes":{"id":"a","name":"pool-0","organization":"acme"},"identity":{"id":"a"},"private":"x"},
		{"index_key":1,"attributes":{"id":"b","name":"pool-1","organization":"acme"},"identity":{"id":"b"},"private":"x"}]}]}`
	got, err := multiply([]byte(applied), []map[string]any{{"index_key": 1, "id": "b", "name": "pool-1", "token": "unused"}})
	if err != nil {
		t.Fatal(err)
	}
	var gotState, wantState any
	if err := json.Unmarshal(got, &gotState); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wantState); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantState, gotState); diff != "" {
		t.Error(diff)
	}
}

func TestMultiplyRefuses(t *testing.T) {
	for name, state := range map[string]string{
		"no JSON":       `state`,
		"no resources":  `{"resources":[]}`,
		"two instances": `{"resources":[{"instances":[{},{}]}]}`,
		"no instance":   `{"resources":[{"instances":[1]}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := multiply([]byte(state), nil); err == nil {
				t.Error("no error")
			}
		})
	}
}
