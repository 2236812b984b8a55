// Package sidecar is the authorizer beside an S3 server: it follows the store's
// feed, keeps what it needs to decide in memory, and answers each request with a
// decision and the reason for it.
//
// Start with [Authorizer.Authorize] (authorizer.go), which is the whole decision
// in six steps, then [Source] (source.go), what a sidecar follows, and replica.go,
// how it follows. caller.go turns records into somebody who may or may not do
// things; keys.go holds signing keys, the only secrets here, each worth a day.
//
// Its memory grows with the identities of the store by some 200 bytes each, which the
// garbage collector does not look into (iam/state/packed), and with the access keys that
// are in use on this host by some 2 KB each, 65,536 of them at most ([Config.Callers]).
//
// Doors for S3 servers stand in packages and files of their own: server.go (frames
// of sidecar/protocol on a unix socket), versitygw (its private IAM protocol),
// and forward.go (HTTP forward-auth).
//
// An Authorizer in a program of its own or inside an S3 server in Go is the same
// thing: [New], [Authorizer.Run] beside it, [Authorizer.Authorize].
package sidecar
