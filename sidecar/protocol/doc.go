// Package protocol is the wire language between an S3 server and the sidecar
// beside it: frames on a unix socket, and how each is written and read.
//
// It is a public promise and imports the standard library only: bytes in, values
// out, no socket and no clock. docs/protocol.md describes the same bytes for
// people who write a client in another language. Start with [Header]
// (frame.go), then [Check], [Verify], [KeyRequest] and [Chunk] (request.go), and
// [Answer] (answer.go). history.go lists the versions.
//
// Readers take a string and return values that refer to it, so that reading
// allocates nothing; whoever hands in a string over a reused buffer must not
// keep a value beyond that buffer.
package protocol
