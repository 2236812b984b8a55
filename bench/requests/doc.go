// Package requests is what servers pay for a request that verify it by signing it
// again with the signer of a public SDK. Start with works.go.
package requests
