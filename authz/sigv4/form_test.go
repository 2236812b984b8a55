package sigv4

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/authz/form"
	"github.com/doorward/doorward/iam"
)

// browser is a signed form, in the order that its fields are sent.
type browser struct {
	fields   [][2]string
	filename string
}

// form signs a policy that covers the usual fields and the conditions given, or
// the document given instead if it is not a list.
func (c client) form(fields [][2]string, conditions ...string) browser {
	credential := c.id + "/" + c.scope()
	conditions = append(conditions,
		`{"bucket":"b"}`, `["starts-with","$key","user/"]`, `{"x-amz-algorithm":"AWS4-HMAC-SHA256"}`,
		fmt.Sprintf(`{"x-amz-credential":%q}`, credential), fmt.Sprintf(`{"x-amz-date":%q}`, c.date()))
	return c.formWith(fields, fmt.Sprintf(`{"expiration":%q,"conditions":[%s]}`,
		c.at.Add(time.Hour).Format(time.RFC3339), strings.Join(conditions, ",")))
}

func (c client) formWith(fields [][2]string, policy string) browser {
	encoded := base64.StdEncoding.EncodeToString([]byte(policy))
	usual := [][2]string{
		{"key", "user/${filename}"},
		{"X-Amz-Algorithm", "AWS4-HMAC-SHA256"},
		{"X-Amz-Credential", c.id + "/" + c.scope()},
		{"X-Amz-Date", c.date()},
		{"Policy", encoded},
		{"X-Amz-Signature", hex.EncodeToString(mac(c.key(), encoded))},
	}
	return browser{append(usual, fields...), "cat.jpg"}
}

// set changes the value of a field, add appends one and drop removes one.
func (b browser) set(name, value string) browser { return b.drop(name).add(name, value) }

func (b browser) add(name, value string) browser {
	b.fields = append(append([][2]string(nil), b.fields...), [2]string{name, value})
	return b
}

func (b browser) drop(name string) browser {
	var kept [][2]string
	for _, f := range b.fields {
		if !strings.EqualFold(f[0], name) {
			kept = append(kept, f)
		}
	}
	b.fields = kept
	return b
}

func (b browser) named(filename string) browser { b.filename = filename; return b }

const boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"

func (b browser) body(file string) string {
	var out strings.Builder
	for _, f := range b.fields {
		fmt.Fprintf(&out, "--%s\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", boundary, f[0], f[1])
	}
	fmt.Fprintf(&out, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\nContent-Type: image/jpeg\r\n\r\n%s\r\n--%s--\r\n", boundary, b.filename, file, boundary)
	return out.String()
}

// post sends the form to a path-style bucket and returns the refusal.
func (b browser) post(target, file string) error {
	_, _, err := b.send(target, b.body(file), now)
	return err
}

func (b browser) send(target, body string, at time.Time) (key, data string, err error) {
	r := request("POST", target, Header{"Content-Type", "multipart/form-data; boundary=" + boundary})
	return sendForm(r, body, at)
}

func sendForm(r Request, body string, at time.Time) (key, data string, err error) {
	rules := S3Rules("eu-west-1")
	if _, err := rules.Parse(&r, iam.At(at)); err != nil {
		return "", "", err
	}
	posted, err := ReadForm(&r, strings.NewReader(body))
	if err != nil {
		return "", "", err
	}
	if n, err := posted.File().Read(make([]byte, 1)); n != 0 || err == nil {
		panic("the file can be read before the form is verified")
	}
	c, err := rules.ParseForm(&r, posted, strings.Trim(r.Target, "/"), iam.At(at))
	if err != nil {
		return "", "", err
	}
	var v Verified
	if c.Kind() == Anonymous {
		v, err = c.Admit()
	} else {
		secret := DeriveSigningKey(alice.secret, c.Scope())
		v, err = c.Verify(&secret)
	}
	if err != nil {
		return "", "", err
	}
	if _, err := NewBody(&v, nil, strings.NewReader("")); err == nil {
		panic("a form has a body beside its file")
	}
	var file bytes.Buffer
	_, err = io.Copy(&file, posted.File())
	return posted.Key(), file.String(), err
}

// formRefusals are the rows of TestRefusals for browser forms.
func formRefusals() []refusal {
	where := "Browser form"
	posted := func(b browser) func() error { return func() error { return b.post("/b", "hello") } }
	late := func() error {
		_, _, err := alice.form(nil).send("/b", alice.form(nil).body(""), now.Add(time.Hour+time.Second))
		return err
	}
	raw := func(body string) func() error {
		return func() error { _, _, err := browser{}.send("/b", body, now); return err }
	}
	const expires = `"expiration":"2026-11-24T10:00:00Z"`
	return []refusal{
		{where, "a body that is not multipart/form-data", MalformedPOSTRequest, raw("--" + boundary + "\r\nbad\r\n")},
		{where, "no file", InvalidArgument, raw("--" + boundary + "--\r\n")},
		{where, "no key", InvalidArgument, posted(alice.form(nil).drop("key"))},
		{where, "a field that is there twice", MalformedPOSTRequest, posted(alice.form(nil).add("KEY", "user/x"))},
		{where, "more than 20 KiB of fields", MaxPostPreDataLengthExceededError, posted(alice.form(nil).add("x-ignore-a", strings.Repeat("a", form.MaxFields)))},
		{where, "a policy without credential, or the reverse", InvalidArgument, posted(alice.form(nil).drop("x-amz-signature"))},
		{where, "a malformed credential, wrong region, service or day", AuthorizationQueryParametersError, posted(alice.form(nil).set("x-amz-credential", "AKIDALICE/20261124/us-east-1/s3/aws4_request"))},
		{where, "Signature Version 2 fields", InvalidRequest, posted(alice.form(nil).add("AWSAccessKeyId", "AKID"))},
		{where, "a signature that does not match", iam.SignatureDoesNotMatch, posted(alice.form(nil).set("x-amz-signature", strings.Repeat("0", 64)))},
		{where, "a policy that is not base64 JSON", InvalidPolicyDocument, posted(alice.formWith(nil, `{`))},
		{where, "a policy without expiration or conditions", InvalidPolicyDocument, posted(alice.formWith(nil, `{`+expires+`}`))},
		{where, "a condition that is not documented", InvalidPolicyDocument, posted(alice.form(nil, `["ends-with","$key",".jpg"]`))},
		{where, "an element that is not documented", InvalidPolicyDocument, posted(alice.formWith(nil, `{`+expires+`,"conditions":[],"else":1}`))},
		{where, "an expired policy", iam.AccessDenied, late},
		{where, "a condition that does not hold", iam.AccessDenied, posted(alice.form(nil).set("key", "other/x"))},
		{where, "a condition on a field that is absent", iam.AccessDenied, posted(alice.form(nil, `["starts-with","$acl",""]`))},
		{where, "a field that no condition covers", iam.AccessDenied, posted(alice.form(nil).add("acl", "public-read"))},
		{where, "another bucket than the policy's", iam.AccessDenied, func() error { return alice.form(nil).post("/other", "hello") }},
		{where, "a file above content-length-range", EntityTooLarge, posted(alice.form(nil, `["content-length-range",0,4]`))},
		{where, "a file below content-length-range", EntityTooSmall, posted(alice.form(nil, `["content-length-range",6,9]`))},
		{where, "a body that ends within the file", IncompleteBody, raw(strings.TrimSuffix(alice.form(nil).body("hello"), "\r\n--"+boundary+"--\r\n"))},
	}
}

// TestForms are forms that are accepted.
func TestForms(t *testing.T) {
	for _, row := range []struct {
		name string
		form browser
		key  string
	}{
		{"the usual fields", alice.form(nil), "user/cat.jpg"},
		{"a field covered by eq", alice.form([][2]string{{"acl", "private"}}, `["eq","$ACL","private"]`), "user/cat.jpg"},
		{"a field covered by starts-with nothing", alice.form([][2]string{{"Content-Type", "x/y"}}, `["starts-with","$Content-Type",""]`), "user/cat.jpg"},
		{"every item of a content type list has the prefix", alice.form([][2]string{{"Content-Type", "image/png, image/jpeg"}}, `["starts-with","$content-type","image/"]`), "user/cat.jpg"},
		{"x-ignore- fields need no condition", alice.form([][2]string{{"x-ignore-me", "1"}}), "user/cat.jpg"},
		{"content-length-range includes its bounds", alice.form(nil, `["content-length-range",5,5]`), "user/cat.jpg"},
		{"content-length-range in quotes", alice.form(nil, `["content-length-range","0","5"]`), "user/cat.jpg"},
		{"the filename of a browser that sends a path", alice.form(nil).named(`C:\\photos\\cat.jpg`), "user/cat.jpg"},
		{"a bucket field that is right", alice.form([][2]string{{"bucket", "b"}}), "user/cat.jpg"},
		{"nobody signed", browser{fields: [][2]string{{"key", "public/x"}}}, "public/x"},
	} {
		key, data, err := row.form.send("/b", row.form.body("hello"), now)
		if err != nil || key != row.key || data != "hello" {
			t.Errorf("%s: key %q, data %q, %v", row.name, key, data, err)
		}
	}
	for _, row := range []struct {
		name string
		form browser
	}{
		{"one item of a content type list lacks the prefix", alice.form([][2]string{{"Content-Type", "image/png,text/html"}}, `["starts-with","$content-type","image/"]`)},
		{"a bucket field that is wrong", alice.form([][2]string{{"bucket", "other"}})},
		{"the key after substitution breaks eq", alice.form(nil, `{"key":"user/${filename}"}`)},
		{"starts-with is case-sensitive", alice.form(nil).set("key", "User/x")},
	} {
		if err := row.form.post("/b", "hello"); code(err) != iam.AccessDenied {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// TestFieldsAfterTheFileAreIgnored: they neither count nor need a condition.
func TestFieldsAfterTheFileAreIgnored(t *testing.T) {
	form := alice.form(nil)
	late := fmt.Sprintf("--%s\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nother/x\r\n--%s--\r\n", boundary, boundary)
	body := strings.TrimSuffix(form.body("hello"), "--"+boundary+"--\r\n") + late
	if key, _, err := form.send("/b", body, now); err != nil || key != "user/cat.jpg" {
		t.Errorf("key %q, %v", key, err)
	}
}
