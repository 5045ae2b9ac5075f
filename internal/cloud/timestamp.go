package cloud

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"time"
)

const (
	// firstMillisecond is where a number can only be milliseconds: in seconds it would be the year 5138, in
	// milliseconds it is 1973.
	firstMillisecond = 100_000_000_000
	// lastMillisecond is the end of the year 9999, the last that RFC 3339 can write.
	lastMillisecond = 253_402_300_799_999
)

// timestamp is a point in time as the API sends it: Unix time, in seconds in some places and in milliseconds in
// others. 0, absence and what can't be a time are all "never", the zero time.
type timestamp struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *timestamp) UnmarshalJSON(text []byte) error {
	t.Time = time.Time{}
	if string(text) == "null" {
		return nil
	}
	var number json.Number
	if text[0] == '"' || json.Unmarshal(text, &number) != nil {
		return &json.UnmarshalTypeError{Value: jsonType(text), Type: reflect.TypeFor[int64]()}
	}
	// Up to lastMillisecond, a float64 holds each integer exactly.
	if value, err := number.Float64(); err == nil && math.Abs(value) <= lastMillisecond {
		t.Time = unixTime(int64(value))
	}
	return nil
}

// unixTime reads seconds and milliseconds alike, and returns UTC.
func unixTime(value int64) time.Time {
	switch {
	case value <= 0 || value > lastMillisecond:
		return time.Time{}
	case value >= firstMillisecond:
		return time.UnixMilli(value).UTC()
	default:
		return time.Unix(value, 0).UTC()
	}
}

func jsonType(text []byte) string {
	switch text[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "bool"
	default:
		return fmt.Sprintf("value starting with %q", text[0])
	}
}
