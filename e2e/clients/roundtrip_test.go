package clients_test

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/doorward/doorward/e2e/clients"
)

// awkward are keys that somebody on the way to an object could take for another.
var awkward = []string{
	"sp ace.txt", "ünï/日本 𝄞", "a+b", "100%", "a%2Fb", "a%252Fb", "a//b", "../up", "a/../b", "a/./b", "~tilde~", "/leading", "trailing/",
	"q?x=1&y#z", "semi;colon,comma", `quote'"<&>`, "..", "a\\b",
}

// Three keys hold all of it, for clients that need a process for each.
const (
	everyCharacter = "sp ace/ü+日~/100%/a%2Fb&c=d;e'f.txt"
	everySlash     = "/a//b/../c/./d"
	trailingSlash  = "trailing/"
)

// trip is one client's journey through a bucket of its own.
type trip struct {
	*testing.T
	clients.Site
	cred   clients.Credential
	bucket string
	large  string // file of 64 MiB
	sdk    *s3.Client
}

const largeSize = 64 << 20

// TestRoundTrips: what real clients store through the server of package plain, and
// what they fetch, is the same bytes under the same key; the key is compared with
// what another client, aws-sdk-go-v2, sees in the bucket.
func TestRoundTrips(t *testing.T) {
	large := filepath.Join(inside.Dir, "large")
	file, err := os.Create(large)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(file, rand.NewChaCha8([32]byte{64}), largeSize); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	boto := clients.All()[1]
	call(t, inside, boto, inside.root, nil, "iam", "CreateUser", input{"UserName": "traveller"})
	call(t, inside, boto, inside.root, nil, "iam", "PutUserPolicy", input{"UserName": "traveller", "PolicyName": "trips", "PolicyDocument": `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:*","Resource":"*"},
		{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::*/kept"}]}`})
	cred := createKey(t, inside, boto, "traveller")
	sdk := sdkOf(inside, cred)
	for _, c := range []struct {
		name, program string
		travel        func(*trip)
	}{
		{"awscli", "/usr/bin/aws", (*trip).awscli}, {"boto3", "/usr/bin/python3", (*trip).boto3}, {"s3cmd", "/usr/bin/s3cmd", (*trip).s3cmd},
		{"rclone", "/usr/bin/rclone", (*trip).rclone}, {"restic", "/usr/bin/restic", (*trip).restic}, {"curl", "/usr/bin/curl", (*trip).curl},
	} {
		t.Run(c.name, func(t *testing.T) {
			require(t, c.program)
			c.travel(&trip{T: t, Site: inside.Site, cred: cred, bucket: "trips-" + c.name, large: large, sdk: sdk})
		})
	}
}

// require skips where a program is missing, loudly, and fails in CI.
func require(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("DOORWARD_REQUIRE_CLIENTS") != "" {
		t.Fatalf("%s is not installed; .ci/packages lists what is needed", program)
	}
	t.Skipf("NOT TESTED: %s is not installed; .ci/packages lists what is needed", program)
}

func (t *trip) run(program string, args ...string) string {
	t.Helper()
	got := clients.Run(t.Context(), t.Site, t.cred, program, args...)
	if !got.OK {
		t.Fatalf("%s %.300q: %s", filepath.Base(program), args, got.Output)
	}
	return got.Output
}

// content is a file that holds what is stored under key.
func (t *trip) content(key string) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(name, []byte("content of "+key), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// arrived compares what the bucket holds with what was stored.
func (t *trip) arrived(key, file string) {
	t.Helper()
	got, err := t.sdk.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &t.bucket, Key: &key})
	if err != nil {
		t.Errorf("%q is not in the bucket: %v", key, err)
		return
	}
	defer got.Body.Close()
	t.same(key, got.Body, file)
}

// fetched compares what a client fetched with what was stored.
func (t *trip) fetched(key, got, file string) {
	t.Helper()
	f, err := os.Open(got)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	t.same(key, f, file)
}

func (t *trip) same(what string, got io.Reader, file string) {
	t.Helper()
	want, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	if a, b := t.sum(got), t.sum(want); a != b {
		t.Errorf("%q: SHA-256 %x, want %x", what, a, b)
	}
}

func (t *trip) sum(r io.Reader) (sum [sha256.Size]byte) {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// holds compares the keys of the bucket.
func (t *trip) holds(want ...string) {
	t.Helper()
	var got []string
	pages := s3.NewListObjectsV2Paginator(t.sdk, &s3.ListObjectsV2Input{Bucket: &t.bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			got = append(got, *o.Key)
		}
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("the bucket holds %q, want %q", got, want)
	}
}

// get fetches a presigned URL.
func (t *trip) get(what, url, file string) {
	t.Helper()
	answer, err := http.Get(strings.TrimSpace(url))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", what, answer.Status)
	}
	t.same(what, answer.Body, file)
}

func (t *trip) awscli() {
	aws := func(args ...string) string {
		return t.run("/usr/bin/aws", append([]string{"--endpoint-url", t.S3, "--output", "json"}, args...)...)
	}
	aws("s3api", "create-bucket", "--bucket", t.bucket)
	out := filepath.Join(t.TempDir(), "out")
	keys := []string{everyCharacter, everySlash, trailingSlash}
	for _, key := range keys {
		file := t.content(key)
		aws("s3api", "put-object", "--bucket", t.bucket, "--key", key, "--body", file)
		t.arrived(key, file)
		aws("s3api", "get-object", "--bucket", t.bucket, "--key", key, out)
		t.fetched(key, out, file)
	}
	file := t.content(everyCharacter)
	// This client encodes the source itself.
	aws("s3api", "copy-object", "--bucket", t.bucket, "--key", "copy", "--copy-source", t.bucket+"/"+everyCharacter)
	t.arrived("copy", file)
	t.get("presigned", aws("s3", "presign", "s3://"+t.bucket+"/"+everyCharacter), file)
	aws("s3", "cp", "--no-progress", t.large, "s3://"+t.bucket+"/large")
	t.arrived("large", t.large)
	aws("s3", "cp", "--no-progress", "s3://"+t.bucket+"/large", out)
	t.fetched("large", out, t.large)
	t.holds(append(slices.Clone(keys), "copy", "large")...)
	type object struct{ Key string }
	var list struct{ Objects []object }
	for _, key := range append(keys, "copy", "large") {
		list.Objects = append(list.Objects, object{key})
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	aws("s3api", "delete-objects", "--bucket", t.bucket, "--delete", string(text))
	t.holds()
}

//go:embed roundtrip.py
var botoTrip string

func (t *trip) boto3() {
	keys, err := json.Marshal(awkward)
	if err != nil {
		t.Fatal(err)
	}
	t.run("/usr/bin/python3", "-c", botoTrip, t.S3, t.bucket, t.large, string(keys))
	t.holds("kept")
}

func (t *trip) s3cmd() {
	s3 := func(args ...string) {
		t.Helper()
		if got := clients.S3cmd(t.Context(), t.Site, t.cred, args...); !got.OK {
			t.Fatalf("s3cmd %q: %s", args, got.Output)
		}
	}
	at := "s3://" + t.bucket + "/"
	s3("mb", "s3://"+t.bucket)
	out := filepath.Join(t.TempDir(), "out")
	for _, key := range []string{everyCharacter, everySlash} {
		file := t.content(key)
		s3("put", file, at+key)
		t.arrived(key, file)
		s3("get", "--force", at+key, out)
		t.fetched(key, out, file)
	}
	s3("cp", at+everyCharacter, at+"copy")
	t.arrived("copy", t.content(everyCharacter))
	s3("put", "--multipart-chunk-size-mb=8", t.large, at+"large")
	t.arrived("large", t.large)
	s3("get", "--force", at+"large", out)
	t.fetched("large", out, t.large)
	t.holds(everyCharacter, everySlash, "copy", "large")
	s3("del", "--recursive", "--force", "s3://"+t.bucket)
	t.holds()
}

func (t *trip) rclone() {
	rclone := func(args ...string) string {
		t.Helper()
		got := clients.Rclone(t.Context(), t.Site, t.cred, args...)
		if !got.OK {
			t.Fatalf("rclone %q: %s", args, got.Output)
		}
		return got.Output
	}
	at := "remote:" + t.bucket + "/"
	if _, err := t.sdk.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &t.bucket}); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	// rclone cleans paths itself, so that slashes and dots never get here.
	file := t.content(everyCharacter)
	rclone("copyto", file, at+everyCharacter)
	t.arrived(everyCharacter, file)
	rclone("copyto", at+everyCharacter, out)
	t.fetched(everyCharacter, out, file)
	rclone("copyto", at+everyCharacter, at+"copy")
	t.arrived("copy", file)
	link := rclone("link", at+everyCharacter)
	t.get("presigned", link[strings.Index(link, "http"):], file)
	rclone("--s3-upload-cutoff", "8M", "--s3-chunk-size", "8M", "copyto", t.large, at+"large")
	t.arrived("large", t.large)
	rclone("copyto", at+"large", out)
	t.fetched("large", out, t.large)
	rclone("check", "--download", filepath.Dir(t.large), "remote:"+t.bucket, "--include", "/large")
	t.holds(everyCharacter, "copy", "large")
	rclone("delete", "remote:"+t.bucket)
	t.holds()
}

func (t *trip) restic() {
	if _, err := t.sdk.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &t.bucket}); err != nil {
		t.Fatal(err)
	}
	restic := func(args ...string) {
		t.Helper()
		if got := clients.Restic(t.Context(), t.Site, t.cred, t.bucket+"/sp ace", args...); !got.OK {
			t.Fatalf("restic %q: %s", args, got.Output)
		}
	}
	source, target := t.TempDir(), t.TempDir()
	if err := os.Link(t.large, filepath.Join(source, "large")); err != nil {
		t.Fatal(err)
	}
	restic("init")
	restic("backup", source)
	restic("check", "--read-data")
	restic("restore", "latest", "--target", target)
	t.fetched("large", filepath.Join(target, source, "large"), t.large)
	restic("forget", "--prune", "--keep-last", "1")
}

func (t *trip) curl() {
	curl := func(args ...string) string {
		t.Helper()
		return t.run("/usr/bin/curl", append([]string{"--silent", "--show-error", "--fail", "--path-as-is", "--aws-sigv4", "aws:amz:us-east-1:s3",
			"--user", t.cred.AccessKey + ":" + t.cred.Secret, "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"}, args...)...)
	}
	at := t.S3 + "/" + t.bucket
	curl("-X", "PUT", at)
	out := filepath.Join(t.TempDir(), "out")
	for _, key := range []string{everyCharacter, everySlash, trailingSlash} {
		file := t.content(key)
		curl("-X", "PUT", "-H", "Content-Type: application/octet-stream", "--data-binary", "@"+file, at+"/"+escape(key))
		t.arrived(key, file)
		curl("-o", out, at+"/"+escape(key))
		t.fetched(key, out, file)
	}
	curl("-X", "PUT", "-H", "x-amz-copy-source: /"+t.bucket+"/"+escape(everyCharacter), at+"/copy")
	t.arrived("copy", t.content(everyCharacter))
	curl("-T", t.large, at+"/large")
	t.arrived("large", t.large)
	curl("-o", out, at+"/large")
	t.fetched("large", out, t.large)
	t.holds(everyCharacter, everySlash, trailingSlash, "copy", "large")
	curl("-X", "POST", "-H", "Content-Type: application/xml", "--data-binary", "<Delete><Object><Key>copy</Key></Object><Object><Key>large</Key></Object></Delete>", at+"?delete=")
	t.holds(everyCharacter, everySlash, trailingSlash)
}

// escape encodes a key for the path of a URL, all but its slashes.
func escape(key string) string {
	var out bytes.Buffer
	for i, segment := range strings.Split(key, "/") {
		if i > 0 {
			out.WriteByte('/')
		}
		out.WriteString(strings.ReplaceAll(url.QueryEscape(segment), "+", "%20"))
	}
	return out.String()
}
