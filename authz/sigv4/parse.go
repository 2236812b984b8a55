package sigv4

import (
	"strings"
	"time"

	"github.com/doorward/doorward/iam"
)

// MaxHeaders bounds the header fields of a request, and MaxSignedHeaders those
// that a signature may name, so that matching the two stays cheap.
const (
	MaxHeaders       = 256
	MaxSignedHeaders = 256
)

// MaxExpires is the longest life of a presigned URL, in seconds: seven days.
const MaxExpires = 7 * 24 * 60 * 60

// maxAccessKeyID is the longest access key id, that of AWS.
const maxAccessKeyID = 128

const (
	algorithmHMAC  = "AWS4-HMAC-SHA256"
	algorithmECDSA = "AWS4-ECDSA-P256-SHA256"
)

// Parse reads the credential of req and checks all that needs no key: that there
// is one form of it, well formed, in a scope that the rules accept, signed at a
// time that is good at now. Every refusal is an *Error.
//
// The Credential refers to req. A Credential of kind PostForm holds nothing yet:
// the fields are in the body, see ReadForm.
func (r *Rules) Parse(req *Request, now iam.Time) (Credential, error) {
	p := parser{rules: r, now: now, c: Credential{req: req, now: now, service: r.Services[0], keepDots: r.KeepDotSegments}}
	if err := p.parse(); err != nil {
		return Credential{}, err
	}
	return p.c, nil
}

// parser is the working memory of one Parse.
type parser struct {
	rules *Rules
	now   iam.Time
	f     fields
	p     params
	c     Credential
}

func (p *parser) parse() error {
	if len(p.c.req.Headers) > MaxHeaders {
		return errorf(RequestHeaderSectionTooLarge, "The request has %d header fields; at most %d are accepted.",
			len(p.c.req.Headers), MaxHeaders)
	}
	p.c.path, p.c.query = splitTarget(p.c.req.Target)
	p.f.scan(p.c.req.Headers)
	p.p.scan(p.c.query)
	if err := p.form(); err != nil {
		return err
	}
	p.c.payload, p.c.decodedLength, p.c.trailer = p.f.payload, p.f.decodedLength, p.f.trailer
	p.c.contentLength, p.c.contentType = p.f.contentLength, p.f.contentType
	var err error
	switch p.c.kind {
	case HeaderSigned:
		err = p.header()
	case Presigned:
		err = p.presigned()
	case Anonymous:
		p.c.body = anonymousBody(p.f.payload)
	}
	return err
}

// form settles which one form of credential the request has.
func (p *parser) form() error {
	header := p.f.seen&fieldAuthorization != 0
	presigned := p.p.seen&paramsTelling != 0
	v2 := p.p.seen&paramV2 != 0
	switch {
	case p.f.repeated&fieldAuthorization != 0, header && presigned, header && v2, presigned && v2:
		return p.c.mixed()
	case v2:
		return p.c.signatureV2()
	case header:
		p.c.kind = HeaderSigned
	case presigned:
		p.c.kind = Presigned
	case p.c.service == S3 && p.c.req.Method == "POST" && isMultipartForm(p.f.contentType):
		p.c.kind = PostForm
	default:
		p.c.kind = Anonymous
	}
	return nil
}

// isMultipartForm compares the media type in full: a type that merely contains
// multipart/form-data is not a browser form.
func isMultipartForm(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return equalFold(trimBlanks(media), "multipart/form-data")
}

// header reads the Authorization field and the fields that belong to it.
func (p *parser) header() error {
	credential, err := p.authorization()
	if err != nil {
		return err
	}
	if err := p.credential(credential, false); err != nil {
		return err
	}
	if err := p.signedDate(); err != nil {
		return err
	}
	if p.f.repeated&(fieldHost|fieldAmzDate|fieldToken|fieldPayload|fieldDecodedLength|fieldRegionSet|fieldContentLength) != 0 {
		return errorf(iam.SignatureDoesNotMatch, "A header field that decides about the signature was sent twice; send it once.")
	}
	p.c.token, p.c.regionSet = p.f.token, p.f.regionSet
	if p.c.service == S3 && p.f.seen&fieldPayload == 0 {
		return errorf(InvalidRequest, "Missing required header for this request: x-amz-content-sha256")
	}
	p.c.body = p.c.coverage()
	return p.regions()
}

// signedDate takes the time from X-Amz-Date, else from Date.
func (p *parser) signedDate() error {
	ok := false
	switch {
	case p.f.seen&fieldAmzDate != 0:
		p.c.dateField, p.c.date = "x-amz-date", p.f.amzDate
		p.c.signedAt, ok = parseBasicISO(p.f.amzDate)
	case p.f.seen&fieldDate != 0:
		p.c.dateField = "date"
		p.c.signedAt, p.c.date, ok = parseDateHeader(p.f.date)
	}
	switch {
	case !ok && p.c.isQuery():
		return errorf(iam.IncompleteSignature, "Date must be in ISO-8601 'basic format', as in 20150830T123600Z, in X-Amz-Date or Date.")
	case !ok:
		return errorf(iam.AccessDenied, "AWS authentication requires a valid Date or x-amz-date header")
	case p.c.scope.Date != p.c.date[:8]:
		return p.c.malformed("Invalid credential date %q. This date is not the same as X-Amz-Date: %q.", p.c.scope.Date, p.c.date[:8])
	}
	return p.c.skewed(p.rules.maxSkew())
}

// skewed checks a header signature's time against the clock.
func (c *Credential) skewed(limit time.Duration) error {
	age := c.now.Go().Sub(c.signedAt.Go())
	if -limit <= age && age <= limit {
		return nil
	}
	now := c.now.Go()
	switch {
	case c.isQuery() && age > 0:
		return errorf(iam.SignatureDoesNotMatch, "Signature expired: %s is now earlier than %s (%s - %d min.)",
			c.date, now.Add(-limit).Format(basicISO), now.Format(basicISO), limit/time.Minute)
	case c.isQuery():
		return errorf(iam.SignatureDoesNotMatch, "Signature not yet current: %s is still later than %s (%s + %d min.)",
			c.date, now.Add(limit).Format(basicISO), now.Format(basicISO), limit/time.Minute)
	}
	e := errorf(RequestTimeTooSkewed, "The difference between the request time and the current time is too large.")
	return e.with("RequestTime", c.date).with("ServerTime", c.now.ISO()).
		with("MaxAllowedSkewMilliseconds", itoa(limit.Milliseconds()))
}

// presigned reads the query parameters of a presigned URL.
func (p *parser) presigned() error {
	q := &p.p
	switch {
	case q.repeated != 0:
		return p.c.malformed("An X-Amz- query parameter was sent twice or is misspelt; send each once, spelt as documented.")
	case q.seen&paramsRequired != paramsRequired:
		return p.c.malformed("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
	case p.f.seen&fieldToken != 0:
		return p.c.mixed()
	}
	if p.c.algorithm = algorithm(q.algorithm); p.c.algorithm == 0 {
		return p.c.malformed("X-Amz-Algorithm only supports %q and %q", algorithmHMAC, algorithmECDSA)
	}
	if err := p.credential(q.credential, true); err != nil {
		return err
	}
	p.c.signedHeaders, p.c.signature, p.c.token = q.signedHeaders, q.signature, q.token
	if err := p.presignedWindow(); err != nil {
		return err
	}
	if err := p.presignedPayload(); err != nil {
		return err
	}
	if p.f.repeated&fieldHost != 0 {
		return errorf(iam.SignatureDoesNotMatch, "The Host header field was sent twice; send it once.")
	}
	var ok bool
	if p.c.regionSet, ok = decode(q.regionSet); !ok {
		return p.c.malformed("X-Amz-Region-Set is not percent-encoded text")
	}
	return p.regions()
}

func (p *parser) presignedWindow() error {
	at, ok := parseBasicISO(p.p.date)
	if !ok {
		return p.c.malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
	}
	p.c.date, p.c.signedAt = p.p.date, at
	if p.c.scope.Date != p.c.date[:8] {
		return p.c.malformed("Invalid credential date %q. This date is not the same as X-Amz-Date: %q.", p.c.scope.Date, p.c.date[:8])
	}
	seconds, ok := parseLength(p.p.expires)
	if !ok {
		return p.c.malformed("X-Amz-Expires must be a number of seconds from 1 to %d", MaxExpires)
	}
	return p.c.window(seconds, p.rules.maxSkew())
}

// window checks a presigned URL's time against the clock: good until the signed
// time plus expires, without tolerance, and not before the signed time less skew.
func (c *Credential) window(expires int64, skew time.Duration) error {
	if expires < 1 || expires > MaxExpires {
		return c.malformed("X-Amz-Expires must be from 1 to %d seconds", MaxExpires)
	}
	end := c.signedAt + iam.Time(expires*1000)
	switch {
	case c.now < c.signedAt.Add(-skew) && c.isQuery():
		return errorf(iam.SignatureDoesNotMatch, "Signature not yet current: %s", c.date)
	case c.now < c.signedAt.Add(-skew):
		e := errorf(iam.AccessDenied, "Request is not valid yet")
		return e.with("X-Amz-Date", c.date).with("ServerTime", c.now.ISO())
	case c.now > end && c.isQuery():
		return errorf(iam.SignatureDoesNotMatch, "Signature expired: %s was good for %d seconds", c.date, expires)
	case c.now > end:
		e := errorf(iam.AccessDenied, "Request has expired")
		return e.with("X-Amz-Expires", itoa(expires)).with("Expires", end.ISO()).with("ServerTime", c.now.ISO())
	}
	return nil
}

// presignedPayload takes the payload hash from the parameter or the header field;
// without either the body is not covered.
func (p *parser) presignedPayload() error {
	payload, ok := decode(p.p.payload)
	switch {
	case !ok || p.f.repeated&(fieldPayload|fieldDecodedLength|fieldContentLength) != 0:
		return p.c.malformed("X-Amz-Content-Sha256 must be sent once, and be a SHA-256 in hexadecimal or a word that S3 documents")
	case p.p.seen&paramPayload == 0 && p.f.seen&fieldPayload == 0:
		payload = unsignedPayload
	case p.p.seen&paramPayload == 0:
		payload = p.f.payload
	case p.f.seen&fieldPayload != 0 && p.f.payload != payload:
		return p.c.mixed()
	}
	p.c.payload = payload
	p.c.body = p.c.coverage()
	return nil
}

// algorithm returns the algorithm of that name, zero for any other name.
func algorithm(name string) Algorithm {
	switch name {
	case algorithmHMAC:
		return HMACSHA256
	case algorithmECDSA:
		return ECDSAP256
	}
	return 0
}
