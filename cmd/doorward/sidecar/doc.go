// Package sidecar runs an authorizer on a host of its own, as its configuration
// says.
//
// [Run] serves; it says in which order the parts start and stop, and why.
package sidecar
