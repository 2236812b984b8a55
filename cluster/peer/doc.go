// Package peer is what nodes ask of one another: to carry a command to the leader,
// to say how far a read has to wait, to let a node in or out.
//
// A node answers through a [Handler] that [Serve] calls, and asks through a [Pool].
package peer
