//go:build race

package sigv4

// Under the race detector sync.Pool drops values at random, so allocations are not
// counted.
func init() { countAllocations = false }
