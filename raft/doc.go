// Package raft is the replicated log: it orders commands, makes them durable on a
// majority and hands them to a state machine, on every node in the same order. It
// is the only room that knows the Raft library, and knows nothing about what the
// commands mean.
//
// Start with [Open] and [Node.Run], then [Node.Propose] (propose.go) and
// [Node.ReadIndex] (read.go). What the library does not guard against by itself is
// guarded here, a file each: see DESIGN.md.
package raft
