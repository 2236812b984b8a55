package sigv4

import (
	"strings"

	"github.com/doorward/doorward/iam"
)

// Attestation is what a trusted S3 server says about a request whose canonical
// request it has built itself. The server answers for the rules that need the
// request: one credential form, signed host and x-amz-* header fields, and the
// body.
type Attestation struct {
	AccessKeyID iam.AccessKeyID
	Token       string
	// StringToSign is the text that was signed, four lines.
	StringToSign string
	// Signature is 64 hexadecimal digits, as the client sent them.
	Signature string
	// Presigned tells a presigned URL from a header signature, and Expires is its
	// X-Amz-Expires in seconds.
	Presigned bool
	Expires   int64
	// Payload is the last line of the canonical request, which says whether a
	// chunk chain follows.
	Payload string
}

// ParseStringToSign is Parse for a trusted S3 server that has built the string to
// sign itself. Algorithm, scope, date and skew are taken from that text, so they
// are proved with it. SigV4A is not accepted here.
func (r *Rules) ParseStringToSign(a *Attestation, now iam.Time) (Credential, error) {
	c := Credential{
		kind: Attested, now: now, query: r.Services[0] != S3,
		accessKeyID: string(a.AccessKeyID), token: a.Token, payload: a.Payload, signature: a.Signature,
	}
	p := parser{rules: r}
	if err := p.attested(&c, a); err != nil {
		return Credential{}, err
	}
	return c, nil
}

func (p *parser) attested(c *Credential, a *Attestation) error {
	name, rest, _ := strings.Cut(a.StringToSign, "\n")
	date, rest, _ := strings.Cut(rest, "\n")
	scope, sum, _ := strings.Cut(rest, "\n")
	if c.algorithm = algorithm(name); c.algorithm != HMACSHA256 {
		return c.malformed("the string to sign must begin with %s.", algorithmHMAC)
	}
	before, ok := c.cutScope(scope, false)
	var hashed bool
	if c.canonical, hashed = parseSum(sum); !ok || before != "" || !hashed {
		return c.malformed("the string to sign must be algorithm, time, scope and a SHA-256 in hexadecimal, a line each.")
	}
	if err := p.scope(c); err != nil {
		return err
	}
	c.date = date
	if c.signedAt, ok = parseBasicISO(date); !ok || date[:8] != c.scope.Date {
		return c.malformed("the time of the string to sign must be like 20150830T123600Z and on the day of its scope.")
	}
	c.body = c.coverage()
	if a.Presigned {
		return c.window(a.Expires, p.rules.maxSkew())
	}
	return c.skewed(p.rules.maxSkew())
}
