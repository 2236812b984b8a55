// Package remote follows a store across the network: a [Source] is a sidecar.Source
// that speaks the feed's frames (iam/wire) with one node at a time, and goes to the
// next when that one does not answer, says nothing for too long, or cannot tell what
// is current.
//
// It knows nothing of certificates and addresses: whoever makes it gives a function
// that connects.
package remote
