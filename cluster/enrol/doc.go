// Package enrol is how a host becomes a member of a cluster: with a token that an
// administrator made for it, once, it gets a certificate; with that certificate it
// gets the next one.
//
// The host calls [Enrol], and [Keep] for as long as it runs. A node answers through
// an [Issuer] that [Serve] calls. A [Token] names the cluster's authority by its
// fingerprint, so that the host knows a node of the cluster from anybody else before
// it says anything.
package enrol
