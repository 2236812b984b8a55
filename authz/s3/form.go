package s3

import (
	"github.com/doorward/doorward/authz/form"
	"github.com/doorward/doorward/authz/head"
	"github.com/doorward/doorward/iam"
)

// readForm takes the fields of a form: key, acl and tagging by name, and those
// named like a header as that header.
func (r *Result) readForm(posted *form.Form) error {
	for _, f := range posted.Fields() {
		var err error
		switch f.Name {
		case "key", "tagging":
		case "bucket":
			err = r.checkFormBucket(f.Value)
		case "acl":
			err = r.take(field(KeyACL), "acl", f.Value)
		default:
			err = r.readFormHeader(f.Name, f.Value)
		}
		if err != nil {
			return err
		}
	}
	if tagging, tagged := posted.Field("tagging"); tagged {
		if err := r.readFormTags(tagging); err != nil {
			return err
		}
	}
	return r.setFormKey(posted.Key())
}

func (r *Result) readFormHeader(name, value string) error {
	f, exact := headerField(head.Of(name))
	if f == 0 || name[0] != 'x' {
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
