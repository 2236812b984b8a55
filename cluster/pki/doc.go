// Package pki makes the certificates by which the members of a cluster know one
// another: one authority, and a certificate for each node and sidecar.
//
// [NewAuthority] makes the authority, [Authority.Issue] certificates, and
// [Files] loads what a process needs and notices when the files are replaced.
package pki
