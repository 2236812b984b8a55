package sidecar

import (
	"net/netip"
	"strings"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar/protocol"
)

// Request is a request for S3 as the server received it. Its strings must stay
// unchanged until Authorize returns; nothing of it is kept.
type Request struct {
	Method  string
	Target  string          // request-target of the request line, byte for byte
	Headers []protocol.Pair // as received, in order, Host among them

	// Remote is the address of the client: the peer of the connection or what a
	// trusted proxy says, never what the client says.
	Remote netip.Addr
	// Secure says that the client's connection used TLS; TLSVersion is "1.2" or
	// "1.3" if known.
	Secure     bool
	TLSVersion string

	// BodyHash is the hash of a body that has been read in full, zero otherwise.
	BodyHash sigv4.BodyHash
	// Body is the whole body if HasBody, for operations whose objects are named in
	// it (DeleteObjects). aws-chunked framing is removed. Of a browser form it is
	// enough what comes before the content of the file; the length of the file is for
	// the S3 server to hold against the form's policy (sigv4.Form does).
	Body    []byte
	HasBody bool

	// MinIndex is the index that the view must have reached.
	MinIndex iam.Index

	// BucketAccount owns the bucket and BucketPolicy is its policy document, where
	// the S3 server keeps these. Empty: what the store has.
	BucketAccount iam.AccountID
	BucketPolicy  string
	// Facts are condition keys that only the S3 server knows, such as
	// s3:ExistingObjectTag/class. A name from Decision.Missing, such as
	// s3:ExistingObjectTag/*, says that all of its family are given.
	Facts []protocol.Pair
}

// factual reports whether an S3 server may state a condition key: the store's own
// knowledge of the caller and of the time is never overruled.
func factual(name string) bool {
	if len(name) >= 3 && strings.EqualFold(name[:3], "s3:") {
		return true
	}
	for _, family := range []string{"aws:ResourceTag/", "aws:RequestTag/"} {
		if len(name) > len(family) && strings.EqualFold(name[:len(family)], family) {
			return true
		}
	}
	return strings.EqualFold(name, "aws:TagKeys")
}
