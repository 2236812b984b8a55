// Package gossip is what nodes tell one another about who is alive and where: the
// room around hashicorp/memberlist, encrypted, on a port of its own.
//
// All of it is a hint and never authority. Whoever has the gossip's key may say
// anything; membership, votes and identity are settled by the log and by
// certificates, and a node whose gossip is blocked lacks nothing but the hints.
//
// Begin with [Start], [Gossip.Join] and [Gossip.Members].
package gossip
