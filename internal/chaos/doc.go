// Package chaos tests the provider with faults in requests, responses, connections, clocks and processes. It counts lost
// agent pools, tokens and state, and leaked secrets. Every count must be zero.
package chaos
