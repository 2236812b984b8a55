// Package requests measures the whole of what is asked about a request: who signed
// it, which operation it is, and whether the signer may do it. Beside Doorward's own
// answer from memory stand the cryptography that nothing can do without, and the
// signers of the public SDKs, which servers that verify by signing again pay for.
// Start with [Open] (store.go), then works.go.
package requests
