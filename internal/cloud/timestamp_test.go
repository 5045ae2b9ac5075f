package cloud

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
)

func TestTimestamp(t *testing.T) {
	t.Parallel()
	newYear := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"1767225600":              newYear,
		"1767225600000":           newYear,
		"1767225600123":           newYear.Add(123 * time.Millisecond),
		"1767225600.5":            newYear,
		"1.7672256e9":             newYear,
		"1.7672256e12":            newYear,
		"1":                       time.Unix(1, 0),
		"99999999999":             time.Unix(99_999_999_999, 0),
		"100000000000":            time.UnixMilli(100_000_000_000),
		"253402300799999":         time.UnixMilli(253_402_300_799_999),
		"253402300800000":         {},
		"0":                       {},
		"-0":                      {},
		"0.4":                     {},
		"-1":                      {},
		"-1767225600":             {},
		"9223372036854775807":     {},
		"9223372036854775808":     {},
		"-9223372036854775809":    {},
		"1e400":                   {},
		"-1e400":                  {},
		"123456789012345678901.5": {},
		"null":                    {},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			got := timestamp{time.Unix(5, 0)}
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
			if !got.Equal(want) || got.Location() != time.UTC {
				t.Errorf("got %v, want %v in UTC", got, want)
			}
		})
	}
}

func TestTimestampOfAnotherType(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"1767225600"`: "string", `""`: "string", "true": "bool", "false": "bool", "[]": "array", "{}": "object", "[1]": "array",
	} {
		var got timestamp
		var typeErr *json.UnmarshalTypeError
		if err := json.Unmarshal([]byte(text), &got); !errors.As(err, &typeErr) || typeErr.Value != want {
			t.Errorf("%s: got %v, want an UnmarshalTypeError of a JSON %s", text, err, want)
		}
		if !got.IsZero() {
			t.Errorf("%s: got %v, want the zero time", text, got)
		}
	}
}

func FuzzTimestamp(f *testing.F) {
	for _, text := range []string{
		"0", "-1", "1767225600", "1767225600000", "99999999999", "100000000000", "253402300799999", "253402300800000",
		"1e400", "1.5", "-0.0", "9223372036854775808", `"1"`, "null", "true", "[]", "{}", " 1", "01", "",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got timestamp
		if err := json.Unmarshal(text, &got); err != nil {
			if !got.IsZero() {
				t.Errorf("got %v beside the error %v", got, err)
			}
			return
		}
		if got.Location() != time.UTC || !got.IsZero() && (got.Unix() < 0 || got.Year() > 9999) {
			t.Errorf("got %v, want a time from 1970 to 9999 in UTC, or none", got)
		}
		if _, err := got.MarshalText(); err != nil {
			t.Errorf("RFC 3339 can't write it: %v", err)
		}
	})
}
