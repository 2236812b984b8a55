package migrate

import (
	"archive/zip"
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/iam"
)

func archive(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, content := range files {
		w, err := z.Create("iam-assets/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(content))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestMinIOPolicies(t *testing.T) {
	for name, c := range map[string]struct{ in, want, err string }{
		"administration is dropped": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["admin:*"]},{"Effect":"Allow","Action":["s3:GetObject","kms:Decrypt"],"Resource":["arn:aws:s3:::b/*"]}]}`,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/*"]}]}`, ""},
		"nothing is left":                          {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["admin:*"]}]}`, "", ""},
		"everything is everything of S3":           {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::*"}]}`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`, ""},
		"no version is the newest":                 {`{"Statement":[{"Effect":"Deny","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`, ""},
		"an element that there is none of":         {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"],"Surprise":1}]}`, "", "Surprise"},
		"a variable of MinIO's sessions":           {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::${jwt:sub}/*"]}]}`, "", "jwt:"},
		"a condition key of MinIO's sessions":      {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"],"Condition":{"StringEquals":{"ldap:groups":"x"}}}]}`, "", "ldap:"},
		"an operator that there is none of":        {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"],"Condition":{"StringIsh":{"aws:username":"x"}}}]}`, "", "StringIsh"},
		"an S3 statement without a resource":       {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"]}]}`, "", "Resource"},
		"an empty condition":                       {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"],"Condition":{}}]}`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`, ""},
		"a Deny of nothing but administration":     {`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["admin:*"]},{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`, ""},
		"what is no object":                        {`7`, "", "document"},
		"NotAction is kept as it is":               {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["s3:DeleteObject"],"Resource":["arn:aws:s3:::*"]}]}`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["s3:DeleteObject"],"Resource":["arn:aws:s3:::*"]}]}`, ""},
		"an action of a service that is not there": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3tables:GetTable"],"Resource":["arn:aws:s3:::*"]}]}`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3tables:GetTable"],"Resource":["arn:aws:s3:::*"]}]}`, ""},
	} {
		got, _, err := minioPolicy([]byte(c.in))
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s:\ngot  %s, %v\nwant %s, %s", name, got, err, c.want, c.err)
		}
	}
}

const open = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`

// TestNobodyGetsMore holds that who depends on something that is not imported is
// not imported either.
func TestNobodyGetsMore(t *testing.T) {
	closed := strings.Replace(open, "arn:aws:s3:::*", "arn:aws:s3:::${jwt:sub}", 1)
	r, err := MinIO(archive(t, map[string]string{
		"policies":       `{"open":` + open + `,"closed":` + strings.Replace(closed, "Allow", "Deny", 1) + `}`,
		"users":          `{"member":{"secretKey":"secret12","status":"enabled"},"own":{"secretKey":"secret12","status":"enabled"},"free":{"secretKey":"secret12","status":"enabled"}}`,
		"groups":         `{"barred":{"status":"enabled","members":["member"]},"off":{"status":"disabled","members":["free"]}}`,
		"user_mappings":  `{"own":{"policy":"open,closed"},"free":{"policy":"open"},"member":{"policy":"open"}}`,
		"group_mappings": `{"barred":{"policy":"closed"},"off":{"policy":"open"}}`,
		"svcaccts": `{"OWNSERVICE1":{"parent":"own","secretKey":"secret12","status":"on"},"EMBEDDED":{"parent":"free","secretKey":"secret12","status":"on","claims":{"sa-policy":"embedded-policy"},"sessionPolicy":null},
			"GOODSERVICE":{"parent":"free","secretKey":"secret12","status":"off","sessionPolicy":null,"expiration":"2030-01-02T03:04:05Z"}}`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range r.Findings {
		if f.Unsupported {
			out = append(out, f.Kind+" "+f.Name)
		}
	}
	slices.Sort(out)
	want := []string{"group barred", "policy closed", "service account EMBEDDED", "service account OWNSERVICE1", "user member", "user own"}
	if !slices.Equal(out, want) {
		t.Errorf("not imported: %q\nwant %q", out, want)
	}
	if d := r.Document; len(d.Users) != 1 || d.Users[0].Name != "free" || len(d.Groups) != 1 ||
		!slices.Equal(d.Groups[0].Policies, []string{"open", "minio-disabled-group"}) || d.Policies[len(d.Policies)-1].Name != "minio-disabled-group" || len(d.ServiceAccounts) != 1 ||
		!d.ServiceAccounts[0].Disabled || d.ServiceAccounts[0].Expires != "2030-01-02T03:04:05Z" {
		t.Errorf("%+v", d)
	}
}

func TestErrorsHoldNoSecret(t *testing.T) {
	_, err := MinIO(archive(t, map[string]string{"users": `{"bob":{"secretKey":["topsecret"]}}`}))
	if err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("%v", err)
	}
}

func FuzzMinIO(f *testing.F) {
	f.Add(archive(f, map[string]string{"policies": `{"p":` + open + `}`, "users": `{"u":{"secretKey":"s"}}`}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := MinIO(b); err == nil && r.Document.Format == "" {
			t.Error("a document without a format")
		}
	})
}

func FuzzMinIOPolicy(f *testing.F) {
	f.Add([]byte(open))
	f.Add([]byte(`{"Statement":[{"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, _, err := minioPolicy(b)
		if err != nil || out == "" {
			return
		}
		if again, _, err := minioPolicy([]byte(out)); err != nil || again != out {
			t.Errorf("%s\nconverted again is\n%s, %v", out, again, err)
		}
	})
}

func FuzzAWS(f *testing.F) {
	f.Add([]byte(`{"Policies":[{"PolicyName":"p","Arn":"arn:aws:iam::123456789012:policy/p","PolicyVersionList":[{"Document":"%7B%7D","IsDefaultVersion":true}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := AWS(b, iam.FirstAccount); err == nil && r.Document.Format == "" {
			t.Error("a document without a format")
		}
	})
}
