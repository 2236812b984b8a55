// Package extauthz answers Envoy's external authorization filter (ext_authz v3,
// over gRPC) by asking the sidecar on the same host. [New] makes the service, for a
// grpc.Server; cmd/doorward-extauthz is the command around it.
//
// It is a module of its own, so that nobody else carries gRPC and Envoy's messages.
// The configuration that Envoy needs, and its traps, are in deploy/envoy.
//
// What Envoy says about the client's connection is taken for true, so nobody but
// Envoy may reach the service. It decides about the request that Envoy holds when it
// asks. Envoy sends that one on, unless a route or a later filter rewrites it, which
// cannot be seen from here and must not be configured.
package extauthz
