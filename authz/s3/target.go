package s3

import (
	"strings"
	"unicode/utf8"

	"github.com/doorward/doorward/iam"
)

const (
	arnPrefix = "arn:aws:s3:::"
	// maxKey is the longest object key, in bytes (S3 user guide, object keys).
	maxKey = 1024
	// maxBucket is the longest bucket name that S3 ever allowed, in bytes.
	maxBucket = 255
)

// place is a bucket, or an object in one, and its ARN.
type place struct {
	resource, bucket, key string
	versionID             string
}

// splitTarget cuts the raw request-target at its first question mark. Only the
// origin form of RFC 9112 is taken, and no byte that a proxy or a server could
// treat as the target's end.
func splitTarget(target string) (path, query string, err error) {
	if target == "" || target[0] != '/' {
		return "", "", iam.Errorf(InvalidURI, "request-target does not begin with a slash")
	}
	if !plainTarget(target) {
		return "", "", iam.Errorf(InvalidURI, "request-target has an unencoded space, control character or #")
	}
	path, query, _ = strings.Cut(target, "?")
	return path, query, nil
}

// locate finds bucket and key by Host and path.
func (m *Mapper) locate(host, path string, res *Result) error {
	if err := res.agreeHost(host); err != nil {
		return err
	}
	name, ok := hostName(res.values[fieldHost])
	if !ok {
		return iam.Errorf(InvalidRequest, "Host %q is not a host name", res.values[fieldHost])
	}
	bucket, style := m.bucketOfHost(name)
	switch style {
	case VirtualHostStyle:
		res.Style = style
		return res.locateAt(res.text.lower(bucket), path[1:])
	case PathStyle:
		res.Style = style
		first, key, _ := strings.Cut(path[1:], "/")
		if path == "/" {
			return nil
		}
		bucket, ok := res.text.unescape(first)
		if !ok {
			return errEscape("bucket name")
		}
		return res.locateAt(bucket, key)
	}
	return iam.Errorf(InvalidBucketName, "Host %q is not an endpoint of this service", name)
}

// agreeHost puts the Host of the request into its field. Host is what decides
// the bucket, so two different ones are refused.
func (r *Result) agreeHost(host string) error {
	if host != "" {
		return r.take(fieldHost, "Host", host)
	}
	if !r.has(fieldHost) {
		return iam.Errorf(InvalidRequest, "Host is missing")
	}
	return nil
}

// bucketOfHost returns the style of a Host without port, zero if it is none of
// ours, and for virtual-host style what stands in front of the endpoint.
func (m *Mapper) bucketOfHost(host string) (string, Style) {
	for _, e := range m.endpoints {
		if equalFold(host, e) {
			return "", PathStyle
		}
	}
	for _, e := range m.endpoints {
		cut := len(host) - len(e) - 1
		if cut > 0 && host[cut] == '.' && equalFold(host[cut+1:], e) {
			return host[:cut], VirtualHostStyle
		}
	}
	if m.otherHosts {
		return "", PathStyle
	}
	return "", 0
}

// hostName removes the port of an authority and reports whether what remains
// looks like a host name or an address.
func hostName(authority string) (string, bool) {
	host := authority
	if only(host, nameByte) { // as nearly all are
		return host, plainEnds(host)
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		if !only(host[i+1:], digitByte) {
			return "", false
		}
		host = host[:i]
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		return host, ok && only(inner, addressByte)
	}
	return host, plainEnds(host) && only(host, nameByte)
}

// plainEnds reports whether a host name begins and ends with something.
func plainEnds(host string) bool {
	return host != "" && host[0] != '.' && host[len(host)-1] != '.'
}

// locateAt takes a decoded bucket name and a raw key.
func (r *Result) locateAt(bucket, rawKey string) error {
	start := r.text.begin(len(arnPrefix) + len(bucket) + 1 + len(rawKey))
	r.text.chunk.WriteString(arnPrefix)
	r.text.chunk.WriteString(bucket)
	if rawKey != "" {
		r.text.chunk.WriteByte('/')
		if !r.text.writeUnescaped(rawKey) {
			return errEscape("key")
		}
	}
	return r.target.place(r.text.since(start), len(bucket))
}

// place fills p from an ARN whose bucket name has the given length.
func (p *place) place(arn string, bucketLen int) error {
	end := len(arnPrefix) + bucketLen
	p.resource, p.bucket = arn, arn[len(arnPrefix):end]
	if !validBucket(p.bucket) {
		return iam.Errorf(InvalidBucketName, "%q is not a bucket name", p.bucket)
	}
	if len(arn) == end {
		return nil
	}
	p.key = arn[end+1:]
	return checkKey(p.key)
}

// bucketARN returns the ARN of the bucket alone.
func (p *place) bucketARN() string { return p.resource[:len(arnPrefix)+len(p.bucket)] }

// checkKey refuses what cannot be a key: S3 keys are UTF-8 of at most 1024
// bytes, and a NUL ends the name on many backends.
func checkKey(key string) error {
	switch {
	case len(key) > maxKey:
		return iam.Errorf(KeyTooLong, "key has %d bytes; the limit is %d", len(key), maxKey)
	case strings.IndexByte(key, 0) >= 0:
		return iam.Errorf(InvalidArgument, "key holds a NUL byte")
	case !utf8.ValidString(key):
		return iam.Errorf(InvalidURI, "key is not UTF-8")
	}
	return nil
}

// validBucket is wider than today's naming rules, since old buckets have capitals
// and underscores, but leaves no room for a path: no slash, no name of dots.
func validBucket(name string) bool {
	if name == "" || len(name) > maxBucket {
		return false
	}
	before := byte('.')
	for i := range len(name) {
		if classes[name[i]]&nameByte == 0 || name[i] == '.' && before == '.' {
			return false
		}
		before = name[i]
	}
	return true
}

// equalFold compares ASCII text, lower being in small letters already.
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		if lowerByte(s[i]) != lower[i] {
			return false
		}
	}
	return true
}

func errEscape(what string) error {
	return iam.Errorf(InvalidURI, "%s has a malformed percent escape", what)
}
