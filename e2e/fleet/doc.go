// Package fleet tests what an operator has: a store of three nodes, a sidecar on a host
// of its own, and a stock S3 server that asks it, while nodes and sidecar come and go.
package fleet
