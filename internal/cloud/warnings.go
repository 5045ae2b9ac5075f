package cloud

import (
	"context"
	"slices"
	"sync"
)

// Warnings collects what Pulumi Cloud wants its user to know (the header X-Pulumi-Warning), each text once.
type Warnings struct {
	mu    sync.Mutex
	texts []string
}

// All returns the texts in the order in which they came.
func (w *Warnings) All() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.texts)
}

type warningsKey struct{}

// WithWarnings returns a context whose requests leave their warnings in the collector.
func WithWarnings(ctx context.Context) (context.Context, *Warnings) {
	collector := &Warnings{}
	return context.WithValue(ctx, warningsKey{}, collector), collector
}

func addWarning(ctx context.Context, text string) {
	collector, ok := ctx.Value(warningsKey{}).(*Warnings)
	if !ok {
		return
	}
	collector.mu.Lock()
	defer collector.mu.Unlock()
	if !slices.Contains(collector.texts, text) {
		collector.texts = append(collector.texts, text)
	}
}
