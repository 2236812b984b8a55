// Package workload makes identities, policies and signed requests from a seed: the
// same seed makes the same, on every machine. Start with [New] (population.go) for a
// store full of identities, [Mix] (mix.go) for statements, and [Population.Requests]
// (request.go) for what S3 clients send.
package workload
