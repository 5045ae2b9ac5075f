package cloud_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

func TestWarningsAreCollectedOncePerText(t *testing.T) {
	t.Parallel()
	warn := func(texts ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for _, text := range texts {
				w.Header().Add("X-Pulumi-Warning", text)
			}
			w.WriteHeader(http.StatusNoContent)
		}
	}
	failing := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Pulumi-Warning", "fourth")
		refuse(http.StatusForbidden)(w, r)
	}
	server := newServer(t, first(2, warn("first"), inTurn(warn("second", "third", "first"), warn(), failing)))
	client := newClient(t, server.URL)
	ctx, warnings := cloud.WithWarnings(t.Context())
	for range 4 {
		if err := client.DeleteAgentPool(ctx, "acme", poolID, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.DeleteAgentPool(ctx, "acme", poolID, false); err == nil {
		t.Fatal("got no error, want 403")
	}
	if got, want := warnings.All(), []string{"first", "second", "third", "fourth"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWarningsWithoutCollectorAreDropped(t *testing.T) {
	t.Parallel()
	server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Pulumi-Warning", "unheard")
		w.WriteHeader(http.StatusNoContent)
	})
	client := newClient(t, server.URL)
	if err := client.DeleteAgentPool(t.Context(), "acme", poolID, false); err != nil {
		t.Error(err)
	}
	_, warnings := cloud.WithWarnings(t.Context())
	if got := warnings.All(); len(got) != 0 {
		t.Errorf("another context's collector got %q", got)
	}
}

func TestWarningsConcurrently(t *testing.T) {
	t.Parallel()
	server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Pulumi-Warning", "read this")
		w.WriteHeader(http.StatusNoContent)
	})
	client := newClient(t, server.URL)
	ctx, warnings := cloud.WithWarnings(t.Context())
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if err := client.DeleteAgentPool(ctx, "acme", poolID, false); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := warnings.All(); !slices.Equal(got, []string{"read this"}) {
		t.Errorf("got %q, want one warning", got)
	}
}
