package sigv4

import "strings"

// fieldSet is a set of the header fields or query parameters that this package
// reads, one bit each.
type fieldSet uint16

// fields are the header fields that decide how a request is verified, blanks
// around the values removed.
type fields struct {
	host, authorization, amzDate, date, token, payload, regionSet string
	contentType, contentLength, decodedLength, trailer, transfer  string
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
	fieldTransfer
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
// canonical request needs. The switch on the length spares most comparisons.
func (f *fields) slot(name string) (*string, fieldSet) {
	switch len(name) {
	case 4:
		if equalFold(name, "host") {
			return &f.host, fieldHost
		} else if equalFold(name, "date") {
			return &f.date, fieldDate
		}
	case 10:
		if equalFold(name, "x-amz-date") {
			return &f.amzDate, fieldAmzDate
		}
	case 12:
		if equalFold(name, "content-type") {
			return &f.contentType, fieldContentType
		}
	case 13:
		if equalFold(name, "authorization") {
			return &f.authorization, fieldAuthorization
		} else if equalFold(name, "x-amz-trailer") {
			return &f.trailer, fieldTrailer
		}
	case 14:
		if equalFold(name, "content-length") {
			return &f.contentLength, fieldContentLength
		}
	case 16:
		if equalFold(name, "x-amz-region-set") {
			return &f.regionSet, fieldRegionSet
		}
	case 17:
		if equalFold(name, "transfer-encoding") {
			return &f.transfer, fieldTransfer
		}
	case 20:
		if equalFold(name, "x-amz-content-sha256") {
			return &f.payload, fieldPayload
		} else if equalFold(name, "x-amz-security-token") {
			return &f.token, fieldToken
		}
	case 28:
		if equalFold(name, "x-amz-decoded-content-length") {
			return &f.decodedLength, fieldDecodedLength
		}
	}
	return nil, 0
}

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

// scan collects the parameters of a raw query.
func (p *params) scan(query string) {
	for query != "" {
		var name, value string
		name, value, query = nextParam(query)
		p.add(name, value)
	}
}

func (p *params) add(name, value string) {
	slot, bit := p.slot(name)
	if strings.IndexByte(name, '%') >= 0 {
		var plain [len("X-Amz-Content-Sha256")]byte
		slot, bit = p.slot(string(decodeShort(plain[:0], name)))
	}
	p.repeated |= p.seen & bit
	p.seen |= bit
	if slot != nil {
		*slot = value
	} else {
		p.repeated |= bit
	}
}

// slot compares names case-sensitively, as S3 does. A name that is right but for
// its case has a bit and no slot: it counts as a repetition, so that nobody who
// reads the URL with other eyes sees a parameter that was not checked.
func (p *params) slot(name string) (*string, fieldSet) {
	switch len(name) {
	case 10:
		return named(name, "X-Amz-Date", &p.date, paramDate)
	case 13:
		return named(name, "X-Amz-Expires", &p.expires, paramExpires)
	case 14:
		return named(name, "AWSAccessKeyId", nil, paramV2)
	case 15:
		if slot, bit := named(name, "X-Amz-Algorithm", &p.algorithm, paramAlgorithm); bit != 0 {
			return slot, bit
		}
		return named(name, "X-Amz-Signature", &p.signature, paramSignature)
	case 16:
		if slot, bit := named(name, "X-Amz-Credential", &p.credential, paramCredential); bit != 0 {
			return slot, bit
		}
		return named(name, "X-Amz-Region-Set", &p.regionSet, paramRegionSet)
	case 19:
		return named(name, "X-Amz-SignedHeaders", &p.signedHeaders, paramSignedHeaders)
	case 20:
		if slot, bit := named(name, "X-Amz-Security-Token", &p.token, paramToken); bit != 0 {
			return slot, bit
		}
		return named(name, "X-Amz-Content-Sha256", &p.payload, paramPayload)
	}
	return nil, 0
}

// named returns slot and bit if name is want, the bit alone if it is want in
// another case.
func named(name, want string, slot *string, bit fieldSet) (*string, fieldSet) {
	switch {
	case name == want:
		return slot, bit
	case strings.EqualFold(name, want):
		return nil, bit
	}
	return nil, 0
}
