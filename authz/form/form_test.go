package form

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/doorward/doorward/iam"
)

const (
	contentType = "multipart/form-data; boundary=b"
	part        = "--b\r\nContent-Disposition: form-data; name="
)

func TestAFormIsReadUpToItsFile(t *testing.T) {
	body := part + "KEY\r\n\r\nu/${filename}\r\n" + part + "\"x-amz-meta-a\"\r\n\r\n 1 \r\n" +
		part + "\"File\"; filename=\"C:\\\\dir/cat.jpg\"\r\nContent-Type: image/jpeg\r\n\r\npicture\r\n" + part + "acl\r\n\r\npublic-read\r\n--b--\r\n"
	for name, reader := range map[string]io.Reader{"at once": strings.NewReader(body), "byte by byte": iotest.OneByteReader(strings.NewReader(body))} {
		f, file, err := Read(contentType, reader)
		if err != nil {
			t.Fatal(name, err)
		}
		if f.Key() != "u/cat.jpg" || len(f.Fields()) != 2 || f.Fields()[1] != (Field{"x-amz-meta-a", " 1 "}) {
			t.Errorf("%s: key %q, fields %q", name, f.Key(), f.Fields())
		}
		if _, there := f.Field("acl"); there {
			t.Errorf("%s: a field behind the file counts", name)
		}
		if data, err := io.ReadAll(file); err != nil || string(data) != "picture" {
			t.Errorf("%s: file %q, %v", name, data, err)
		}
	}
}

func TestFormsThatTwoReadersCouldTakeInTwoWaysAreRefused(t *testing.T) {
	key, file := part+"key\r\n\r\nk\r\n", part+"file\r\n\r\nx\r\n--b--\r\n"
	for _, row := range []struct {
		name, contentType, body string
		want                    iam.Code
	}{
		{"a field twice", contentType, key + part + "Key\r\n\r\nother\r\n" + file, malformed},
		{"another media type that contains the words", "text/plain; a=multipart/form-data; boundary=b", key + file, malformed},
		{"a longer media type", "multipart/form-data-x; boundary=b", key + file, malformed},
		{"no boundary", "multipart/form-data", key + file, malformed},
		{"no file", contentType, key + "--b--\r\n", invalidArgument},
		{"a body that ends within a field", contentType, part + "key\r\n\r\nk", incompleteBody},
		{"an extended file name", contentType, key + part + "file; filename=a; filename*=UTF-8''b\r\n\r\nx\r\n--b--\r\n", malformed},
		{"two dispositions", contentType, "--b\r\nContent-Disposition: form-data; name=key\r\nContent-Disposition: form-data; name=acl\r\n\r\nk\r\n" + file, malformed},
		{"a part in quoted-printable", contentType, "--b\r\nContent-Disposition: form-data; name=key\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=61\r\n" + file, malformed},
		{"a part that is no form field", contentType, "--b\r\nContent-Disposition: attachment; name=key\r\n\r\nk\r\n" + file, malformed},
		{"a field without a name", contentType, part + "\"\"\r\n\r\nk\r\n" + file, malformed},
		{"a value over the limit", contentType, part + "x\r\n\r\n" + strings.Repeat("a", MaxFields) + "\r\n" + file, tooLarge},
		{"names over the limit", contentType, part + strings.Repeat("n", 300) + "\r\n\r\n\r\n" + part + strings.Repeat("m", 300) + "\r\n\r\n" + strings.Repeat("a", MaxFields-599) + "\r\n" + file, tooLarge},
	} {
		_, _, err := Read(row.contentType, strings.NewReader(row.body))
		var refusal *iam.Error
		if !errors.As(err, &refusal) || refusal.Code != row.want {
			t.Errorf("%s: %v, want %s", row.name, err, row.want)
		}
	}
	if _, _, err := Read(contentType, strings.NewReader(part+"x\r\n\r\n"+strings.Repeat("a", MaxFields-1)+"\r\n"+file)); err != nil {
		t.Errorf("as many bytes as are allowed: %v", err)
	}
}

// FuzzForm compares a form with what mime/multipart makes of all of it.
func FuzzForm(f *testing.F) {
	f.Add(contentType, []byte(part+"\"key\"\r\n\r\nu/${filename}\r\n"+part+"\"file\"; filename=\"a\"\r\n\r\nx\r\n--b--\r\n"))
	f.Add(contentType, []byte(part+"acl\r\n\r\nprivate\r\n"+part+"key\r\n\r\nk\r\n"+part+"file\r\n\r\n"))
	f.Add("Multipart/Form-Data; boundary=\"b\"; x", []byte("--b--"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		form, _, err := Read(contentType, strings.NewReader(string(body)))
		if err != nil {
			var refusal *iam.Error
			if !errors.As(err, &refusal) || refusal.Code == "" {
				t.Fatalf("refused without a code: %v", err)
			}
			return
		}
		_, parameters, err := mime.ParseMediaType(contentType)
		if err != nil {
			t.Fatalf("%q was taken: %v", contentType, err)
		}
		whole, err := multipart.NewReader(strings.NewReader(string(body)), parameters["boundary"]).ReadForm(1 << 20)
		if err != nil {
			return // what follows the file may be anything
		}
		for _, field := range form.Fields() {
			found := false
			for name, values := range whole.Value {
				for _, value := range values {
					found = found || strings.ToLower(name) == field.Name && value == field.Value
				}
			}
			for name := range whole.File { // a field that has a file name
				found = found || strings.ToLower(name) == field.Name
			}
			if !found {
				t.Errorf("%q: field %q = %q is not there", body, field.Name, field.Value)
			}
		}
	})
}
