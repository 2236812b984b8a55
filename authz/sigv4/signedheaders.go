package sigv4

import (
	"bytes"

	"github.com/doorward/doorward/authz/head"
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
	var signed signedSet
	var previous []byte
	begin, count := len(dst), 0
	for rest, more := h.names, true; more; count++ {
		var name []byte
		name, rest, more = bytes.Cut(rest, semicolon)
		field := head.Lower(name)
		if field == 0 && !isToken(name) || bytes.Compare(name, previous) <= 0 || count == MaxSignedHeaders {
			return nil, c.malformed("SignedHeaders must be a list of lower-case header names, sorted, separated by semicolons.")
		}
		previous = name
		dst = append(append(dst, name...), ':')
		if signed.fields |= 1 << field; field == 0 || h.f.repeated.Has(field) {
			dst = h.appendValues(dst, name, field, &signed)
		} else if h.f.has(field) {
			dst = appendValue(dst, h.f.headers[h.f.at[field]].Value)
		}
		dst = append(dst, '\n')
	}
	if bytes.Count(dst[begin:], lineFeed) != count {
		return nil, errorf(iam.SignatureDoesNotMatch, "The value of a signed header field holds a line break.")
	}
	return dst, h.checkSigned(c, &signed)
}

var semicolon, lineFeed = []byte{';'}, []byte{'\n'}

// signedSet is the header fields that a signature covers: those that have a Field,
// whose bit 0 means nothing, and those that have none, by their position.
type signedSet struct {
	fields head.Set
	others headerSet
}

// decodeNames leaves the list of signed headers in h.names.
func (h *hasher) decodeNames(c *Credential) {
	if c.kind == Presigned {
		h.names = appendDecoded(h.names[:0], c.signedHeaders)
	} else {
		h.names = append(h.names[:0], c.signedHeaders...)
	}
}

// appendValues appends the values of a field that is there more than once, or has no
// Field: in the order received, joined by commas.
func (h *hasher) appendValues(dst, name []byte, field head.Field, signed *signedSet) []byte {
	found := false
	for i, f := range h.fields {
		header := &h.f.headers[i]
		if named := f != 0 && f < head.Misspelt; named && f != field || !named && !equalFold(header.Name, name) {
			continue
		}
		if found {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, header.Value)
		signed.others.add(i)
		found = true
	}
	return dst
}

// checkSigned refuses a signature that leaves out what decides about the
// request: the host, the date, and whatever S3 may act upon.
func (h *hasher) checkSigned(c *Credential, signed *signedSet) error {
	date := head.AmzDate
	if c.dateHeader {
		date = head.Date
	}
	switch {
	case !signed.fields.Has(head.Host):
		return c.unsigned("host")
	case c.kind != Presigned && !signed.fields.Has(date):
		return c.unsigned(c.dateField())
	}
	for i, f := range h.fields {
		covered := signed.fields.Has(f) || !head.Amz.Has(f)
		if f == 0 || f >= head.Misspelt {
			covered = signed.others.has(i) || !hasPrefixFold(h.f.headers[i].Name, "x-amz-")
		}
		if !covered {
			return c.unsigned(h.f.headers[i].Name)
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
