// Package compare tells how two policies differ in what they allow, by proof or
// by example, without asking about any request in particular.
//
// The requests that two documents can tell apart fall into finitely many cells:
// callers by the principals that are named (caller.go), actions and resources by
// the patterns that match them (action.go, resource.go, over the automaton of
// text.go), contexts by the conditions that hold (condition.go, solve.go). Within
// a cell both documents decide alike, so one request stands for all. Whatever is
// offered as an example was decided by [authz.Reference]; what is claimed without
// one holds for every cell, and when a bound is hit nothing is claimed.
//
// Start with [Compare], then search.go.
package compare
