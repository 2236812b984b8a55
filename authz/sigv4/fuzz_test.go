package sigv4

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/iam"
)

// known fails the test if err is not a refusal with a code.
func known(t *testing.T, err error) {
	t.Helper()
	var refusal *Error
	if err != nil && (!errors.As(err, &refusal) || refusal.Code == InternalError || refusal.Code == iam.InternalFailure || refusal.Status < 400) {
		t.Fatalf("refused without a code of the client's: %v", err)
	}
}

// FuzzAuthorizationHeader: whatever the header says, a request that the reference
// did not sign is not accepted, and one that is accepted was signed by it.
func FuzzAuthorizationHeader(f *testing.F) {
	r := alice.header(request("GET", "/b/k", Header{"x-amz-meta-a", "1"}), emptyHash, "range")
	f.Add(r.Headers[len(r.Headers)-1].Value, alice.date(), "1")
	f.Add("AWS AKID:sig", "20261124T093000Z", " a  b ")
	f.Add(exampleHeader.Headers[4].Value, "20150830T123600Z", "")
	f.Fuzz(func(t *testing.T, authorization, date, meta string) {
		r := request("GET", "/b/k", Header{"x-amz-meta-a", meta}, Header{"X-Amz-Date", date},
			Header{"X-Amz-Content-Sha256", emptyHash}, Header{"Authorization", authorization})
		v, err := verify(r)
		if err != nil {
			known(t, err)
			if v.Valid() {
				t.Fatal("valid in spite of an error")
			}
			return
		}
		_, list, _ := strings.Cut(authorization, "SignedHeaders=")
		list, _, _ = strings.Cut(list, ",")
		names := strings.Split(strings.Trim(list, " \t"), ";")
		canonical := canonicalRequest(r, S3, false, names, emptyHash)
		if want := alice.sign(canonical); !strings.Contains(authorization, want) {
			t.Fatalf("accepted without the signature %s: %q", want, authorization)
		}
		for _, must := range []string{"host", "x-amz-date", "x-amz-content-sha256", "x-amz-meta-a"} {
			if !slices.Contains(names, must) {
				t.Fatalf("accepted without signing %s", must)
			}
		}
	})
}

// FuzzQueryCredentials: the same for presigned URLs.
func FuzzQueryCredentials(f *testing.F) {
	session := alice
	session.token = "a/b+c="
	for _, r := range []Request{alice.presign(request("GET", "/b/k?acl"), 60), session.presign(request("GET", "/"), MaxExpires), examplePresigned} {
		_, query, _ := strings.Cut(r.Target, "?")
		f.Add(query)
	}
	f.Add("AWSAccessKeyId=a&Signature=b&Expires=1")
	f.Fuzz(func(t *testing.T, query string) {
		r := request("GET", "/b/k?"+query)
		v, err := verify(r)
		if err != nil {
			known(t, err)
			if v.Valid() {
				t.Fatal("valid in spite of an error")
			}
			return
		}
		values, _ := url.ParseQuery(strings.ReplaceAll(query, ";", "%3B"))
		if v.Kind() == Anonymous {
			if values.Has("X-Amz-Signature") || values.Has("X-Amz-Credential") {
				t.Fatalf("%q counts as anonymous", query)
			}
			return
		}
		names := strings.Split(values.Get("X-Amz-SignedHeaders"), ";")
		payload := unsignedPayload
		if values.Has("X-Amz-Content-Sha256") {
			payload = values.Get("X-Amz-Content-Sha256")
		}
		if want := alice.sign(canonicalRequest(r, S3, false, names, payload)); values.Get("X-Amz-Signature") != want {
			t.Fatalf("accepted without the signature %s: %q", want, query)
		}
	})
}

// FuzzCanonicalQuery compares the fast canonical query with the reference.
func FuzzCanonicalQuery(f *testing.F) {
	for _, query := range []string{"", "a=1&b", "b=2&a=%c3%a9&&=v&=a=b", "a+b=c;d&%2F=/", "X-Amz-Signature=1&x%", strings.Repeat("k=v&", 20)} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		h := newHasher()
		ok := h.scanQuery(query, new(params))
		if _, err := url.PathUnescape(query); (err == nil) != ok {
			t.Fatalf("%q: accepted is %v, %v", query, ok, err)
		}
		if !ok {
			return
		}
		if got, want := string(h.appendQuery(nil)), canonicalQuery(query); got != want {
			t.Fatalf("%q became %q, want %q", query, got, want)
		}
	})
}

// FuzzCanonicalPath compares both paths with the reference.
func FuzzCanonicalPath(f *testing.F) {
	for _, path := range []string{"/", "", "/a//b/../c/./", "/%2e%2F%zz", "/ü%C3%BC+", "/..", "/a/.."} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got := appendPathS3(nil, path)
		if _, err := url.PathUnescape(path); (err == nil) != (got != nil) {
			t.Fatalf("%q: %q, %v", path, got, err)
		}
		if got != nil && string(got) != canonicalPath(path, S3, false) {
			t.Fatalf("%q became %q, want %q", path, got, canonicalPath(path, S3, false))
		}
		if path == "" || path[0] != '/' {
			return
		}
		for _, keepDots := range []bool{true, false} {
			if got, want := string(appendPathGeneric(nil, path, keepDots)), canonicalPath(path, STS, keepDots); got != want {
				t.Fatalf("%q became %q, want %q (keepDots %v)", path, got, want, keepDots)
			}
		}
	})
}

// FuzzChunkStream: whatever is on the wire, only what was signed is ever done.
func FuzzChunkStream(f *testing.F) {
	const data = "hello chunked world"
	streams := []stream{
		alice.upload(data, 7, streamingSigned),
		alice.upload(data, 7, streamingSignedTrailer, "x-amz-checksum-crc32c"),
		alice.upload(data, 7, streamingUnsignedTrailer, "x-amz-checksum-sha256", "x-amz-checksum-crc64nvme"),
		alice.upload(data, 7, streamingECDSA),
		alice.upload(data, 7, streamingECDSATrailer, "x-amz-checksum-sha1"),
	}
	for i, s := range streams {
		f.Add(byte(i), []byte(s.body()))
		f.Add(byte(i), []byte(strings.ReplaceAll(s.body(), "\r\n", "\n")))
	}
	f.Add(byte(0), []byte("ffffffffffffffff;chunk-signature=\r\n"))
	f.Add(byte(2), []byte("0\r\n"))
	f.Fuzz(func(t *testing.T, form byte, body []byte) {
		s := streams[int(form)%len(streams)]
		got, err := receive(s.request, bytes.NewReader(body))
		known(t, err)
		if len(got) > len(data) {
			t.Fatalf("%d bytes were handed out, %d announced", len(got), len(data))
		}
		if err == nil && got != data {
			t.Fatalf("done with %q", got)
		}
	})
}

// FuzzPostPolicy: parsing never panics, and what is accepted is enforced: the form
// that passes meets what the policy says about its key.
func FuzzPostPolicy(f *testing.F) {
	for _, policy := range []string{
		`{"expiration":"2026-11-24T10:00:00Z","conditions":[{"bucket":"b"},["starts-with","$key","user/"],["content-length-range",0,9]]}`,
		`{"expiration":"2026-11-24T10:00:00.000Z","conditions":[["eq","$key","user/cat.jpg"],{"acl":"private"}]}`,
		`{"conditions":[],"expiration":""}`, `[]`, `{"a":{"b":[1e999,null,true]}}`, ``,
	} {
		f.Add([]byte(policy))
	}
	f.Fuzz(func(t *testing.T, policy []byte) {
		parsed, err := parsePostPolicy(base64.StdEncoding.EncodeToString(policy))
		if known(t, err); err != nil {
			return
		}
		r := request("POST", "/b", Header{"Content-Type", "multipart/form-data; boundary=" + boundary})
		posted, err := ReadForm(&r, strings.NewReader(browser{[][2]string{{"key", "user/${filename}"}}, "cat.jpg"}.body("")))
		if err != nil {
			t.Fatal(err)
		}
		posted.bucket = "b"
		c := &Credential{kind: PostForm, form: posted, now: iam.At(now)}
		err = parsed.check(c)
		known(t, err)
		for _, condition := range parsed.conditions {
			if err == nil && condition.field == "key" && !strings.HasPrefix("user/cat.jpg", condition.value) {
				t.Fatalf("%s holds for user/cat.jpg", condition)
			}
			if err == nil && condition.field != "key" && condition.field != "bucket" {
				t.Fatalf("%s holds without its field", condition)
			}
		}
		if err == nil && c.now > parsed.expiration {
			t.Fatal("accepted after its expiration")
		}
	})
}

// FuzzForm: the multipart parser in front of a policy.
func FuzzForm(f *testing.F) {
	f.Add(alice.form(nil).body("hello"))
	f.Add(alice.form([][2]string{{"acl", "private"}}, `{"acl":"private"}`).body(""))
	f.Add(browser{fields: [][2]string{{"key", "x"}}}.body("hello"))
	f.Add("--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"..\\\\..\"\r\n\r\n")
	f.Fuzz(func(t *testing.T, body string) {
		key, _, err := browser{}.send("/b", body, now)
		known(t, err)
		if err == nil && key == "" {
			t.Fatal("a form without a key is accepted")
		}
	})
}

// FuzzStringToSign: attestations, and the date and scope in them.
func FuzzStringToSign(f *testing.F) {
	a := attest("x")
	f.Add(a.StringToSign, a.Signature, int64(0))
	f.Add(a.StringToSign, a.Signature, int64(60))
	f.Fuzz(func(t *testing.T, text, signature string, expires int64) {
		v, err := verifyAttested(&Attestation{AccessKeyID: "AKIDALICE", StringToSign: text, Signature: signature,
			Presigned: expires != 0, Expires: expires, Payload: unsignedPayload}, now)
		if known(t, err); err != nil {
			return
		}
		signer := alice
		signer.at = v.SignedAt().Go()
		end := strings.LastIndexByte(text, '\n')
		if want := hex.EncodeToString(mac(signer.key(), text[:end]+strings.ToLower(text[end:]))); signature != want {
			t.Fatalf("%q is accepted without the signature %s", text, want)
		}
	})
}
