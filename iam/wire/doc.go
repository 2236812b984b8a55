// Package wire is the bytes that Doorward writes for itself: entries of the log,
// snapshots of a store, and the frames that sidecars follow.
//
// Start with [AppendEntry] and [DecodeEntry] (entry.go), then [WriteSnapshot] and
// [ReadSnapshot] (snapshot.go), then the frames (feed.go). version.go tells what
// changed when, and what a reader may rely on; testdata/v1 keeps bytes of every
// version for ever. Encoding is deterministic: equal values give equal bytes on
// every machine.
//
// Bytes for S3 servers are in sidecar/protocol, bytes for AWS clients in api.
package wire
