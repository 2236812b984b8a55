package sigv4

import "strings"

// fieldSet is a set of the header fields or query parameters that this package
// reads, one bit each.
type fieldSet uint16

// fields are the header fields that decide how a request is verified, blanks
// around the values removed.
type fields struct {
	host, authorization, amzDate, date, token, payload, regionSet string
	contentType, contentLength, decodedLength, trailer            string
	seen, repeated                                                fieldSet
}

const (
	fieldHost fieldSet = 1 << iota
	fieldAuthorization
	fieldAmzDate
	fieldDate
	fieldToken
	fieldPayload
	fieldRegionSet
	fieldContentType
	fieldContentLength
	fieldDecodedLength
	fieldTrailer
)

// scan collects the fields of headers.
func (f *fields) scan(headers []Header) {
	for i := range headers {
		slot, bit := f.slot(headers[i].Name)
		if slot == nil {
			continue
		}
		f.repeated |= f.seen & bit
		f.seen |= bit
		*slot = trimBlanks(headers[i].Value)
	}
}

// slot returns where a field named name goes, nil for the names that only the
// canonical request needs. The spelling of net/http is tried first.
func (f *fields) slot(name string) (*string, fieldSet) {
	switch name {
	case "Host":
		return &f.host, fieldHost
	case "Date":
		return &f.date, fieldDate
	case "X-Amz-Date":
		return &f.amzDate, fieldAmzDate
	case "Content-Type":
		return &f.contentType, fieldContentType
	case "Authorization":
		return &f.authorization, fieldAuthorization
	case "X-Amz-Trailer":
		return &f.trailer, fieldTrailer
	case "Content-Length":
		return &f.contentLength, fieldContentLength
	case "X-Amz-Region-Set":
		return &f.regionSet, fieldRegionSet
	case "X-Amz-Content-Sha256":
		return &f.payload, fieldPayload
	case "X-Amz-Security-Token":
		return &f.token, fieldToken
	case "X-Amz-Decoded-Content-Length":
		return &f.decodedLength, fieldDecodedLength
	}
	if len(name) < len(spellings) {
		for _, s := range spellings[len(name)] {
			if equalFold(name, s.lower) {
				return f.slot(s.usual)
			}
		}
	}
	return nil, 0
}

// spelling is a field name as net/http spells it and in lower case.
type spelling struct{ usual, lower string }

// spellings holds the names of fields by their length.
var spellings = func() (t [len("X-Amz-Decoded-Content-Length") + 1][]spelling) {
	for _, name := range []string{"Host", "Date", "X-Amz-Date", "Content-Type", "Authorization", "X-Amz-Trailer",
		"Content-Length", "X-Amz-Region-Set", "X-Amz-Content-Sha256", "X-Amz-Security-Token", "X-Amz-Decoded-Content-Length"} {
		t[len(name)] = append(t[len(name)], spelling{name, strings.ToLower(name)})
	}
	return t
}()

// params are the query parameters of a presigned URL, still percent-encoded.
type params struct {
	algorithm, credential, date, expires, signedHeaders, signature string
	token, payload, regionSet                                      string
	seen, repeated                                                 fieldSet
}

const (
	paramAlgorithm fieldSet = 1 << iota
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
func (p *params) add(name, value string) fieldSet {
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
		bit  fieldSet
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
func (p *params) slot(name string) (*string, fieldSet) {
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
func misspelt(name string) fieldSet {
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
