// Package authz decides whether a principal may do something to a resource and
// says why: AWS's rules over identity policies, permissions boundaries, session
// policies, bucket policies and guard rails.
//
// There are two evaluators and they agree. [Reference] (reference.go) follows
// the specification line by line; it is the oracle of the tests and the source
// of explanations. [Compiler] (compiler.go) turns the same [Policies] into an
// immutable [Authority] whose Decide answers in a fraction of a microsecond,
// whatever the number of statements, and allocates nothing.
//
// Start with [Request] and [Context] (request.go, context.go), then [Decision].
package authz
