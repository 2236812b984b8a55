// Package sigv4 parses, canonicalises and verifies AWS Signature Version 4 in
// every form that S3, IAM and STS clients send, and refuses everything else with
// the error those clients expect.
//
// A request goes through three calls. [Rules.Parse] reads the request as it came
// off the wire and yields a [Credential]: who claims to have signed, for which
// scope, in which form; nothing is proved yet. The caller looks the signing key
// up by access key id and scope, as slowly as it must. [Credential.Verify] then
// proves the signature and yields a [Verified], the only value that stands for
// an authenticated request: no other package can make one that is not zero.
// A body that the signature covers piece by piece is read through [NewBody].
// Browser forms start with [ReadForm] and [Rules.ParseForm].
//
// Start reading at credential.go, then verify.go and canonical.go; body.go and
// chunk.go hold the streams, form.go and postpolicy.go the browser forms,
// asymmetric.go SigV4A, sign.go the client's half. Errors are [Error] values
// that carry code, status and the extra XML elements; xml.go writes them.
//
// The package reads no clock and starts no goroutine: the time is an argument.
// It keeps the request-target byte for byte and never cleans it. What is
// accepted and what is refused is listed in docs/signatures.md.
package sigv4
