// Package fsm replays the log deterministically: one command in, one result and
// its changes out, alike on every replica.
//
// Start with [Machine] and [Machine.Apply] (machine.go); dispatch.go names the
// handler of each command, and apply_user.go and its siblings hold them, one file
// per noun. limits.go has the limits that hold whoever proposes, request.go the
// memory by which no request takes effect twice, snapshot.go how all of it is
// saved and restored.
//
// The package trusts that policy documents parse and that names are well formed:
// api sees to that before it proposes. What depends on the state is decided here
// and nowhere else: whether a name is free, an entity exists, a limit is reached.
package fsm
