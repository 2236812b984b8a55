package sigv4

import (
	"bytes"

	"github.com/doorward/doorward/iam"
)

// headerSet marks header fields of a request by their position.
type headerSet [MaxHeaders / 64]uint64

func (s *headerSet) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s *headerSet) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

// appendHeaders appends the canonical headers and leaves the list of their names
// in h.names. It refuses a list that is not lower-case and in strict order, one
// that lacks host or the date, a request with an x-amz-* field outside the list,
// and a line break in a value: HTTP cannot carry one, and it would let one field
// pass for two.
func (h *hasher) appendHeaders(dst []byte, c *Credential) ([]byte, error) {
	h.decodeNames(c)
	var signed headerSet
	var previous []byte
	field := c.dateField()
	host, date := false, c.kind == Presigned
	begin, count := len(dst), 0
	for start := 0; start <= len(h.names); count++ {
		name := token(h.names[start:])
		start += len(name) + 1
		if len(name) == 0 || start <= len(h.names) && h.names[start-1] != ';' ||
			bytes.Compare(name, previous) <= 0 || count == MaxSignedHeaders {
			return nil, c.malformed("SignedHeaders must be a list of lower-case header names, sorted, separated by semicolons.")
		}
		previous = name
		host = host || string(name) == "host"
		date = date || string(name) == field
		dst = appendHeader(dst, c.req.Headers, name, &signed)
	}
	if bytes.Count(dst[begin:], []byte{'\n'}) != count {
		return nil, errorf(iam.SignatureDoesNotMatch, "The value of a signed header field holds a line break.")
	}
	return dst, c.checkSigned(&signed, host, date)
}

// decodeNames leaves the list of signed headers in h.names.
func (h *hasher) decodeNames(c *Credential) {
	if c.kind == Presigned {
		h.names = appendDecoded(h.names[:0], c.signedHeaders)
	} else {
		h.names = append(h.names[:0], c.signedHeaders...)
	}
}

// appendHeader appends the canonical line of the field called name: its values
// in the order received, joined by commas; empty if there is none.
func appendHeader(dst []byte, headers []Header, name []byte, signed *headerSet) []byte {
	dst = append(append(dst, name...), ':')
	found := false
	for i := range headers {
		if len(headers[i].Name) != len(name) || !equalFold(headers[i].Name, name) {
			continue
		}
		if found {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, headers[i].Value)
		signed.add(i)
		found = true
	}
	return append(dst, '\n')
}

// checkSigned refuses a signature that leaves out what decides about the
// request: the host, the date, and whatever S3 may act upon.
func (c *Credential) checkSigned(signed *headerSet, host, date bool) error {
	switch {
	case !host:
		return c.unsigned("host")
	case !date:
		return c.unsigned(c.dateField())
	}
	for i := range c.req.Headers {
		if name := c.req.Headers[i].Name; !signed.has(i) && hasPrefixFold(name, "x-amz-") {
			return c.unsigned(name)
		}
	}
	return nil
}

func (c *Credential) unsigned(name string) *Error {
	if c.query {
		if name == "host" {
			name = "Host' or ':authority"
		}
		return errorf(iam.SignatureDoesNotMatch, "'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
	}
	return errorf(iam.AccessDenied, "There were headers present in the request which were not signed").
		with("HeadersNotSigned", name)
}
