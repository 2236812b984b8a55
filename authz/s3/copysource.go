package s3

import (
	"strings"

	"github.com/doorward/doorward/iam"
)

const versionMark = "?versionId="

// parseCopySource reads x-amz-copy-source: B/K or /B/K, percent-encoded in parts
// or as a whole, with an optional ?versionId= that is cut off before decoding.
// The value of s3:x-amz-copy-source is built from the decoded parts, so that
// another encoding of the same source does not slip past a policy.
func (r *Result) parseCopySource() error {
	raw := r.values[KeyCopySource]
	raw, version, versioned := strings.Cut(raw, versionMark)
	if strings.ContainsAny(raw, "?#") || strings.ContainsAny(version, "?&#") || versioned && version == "" {
		return errCopySource("has a query other than versionId, or an unencoded # or ?")
	}
	if strings.HasPrefix(raw, "arn:") {
		return iam.Errorf(NotImplemented, "x-amz-copy-source names an access point, which this service has none of")
	}
	path, ok := r.text.unescape(raw)
	if !ok {
		return errCopySource("has a malformed percent escape")
	}
	if r.source.versionID, ok = r.text.unescape(version); !ok {
		return errCopySource("has a malformed percent escape in its versionId")
	}
	path = strings.TrimPrefix(path, "/")
	bucket, key, _ := strings.Cut(path, "/")
	if bucket == "" || key == "" {
		return errCopySource("does not name a bucket and a key")
	}
	if err := r.source.place(r.text.join(arnPrefix, path), len(bucket)); err != nil {
		return err
	}
	slashed := r.text.join("/", path)
	if versioned {
		slashed = r.text.join("/", path, versionMark, r.source.versionID)
	}
	r.spelled = [2]string{slashed[1:], slashed}
	return nil
}

func errCopySource(what string) error {
	return iam.Errorf(InvalidArgument, "x-amz-copy-source %s; it must be the encoded form of bucket/key", what)
}
