package pulumiapi

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"7", "", 7 * time.Second},
		{"-7", "", 0},
		{"+7", "", 0},
		{"1.5", "", 0},
		{"soon", "", 0},
		{"7 s", "", 0},
		{"4294967295", "", 4294967295 * time.Second},
		{"4294967296", "", 0},
		{"99999999999999999999999999", "", 0},
		{"20000000000000000000A", "", 0},
		{"Sun, 01 Mar 2026 12:00:30 GMT", "", 30 * time.Second},
		{"Sunday, 01-Mar-26 12:00:30 GMT", "", 30 * time.Second},
		{"Sun Mar  1 12:00:30 2026", "", 30 * time.Second},
		{"Sun, 01 Mar 2026 11:59:30 GMT", "", 0},
		{"Fri, 31 Dec 9999 23:59:59 GMT", "", 1<<63 - 1},
		{"Sun, 01 Mar 2026 13:00:30 GMT", "Sun, 01 Mar 2026 13:00:00 GMT", 30 * time.Second},
		{"Sun, 01 Mar 2026 12:00:30 GMT", "yesterday", 30 * time.Second},
	} {
		header := http.Header{"Retry-After": {test.value}, "Date": {test.date}}
		if got := retryAfter(header, now); got != test.want {
			t.Errorf("%s: got %s, want %s", test.value, got, test.want)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	c := newClient(t, nil)
	for retry, seconds := range map[int]int{0: 1, 1: 2, 2: 4, 3: 8, 4: 16, 5: 30, 6: 30, 63: 30, 100000: 30} {
		want := time.Duration(seconds) * time.Second
		for range 100 {
			if got := c.backoff(retry); got < want/2 || got > want {
				t.Fatalf("retry %d: got %s, want between %s and %s", retry, got, want/2, want)
			}
		}
	}
}

func TestUnixTime(t *testing.T) {
	t.Parallel()
	newYear := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[int64]time.Time{
		1767225600:          newYear,
		1767225600123:       newYear.Add(123 * time.Millisecond),
		1:                   time.Unix(1, 0),
		99_999_999_999:      time.Unix(99_999_999_999, 0),
		100_000_000_000:     time.UnixMilli(100_000_000_000),
		253_402_300_799_999: time.UnixMilli(253_402_300_799_999),
		253_402_300_800_000: {},
		0:                   {},
		-1767225600:         {},
		1<<63 - 1:           {},
	} {
		if got := unixTime(value); !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%d: got %s, want %s in UTC", value, got, want)
		}
	}
}
