package sdk

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/minio-go/v7"
	miniocredentials "github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/e2e/plain"
	"github.com/doorward/doorward/iam"
)

// awkward are keys that somebody on the way to an object could take for another.
var awkward = []string{
	"sp ace.txt", "ünï/日本 𝄞", "a+b", "100%", "a%2Fb", "a%252Fb", "a//b", "../up", "a/../b", "a/./b", "~tilde~", "/leading", "trailing/",
	"q?x=1&y#z", "semi;colon,comma", `quote'"<&>`, "..", "a\\b", odd,
}

const largeSize = 64 << 20

// large is 64 MiB, the same each time.
func large() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{64}), largeSize) }

func sumOf(t *testing.T, r io.Reader) (sum [sha256.Size]byte) {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func same(t *testing.T, what string, got io.Reader, want io.Reader) {
	t.Helper()
	if a, b := sumOf(t, got), sumOf(t, want); a != b {
		t.Errorf("%s: SHA-256 %x, want %x", what, a, b)
	}
}

func site(t *testing.T) *plain.Site {
	t.Helper()
	s, err := plain.Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fetch uses a presigned URL.
func fetch(t *testing.T, method, address, body string) string {
	t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	must(t, err)
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	if answer.StatusCode != http.StatusOK {
		t.Errorf("%s %s: %s %s", method, address, answer.Status, text)
	}
	return string(text)
}

// TestRoundTripsOfTheAWSSDK through the server of package plain.
func TestRoundTripsOfTheAWSSDK(t *testing.T) {
	at, ctx := site(t), t.Context()
	c := s3.New(s3.Options{
		BaseEndpoint: aws.String(at.S3), UsePathStyle: true, Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials: awscredentials.NewStaticCredentialsProvider(at.AccessKey, at.Secret, ""),
	})
	name := aws.String("sdk")
	_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: name})
	must(t, err)
	get := func(key string) string {
		t.Helper()
		got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: name, Key: &key})
		must(t, err)
		defer got.Body.Close()
		text, err := io.ReadAll(got.Body)
		must(t, err)
		return string(text)
	}
	presign := s3.NewPresignClient(c)
	var doomed []types.ObjectIdentifier
	for _, key := range awkward {
		data := "content of " + key
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: name, Key: &key, Body: strings.NewReader(data), Metadata: map[string]string{"word": "a  b"}})
		must(t, err)
		_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: name, Key: aws.String("copy of " + key), CopySource: aws.String("sdk/" + url.PathEscape(key))})
		must(t, err)
		for _, k := range []string{key, "copy of " + key} {
			if got := get(k); got != data {
				t.Errorf("%q: %q", k, got)
			}
			doomed = append(doomed, types.ObjectIdentifier{Key: &k})
		}
		u, err := presign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: name, Key: &key})
		must(t, err)
		if got := fetch(t, "GET", u.URL, ""); got != data {
			t.Errorf("presigned %q: %q", key, got)
		}
		u, err = presign.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: name, Key: &key})
		must(t, err)
		if fetch(t, "PUT", u.URL, "sent"); get(key) != "sent" {
			t.Errorf("presigned put of %q: %q", key, get(key))
		}
	}
	manager := transfermanager.New(c, func(o *transfermanager.Options) { o.PartSizeBytes, o.Concurrency = 8<<20, 2 })
	_, err = manager.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: name, Key: aws.String("large"), Body: large()})
	must(t, err)
	got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: name, Key: aws.String("large")})
	must(t, err)
	same(t, "64 MiB in parts", got.Body, large())
	got.Body.Close()
	deleted, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: name, Delete: &types.Delete{Objects: append(doomed, types.ObjectIdentifier{Key: aws.String("large")})}})
	must(t, err)
	if len(deleted.Deleted) != len(doomed)+1 || len(deleted.Errors) != 0 {
		t.Errorf("deleted %d, errors %v", len(deleted.Deleted), deleted.Errors)
	}
	_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: name})
	must(t, err) // it is empty
}

// TestRoundTripsOfMinio through the server of package plain.
func TestRoundTripsOfMinio(t *testing.T) {
	at, ctx := site(t), t.Context()
	c, err := minio.New(strings.TrimPrefix(at.S3, "http://"), &minio.Options{
		Creds: miniocredentials.NewStaticV4(at.AccessKey, at.Secret, ""), Region: "us-east-1", TrailingHeaders: true, MaxRetries: 1,
	})
	must(t, err)
	must(t, c.MakeBucket(ctx, "minio", minio.MakeBucketOptions{}))
	get := func(key string) string {
		t.Helper()
		o, err := c.GetObject(ctx, "minio", key, minio.GetObjectOptions{})
		must(t, err)
		defer o.Close()
		text, err := io.ReadAll(o)
		must(t, err)
		return string(text)
	}
	want := []string{"large", "user/cat.jpg"}
	for i, key := range awkward {
		data := "content of " + key
		options := minio.PutObjectOptions{UserMetadata: map[string]string{"word": "a  b"}}
		if i%2 == 1 {
			options.Checksum = minio.ChecksumCRC32C
		}
		_, err := c.PutObject(ctx, "minio", key, strings.NewReader(data), int64(len(data)), options)
		must(t, err)
		_, err = c.CopyObject(ctx, minio.CopyDestOptions{Bucket: "minio", Object: "copy of " + key}, minio.CopySrcOptions{Bucket: "minio", Object: key})
		must(t, err)
		for _, k := range []string{key, "copy of " + key} {
			if got := get(k); got != data {
				t.Errorf("%q: %q", k, got)
			}
			want = append(want, k)
		}
		u, err := c.PresignedGetObject(ctx, "minio", key, time.Minute, nil)
		must(t, err)
		if got := fetch(t, "GET", u.String(), ""); got != data {
			t.Errorf("presigned %q: %q", key, got)
		}
		u, err = c.PresignedPutObject(ctx, "minio", key, time.Minute)
		must(t, err)
		if fetch(t, "PUT", u.String(), "sent"); get(key) != "sent" {
			t.Errorf("presigned put of %q: %q", key, get(key))
		}
	}
	_, err = c.PutObject(ctx, "minio", "large", large(), largeSize, minio.PutObjectOptions{PartSize: 8 << 20})
	must(t, err)
	o, err := c.GetObject(ctx, "minio", "large", minio.GetObjectOptions{})
	must(t, err)
	same(t, "64 MiB in parts", o, large())
	o.Close()
	must(t, postForm(t, c, "user/", "picture"))
	if got := get("user/cat.jpg"); got != "picture" {
		t.Errorf("a browser form: %q", got)
	}
	if err := postForm(t, c, "other/", "picture"); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("a form against its policy: %v", err)
	}
	var keys []string
	doomed := make(chan minio.ObjectInfo, 1000)
	for o := range c.ListObjects(ctx, "minio", minio.ListObjectsOptions{Recursive: true}) {
		must(t, o.Err)
		keys = append(keys, o.Key)
		doomed <- o
	}
	if slices.Sort(want); !slices.Equal(keys, want) {
		t.Errorf("the bucket holds %q, want %q", keys, want)
	}
	close(doomed)
	for e := range c.RemoveObjects(ctx, "minio", doomed, minio.RemoveObjectsOptions{}) {
		t.Errorf("%q: %v", e.ObjectName, e.Err)
	}
	must(t, c.RemoveBucket(ctx, "minio")) // it is empty
}

// postForm sends a form whose policy allows keys that begin with user/.
func postForm(t *testing.T, c *minio.Client, prefix, content string) error {
	t.Helper()
	policy := minio.NewPostPolicy()
	must(t, errors.Join(policy.SetBucket("minio"), policy.SetKeyStartsWith("user/"), policy.SetExpires(time.Now().Add(time.Hour))))
	u, fields, err := c.PresignedPostPolicy(t.Context(), policy)
	must(t, err)
	fields["key"] = prefix + "${filename}"
	return post(http.DefaultClient, u.String(), fields, "cat.jpg", content)
}

// TestDamagedUploadsAreNotStored: what a client cuts or changes on its way never
// becomes an object.
func TestDamagedUploadsAreNotStored(t *testing.T) {
	at, ctx := site(t), t.Context()
	for _, damage := range []struct {
		name string
		do   func([]byte) []byte
	}{
		{"a byte changed", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }},
		{"cut", func(b []byte) []byte { return b[:len(b)-100] }},
		{"lengthened", func(b []byte) []byte { return append(b, "0\r\n\r\n"...) }},
	} {
		c, err := minio.New(strings.TrimPrefix(at.S3, "http://"), &minio.Options{
			Creds: miniocredentials.NewStaticV4(at.AccessKey, at.Secret, ""), Region: "us-east-1", MaxRetries: 1, Transport: damaged{damage.do},
		})
		must(t, err)
		name := strings.ReplaceAll(damage.name, " ", "-")
		must(t, c.MakeBucket(ctx, name, minio.MakeBucketOptions{}))
		if _, err := c.PutObject(ctx, name, "k", strings.NewReader(content), int64(len(content)), minio.PutObjectOptions{}); err == nil {
			t.Errorf("%s: the upload succeeded", damage.name)
		}
		if _, err := c.StatObject(ctx, name, "k", minio.StatObjectOptions{}); minio.ToErrorResponse(err).Code != minio.NoSuchKey {
			t.Errorf("%s: the object is there: %v", damage.name, err)
		}
	}
}

// damaged changes the bodies of uploads.
type damaged struct{ do func([]byte) []byte }

func (d damaged) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut && r.Header.Get("X-Amz-Decoded-Content-Length") != "" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("read the upload: %w", err)
		}
		body = d.do(body)
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	return http.DefaultTransport.RoundTrip(r)
}

// MinIO CVE-2024-36107: whoever may not read learns nothing of an object by asking
// under conditions.
func TestMinIO_CVE_2024_36107_ConditionsTellNobodyWhatExists(t *testing.T) {
	at, ctx := site(t), t.Context()
	c, err := minio.New(strings.TrimPrefix(at.S3, "http://"), &minio.Options{Creds: miniocredentials.NewStaticV4(at.AccessKey, at.Secret, ""), Region: "us-east-1"})
	must(t, err)
	must(t, c.MakeBucket(ctx, "private", minio.MakeBucketOptions{}))
	made, err := c.PutObject(ctx, "private", "there", strings.NewReader("x"), 1, minio.PutObjectOptions{})
	must(t, err)
	for _, condition := range [][2]string{{"", ""}, {"If-None-Match", `"` + made.ETag + `"`}, {"If-Match", `"` + made.ETag + `"`}, {"If-Match", `"other"`}, {"If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"}} {
		for _, key := range []string{"there", "missing"} {
			r, err := http.NewRequest("HEAD", at.S3+"/private/"+key, nil)
			must(t, err)
			if condition[0] != "" {
				r.Header.Set(condition[0], condition[1])
			}
			answer, err := http.DefaultClient.Do(r)
			must(t, err)
			answer.Body.Close()
			if answer.StatusCode != http.StatusForbidden || answer.Header.Get("ETag") != "" {
				t.Errorf("%s with %v: %s", key, condition, answer.Status)
			}
		}
	}
}

// MinIO CVE-2026-34204: what a client says about encryption and replication inside the
// server is neither acted upon nor kept.
func TestMinIO_CVE_2026_34204_InternalHeadersAreNotKept(t *testing.T) {
	at, ctx := site(t), t.Context()
	c, err := minio.New(strings.TrimPrefix(at.S3, "http://"), &minio.Options{Creds: miniocredentials.NewStaticV4(at.AccessKey, at.Secret, ""), Region: "us-east-1", Transport: injected{}})
	must(t, err)
	must(t, c.MakeBucket(ctx, "inner", minio.MakeBucketOptions{}))
	_, err = c.PutObject(ctx, "inner", "k", strings.NewReader("x"), 1, minio.PutObjectOptions{})
	must(t, err)
	head, err := http.NewRequest("HEAD", "", nil)
	must(t, err)
	head.URL, err = c.PresignHeader(ctx, "HEAD", "inner", "k", time.Minute, nil, nil)
	must(t, err)
	answer, err := http.DefaultClient.Do(head)
	must(t, err)
	answer.Body.Close()
	for name := range answer.Header {
		if strings.HasPrefix(name, "X-Minio-") {
			t.Errorf("%s is kept", name)
		}
	}
	if answer.StatusCode != http.StatusOK {
		t.Error(answer.Status)
	}
}

// injected adds header fields that are not signed, as somebody on the way could; those
// of x-amz- would be refused.
type injected struct{}

func (injected) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Minio-Internal-Server-Side-Encryption-Iv", "AAAA")
	r.Header.Set("X-Minio-Source-Replication-Request", "true")
	return http.DefaultTransport.RoundTrip(r)
}

// TestAListIsReadToItsVerifiedEnd: what is too long to be read whole is not believed in
// part, since its hash shows at its end.
func TestAListIsReadToItsVerifiedEnd(t *testing.T) {
	at := site(t)
	list := "<Delete><Object><Key>k</Key></Object></Delete>"
	for name, row := range map[string]struct{ signed, sent, want string }{
		"another list than was signed":                        {list, strings.Replace(list, "k<", "x<", 1), "XAmzContentSHA256Mismatch"},
		"another list than was signed, and then a long blank": {list, list + strings.Repeat(" ", 3<<20), "MaxMessageLengthExceeded"},
	} {
		r, err := http.NewRequest("POST", at.S3+"/bucket?delete=", strings.NewReader(row.sent))
		must(t, err)
		must(t, sigv4.Sign(r, sigv4.Credentials{AccessKeyID: iam.AccessKeyID(at.AccessKey), Secret: at.Secret}, "us-east-1", sigv4.S3, sigv4.HexBody([]byte(row.signed)), iam.At(time.Now())))
		answer, err := http.DefaultClient.Do(r)
		must(t, err)
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), row.want) {
			t.Errorf("%s: %s %s, %v", name, answer.Status, text, err)
		}
	}
}
