package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/doorward/doorward/authz/head"
	"github.com/doorward/doorward/iam"
)

// authorization splits the Authorization field and returns its Credential part.
// Source: Amazon S3 API Reference, "Authenticating requests: using the
// Authorization header"; blanks after the commas are optional.
func (p *parser) authorization(c *Credential) (credential string, err error) {
	name, rest, _ := cutByte(p.f.value(head.Authorization), ' ')
	if c.algorithm = p.rules.algorithm(name); c.algorithm == 0 {
		return "", c.unsupported(name)
	}
	var strange error // a part that is not known, told after one that is missing
	for more := true; more; {
		var part string
		part, rest, more = cutByte(rest, ',')
		part = trimBlanks(part)
		key, value, paired := cutByte(part, '=')
		if c.query && !paired {
			return "", c.malformed("Authorization component %q is malformed.", part)
		}
		slot := &credential
		switch key {
		case "Credential":
		case "SignedHeaders":
			slot = &c.signedHeaders
		case "Signature":
			slot = &c.signature
		default:
			strange = c.malformed("it has a part that is none of Credential, SignedHeaders and Signature.")
			continue
		}
		if *slot != "" {
			return "", c.malformed("%s is there twice.", key)
		}
		*slot = value
	}
	if credential != "" && c.signature != "" && c.signedHeaders != "" {
		return credential, strange
	}
	for _, required := range [...]struct{ name, value string }{{"Credential", credential}, {"Signature", c.signature}, {"SignedHeaders", c.signedHeaders}} {
		switch {
		case required.value != "":
		case c.query:
			return "", c.malformed("Authorization header requires '%s' parameter. %s", required.name, hashedField(p.f.value(head.Authorization)))
		default:
			return "", c.malformed("missing %s.", required.name)
		}
	}
	return credential, strange
}

// hashedField names an Authorization field without repeating it, as the Query
// services do.
func hashedField(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "(Hashed with SHA-256 and encoded with Base64) Authorization=" + base64.StdEncoding.EncodeToString(sum[:])
}

// algorithm returns the algorithm of that name, zero for one that is not accepted.
func (r *Rules) algorithm(name string) Algorithm {
	a := algorithm(name)
	if a == ECDSAP256 && r.SymmetricOnly {
		return 0
	}
	return a
}

// unsupported names why an Authorization field of another scheme is refused.
func (c *Credential) unsupported(scheme string) *Error {
	switch {
	case scheme == "AWS":
		return c.signatureV2()
	case c.query:
		return c.Refuse(CredentialNeeded)
	case scheme == algorithmECDSA:
		return c.asymmetric()
	}
	return errorf(InvalidArgument, "Unsupported Authorization Type; use %s.", algorithmHMAC).
		with("ArgumentName", "Authorization")
}

// credential reads ACCESSKEY/DATE/REGION/SERVICE/aws4_request, without the region
// for SigV4A. In a query the slashes are encoded.
func (p *parser) credential(c *Credential, text string, encoded bool) error {
	id, ok := c.cutScope(text, encoded)
	if encoded {
		id = decode(id)
	}
	if !ok && c.query {
		return p.queryCredential(c, text, encoded)
	}
	if !ok {
		return c.malformed("the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
	}
	if id == "" || len(id) > maxAccessKeyID || !printable(id) {
		return c.malformed("the access key id must be 1 to %d printable characters.", maxAccessKeyID)
	}
	c.accessKeyID = id
	return p.scope(c)
}

// queryCredential says what is wrong with a credential, in the words of the Query
// services.
func (p *parser) queryCredential(c *Credential, text string, encoded bool) error {
	if encoded {
		text = decode(text)
	}
	want := 5
	if c.algorithm == ECDSAP256 {
		want = 4
	}
	switch elements := strings.Split(text, "/"); {
	case len(elements) != want:
		return c.malformed("Credential must have exactly %d slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", want, text)
	case elements[want-1] != terminator:
		return errorf(iam.SignatureDoesNotMatch, "Credential should be scoped with a valid terminator: '%s'.", terminator)
	}
	if err := p.scope(c); err != nil {
		return err
	}
	return c.otherDay()
}

// otherDay refuses a scope of another day than the signed time.
func (c *Credential) otherDay() error {
	switch {
	case c.query:
		return errorf(iam.SignatureDoesNotMatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
	}
	return c.malformed("Invalid credential date %q. This date is not the same as X-Amz-Date: %q.", c.scope.Date, c.date[:8])
}

// cutScope takes the scope off the end of text and returns what is before it.
// Reading from the right, an access key id with slashes cannot shift the parts.
func (c *Credential) cutScope(text string, encoded bool) (before string, ok bool) {
	rest, ok := strings.CutSuffix(text, terminator)
	rest, end := cutLast(rest, encoded)
	rest, service := cutLast(rest, encoded)
	region := ""
	if c.algorithm == HMACSHA256 {
		rest, region = cutLast(rest, encoded)
	}
	before, date := cutLast(rest, encoded)
	if encoded {
		region = decode(region)
		service = decode(service)
	}
	c.scope = Scope{Date: date, Region: region, Service: Service(service)}
	return before, ok && end == "" && len(date) == 8
}

// cutLast cuts text around its last slash, which in a query may be encoded.
// Without a slash all of it is after.
func cutLast(text string, encoded bool) (before, after string) {
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] > '/' { // nearly all are
			continue
		}
		switch {
		case text[i] == '/':
			return text[:i], text[i+1:]
		case encoded && text[i] == '%' && len(text)-i >= 3 && text[i+1] == '2' && text[i+2]|0x20 == 'f':
			return text[:i], text[i+3:]
		}
	}
	return "", text
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7F {
			return false
		}
	}
	return true
}

// scope checks service and region against the rules.
func (p *parser) scope(c *Credential) error {
	if !slices.Contains(p.rules.Services, c.scope.Service) {
		if c.query {
			return errorf(iam.SignatureDoesNotMatch, "Credential should be scoped to correct service: '%s'.", p.rules.Services[0])
		}
		return c.malformed("incorrect service %q. This endpoint belongs to %q.", c.scope.Service, p.rules.Services[0])
	}
	c.query = c.scope.Service != S3
	if c.algorithm == ECDSAP256 || p.rules.AnyRegion && c.scope.Region != "" || slices.Contains(p.rules.Regions, c.scope.Region) {
		return nil
	}
	return c.wrongRegion(p.rules.Regions[0])
}

// wrongRegion names the region that would be right, for clients that retry there.
func (c *Credential) wrongRegion(expected string) *Error {
	if c.query {
		return errorf(iam.SignatureDoesNotMatch, "Credential should be scoped to a valid region; this is %q.", expected)
	}
	return c.malformed("the region '%s' is wrong; expecting '%s'", c.scope.Region, expected).with("Region", expected)
}

// regions checks the region set of a SigV4A signature: one entry must match one
// of the server's regions. "*" stands for any characters.
func (p *parser) regions(c *Credential, set string) error {
	if c.algorithm != ECDSAP256 {
		return nil
	}
	for rest, more := set, true; more; {
		var pattern string
		pattern, rest, more = strings.Cut(rest, ",")
		pattern = trimBlanks(pattern)
		if pattern != "" && (p.rules.AnyRegion || slices.ContainsFunc(p.rules.Regions, func(region string) bool {
			return matches(pattern, region)
		})) {
			return nil
		}
	}
	return c.malformed("X-Amz-Region-Set %q does not include this region, '%s'", set, p.rules.Regions[0])
}

// matches reports whether region matches a pattern in which "*" stands for any
// characters.
func matches(pattern, region string) bool {
	prefix, rest, star := strings.Cut(pattern, "*")
	if !strings.HasPrefix(region, prefix) {
		return false
	}
	region = region[len(prefix):]
	for star {
		var part string
		part, rest, star = strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(region, part)
		}
		i := strings.Index(region, part)
		if i < 0 {
			return false
		}
		region = region[i+len(part):]
	}
	return region == ""
}
