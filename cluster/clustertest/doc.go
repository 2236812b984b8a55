// Package clustertest runs whole clusters in virtual time, with a hand on network,
// disks and clocks.
//
// Everything but the carrier of connections is what production runs: nodes, logs
// on real files, elections, forwarding. [New] makes a [World] inside a bubble of
// testing/synctest, where hours pass in seconds and nothing depends on how busy the
// machine is. Its methods do harm; [World.Load] writes and reads meanwhile and
// keeps a history; [World.Verify] heals everything and checks that no acknowledged
// write is lost, that all nodes hold the same state, and that the history could
// have come from one copy of the data (porcupine).
package clustertest
