package cloud

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
		{"300", "", 5 * time.Minute},
		{"-7", "", 0},
		{"+7", "", 0},
		{"1.5", "", 0},
		{"soon", "", 0},
		{"7 s", "", 0},
		{"9223372036", "", 9223372036 * time.Second},
		{"9223372037", "", 9223372036 * time.Second},
		{"9223372036854775807", "", 9223372036 * time.Second},
		{"18446744073709551615", "", 9223372036 * time.Second},
		{"20000000000000000000A", "", 0},
		{"99999999999999999999999999", "", 9223372036 * time.Second},
		{"Sun, 01 Mar 2026 12:00:30 GMT", "", 30 * time.Second},
		{"Sunday, 01-Mar-26 12:00:30 GMT", "", 30 * time.Second},
		{"Sun Mar  1 12:00:30 2026", "", 30 * time.Second},
		{"Sun, 01 Mar 2026 11:59:30 GMT", "", 0},
		{"Fri, 31 Dec 9999 23:59:59 GMT", "", 1<<63 - 1},
		{"Sun, 01 Mar 2026 13:00:30 GMT", "Sun, 01 Mar 2026 13:00:00 GMT", 30 * time.Second},
		{"Sun, 01 Mar 2026 12:00:30 GMT", "yesterday", 30 * time.Second},
	} {
		t.Run(test.value, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Retry-After": {test.value}, "Date": {test.date}}
			if got := retryAfter(header, now); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if got := retryAfter(http.Header{}, now); got != 0 {
		t.Errorf("without the header: got %s, want 0", got)
	}
}

func TestBackoffIsExponentialAndBounded(t *testing.T) {
	t.Parallel()
	for attempt, seconds := range []int{1, 2, 4, 8, 16, 30, 30} {
		most := time.Duration(seconds) * time.Second
		for range 100 {
			if got := backoff(time.Second, 30*time.Second, attempt); got < most/2 || got > most {
				t.Fatalf("attempt %d: got %s, want between %s and %s", attempt, got, most/2, most)
			}
		}
	}
	for _, attempt := range []int{62, 63, 64, 1000, 100000} {
		if got := backoff(time.Second, 30*time.Second, attempt); got < 15*time.Second || got > 30*time.Second {
			t.Errorf("attempt %d: got %s, want between 15s and 30s", attempt, got)
		}
	}
}

func TestBackoffPrefersRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	client := New(Config{Now: func() time.Time { return now }})
	for _, status := range []int{429, 500, 502, 503, 504} {
		for _, value := range []string{"90", "Sun, 01 Mar 2026 12:01:30 GMT"} {
			resp := &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {value}}}
			if got := client.backoff(time.Second, 30*time.Second, 0, resp); got < 90*time.Second || got > 91*time.Second {
				t.Errorf("%d, Retry-After %s: got %s, want 90s and a little", status, value, got)
			}
		}
	}
	if got := client.backoff(time.Second, 30*time.Second, 0, nil); got > time.Second {
		t.Errorf("without an answer: got %s, want at most 1s", got)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{
		"", "0", "7", "-1", "1e9", "9223372036854775807", "18446744073709551616", "Sun, 01 Mar 2026 12:00:30 GMT",
		"Sunday, 01-Mar-26 12:00:30 GMT", "Sun Mar  1 12:00:30 2026", "Mon, 01 Jan 0001 00:00:00 GMT", "\x00", "٣",
	} {
		f.Add(value, "Sun, 01 Mar 2026 12:00:00 GMT")
		f.Add(value, "")
	}
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value, date string) {
		header := http.Header{"Retry-After": {value}, "Date": {date}}
		got := retryAfter(header, now)
		if got < 0 {
			t.Errorf("got %s, want no negative wait", got)
		}
		digits := value != ""
		for _, c := range []byte(value) {
			digits = digits && '0' <= c && c <= '9'
		}
		if _, err := http.ParseTime(value); !digits && err != nil && got != 0 {
			t.Errorf("got %s for what is neither a number nor a date", got)
		}
		if digits && len(value) > 3 && value[0] != '0' && got < 1000*time.Second {
			t.Errorf("got %s, which is less than %s seconds", got, value)
		}
	})
}
