package provider

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"weak"
)

type testKey struct{}

func TestACallIsCancelledWithItsCaller(t *testing.T) {
	t.Parallel()
	caller, cancel := context.WithCancelCause(t.Context())
	_, err := during(caller, 0, func(ctx context.Context, _ int) (int, error) {
		derived, stop := context.WithCancel(ctx)
		defer stop()
		cancel(errors.New("interrupted"))
		<-derived.Done()
		return 0, derived.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
}

func TestACallHasItsCallersValues(t *testing.T) {
	t.Parallel()
	got, err := during(context.WithValue(t.Context(), testKey{}, "there"), 1, func(ctx context.Context, _ int) (any, error) {
		if deadline, ok := ctx.Deadline(); ok {
			t.Errorf("a deadline from nowhere: %s", deadline)
		}
		return ctx.Value(testKey{}), ctx.Err()
	})
	if got != "there" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

// The framework keeps what it derives from a call's context for as long as the provider runs.
func TestACallKeepsNothingAlive(t *testing.T) {
	t.Parallel()
	var kept []context.Context
	logger := func() weak.Pointer[[1 << 10]byte] {
		logger := new([1 << 10]byte)
		_, err := during(context.WithValue(t.Context(), testKey{}, logger), 0, func(ctx context.Context, _ int) (int, error) {
			derived, cancel := context.WithCancel(ctx)
			t.Cleanup(cancel)
			kept = append(kept, derived)
			return 0, nil
		})
		if err != nil {
			t.Error(err)
		}
		return weak.Make(logger)
	}()
	runtime.GC()
	if logger.Value() != nil {
		t.Error("the call's values are still in memory")
	}
	if kept[0].Err() == nil || kept[0].Value(testKey{}) != nil {
		t.Error("a context goes on after its call")
	}
}

//nolint:paralleltest // The process has one environment.
func TestQuietUnlessLogged(t *testing.T) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "TF_LOG") {
			t.Setenv(name, "")
		}
	}
	for _, name := range []string{"TF_LOG_SDK", "TF_LOG_PROVIDER_PULUMICLOUD"} {
		t.Setenv(name, "")
	}
	t.Setenv("TF_LOG_PROVIDER", "WARN")
	QuietUnlessLogged()
	if level := os.Getenv("TF_LOG_SDK"); level != "" {
		t.Errorf("asked for a log, got it at the level %s", level)
	}
	t.Setenv("TF_LOG_PROVIDER", "")
	QuietUnlessLogged()
	if sdk, own := os.Getenv("TF_LOG_SDK"), os.Getenv("TF_LOG_PROVIDER_PULUMICLOUD"); sdk != "OFF" || own != "OFF" {
		t.Errorf("nobody asked for a log, and its levels are %q and %q", sdk, own)
	}
}
