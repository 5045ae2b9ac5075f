package provider

import (
	"context"
	"runtime"
	"testing"
	"weak"
)

type testKey struct{}

// The framework keeps contexts that it derives from that of a call.
func TestWithCallContext_releasesCaller(t *testing.T) {
	t.Parallel()
	call := func() (context.Context, weak.Pointer[[1 << 10]byte]) {
		value := new([1 << 10]byte)
		caller := context.WithValue(t.Context(), testKey{}, value)
		derived, err := withCallContext(caller, 0, func(ctx context.Context, _ int) (context.Context, error) {
			derived, cancel := context.WithCancel(ctx)
			t.Cleanup(cancel)
			return derived, nil
		})
		if err != nil {
			t.Error(err)
		}
		return derived, weak.Make(value)
	}
	kept, value := call()
	runtime.GC()
	if value.Value() != nil {
		t.Error("the values of the caller are still in memory")
	}
	if kept.Err() == nil || kept.Value(testKey{}) != nil {
		t.Error("the context is still active")
	}
}
