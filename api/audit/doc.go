// Package audit keeps the record of administrative calls in files of a node, chained
// so that no record can be changed, left out or put in unnoticed.
//
// A file holds JSON Lines, an [Entry] each: the record as it was written, and the
// SHA-256 of the hash before it and the record's bytes. Whoever keeps a hash
// elsewhere can prove with [Verify] that everything up to it is as it was. A node
// records the calls that it answered; the store's own order of changes is the index.
//
// Start with [Record], then [Log] (log.go) and [Verify] (verify.go).
package audit
