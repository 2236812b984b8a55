// Package parts holds what the programs in this binary are put together from: parts
// that work in the background ([Start]), an API on a listener ([API]) and what a
// store is born with ([Birth]).
package parts
