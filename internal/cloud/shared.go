package cloud

import (
	"context"
	"sync"
	"time"
)

// sharedReads lets reads of the same thing share one request, by key. The zero value of all but now is ready.
type sharedReads[T any] struct {
	now func() time.Time

	mu    sync.Mutex
	byKey map[string]*sharedRead[T]
}

// sharedRead is a request that is under way or done. Its result may be looked at once done is closed.
type sharedRead[T any] struct {
	cancel  context.CancelFunc
	readers int // waiting for it; guarded by sharedReads.mu

	done     chan struct{}
	result   T
	err      error
	finished time.Time
}

// get returns what fetch returned less than maxAge ago, to this reader or another, or waits for the fetch that is
// under way, or starts one. That one ends when all who wait for it are gone, not with the first of them.
func (s *sharedReads[T]) get(
	ctx context.Context, key string, maxAge time.Duration, fetch func(context.Context) (T, error),
) (T, error) {
	read := s.join(ctx, key, maxAge, fetch)
	defer s.leave(key, read)
	select {
	case <-read.done:
		return read.result, read.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (s *sharedReads[T]) join(
	ctx context.Context, key string, maxAge time.Duration, fetch func(context.Context) (T, error),
) *sharedRead[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	read := s.byKey[key]
	if read == nil || read.isDone() && s.now().Sub(read.finished) >= maxAge {
		shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
		read = &sharedRead[T]{cancel: cancel, done: make(chan struct{})}
		if s.byKey == nil {
			s.byKey = make(map[string]*sharedRead[T])
		}
		s.byKey[key] = read
		go func() {
			defer cancel()
			read.result, read.err = fetch(shared)
			read.finished = s.now()
			close(read.done)
		}()
	}
	read.readers++
	return read
}

func (s *sharedReads[T]) leave(key string, read *sharedRead[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	read.readers--
	if read.readers > 0 || read.isDone() {
		return
	}
	read.cancel()
	if s.byKey[key] == read {
		delete(s.byKey, key)
	}
}

func (r *sharedRead[T]) isDone() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// write marks the beginning of a write to what the key stands for; the function that it returns marks the end. What
// was asked for before either may lack what the write changes, so reads that come later ask anew. Those that wait
// already overlap with the write, and to them either answer is true.
func (s *sharedReads[T]) write(key string) (end func()) {
	s.forget(key)
	return func() { s.forget(key) }
}

func (s *sharedReads[T]) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byKey, key)
}
