// Package server runs a store node as its configuration says.
//
// [Run] serves; it says in which order the parts start and stop, and why. [Init]
// and [Join] run a node just long enough to make it the first of a store or a
// member of one.
package server
