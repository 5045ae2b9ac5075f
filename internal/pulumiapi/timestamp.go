package pulumiapi

import "time"

// unixTime returns the UTC time for a Unix time in seconds or milliseconds, both of which the API sends. 0 and values
// that cannot be a time mean never, the zero time.
func unixTime(value int64) time.Time {
	const (
		firstMillisecond = 100_000_000_000     // In seconds it would be in the year 5138.
		lastMillisecond  = 253_402_300_799_999 // RFC 3339 cannot express later years than 9999.
	)
	switch {
	case value <= 0 || value > lastMillisecond:
		return time.Time{}
	case value >= firstMillisecond:
		return time.UnixMilli(value).UTC()
	default:
		return time.Unix(value, 0).UTC()
	}
}
