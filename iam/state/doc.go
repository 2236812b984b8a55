// Package state holds the identity tables as one immutable view, and knows how a
// list of changes turns a view into the next.
//
// Start with [View] and its lookups (view.go), then [View.Apply] (apply.go), and
// [View.Sum] (sum.go), by which two holders of a view find out that they hold the
// same one. The tables are copy-on-write B-trees: taking a snapshot is keeping a
// pointer, and reading needs no lock.
//
// The package knows what the records are but not what they mean: which change is
// permitted is decided in fsm, what a record grants in authz.
package state
