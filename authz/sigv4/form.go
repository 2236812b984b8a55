package sigv4

import (
	"errors"
	"io"
	"math"

	"github.com/doorward/doorward/authz/form"
	"github.com/doorward/doorward/authz/head"
	"github.com/doorward/doorward/iam"
)

// Form is a browser form (multipart/form-data POST) with its file. Source: Amazon
// S3 API Reference, "Browser-based uploads using POST".
type Form struct {
	*form.Form        // what comes before the file; authz/s3 reads the same
	bucket     string // that the form is sent to
	file       formFile
}

// ReadForm reads the fields of a browser form up to the file part, which File
// then streams; see form.Read. An error is an *Error.
func ReadForm(req *Request, body io.Reader) (*Form, error) {
	f := scanned(req.Headers)
	read, file, err := form.Read(f.value(head.ContentType), body)
	if err != nil {
		return nil, formRefusal(err)
	}
	return &Form{Form: read, file: formFile{part: file}}, nil
}

// formRefusal makes the refusal of a form one of this package.
func formRefusal(err error) *Error {
	var e *iam.Error
	if !errors.As(err, &e) {
		e = &iam.Error{Code: MalformedPOSTRequest, Message: err.Error()}
	}
	return errorf(e.Code, "%s", e.Message)
}

// value is a field as conditions see it.
func (f *Form) value(name string) (string, bool) {
	if name == "key" {
		_, ok := f.Field(name)
		return f.Key(), ok
	}
	return f.Field(name)
}

// File returns the content of the file part, readable once the form is verified.
// It ends with io.EOF only if the length is within every content-length-range of
// the policy; any other end is an *Error, and nothing that was read before may
// become visible.
func (f *Form) File() io.Reader { return &f.file }

type formFile struct {
	part     io.Reader
	open     bool // the form is verified
	min, max int64
	read     int64
	err      error
}

func (f *formFile) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if !f.open {
		return 0, errorf(iam.AccessDenied, "The form has to be verified before its file is read.")
	}
	n, err := f.part.Read(p)
	f.read += int64(n)
	switch {
	case f.read > f.max:
		n, f.err = 0, errorf(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size").
			with("ProposedSize", itoa(f.read)).with("MaxSizeAllowed", itoa(f.max))
	case err == io.EOF && f.read < f.min:
		f.err = errorf(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size").
			with("ProposedSize", itoa(f.read)).with("MinSizeAllowed", itoa(f.min))
	case err == io.EOF:
		f.err = io.EOF
	case err != nil:
		f.err = formRefusal(form.Broken(err))
	}
	return n, f.err
}

// ParseForm is Parse for a browser form; bucket is the bucket that the request
// addresses. A form without a policy is anonymous; one with a policy must carry a
// complete credential. Conditions are checked by Verify, after the signature.
func (r *Rules) ParseForm(req *Request, posted *Form, bucket string, now iam.Time) (Credential, error) {
	c, err := r.Parse(req, now)
	if err != nil {
		return Credential{}, err
	}
	if c.kind != PostForm {
		return Credential{}, c.mixed()
	}
	c.form, c.body = posted, BodyUnsigned
	posted.bucket = bucket
	p := parser{rules: r}
	if err := p.formFields(&c); err != nil {
		return Credential{}, err
	}
	return c, nil
}

// formFields reads the credential of a form.
func (p *parser) formFields(c *Credential) error {
	posted := c.form
	if key, _ := posted.Field("key"); key == "" {
		return errorf(InvalidArgument, "Bucket POST must contain a field named 'key'. If it is specified, please check the order of the fields.")
	}
	if _, v2 := posted.Field("awsaccesskeyid"); v2 {
		return c.signatureV2()
	}
	values, present := posted.credential()
	switch {
	case present == 0:
		c.kind = Anonymous
		return nil
	case present != len(values):
		return errorf(InvalidArgument, "Bucket POST must contain fields named 'policy', 'x-amz-algorithm', 'x-amz-credential', 'x-amz-date' and 'x-amz-signature'. If they are specified, please check the order of the fields.")
	}
	if c.algorithm = algorithm(values[1]); c.algorithm != HMACSHA256 {
		return c.malformed("X-Amz-Algorithm only supports %q", algorithmHMAC)
	}
	if err := p.credential(c, values[2], false); err != nil {
		return err
	}
	at, ok := parseBasicISO(values[3])
	if !ok || values[3][:8] != c.scope.Date {
		return c.malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\", of the same day as the credential")
	}
	c.date, c.signedAt, c.signature = values[3], at, values[4]
	c.token, _ = posted.Field("x-amz-security-token")
	return c.window(MaxExpires, p.rules.maxSkew())
}

// credential returns the fields that make a form's credential, and how many of
// them there are.
func (f *Form) credential() (values [5]string, present int) {
	for i, name := range [...]string{"policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"} {
		if value, ok := f.Field(name); ok {
			values[i] = value
			present++
		}
	}
	return values, present
}

// verifyForm proves the signature of the policy, then that the policy allows the
// form.
func (c *Credential) verifyForm(key *SigningKey) (Verified, error) {
	policy, _ := c.form.Field("policy")
	h := hashers.Get().(*hasher)
	defer h.release()
	h.message = append(h.message[:0], policy...)
	h.hmac(key)
	if !h.matches(c.signature) {
		return Verified{}, h.mismatch(c)
	}
	conditions, err := parsePostPolicy(policy)
	if err != nil {
		return Verified{}, err
	}
	if err := conditions.check(c); err != nil {
		return Verified{}, err
	}
	c.form.file.open, c.form.file.min, c.form.file.max = true, conditions.min, conditions.max
	return Verified{cred: *c}, nil
}

// admitForm opens the file of a form that nobody signed.
func (c *Credential) admitForm() {
	if c.form != nil {
		c.form.file.open, c.form.file.max = true, math.MaxInt64
	}
}
