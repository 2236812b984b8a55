// Package client calls a Doorward store over HTTP: the IAM and STS Query APIs,
// and the JSON API under /v1 for what AWS has no call for.
//
// [New] makes a [Client] from an endpoint and [Credentials]; [Lookup] finds
// credentials where AWS tools look for them. Client.query signs and sends one
// Query call; the typed calls around it are in iam.go and sts.go. A refusal is an
// [Error] with the AWS code, no answer in time is an [Unavailable].
package client
