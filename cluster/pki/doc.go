// Package pki makes the certificates by which the members of a cluster know one
// another: one authority, and a certificate for each node and sidecar.
//
// [NewAuthority] makes the authority, [Authority.Issue] certificates by hand and
// [Authority.Sign] those that a member asks for ([NewRequest]). [Files] loads what a
// process needs and notices when the files are replaced.
package pki
