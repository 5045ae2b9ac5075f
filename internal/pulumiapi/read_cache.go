package pulumiapi

import (
	"context"
	"strings"
	"sync"
	"time"
)

// readCache lets reads with the same key, in any case, share one request and its result, which may be an error.
type readCache[T any] struct {
	now func() time.Time

	mu    sync.Mutex
	byKey map[string]*cachedRead[T]
}

func newReadCache[T any](now func() time.Time) *readCache[T] {
	return &readCache[T]{now: now, byKey: make(map[string]*cachedRead[T])}
}

// cachedRead is a request in progress or its result. Its fields are guarded by readCache.mu until done is closed.
type cachedRead[T any] struct {
	cancel   context.CancelFunc
	waiting  int
	finished time.Time // zero while the request is in progress
	result   T
	err      error

	done chan struct{}
}

// get returns the result of the last fetch if isFresh is nil or accepts it and its age, or waits for the fetch in
// progress, or starts one. A fetch is canceled when no caller waits for it any more.
func (c *readCache[T]) get(
	ctx context.Context, key string, isFresh func(T, time.Duration) bool, fetch func(context.Context) (T, error),
) (result T, err error) {
	key = strings.ToLower(key)
	c.mu.Lock()
	read := c.byKey[key]
	if read == nil || isFresh != nil && !read.finished.IsZero() && !isFresh(read.result, c.now().Sub(read.finished)) {
		shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
		read = &cachedRead[T]{cancel: cancel, done: make(chan struct{})}
		c.byKey[key] = read
		go func() {
			defer cancel()
			result, err := fetch(shared)
			c.mu.Lock()
			read.result, read.err, read.finished = result, err, c.now()
			c.mu.Unlock()
			close(read.done)
		}()
	}
	read.waiting++
	c.mu.Unlock()

	select {
	case <-read.done:
		return read.result, read.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	read.waiting--
	if read.waiting == 0 {
		read.cancel()
		if c.byKey[key] == read {
			delete(c.byKey, key)
		}
	}
	return result, ctx.Err()
}

// peek returns the last successful result that was not invalidated, or the zero value.
func (c *readCache[T]) peek(key string) (result T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if read := c.byKey[strings.ToLower(key)]; read != nil && read.err == nil {
		result = read.result
	}
	return result
}

// invalidate discards the cached read for key. Writes call it before and after their request. A reader that is
// already waiting may get either state.
func (c *readCache[T]) invalidate(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byKey, strings.ToLower(key))
}
