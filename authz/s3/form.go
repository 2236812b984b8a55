package s3

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"github.com/doorward/doorward/iam"
)

// Form is the part of a browser form that comes before the file's content.
type Form struct {
	// Fields are the form fields in order, names as sent.
	Fields []Header
	// FileName is the file name that the browser gave, empty if none.
	FileName string
}

// maxFormBytes is the most that may stand before the file (S3 API reference,
// POST Object), in bytes.
const maxFormBytes = 20 << 10

// isForm reports whether a Content-Type is that of a browser form. The whole media
// type is compared: a type that merely contains the words is none.
func isForm(contentType string) bool { return formBoundary(contentType) != "" }

func formBoundary(contentType string) string {
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || media != "multipart/form-data" {
		return ""
	}
	return parameters["boundary"]
}

// ParseForm reads the fields of a browser form up to the file part, which has to
// be there, its content aside: S3 ignores what follows it.
func ParseForm(contentType string, body []byte) (*Form, error) {
	boundary := formBoundary(contentType)
	if boundary == "" {
		return nil, iam.Errorf(MalformedPOSTRequest, "Content-Type is not multipart/form-data with a boundary")
	}
	form := new(Form)
	left := maxFormBytes
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil, iam.Errorf(InvalidArgument, "the form has no file field")
		}
		if err != nil {
			return nil, iam.Errorf(MalformedPOSTRequest, "the form is not well-formed: %w", err)
		}
		name, fileName, err := disposition(part)
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(name, "file") {
			form.FileName = baseName(fileName)
			return form, nil
		}
		value, err := readField(part, &left)
		if err != nil {
			return nil, err
		}
		form.Fields = append(form.Fields, Header{Name: name, Value: value})
	}
}

// disposition returns the field and file name of a part. Extended parameters
// (filename*=) and transfer encodings are not for forms (RFC 7578, sections 4.2
// and 4.7), and not every server understands them.
func disposition(part *multipart.Part) (name, fileName string, err error) {
	lines := part.Header["Content-Disposition"]
	if len(lines) != 1 || strings.Contains(lines[0], "*") {
		return "", "", iam.Errorf(MalformedPOSTRequest, "a part of the form has no plain Content-Disposition")
	}
	switch encoding := strings.ToLower(part.Header.Get("Content-Transfer-Encoding")); encoding {
	case "", "7bit", "8bit", "binary":
	default:
		return "", "", iam.Errorf(MalformedPOSTRequest, "a part of the form has the transfer encoding %s", encoding)
	}
	kind, parameters, err := mime.ParseMediaType(lines[0])
	if err != nil || kind != "form-data" || parameters["name"] == "" {
		return "", "", iam.Errorf(MalformedPOSTRequest, "a part of the form has no field name")
	}
	return parameters["name"], parameters["filename"], nil
}

func readField(part io.Reader, left *int) (string, error) {
	value, err := io.ReadAll(io.LimitReader(part, int64(*left)+1))
	if err != nil {
		return "", iam.Errorf(MalformedPOSTRequest, "the form is not well-formed: %w", err)
	}
	if *left -= len(value); *left < 0 {
		return "", iam.Errorf(MaxPostPreDataLengthExceeded, "the form has more than %d bytes before its file", maxFormBytes)
	}
	return string(value), nil
}

// baseName drops the directories that some browsers send along.
func baseName(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

// readForm takes the fields of a form: key, acl and tagging by name, and those
// named like a header as that header.
func (r *Result) readForm(form *Form) error {
	seen := make(map[string]bool, len(form.Fields))
	var key, tagging string
	for _, f := range form.Fields {
		name := strings.ToLower(f.Name)
		if seen[name] {
			return iam.Errorf(MalformedPOSTRequest, "form field %s is given more than once", name)
		}
		seen[name] = true
		var err error
		switch name {
		case "key":
			key = f.Value
		case "tagging":
			tagging = f.Value
		case "bucket":
			err = r.checkFormBucket(f.Value)
		case "acl":
			err = r.take(field(KeyACL), "acl", f.Value)
		default:
			err = r.readFormHeader(name, f.Value)
		}
		if err != nil {
			return err
		}
	}
	if seen["tagging"] {
		if err := r.readFormTags(tagging); err != nil {
			return err
		}
	}
	return r.setFormKey(strings.ReplaceAll(key, "${filename}", form.FileName))
}

func (r *Result) readFormHeader(name, value string) error {
	f, found, exact := headerField(name)
	if !found || name[0] != 'x' {
		return nil
	}
	if !exact || f == field(KeyCopySource) {
		return iam.Errorf(InvalidArgument, "a form may not have the field %s", name)
	}
	return r.take(f, name, trim(value))
}

func (r *Result) readFormTags(document string) error {
	if r.has(fieldTagging) {
		return iam.Errorf(InvalidArgument, "tagging is given more than once")
	}
	r.set(fieldTagging, "")
	return r.parseTagging([]byte(document))
}

func (r *Result) checkFormBucket(name string) error {
	if name != r.target.bucket {
		return iam.Errorf(InvalidArgument, "form field bucket is %q, the request is for %q", name, r.target.bucket)
	}
	return nil
}

// setFormKey makes the form's key the target. It is not percent-encoded.
func (r *Result) setFormKey(key string) error {
	if key == "" {
		return iam.Errorf(InvalidArgument, "the form has no field key")
	}
	bucket := r.target.bucket
	return r.target.place(r.text.join(arnPrefix, bucket, "/", key), len(bucket))
}
