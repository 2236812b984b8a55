// Package policyoracle asks an independent implementation of AWS's policy
// language for a third opinion on decisions of package authz: the one of
// versitygw v1.8.0, iamapi/policy. It is a module of its own, so that what
// versitygw depends on stays out of Doorward, and holds tests only.
//
// The differences between the two are listed, each with its reason, in
// README.md; start there, then departures_test.go.
package policyoracle
