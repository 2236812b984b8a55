// Package api answers administrators and applications over HTTP: the Query APIs
// of AWS IAM (version 2010-05-08) and STS (2011-06-15), JSON under /v1 for what
// AWS has no call for, and health and metrics.
//
// Start with [New] and [Config], then the table of actions (action.go): one line
// for each call with its parameters, the permission that it needs and the
// resource that it is about. A request passes server.go (read and dispatch),
// authenticate.go (who signed), authorize.go (may they) and the action's function
// in the file of its noun. errors.go alone decides HTTP statuses and the shape of
// refusals.
//
// Time, randomness and identifiers are spent here, before a command is proposed.
// The package knows the store as the interfaces [Store], [Secrets] and [Tokens],
// which the cluster satisfies.
package api
