package pulumiapi

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestReadCache_shares(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cache := newReadCache[int](time.Now)
		fetches := 0
		fetch := func(ctx context.Context) (int, error) {
			fetches++
			return fetches, sleep(ctx, time.Minute)
		}
		get := func(key string, maxAge time.Duration, want int) {
			t.Helper()
			isFresh := func(_ int, age time.Duration) bool { return age < maxAge }
			if got, err := cache.get(t.Context(), key, isFresh, fetch); got != want || err != nil {
				t.Errorf("got %d, %v, want %d", got, err, want)
			}
		}
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() { get("acme", time.Second, 1) })
		}
		group.Wait()
		get("ACME", time.Second, 1)
		get("other", time.Second, 2)
		get("other", 0, 3)
		get("acme", time.Hour, 1)
		<-time.After(time.Hour)
		get("acme", time.Hour, 4)
		<-time.After(1000 * time.Hour)
		get("acme", math.MaxInt64, 4)
	})
}

func TestReadCache_cancelsWithLastReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cache := newReadCache[int](time.Now)
		ended := 0
		fetch := func(ctx context.Context) (int, error) {
			<-ctx.Done()
			ended++
			return 0, ctx.Err()
		}
		var group sync.WaitGroup
		cancels := make([]context.CancelFunc, 2)
		for i := range cancels {
			ctx, cancel := context.WithCancel(t.Context())
			cancels[i] = cancel
			group.Go(func() {
				if _, err := cache.get(ctx, "acme", nil, fetch); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want context.Canceled", err)
				}
			})
			synctest.Wait()
		}
		for i, cancel := range cancels { // The first one started the fetch.
			cancel()
			synctest.Wait()
			if ended != i {
				t.Errorf("%d readers left: %d fetches ended", 1-i, ended)
			}
		}
		group.Wait()
		succeed := func(context.Context) (int, error) { return 7, nil }
		if got, err := cache.get(t.Context(), "acme", nil, succeed); got != 7 || err != nil {
			t.Errorf("a new reader: got %d, %v, want 7", got, err)
		}
	})
}

// TestReadCache_invalidate proves that a read in progress is not kept, and does not replace or remove a later one when
// it ends.
func TestReadCache_invalidate(t *testing.T) {
	t.Parallel()
	for _, canceled := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			cache := newReadCache[string](time.Now)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var group sync.WaitGroup
			group.Go(func() {
				got, err := cache.get(ctx, "acme", nil, func(ctx context.Context) (string, error) {
					return "old", sleep(ctx, time.Minute)
				})
				if canceled != (err != nil) || !canceled && got != "old" {
					t.Errorf("got %q, %v", got, err)
				}
			})
			synctest.Wait()
			cache.invalidate("ACME")
			latest := func(context.Context) (string, error) { return "new", nil }
			for range 2 {
				if got, err := cache.get(t.Context(), "acme", nil, latest); got != "new" || err != nil {
					t.Errorf("got %q, %v, want the new value", got, err)
				}
				if canceled {
					cancel()
				}
				group.Wait()
			}
			if got := cache.peek("Acme"); got != "new" {
				t.Errorf("peek: got %q", got)
			}
			cache.invalidate("acme")
			if got := cache.peek("acme"); got != "" {
				t.Errorf("peek after invalidate: got %q", got)
			}
		})
	}
}
