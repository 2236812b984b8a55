// Package cluster is one store node: it puts the replicated log, the state
// machine, the sealing of secrets and the feed to sidecars together, and keeps
// the set of nodes healthy.
//
// [Open] makes a [Node] from a data directory, [Node.Run] works until told to
// stop. [Node.Propose] writes, [Node.View] and [Node.Consistent] read, and
// [Node.Feed] is what sidecars follow. DESIGN.md tells the mechanisms and their
// price.
package cluster
