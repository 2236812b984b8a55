// Package mesh connects the members of a cluster: one port, mutual TLS, and for
// each connection a protocol, a cluster and a node that it is meant for.
//
// [New] binds the port, [Mesh.Run] accepts, [Mesh.Listener] hands out the
// connections of one protocol, and [Mesh.Dial] makes one. Before anything else
// each side says who it is; a connection that is meant for another cluster, or for
// a node that used to live at the address, is refused with the reason.
package mesh
