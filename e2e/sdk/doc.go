// Package sdk holds the signers of aws-sdk-go-v2 and minio-go against authz/sigv4 and
// against the server of package plain. All of it is in the tests.
package sdk
