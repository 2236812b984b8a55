// Package plain is a small S3 server on net/http with Doorward inside: the store,
// the API and the authorizer in the same process, objects in plain files. It shows
// what an S3 server written in Go does with the packages (serve.go: prove, name, ask,
// act), and gives the client tests a server whose every error code is Doorward's own
// and which stores exactly the bytes and keys that were verified.
package plain
