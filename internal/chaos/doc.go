// Package chaos holds tests that break everything around the provider, requests, answers, connections, clocks and
// processes, and count what that loses: pools, tokens, state, secrets. Nothing may be.
package chaos
