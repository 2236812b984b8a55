// Package minio asks a real MinIO and a Doorward that took over its identities the
// same questions, and has real clients talk to a MinIO that asks Doorward's webhook.
//
// It is a module of its own because MinIO is under the AGPL: nothing ships, imports
// or links what is here, and nothing here imports Doorward. Both servers are
// programs, which `make minio-test` builds and runs.
package minio
