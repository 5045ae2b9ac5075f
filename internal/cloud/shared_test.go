package cloud

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSharedReadServesAllWhoAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads := sharedReads[int]{now: time.Now}
		fetches := 0
		release := make(chan struct{})
		fetch := func(ctx context.Context) (int, error) {
			fetches++
			<-release
			return fetches, ctx.Err()
		}
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				if got, err := reads.get(t.Context(), "acme", time.Second, fetch); got != 1 || err != nil {
					t.Errorf("got %d, %v", got, err)
				}
			})
		}
		synctest.Wait()
		close(release)
		group.Wait()
		if got, err := reads.get(t.Context(), "acme", time.Second, fetch); got != 1 || err != nil {
			t.Errorf("later: got %d, %v", got, err)
		}
		if got, err := reads.get(t.Context(), "other", time.Second, fetch); got != 2 || err != nil {
			t.Errorf("another key: got %d, %v", got, err)
		}
	})
}

func TestSharedReadExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads := sharedReads[int]{now: time.Now}
		fetches := 0
		fetch := func(context.Context) (int, error) {
			fetches++
			<-time.After(time.Minute) // Its age counts from its end.
			return fetches, nil
		}
		for _, step := range []struct {
			wait time.Duration
			want int
		}{{0, 1}, {9 * time.Second, 1}, {time.Second - 1, 1}, {1, 2}, {0, 2}} {
			<-time.After(step.wait)
			if got, err := reads.get(t.Context(), "acme", 10*time.Second, fetch); got != step.want || err != nil {
				t.Errorf("after %s: got %d, %v, want %d", step.wait, got, err, step.want)
			}
		}
		<-time.After(1000 * time.Hour)
		if got, err := reads.get(t.Context(), "acme", math.MaxInt64, fetch); got != 2 || err != nil {
			t.Errorf("without expiry: got %d, %v, want 2", got, err)
		}
	})
}

func TestSharedReadEndsWithItsLastReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads := sharedReads[int]{now: time.Now}
		fetches, ended := 0, 0
		fetch := func(ctx context.Context) (int, error) {
			fetches++
			<-ctx.Done()
			ended++
			return 0, ctx.Err()
		}
		first, cancelFirst := context.WithCancel(t.Context())
		second, cancelSecond := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for _, ctx := range []context.Context{first, second} {
			group.Go(func() {
				if _, err := reads.get(ctx, "acme", time.Second, fetch); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want context.Canceled", err)
				}
			})
			synctest.Wait()
		}
		cancelFirst() // The one that started the fetch.
		synctest.Wait()
		if fetches != 1 || ended != 0 {
			t.Errorf("with one reader left: %d fetches, %d ended; want 1 and 0", fetches, ended)
		}
		cancelSecond()
		group.Wait()
		synctest.Wait()
		if ended != 1 {
			t.Errorf("with no reader left: %d fetches ended, want 1", ended)
		}
		answered := func(context.Context) (int, error) { return 7, nil }
		if got, err := reads.get(t.Context(), "acme", time.Second, answered); got != 7 || err != nil {
			t.Errorf("a new reader: got %d, %v, want 7", got, err)
		}
	})
}

func TestWriteOutdatesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads := sharedReads[string]{now: time.Now}
		truth := "before"
		slow := func(ctx context.Context) (string, error) {
			seen := truth
			<-time.After(time.Second)
			return seen, ctx.Err()
		}
		get := func(want ...string) func() {
			return func() {
				got, err := reads.get(t.Context(), "acme", time.Hour, slow)
				for _, want := range want {
					if got == want && err == nil {
						return
					}
				}
				t.Errorf("got %q, %v, want one of %q", got, err, want)
			}
		}
		var group sync.WaitGroup
		group.Go(get("before", "after")) // Overlaps with the write.
		synctest.Wait()
		end := reads.write("acme")
		group.Go(get("before", "after"))
		synctest.Wait()
		truth = "after"
		end()
		group.Go(get("after"))
		synctest.Wait()
		group.Go(get("after"))
		group.Wait()
		get("after")()
		if otherEnd := reads.write("other"); len(reads.byKey) != 1 {
			t.Error("a write to another key forgot this one")
			otherEnd()
		}
	})
}

func TestReaderThatLeavesForgetsOnlyItsOwnRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads := sharedReads[string]{now: time.Now}
		old, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			_, err := reads.get(old, "acme", time.Hour, func(ctx context.Context) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
		})
		synctest.Wait()
		reads.write("acme")()
		_, err := reads.get(t.Context(), "acme", time.Hour, func(context.Context) (string, error) { return "new", nil })
		if err != nil {
			t.Error(err)
		}
		cancel()
		group.Wait()
		got, err := reads.get(t.Context(), "acme", time.Hour, func(context.Context) (string, error) { return "again", nil })
		if got != "new" || err != nil {
			t.Errorf("got %q, %v, want the new one still", got, err)
		}
	})
}
