// Package form reads browser forms: what a multipart/form-data POST of an object
// says before its file. [Read] is the whole of it. The signature (authz/sigv4) and
// the S3 operation (authz/s3) of a form look at the same [Form], so that neither
// sees a field that the other does not.
package form

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"github.com/doorward/doorward/iam"
)

// MaxFields is how many bytes of fields, names included, may come before the file
// (Amazon S3 API Reference, POST Object).
const MaxFields = 20 << 10

// The codes that Read refuses with. Source: Amazon S3 API Reference, error
// responses.
const (
	incompleteBody  iam.Code = "IncompleteBody"
	invalidArgument iam.Code = "InvalidArgument"
	malformed       iam.Code = "MalformedPOSTRequest"
	tooLarge        iam.Code = "MaxPostPreDataLengthExceededError"
)

// Field is one field of a form. It is an alias so that a slice of them can be
// shared with other packages.
type Field = struct{ Name, Value string }

// Form is what comes before the file. Only Read makes one.
type Form struct {
	fields   []Field
	fileName string
}

// Is reports whether a Content-Type is that of a browser form. The whole media
// type is compared: a type that merely contains multipart/form-data is none.
func Is(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.Trim(media, " \t"), "multipart/form-data")
}

// Read reads the fields of a form up to its file, which has to be there and which
// the caller reads from file. A field that comes twice is refused; what follows the
// file is never read. An error is an *iam.Error.
func Read(contentType string, body io.Reader) (f *Form, file io.Reader, err error) {
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || parameters["boundary"] == "" || !Is(contentType) {
		return nil, nil, iam.Errorf(malformed, "The body of your POST request is not well-formed multipart/form-data.")
	}
	f = new(Form)
	parts := multipart.NewReader(body, parameters["boundary"])
	for left := MaxFields; ; {
		part, err := parts.NextRawPart()
		if err != nil {
			return nil, nil, Broken(err)
		}
		name, fileName, err := disposition(part)
		if err != nil {
			return nil, nil, err
		}
		if name == "file" {
			f.fileName = fileName
			return f, part, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, int64(left)+1))
		if err != nil {
			return nil, nil, Broken(err)
		}
		if left -= len(name) + len(value); left < 0 {
			return nil, nil, iam.Errorf(tooLarge, "Your POST request fields preceding the upload file were too large.")
		}
		if _, twice := f.Field(name); twice {
			return nil, nil, iam.Errorf(malformed, "The form field %q is there twice.", name)
		}
		f.fields = append(f.fields, Field{name, string(value)})
	}
}

// Broken returns the refusal that an error of reading a form, or its file, stands
// for.
func Broken(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return iam.Errorf(invalidArgument, "POST requires exactly one file upload per request.")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return iam.Errorf(incompleteBody, "You did not provide the number of bytes specified by the headers: the body ends too early.")
	case errors.Is(err, multipart.ErrMessageTooLarge):
		return iam.Errorf(tooLarge, "Your POST request fields preceding the upload file were too large.")
	}
	return iam.Errorf(malformed, "The body of your POST request is not well-formed multipart/form-data.")
}

// disposition returns the lower-case field name of a part and, for a file, the last
// element of the path that a browser may have sent. Extended parameters (filename*=)
// and transfer encodings are not for forms (RFC 7578, sections 4.2 and 4.7), and not
// every server understands them.
func disposition(part *multipart.Part) (name, fileName string, err error) {
	lines := part.Header["Content-Disposition"]
	if len(lines) != 1 || strings.Contains(lines[0], "*") {
		return "", "", iam.Errorf(malformed, "A part of the form has no plain Content-Disposition.")
	}
	switch encoding := strings.ToLower(part.Header.Get("Content-Transfer-Encoding")); encoding {
	case "", "7bit", "8bit", "binary":
	default:
		return "", "", iam.Errorf(malformed, "A part of the form has the transfer encoding %s.", encoding)
	}
	kind, parameters, err := mime.ParseMediaType(lines[0])
	if err != nil || kind != "form-data" || parameters["name"] == "" {
		return "", "", iam.Errorf(malformed, "A part of the form has no field name.")
	}
	fileName = parameters["filename"]
	return strings.ToLower(parameters["name"]), fileName[strings.LastIndexAny(fileName, `/\`)+1:], nil
}

// Fields returns the fields in their order, names in lower case.
func (f *Form) Fields() []Field { return f.fields }

// Field returns the value of a field. The name is in lower case.
func (f *Form) Field(name string) (value string, ok bool) {
	for i := range f.fields {
		if f.fields[i].Name == name {
			return f.fields[i].Value, true
		}
	}
	return "", false
}

// Key returns the object key: the field of that name, ${filename} replaced by the
// name of the file. It is not percent-encoded.
func (f *Form) Key() string {
	key, _ := f.Field("key")
	return strings.ReplaceAll(key, "${filename}", f.fileName)
}
