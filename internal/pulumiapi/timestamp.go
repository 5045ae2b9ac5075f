package pulumiapi

import "time"

// unixTime returns the UTC time for a Unix time in seconds or milliseconds, both of which the API sends. 0 and values
// that cannot be a time mean never, the zero time.
func unixTime(value int64) time.Time {
	const firstMillisecond = 100_000_000_000 // In seconds it would be in the year 5138.
	at := time.Unix(value, 0).UTC()
	if value >= firstMillisecond {
		at = time.UnixMilli(value).UTC()
	}
	if value <= 0 || at.Year() > 9999 { // RFC 3339 cannot express later years.
		return time.Time{}
	}
	return at
}
