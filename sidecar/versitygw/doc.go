// Package versitygw answers a stock versitygw over its private protocol for a
// standalone IAM service, version 1, so that the gateway asks Doorward on every
// request.
//
// [New] makes the handler, for an http.Server on a unix socket whose ConnContext is
// sidecar.WithPeer. The gateway is started with --iam-standalone-endpoint and the path
// of that socket. It derives no keys
// and holds no policies: for each S3 request it asks for a signing key and,
// once it has verified the signature, for a decision about each action and resource
// (questions.go). Bucket policies and ACLs stay in the gateway; what comes back
// keeps apart what those may add to and what they may not.
//
// The protocol has no word for an expired session token: the gateway's client sees
// InvalidToken for it.
package versitygw
