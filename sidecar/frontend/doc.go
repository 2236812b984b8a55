// Package frontend answers, over HTTP on loopback or a unix socket, those who do
// not speak the sidecar's frames: proxies in front of an S3 server (forward.go) and
// MinIO's access-management webhook (minio.go). [New] puts them under one handler.
//
// A proxy tells in header fields of its own which request it is about. Those fields
// are the proxy's word, so nobody but the proxy may reach this door, and a field
// that is missing or there twice refuses the request. Configurations that work, and
// their traps, are in deploy.
package frontend
