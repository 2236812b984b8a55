package sigv4

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
)

// vector is one row of a sigv4*.jsonl file: a request as it is on the wire, the
// one credential the server knows, and the answer. Requests were signed by
// public clients and by hand from the AWS documentation; see the field source.
type vector struct {
	ID, Source, Rule, Kind, Mutation string
	Tags                             []string
	Optional                         bool
	Method, Target                   string
	Headers                          [][2]string
	Body                             string
	BodyBase64                       []byte
	Credentials                      struct {
		AccessKeyID, SecretAccessKey, SessionToken string
		Expires                                    time.Time
	}
	Region, Service string
	NormalizePath   *bool
	Now             time.Time
	StringToSign    string
	Expected        struct {
		Valid        bool
		Error        string
		Status       int
		Alternatives []string
	}
}

// TestVectors runs every row of testdata and of the sigv4*.jsonl[.gz] files in
// the directory that DOORWARD_VECTORS names.
func TestVectors(t *testing.T) {
	files, _ := filepath.Glob("testdata/sigv4*.jsonl.gz")
	if dir := os.Getenv("DOORWARD_VECTORS"); dir != "" {
		plain, _ := filepath.Glob(filepath.Join(dir, "sigv4*.jsonl"))
		packed, _ := filepath.Glob(filepath.Join(dir, "sigv4*.jsonl.gz"))
		files = append(append(files, plain...), packed...)
	}
	rows, wrong := 0, 0
	for _, file := range files {
		for v := range vectors(t, file) {
			rows++
			if err := v.judge(); err != nil {
				wrong++
				t.Errorf("%s %s: %s %s %s\n%v", filepath.Base(file), v.ID, v.Kind, v.Mutation, v.Source, err)
			}
		}
	}
	fmt.Printf("sigv4: %d rows, %d wrong\n", rows, wrong)
	if rows < 956 {
		t.Errorf("only %d rows were read", rows)
	}
}

func vectors(t testing.TB, file string) func(yield func(*vector) bool) {
	return func(yield func(*vector) bool) {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var r io.Reader = f
		if strings.HasSuffix(file, ".gz") {
			if r, err = gzip.NewReader(f); err != nil {
				t.Fatal(err)
			}
		}
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			if len(bytes.TrimSpace(lines.Bytes())) == 0 {
				continue
			}
			v := new(vector)
			if err := json.Unmarshal(lines.Bytes(), v); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if !yield(v) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
}

// judge compares the verdict on v with what is expected.
func (v *vector) judge() error {
	err := v.verify()
	var refusal *Error
	switch {
	case err != nil && !errors.As(err, &refusal):
		return fmt.Errorf("refused without a code: %w", err)
	case v.Optional:
		return nil
	case err == nil && v.Expected.Valid:
		return nil
	case err == nil:
		return fmt.Errorf("accepted, want %s", v.Expected.Error)
	case v.Expected.Valid:
		return fmt.Errorf("refused with %w", err)
	case string(refusal.Code) == v.Expected.Error && refusal.Status == v.Expected.Status,
		slices.Contains(v.Expected.Alternatives, string(refusal.Code)):
		return nil
	}
	return fmt.Errorf("refused with %d %w, want %d %s", refusal.Status, err, v.Expected.Status, v.Expected.Error)
}

func (v *vector) body() []byte {
	if v.BodyBase64 != nil {
		return v.BodyBase64
	}
	return []byte(v.Body)
}

func (v *vector) request() *Request {
	req := &Request{Method: v.Method, Target: v.Target}
	for _, h := range v.Headers {
		req.Headers = append(req.Headers, Header{h[0], h[1]})
	}
	if v.Service != string(S3) {
		req.Body = HashBody(v.body())
	}
	return req
}

func (v *vector) rules() *Rules {
	return &Rules{
		Services:        []Service{Service(v.Service)},
		Regions:         []string{v.Region},
		KeepDotSegments: v.NormalizePath != nil && !*v.NormalizePath,
	}
}

// verify does what a server does with the request, to the last byte of the body.
func (v *vector) verify() error {
	req, now := v.request(), v.now()
	c, err := v.rules().Parse(req, now)
	if err != nil {
		return err
	}
	if c.Kind() == PostForm {
		return v.verifyForm(req, now)
	}
	key, err := v.lookUp(&c)
	if err != nil {
		return err
	}
	verified, err := v.prove(&c, &key)
	if err != nil {
		return err
	}
	body, err := NewBody(&verified, &key, bytes.NewReader(v.body()))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, body)
	return err
}

func (v *vector) prove(c *Credential, key *SigningKey) (Verified, error) {
	if c.Algorithm() != ECDSAP256 {
		return c.Verify(key)
	}
	public, err := DerivePublicKey(c.AccessKeyID(), v.Credentials.SecretAccessKey)
	if err != nil {
		return Verified{}, err
	}
	return c.VerifyECDSA(public)
}

func (v *vector) lookUp(c *Credential) (SigningKey, error) {
	switch {
	case string(c.AccessKeyID()) != v.Credentials.AccessKeyID:
		return SigningKey{}, c.Refuse(UnknownAccessKey)
	case c.Token() == "" && v.Credentials.SessionToken != "":
		return SigningKey{}, c.Refuse(TokenMissing)
	case c.Token() != v.Credentials.SessionToken:
		return SigningKey{}, c.Refuse(TokenInvalid)
	case !v.Credentials.Expires.IsZero() && v.Now.After(v.Credentials.Expires):
		return SigningKey{}, c.Refuse(TokenExpired)
	}
	return DeriveSigningKey(v.Credentials.SecretAccessKey, c.Scope()), nil
}

func (v *vector) verifyForm(req *Request, now iam.Time) error {
	form, err := ReadForm(req, bytes.NewReader(v.body()))
	if err != nil {
		return err
	}
	c, err := v.rules().ParseForm(req, form, v.bucket(), now)
	if err != nil {
		return err
	}
	key, err := v.lookUp(&c)
	if err != nil {
		return err
	}
	if _, err := c.Verify(&key); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, form.File())
	return err
}

// bucket is the one that a form is sent to: the path, or the first label of Host.
func (v *vector) bucket() string {
	if bucket := strings.Trim(v.Target, "/"); bucket != "" {
		return bucket
	}
	host := v.Headers[slices.IndexFunc(v.Headers, func(h [2]string) bool { return h[0] == "Host" })][1]
	bucket, _, _ := strings.Cut(host, ".s3.")
	return bucket
}

func (v *vector) now() iam.Time { return iam.At(v.Now) }
