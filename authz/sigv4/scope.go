package sigv4

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/iam"
)

// authorization splits the Authorization field and returns its Credential part.
// Source: Amazon S3 API Reference, "Authenticating requests: using the
// Authorization header"; blanks after the commas are optional.
func (p *parser) authorization(c *Credential) (credential string, err error) {
	name, rest, _ := cutByte(p.f.authorization, ' ')
	if c.algorithm = algorithm(name); c.algorithm == 0 {
		return "", c.unsupported(name)
	}
	for more := true; more; {
		var part string
		part, rest, more = cutByte(rest, ',')
		key, value, _ := cutByte(trimBlanks(part), '=')
		slot := &credential
		switch key {
		case "Credential":
		case "SignedHeaders":
			slot = &c.signedHeaders
		case "Signature":
			slot = &c.signature
		default:
			return "", c.malformed("it has a part that is none of Credential, SignedHeaders and Signature.")
		}
		if *slot != "" {
			return "", c.malformed("%s is there twice.", key)
		}
		*slot = value
	}
	switch {
	case credential == "":
		return "", c.malformed("missing Credential.")
	case c.signedHeaders == "":
		return "", c.malformed("missing SignedHeaders.")
	case c.signature == "":
		return "", c.malformed("missing Signature.")
	}
	return credential, nil
}

// unsupported names why an Authorization field of another scheme is refused.
func (c *Credential) unsupported(scheme string) *Error {
	switch {
	case scheme == "AWS":
		return c.signatureV2()
	case c.query:
		return errorf(iam.IncompleteSignature, "Authorization header requires the %q algorithm.", algorithmHMAC)
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
	if !ok {
		return c.malformed("the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
	}
	if id == "" || len(id) > maxAccessKeyID || !printable(id) {
		return c.malformed("the access key id must be 1 to %d printable characters.", maxAccessKeyID)
	}
	c.accessKeyID = id
	return p.scope(c)
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
