package sigv4

import (
	"cmp"
	"time"

	"github.com/doorward/doorward/authz/form"
	"github.com/doorward/doorward/authz/head"
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

// Parse reads the credential of req and does all that needs no key. There must be
// one form of it, well formed, in a scope that the rules accept and signed at a
// time that is good at now; host, date and every x-amz-* header field must be
// signed. The canonical request is hashed here, so that what is left for Verify
// is one HMAC. Every refusal is an *Error.
//
// The Credential refers to req. A Credential of kind PostForm holds nothing yet:
// the fields are in the body, see ReadForm.
func (r *Rules) Parse(req *Request, now iam.Time) (c Credential, err error) {
	c = Credential{req: req, now: now, query: r.Services[0] != S3, keepDots: r.KeepDotSegments}
	h := hashers.Get().(*hasher)
	defer h.release()
	p := parser{rules: r, hasher: h}
	if err := p.parse(&c); err != nil {
		return Credential{}, err
	}
	return c, nil
}

// parser is the working memory of one Parse.
type parser struct {
	rules *Rules
	*hasher
}

func (p *parser) parse(c *Credential) error {
	if len(c.req.Headers) > MaxHeaders {
		return errorf(RequestHeaderSectionTooLarge, "The request has %d header fields; at most %d are accepted.",
			len(c.req.Headers), MaxHeaders)
	}
	path, ok := p.readHead(c.req)
	if !ok {
		return invalidURI()
	}
	if err := p.form(c); err != nil {
		return err
	}
	c.payload = p.f.value(head.ContentSHA256)
	switch c.kind {
	case HeaderSigned:
		if err := p.header(c); err != nil {
			return err
		}
	case Presigned:
		if err := p.presigned(c); err != nil {
			return err
		}
	default:
		c.body = anonymousBody(c.payload)
		return p.repeated(InvalidRequest)
	}
	return p.canonicalise(c, path)
}

// form settles which one form of credential the request has.
func (p *parser) form(c *Credential) error {
	header := p.f.has(head.Authorization)
	presigned := p.p.seen&paramsTelling != 0
	v2 := p.p.seen&paramV2 != 0
	switch {
	case p.f.repeated.Has(head.Authorization), header && presigned, header && v2, presigned && v2:
		return c.mixed()
	case v2:
		return c.signatureV2()
	case header:
		c.kind = HeaderSigned
	case presigned:
		c.kind = Presigned
	case !c.query && c.req.Method == "POST" && form.Is(p.f.value(head.ContentType)):
		c.kind = PostForm
	default:
		c.kind = Anonymous
	}
	return nil
}

// header reads the Authorization field and the fields that belong to it.
func (p *parser) header(c *Credential) error {
	credential, err := p.authorization(c)
	if err != nil {
		return err
	}
	if err := p.credential(c, credential, false); err != nil {
		return err
	}
	if err := p.signedDate(c); err != nil {
		return err
	}
	if err := p.repeated(iam.SignatureDoesNotMatch); err != nil {
		return err
	}
	c.token = p.f.value(head.SecurityToken)
	if !c.query && !p.f.has(head.ContentSHA256) {
		return errorf(InvalidRequest, "Missing required header for this request: x-amz-content-sha256")
	}
	c.body = c.coverage()
	return p.regions(c, p.f.value(head.RegionSet))
}

// repeated refuses a request in which a field that decides about the signature or
// the body is there twice, since it would count once.
func (p *parser) repeated(code iam.Code) error {
	if p.f.repeated&once == 0 {
		return nil
	}
	return errorf(code, "A header field that decides about the request was sent twice; send it once.")
}

// signedDate takes the time from X-Amz-Date, else from Date.
func (p *parser) signedDate(c *Credential) error {
	ok := false
	switch {
	case p.f.has(head.AmzDate):
		c.date = p.f.value(head.AmzDate)
		c.signedAt, ok = parseBasicISO(c.date)
	case p.f.has(head.Date):
		c.dateHeader = true
		c.signedAt, c.date, ok = parseDateHeader(p.f.value(head.Date))
	}
	sent := func() string { return cmp.Or(p.f.value(head.AmzDate), p.f.value(head.Date)) }
	switch {
	case !ok && c.query && sent() == "":
		return c.malformed("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. %s", hashedField(p.f.value(head.Authorization)))
	case !ok && c.query:
		return c.notBasicISO(sent())
	case !ok:
		return errorf(iam.AccessDenied, "AWS authentication requires a valid Date or x-amz-date header")
	case c.scope.Date != c.date[:8]:
		return c.otherDay()
	}
	return c.skewed(p.rules.maxSkew())
}

// skewed checks a header signature's time against the clock.
func (c *Credential) skewed(limit time.Duration) error {
	age, most := c.now-c.signedAt, iam.Time(limit.Milliseconds())
	if -most <= age && age <= most {
		return nil
	}
	now := c.now.Go()
	switch {
	case c.query && age > 0:
		return errorf(iam.SignatureDoesNotMatch, "Signature expired: %s is now earlier than %s (%s - %d min.)",
			c.date, now.Add(-limit).Format(basicISO), now.Format(basicISO), limit/time.Minute)
	case c.query:
		return errorf(iam.SignatureDoesNotMatch, "Signature not yet current: %s is still later than %s (%s + %d min.)",
			c.date, now.Add(limit).Format(basicISO), now.Format(basicISO), limit/time.Minute)
	}
	e := errorf(RequestTimeTooSkewed, "The difference between the request time and the current time is too large.")
	return e.with("RequestTime", c.date).with("ServerTime", c.now.ISO()).
		with("MaxAllowedSkewMilliseconds", itoa(limit.Milliseconds()))
}

// presigned reads the query parameters of a presigned URL.
func (p *parser) presigned(c *Credential) error {
	q := &p.p
	switch {
	case q.repeated != 0:
		return c.malformed("An X-Amz- query parameter was sent twice or is misspelt; send each once, spelt as documented.")
	case c.query && q.seen&paramAlgorithm == 0:
		return c.Refuse(CredentialNeeded)
	case c.query && q.missing() != "":
		return c.malformed("AWS query-string parameters must include '%s'. Re-examine the query-string parameters.", q.missing())
	case !c.query && q.seen&paramsRequired != paramsRequired:
		return c.malformed("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
	case p.f.has(head.SecurityToken):
		return c.mixed()
	}
	if c.algorithm = p.rules.algorithm(q.algorithm); c.algorithm == 0 {
		switch {
		case c.query:
			return c.Refuse(CredentialNeeded)
		case q.algorithm == algorithmECDSA:
			return c.asymmetric()
		}
		return c.malformed("X-Amz-Algorithm only supports %q and %q", algorithmHMAC, algorithmECDSA)
	}
	if err := p.credential(c, q.credential, true); err != nil {
		return err
	}
	c.signedHeaders, c.signature, c.token = q.signedHeaders, q.signature, q.token
	if err := p.presignedWindow(c); err != nil {
		return err
	}
	if err := p.repeated(iam.SignatureDoesNotMatch); err != nil {
		return err
	}
	if err := p.presignedPayload(c); err != nil {
		return err
	}
	regionSet := decode(q.regionSet)
	return p.regions(c, regionSet)
}

func (p *parser) presignedWindow(c *Credential) error {
	at, ok := parseBasicISO(p.p.date)
	if !ok && c.query {
		return c.notBasicISO(decode(p.p.date))
	}
	if !ok {
		return c.malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
	}
	c.date, c.signedAt = p.p.date, at
	if c.scope.Date != c.date[:8] {
		return c.otherDay()
	}
	if c.query && p.p.seen&paramExpires == 0 {
		return c.skewed(p.rules.maxSkew())
	}
	seconds, ok := parseLength(p.p.expires)
	if !ok {
		return c.malformed("X-Amz-Expires must be a number of seconds from 1 to %d", MaxExpires)
	}
	return c.window(seconds, p.rules.maxSkew())
}

// notBasicISO refuses a date that a Query service cannot read.
func (c *Credential) notBasicISO(date string) error {
	return c.malformed("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", date)
}

// window checks a presigned URL's time against the clock: good until the signed
// time plus expires, without tolerance, and not before the signed time less skew.
func (c *Credential) window(expires int64, skew time.Duration) error {
	if expires < 1 || expires > MaxExpires {
		return c.malformed("X-Amz-Expires must be from 1 to %d seconds", MaxExpires)
	}
	end := c.signedAt + iam.Time(expires*1000)
	switch {
	case c.now < c.signedAt.Add(-skew) && c.query:
		return errorf(iam.SignatureDoesNotMatch, "Signature not yet current: %s", c.date)
	case c.now < c.signedAt.Add(-skew):
		e := errorf(iam.AccessDenied, "Request is not valid yet")
		return e.with("X-Amz-Date", c.date).with("ServerTime", c.now.ISO())
	case c.now > end && c.query:
		return errorf(iam.SignatureDoesNotMatch, "Signature expired: %s was good for %d seconds", c.date, expires)
	case c.now > end:
		e := errorf(iam.AccessDenied, "Request has expired")
		return e.with("X-Amz-Expires", itoa(expires)).with("Expires", end.ISO()).with("ServerTime", c.now.ISO())
	}
	return nil
}

// presignedPayload takes the payload hash from the parameter or the header field;
// without either the body is not covered.
func (p *parser) presignedPayload(c *Credential) error {
	payload := decode(p.p.payload)
	switch {
	case p.p.seen&paramPayload == 0 && !p.f.has(head.ContentSHA256):
		payload = unsignedPayload
	case p.p.seen&paramPayload == 0:
		payload = p.f.value(head.ContentSHA256)
	case p.f.has(head.ContentSHA256) && p.f.value(head.ContentSHA256) != payload:
		return c.mixed()
	}
	c.payload = payload
	c.body = c.coverage()
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
