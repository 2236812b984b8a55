// Package plain is a small S3 server on net/http with Doorward inside: the store,
// the API and the authorizer in the same process, gofakes3 for the objects. It
// shows what an S3 server written in Go does with the packages (serve.go is the
// whole of it), and gives the client tests a server whose every error code is
// Doorward's own.
package plain
