// Package client is how an S3 server in Go asks the sidecar on its host.
//
// [New] makes a [Client], which many goroutines share. [Client.Check] asks about a
// request as it was received, and is all that most servers need; [FromHTTP] makes
// the question from a request of net/http. [Client.CheckAll] asks many at once,
// [Client.Verify] is for servers that build the string to sign themselves, and
// [Client.SigningKey] and [Client.Chunk] for those that check chunk signatures.
//
// An error is never an allow, and neither is an answer other than protocol.Allow.
// The package imports the standard library and package protocol only.
package client
