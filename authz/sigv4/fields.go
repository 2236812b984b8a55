package sigv4

import "github.com/doorward/doorward/authz/head"

// fields are the header fields of a request, by name.
type fields struct {
	headers        []Header
	seen, repeated head.Set
	at             [head.Fields]uint16 // where the last of a name is, if it was seen
}

// scan takes the fields of headers, given what each is.
func (f *fields) scan(headers []Header, names []head.Field) {
	f.headers = headers
	for i, name := range names {
		if name >= head.Misspelt || name == 0 {
			continue
		}
		f.repeated |= f.seen & (1 << name)
		f.seen |= 1 << name
		f.at[name] = uint16(i)
	}
}

// scanned returns the fields of headers.
func scanned(headers []Header) (f fields) {
	var names [64]head.Field // more are allocated
	f.scan(headers, head.Read(names[:0], headers))
	return f
}

func (f *fields) has(name head.Field) bool { return f.seen.Has(name) }

// value returns the last value of a field, blanks around it removed; it is empty if
// there is none.
func (f *fields) value(name head.Field) string {
	if !f.has(name) {
		return ""
	}
	return trimBlanks(f.headers[f.at[name]].Value)
}

// once are the fields that decide about the signature or the body, and would count
// once if they were there twice.
var once = head.SetOf(head.Host, head.Authorization, head.AmzDate, head.SecurityToken, head.ContentSHA256, head.RegionSet,
	head.ContentLength, head.DecodedContentLength, head.Trailer)

// paramSet is a set of query parameters, one bit each.
type paramSet uint16

// params are the query parameters of a presigned URL, still percent-encoded.
type params struct {
	algorithm, credential, date, expires, signedHeaders, signature string
	token, payload, regionSet                                      string
	seen, repeated                                                 paramSet
}

const (
	paramAlgorithm paramSet = 1 << iota
	paramCredential
	paramDate
	paramExpires
	paramSignedHeaders
	paramSignature
	paramToken
	paramPayload
	paramRegionSet
	paramV2 // AWSAccessKeyId, of Signature Version 2

	// paramsRequired make a presigned URL when all are there; paramsTelling are
	// those that nothing but a presigned URL carries.
	paramsRequired = paramAlgorithm | paramCredential | paramDate | paramExpires | paramSignedHeaders | paramSignature
	paramsTelling  = paramsRequired&^paramDate | paramToken
)

// add takes one parameter, the name in canonical form and the value as it was
// sent, and returns the bit of the parameter, zero if it is not known.
func (p *params) add(name, value string) paramSet {
	slot, bit := p.slot(name)
	p.repeated |= p.seen & bit
	p.seen |= bit
	if slot != nil {
		*slot = value
	} else {
		p.repeated |= bit
	}
	return bit
}

// missing names a parameter that a presigned URL of a Query service has to have and
// this one has not. It needs no X-Amz-Expires: without one it is good for as long as
// a header signature.
func (p *params) missing() string {
	for _, required := range [...]struct {
		bit  paramSet
		name string
	}{{paramCredential, "X-Amz-Credential"}, {paramDate, "X-Amz-Date"}, {paramSignedHeaders, "X-Amz-SignedHeaders"}, {paramSignature, "X-Amz-Signature"}} {
		if p.seen&required.bit == 0 {
			return required.name
		}
	}
	return ""
}

// slot compares names case-sensitively, as S3 does. A name that is right but for
// its case has a bit and no slot: it counts as a repetition, so that nobody who
// reads the URL with other eyes sees a parameter that was not checked.
func (p *params) slot(name string) (*string, paramSet) {
	switch name {
	case "X-Amz-Algorithm":
		return &p.algorithm, paramAlgorithm
	case "X-Amz-Content-Sha256":
		return &p.payload, paramPayload
	case "X-Amz-Credential":
		return &p.credential, paramCredential
	case "X-Amz-Date":
		return &p.date, paramDate
	case "X-Amz-Expires":
		return &p.expires, paramExpires
	case "X-Amz-Region-Set":
		return &p.regionSet, paramRegionSet
	case "X-Amz-Security-Token":
		return &p.token, paramToken
	case "X-Amz-Signature":
		return &p.signature, paramSignature
	case "X-Amz-SignedHeaders":
		return &p.signedHeaders, paramSignedHeaders
	}
	if len(name) < len("X-Amz-Date") {
		return nil, 0
	}
	return nil, misspelt(name)
}

// misspelt returns the bit of the parameter that name is in another case. The
// access key id of Signature Version 2 has its bit in every case.
func misspelt(name string) paramSet {
	if equalFold(name, "awsaccesskeyid") {
		return paramV2
	}
	if !hasPrefixFold(name, "x-amz-") {
		return 0
	}
	for i, suffix := range [...]string{"algorithm", "credential", "date", "expires", "signedheaders",
		"signature", "security-token", "content-sha256", "region-set"} {
		if equalFold(name[len("x-amz-"):], suffix) {
			return 1 << i
		}
	}
	return 0
}
