package sigv4

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
)

// Each test below is named after a weakness that another server had, or after
// its class, and shows that the same request fails closed here. The advisories
// are public; the cases are our own.

// rejected fails the test unless err has one of the codes.
func rejected(t *testing.T, what string, err error, want ...iam.Code) {
	t.Helper()
	for _, w := range want {
		if code(err) == w {
			return
		}
	}
	t.Errorf("%s: got %v, want %v", what, err, want)
}

// Class 1 and CVE-2025-31489, CVE-2026-40344: the unsigned-trailer upload never
// had its request signature verified.
func TestMinIO_CVE_2025_31489_UnsignedTrailerNeedsTheRequestSignature(t *testing.T) {
	s := alice.upload("data", 64, streamingUnsignedTrailer, "x-amz-checksum-crc32")
	forged := edit(s.request, "Authorization", "Signature=", "Signature=0")
	_, err := receive(forged, strings.NewReader(s.body()))
	rejected(t, "forged", err, iam.SignatureDoesNotMatch)
}

func TestMinIO_CVE_2026_40344_EveryBodyModeIsVerified(t *testing.T) {
	for _, payload := range []string{emptyHash, unsignedPayload, streamingSigned, streamingSignedTrailer,
		streamingUnsignedTrailer, streamingECDSA, streamingECDSATrailer, "STREAMING-", ""} {
		r := edit(alice.header(request("PUT", "/b/snow.tar"), payload), "Authorization", "Signature=", "Signature=0")
		v, err := verify(r)
		if err == nil || v.Valid() {
			t.Errorf("%s is accepted without a signature", payload)
		}
	}
}

// A checksum has one spelling: bits of its base64 that say nothing are zero.
func TestChecksumsHaveOneSpelling(t *testing.T) {
	s := alice.upload("A", 1, streamingUnsignedTrailer, "x-amz-checksum-crc32")
	if !strings.Contains(s.body(), ":09meiw==") {
		t.Fatalf("the checksum is another: %q", s.body())
	}
	_, err := receive(s.request, strings.NewReader(strings.Replace(s.body(), ":09meiw==", ":09mei0==", 1)))
	rejected(t, "loose bits", err, InvalidRequest)
}

// Class 1: only Verify and Admit make a Verified, and a zero one is not valid.
func TestClass1_NothingButAVerificationIsValid(t *testing.T) {
	var v Verified
	if v.Valid() {
		t.Error("the zero Verified is valid")
	}
	if _, err := NewBody(&v, nil, strings.NewReader("x")); err == nil {
		t.Error("a body is read without a verification")
	}
	signed := alice.header(request("GET", "/b/k"), emptyHash)
	c, _ := S3Rules("eu-west-1").Parse(&signed, iam.At(now))
	if v, err := c.Admit(); err == nil || v.Valid() {
		t.Error("a signed request is admitted without its key")
	}
	form := request("POST", "/b", Header{"Content-Type", "multipart/form-data; boundary=x"})
	c, _ = S3Rules("eu-west-1").Parse(&form, iam.At(now))
	key := DeriveSigningKey(alice.secret, Scope{"20261124", "eu-west-1", S3})
	if v, err := c.Verify(&key); err == nil || v.Valid() {
		t.Error("a form is verified without its fields")
	}
	if v, err := c.Admit(); err == nil || v.Valid() {
		t.Error("a form is admitted without its fields")
	}
}

// Class 2 and CVE-2026-41145: verification hung on the presence of a header, so
// query credentials fell through.
func TestMinIO_CVE_2026_41145_MixedCredentialsAreRefused(t *testing.T) {
	r := alice.header(request("PUT", "/b/k"), emptyHash)
	for _, extra := range []string{
		"X-Amz-Signature=0", "X-Amz-Credential=a", "X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Expires=1",
		"X-Amz-SignedHeaders=host", "X-Amz-Security-Token=t", "AWSAccessKeyId=a", "X-Amz-%53ignature=0", "x-amz-signature=0",
	} {
		_, err := verify(editTarget(r, "/b/k", "/b/k?"+extra))
		rejected(t, extra, err, InvalidArgument)
	}
	for _, extra := range []string{"X-Amz-Signature=0", "X-Amz-Credential=a", "x-amz-signature=0"} {
		_, err := verify(request("PUT", "/b/k?"+extra))
		rejected(t, extra+" alone", err, AuthorizationQueryParametersError)
	}
	for _, value := range []string{"", " ", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ", "aws4-hmac-sha256 Credential=a"} {
		v, err := verify(request("PUT", "/b/k", Header{"Authorization", value}))
		if err == nil || v.Valid() {
			t.Errorf("Authorization %q counts as anonymous", value)
		}
	}
}

// CVE-2023-28434 and SeaweedFS #7912: any content type that contained
// multipart/form-data passed for a browser form.
func TestMinIO_CVE_2023_28434_OnlyTheExactMediaTypeIsAForm(t *testing.T) {
	rules := S3Rules("eu-west-1")
	for contentType, want := range map[string]Kind{
		"multipart/form-data; boundary=x":                        PostForm,
		"Multipart/Form-Data;boundary=x":                         PostForm,
		"text/multipart/form-data; boundary=x":                   Anonymous,
		"application/xml; a=multipart/form-data":                 Anonymous,
		"multipart/form-datax":                                   Anonymous,
		"x multipart/form-data":                                  Anonymous,
		"application/x-www-form-urlencoded, multipart/form-data": Anonymous,
	} {
		r := request("POST", "/b", Header{"Content-Type", contentType})
		if c, err := rules.Parse(&r, iam.At(now)); err != nil || c.Kind() != want {
			t.Errorf("%q: kind %v, %v", contentType, c.Kind(), err)
		}
		r.Method = "PUT"
		if c, err := rules.Parse(&r, iam.At(now)); err != nil || c.Kind() != Anonymous {
			t.Errorf("PUT %q: kind %v, %v", contentType, c.Kind(), err)
		}
	}
	r := alice.header(request("POST", "/b", Header{"Content-Type", "multipart/form-data; boundary=x"}), emptyHash)
	if _, err := verify(edit(r, "Authorization", "Signature=", "Signature=0")); code(err) != iam.SignatureDoesNotMatch {
		t.Errorf("a form content type spares the header signature: %v", err)
	}
}

// Class 3, CVE-2026-54330, Swift bug 2158733, versitygw 2026-05-30, SeaweedFS
// #9120 and #9121: x-amz-* headers were honoured without being signed.
func TestRGW_CVE_2026_54330_UnsignedAmzHeaders(t *testing.T) {
	for _, name := range []string{"x-amz-acl", "X-AMZ-COPY-SOURCE", "X-Amz-Meta-A", "x-amz-", "X-Amz-Security-Token", "x-amz-bypass-governance-retention"} {
		_, err := verify(with(alice.header(request("PUT", "/b/k"), emptyHash), name, "v"))
		rejected(t, "header form with "+name, err, iam.AccessDenied)
		_, err = verify(with(alice.presign(request("PUT", "/b/k"), 60), name, "v"))
		rejected(t, "presigned with "+name, err, iam.AccessDenied, InvalidArgument)
	}
	_, err := verify(with(alice.header(request("PUT", "/b/k", Header{"x-amz-acl", "private"}), emptyHash), "x-amz-acl", "public-read"))
	rejected(t, "a second value of a signed header", err, iam.SignatureDoesNotMatch)
}

// CVE-2024-47866: an empty copy source crashed the daemon.
func TestRGW_CVE_2024_47866_EmptyHeaderValues(t *testing.T) {
	if _, err := verify(alice.header(request("PUT", "/b/k", Header{"X-Amz-Copy-Source", ""}, Header{"", ""}), emptyHash)); err != nil {
		t.Errorf("an empty value: %v", err)
	}
}

// CVE-2021-21390: a huge declared chunk never ended, so its signature was never
// looked at. Tracker 81123: chunk sizes that are negative or overflow.
func TestMinIO_CVE_2021_21390_ChunkSizesAreBounded(t *testing.T) {
	s := alice.upload("hello", 64, streamingSigned)
	for _, size := range []string{"6", "7fffffffffffffff", "8000000000000005", "ffffffffffffffff", "10000000000000005",
		"-5", "+5", "0x5", " 5", "5 ", "", "00000000000000005", strings.Repeat("0", 300) + "5"} {
		damaged := strings.Replace(s.body(), "5;", size+";", 1)
		data, err := receive(s.request, strings.NewReader(damaged+strings.Repeat("x", 1<<16)))
		rejected(t, "size "+size, err, IncompleteBody)
		if data != "" {
			t.Errorf("size %s handed out %d bytes", size, len(data))
		}
	}
	endless := io.MultiReader(strings.NewReader("5"), &repeated{"0"})
	_, err := receive(s.request, endless)
	rejected(t, "a chunk line without an end", err, IncompleteBody)
}

// repeated reads the same text for ever.
type repeated struct{ text string }

func (r *repeated) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], r.text)
	}
	return n, nil
}

// Tracker 72253 and 45790: the signature of the final chunk was never compared.
func TestRGW_Tracker_72253_FinalChunkIsCompared(t *testing.T) {
	s := alice.upload("hello", 64, streamingSigned)
	last := &s.chunks[len(s.chunks)-1]
	last.head = last.head[:len(last.head)-3] + "0\r\n"
	_, err := receive(s.request, strings.NewReader(s.body()))
	rejected(t, "wrong final signature", err, iam.SignatureDoesNotMatch)
	s.chunks = s.chunks[:len(s.chunks)-1]
	_, err = receive(s.request, strings.NewReader(s.body()))
	rejected(t, "no final chunk", err, IncompleteBody)
}

// Tracker 81230: the announced payload hash was not compared on bodies that were
// read whole.
func TestRGW_Tracker_81230_WholeBodyIsCompared(t *testing.T) {
	r := alice.header(request("POST", "/b?delete"), hexSum("<Delete/>"))
	r.Body = HashBody([]byte("<Delete>everything</Delete>"))
	_, err := verify(r)
	rejected(t, "hash of another body", err, XAmzContentSHA256Mismatch)
	r.Body = HashBody([]byte("<Delete/>"))
	if _, err := verify(r); err != nil {
		t.Errorf("hash of the body: %v", err)
	}
}

// Section 3: the empty hash with a body present.
func TestTrap_EmptyHashWithABody(t *testing.T) {
	_, err := receive(alice.header(request("PUT", "/b/k"), emptyHash), strings.NewReader("data"))
	rejected(t, "a body", err, XAmzContentSHA256Mismatch)
}

// CVE-2023-43040: the bucket condition of a form was not compared with the URL.
func TestRGW_CVE_2023_43040_FormBucketIsThatOfTheURL(t *testing.T) {
	rejected(t, "other bucket in the URL", alice.form(nil).post("/other", "x"), iam.AccessDenied)
	rejected(t, "the right bucket only in a field", alice.form([][2]string{{"bucket", "b"}}).post("/other", "x"), iam.AccessDenied)
}

// SeaweedFS #9124, RustFS GHSA-wfxj and -w5fh: conditions of a form were not enforced.
func TestSeaweedFS_9124_UnknownFormConditionsRefuse(t *testing.T) {
	for _, condition := range []string{
		`["ends-with","$key",".jpg"]`, `["eq","key","user/cat.jpg"]`, `["eq","$key"]`, `["eq","$key",1]`, `[]`, `["eq","$key","a","b"]`,
		`{"key":["user/cat.jpg"]}`, `{"key":null}`, `"eq"`, `null`, `1`, `["content-length-range",-1,5]`, `["content-length-range",0]`,
		`["content-length-range",0,1e3]`, `["content-length-range",0,99999999999999999999]`, `{"key":"user/cat.jpg"`,
	} {
		rejected(t, condition, alice.form(nil, condition).post("/b", "hello"), InvalidPolicyDocument)
	}
	twice := `{"expiration":"2026-11-24T10:00:00Z","conditions":[{"bucket":"b"}],"expiration":"2099-01-01T00:00:00Z"}`
	rejected(t, "an element twice", alice.formWith(nil, twice).post("/b", "hello"), InvalidPolicyDocument)
	rejected(t, "text after the policy", alice.formWith(nil, `{"expiration":"2026-11-24T10:00:00Z","conditions":[]} {}`).post("/b", "hello"), InvalidPolicyDocument)
}

// CVE-2020-11012: a valid access key was accepted without proof of the secret.
func TestMinIO_CVE_2020_11012_SecretHasToBeProved(t *testing.T) {
	mallory := alice
	mallory.secret = "a guess"
	for name, r := range map[string]Request{
		"header":    mallory.header(request("GET", "/b/k"), emptyHash),
		"presigned": mallory.presign(request("GET", "/b/k"), 60),
	} {
		_, err := verify(r)
		rejected(t, name, err, iam.SignatureDoesNotMatch)
	}
	rejected(t, "form", mallory.form(nil).post("/b", "x"), iam.SignatureDoesNotMatch)
	s := mallory.upload("x", 5, streamingSigned)
	_, err := receive(s.request, strings.NewReader(s.body()))
	rejected(t, "streaming", err, iam.SignatureDoesNotMatch)
}

// RustFS GHSA-c667: a signature that was not bound to the method.
func TestRustFS_GHSA_c667_SignatureIsBoundToTheMethod(t *testing.T) {
	for _, r := range []Request{
		alice.header(request("GET", "/b/k"), emptyHash),
		alice.presign(request("GET", "/b/k"), 60),
	} {
		for _, method := range []string{"HEAD", "DELETE", "PUT", "get"} {
			r.Method = method
			_, err := verify(r)
			rejected(t, method, err, iam.SignatureDoesNotMatch)
		}
	}
}

// CVE-2020-12692: no check of the time, so a request could be replayed for ever.
func TestKeystone_CVE_2020_12692_OldSignatures(t *testing.T) {
	for _, age := range []time.Duration{16 * time.Minute, time.Hour, 24 * time.Hour, 365 * 24 * time.Hour} {
		rejected(t, fmt.Sprint("header ", age), at(alice.header(request("GET", "/b/k"), emptyHash), age)(), RequestTimeTooSkewed)
		rejected(t, fmt.Sprint("future ", age), at(alice.header(request("GET", "/b/k"), emptyHash), -age)(), RequestTimeTooSkewed)
		rejected(t, fmt.Sprint("presigned ", age), at(alice.presign(request("GET", "/b/k"), 60), age)(), iam.AccessDenied)
	}
	week := alice.presign(request("GET", "/b/k"), MaxExpires)
	if err := at(week, 7*24*time.Hour)(); err != nil {
		t.Errorf("at the end of seven days: %v", err)
	}
	rejected(t, "after seven days", at(week, 7*24*time.Hour+time.Second)(), iam.AccessDenied)
	_, _, err := alice.form(nil).send("/b", alice.form(nil).body("x"), now.Add(8*24*time.Hour))
	rejected(t, "form after eight days", err, iam.AccessDenied)
}

// Section 3: a presigned date before 1970 never expired.
func TestTrap_DateBefore1970(t *testing.T) {
	for _, year := range []int{0, 1, 1600, 1901, 1969} {
		old := alice
		old.at = time.Date(year, 12, 31, 23, 59, 59, 0, time.UTC)
		_, err := verify(old.presign(request("GET", "/b/k"), MaxExpires))
		rejected(t, fmt.Sprint("presigned in ", year), err, iam.AccessDenied)
		_, err = verify(old.header(request("GET", "/b/k"), emptyHash))
		rejected(t, fmt.Sprint("header of ", year), err, RequestTimeTooSkewed)
	}
}

// Section 3: local time taken for UTC.
func TestTrap_LocalTimeIsNotUTC(t *testing.T) {
	for _, date := range []string{"20261124T093000", "20261124T093000+0100", "20261124T093000z", "2026-11-24T09:30:00Z"} {
		r := edit(alice.header(request("GET", "/b/k"), emptyHash), "X-Amz-Date", "20261124T093000Z", date)
		_, err := verify(r)
		rejected(t, date, err, iam.AccessDenied)
	}
}

// CVE-2025-65073: whoever held a presigned URL traded its signature for a token.
// What a verification hands out verifies nothing else.
func TestKeystone_CVE_2025_65073_NothingReusableIsHandedOut(t *testing.T) {
	r := alice.presign(request("GET", "/b/k"), 60)
	v, err := verify(r)
	if err != nil {
		t.Fatal(err)
	}
	key := DeriveSigningKey(alice.secret, v.Scope())
	if _, err := v.Chain(&key); err == nil {
		t.Error("a presigned GET starts a chunk chain")
	}
	signature := r.Target[strings.Index(r.Target, "X-Amz-Signature=")+len("X-Amz-Signature="):]
	header := alice.header(request("GET", "/b/k"), emptyHash)
	old := header.Headers[len(header.Headers)-1].Value
	_, err = verify(edit(header, "Authorization", old[strings.Index(old, "Signature="):], "Signature="+signature))
	rejected(t, "the signature in a header", err, iam.SignatureDoesNotMatch)
}

// versitygw GHSA-v2ch-c8v8-fgr7: chunked upload without a length panicked.
func TestVersitygw_GHSA_v2ch_ChunkedWithoutLength(t *testing.T) {
	for _, payload := range []string{streamingSigned, streamingSignedTrailer, streamingUnsignedTrailer} {
		_, err := receive(alice.header(request("PUT", "/b/k"), payload), strings.NewReader("0\r\n\r\n"))
		rejected(t, payload, err, MissingContentLength)
		for _, length := range []string{"-1", "5x", "", "18446744073709551616", "9999999999999999999", " "} {
			r := alice.header(request("PUT", "/b/k", Header{"X-Amz-Decoded-Content-Length", length}), payload)
			_, err := receive(r, strings.NewReader("0\r\n\r\n"))
			rejected(t, payload+" of length "+length, err, InvalidRequest, MissingContentLength)
		}
	}
}

// CVE-2026-54917 and its kin: ".." survived authorization and crossed buckets.
// The path that is verified is the path on the wire, and Verified gives it back.
func TestSeaweedFS_CVE_2026_54917_PathsAreNotCleaned(t *testing.T) {
	for _, path := range []string{"/b/../other/k", "/b//k", "/b/./k", "/b/%2e%2e/other/k", "/b/%2E%2E%2Fother", "//b/k", "/b/k/", "/b/a%2Fb"} {
		r := alice.header(request("GET", path), emptyHash)
		v, err := verify(r)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		} else if v.Request().Target != path {
			t.Errorf("%s came back as %s", path, v.Request().Target)
		}
	}
	for signed, sent := range map[string]string{
		"/b/k": "/b/x/../k", "/b//k": "/b/k", "/b/./k": "/b/k", "/b/../other/k": "/other/k", "/b/k/": "/b/k", "/b/K": "/b/k",
	} {
		r := alice.header(request("GET", signed), emptyHash)
		r.Target = sent
		_, err := verify(r)
		rejected(t, signed+" sent as "+sent, err, iam.SignatureDoesNotMatch)
	}
}

// Section 3: the query canonicalised from a parsed form.
func TestTrap_QueryIsNotParsedAsAForm(t *testing.T) {
	r := alice.header(request("GET", "/b?a=2&a=1&b=x%2By&c=&d&e=%20"), emptyHash)
	if _, err := verify(r); err != nil {
		t.Fatal(err)
	}
	for _, same := range []string{"/b?d&c=&e=%20&b=x%2By&a=1&a=2", "/b?a=2&a=1&b=x+y&c&d=&e=%20"} {
		if _, err := verify(editTarget(r, r.Target, same)); err != nil {
			t.Errorf("%s is the same query: %v", same, err)
		}
	}
	for _, other := range []string{"/b?a=1&b=x%2By&c=&d&e=%20", "/b?a=2&a=1&b=x%20y&c=&d&e=%20", "/b?a=2&a=1&b=x%2By&c=&d&e=+", "/b?a=2&a=1&b=x%2By&c=&d&e=%20&acl"} {
		_, err := verify(editTarget(r, r.Target, other))
		rejected(t, other, err, iam.SignatureDoesNotMatch)
	}
}

// Section 3, RGW tracker 75304: of a repeated header the joined list is signed, not the first nor the
// last value.
func TestTrap_RepeatedHeaderIsJoined(t *testing.T) {
	r := alice.header(request("PUT", "/b/k", Header{"x-amz-meta-a", "1"}, Header{"X-Amz-Meta-A", " 2 "}), emptyHash)
	if _, err := verify(r); err != nil {
		t.Errorf("two values: %v", err)
	}
	if _, err := verify(with(without(r, "x-amz-meta-a"), "x-amz-meta-a", "1,2")); err != nil {
		t.Errorf("the list that they join to: %v", err)
	}
	for _, value := range []string{"1", "2", "2,1", "1, 2"} {
		_, err := verify(with(without(r, "x-amz-meta-a"), "x-amz-meta-a", value))
		rejected(t, value, err, iam.SignatureDoesNotMatch)
	}
}

// Section 3: inner runs of spaces collapse to one, in quotes too.
func TestTrap_RunsOfSpaces(t *testing.T) {
	r := alice.header(request("PUT", "/b/k", Header{"x-amz-meta-a", `a  "b   c"  d`}), emptyHash)
	for _, value := range []string{`a "b c" d`, `  a  "b  c" d `, "\ta \"b c\" d\t"} {
		if _, err := verify(with(without(r, "x-amz-meta-a"), "x-amz-meta-a", value)); err != nil {
			t.Errorf("%q: %v", value, err)
		}
	}
	_, err := verify(with(without(r, "x-amz-meta-a"), "x-amz-meta-a", `a "bc" d`))
	rejected(t, "no space", err, iam.SignatureDoesNotMatch)
}

// Section 3: a signed header was satisfied from the query string.
func TestTrap_SignedHeaderIsNotTakenFromTheQuery(t *testing.T) {
	r := alice.presign(request("PUT", "/b/k?x-amz-acl=private", Header{"x-amz-acl", "private"}), 60)
	if _, err := verify(r); err != nil {
		t.Fatal(err)
	}
	_, err := verify(without(r, "x-amz-acl"))
	rejected(t, "the header is gone", err, iam.SignatureDoesNotMatch)
}

// Section 3: a listed header that is absent counts as empty, and only so.
func TestTrap_ListedButAbsentHeaderIsEmpty(t *testing.T) {
	r := alice.header(request("GET", "/b/k"), emptyHash, "range")
	if _, err := verify(r); err != nil {
		t.Errorf("absent: %v", err)
	}
	if _, err := verify(with(r, "Range", "")); err != nil {
		t.Errorf("empty: %v", err)
	}
	_, err := verify(with(r, "Range", "bytes=0-1"))
	rejected(t, "present", err, iam.SignatureDoesNotMatch)
}

// Section 3, SeaweedFS #8444 and #8464: host and port behind a proxy. The host is the one on the wire, no
// other candidate is tried.
func TestTrap_OneHostOneCandidate(t *testing.T) {
	for _, host := range []string{"s3.example.net:9000", "[::1]:9000", "[2001:db8::1]", "S3.Example.Net", "b.s3.example.net"} {
		r := request("GET", "/k")
		r.Headers[0].Value = host
		r = alice.header(r, emptyHash)
		if _, err := verify(r); err != nil {
			t.Errorf("%s: %v", host, err)
		}
		for _, other := range []string{"s3.example.net", "s3.example.net:80", "s3.example.net:443", "s3.example.net:9000."} {
			forwarded := edit(r, "Host", host, other)
			forwarded = with(with(forwarded, "X-Forwarded-Host", host), "X-Original-Host", host)
			_, err := verify(forwarded)
			rejected(t, host+" sent as "+other, err, iam.SignatureDoesNotMatch)
		}
	}
}

// Section 3: Expect, Content-Length, Accept-Encoding and User-Agent are verified
// if they are signed, with no list of exceptions.
func TestTrap_NoHeaderIsExemptFromTheSignature(t *testing.T) {
	for _, name := range []string{"Expect", "Content-Length", "Accept-Encoding", "User-Agent", "Connection"} {
		r := alice.header(request("PUT", "/b/k", Header{name, "100"}), emptyHash, strings.ToLower(name))
		if _, err := verify(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, err := verify(edit(r, name, "100", "101"))
		rejected(t, name+" changed", err, iam.SignatureDoesNotMatch)
		_, err = verify(without(r, name))
		rejected(t, name+" gone", err, iam.SignatureDoesNotMatch)
	}
}

// Section 3, RGW tracker 79674: an unsigned Content-Type comes from real clients and is no reason to
// refuse.
func TestTrap_UnsignedContentTypeIsAccepted(t *testing.T) {
	if _, err := verify(with(alice.header(request("PUT", "/b/k"), emptyHash), "Content-Type", "text/plain")); err != nil {
		t.Error(err)
	}
}

// Section 3: the path is encoded once for S3 and twice elsewhere; a signature made
// by one rule does not hold by the other.
func TestTrap_PathEncodedOnceForS3AndTwiceElsewhere(t *testing.T) {
	r := request("GET", "/b/a%20b")
	signed := alice.header(r, emptyHash)
	canonical := strings.Replace(canonicalRequest(signed, S3, false, signedNames(signed.Headers, nil), emptyHash), "a%20b", "a%2520b", 1)
	old := signed.Headers[len(signed.Headers)-1].Value
	_, err := verify(edit(signed, "Authorization", old[strings.Index(old, "Signature="):], "Signature="+alice.sign(canonical)))
	rejected(t, "S3 path encoded twice", err, iam.SignatureDoesNotMatch)
	sts := alice
	sts.service = STS
	call := sts.header(request("GET", "/a%20b/../c"), emptyHash)
	if err := queried(call, 0)(); err != nil {
		t.Errorf("generic path: %v", err)
	}
}

// Section 3: x-amz-decoded-content-length disagrees with the chunks.
func TestTrap_DecodedLengthDisagrees(t *testing.T) {
	for _, payload := range []string{streamingSigned, streamingUnsignedTrailer} {
		var trailers []string
		if payload == streamingUnsignedTrailer {
			trailers = []string{"x-amz-checksum-crc32"}
		}
		for _, size := range []int{4, 6, 0, 1 << 30} {
			s := alice.upload("hello", 2, payload, trailers...)
			headers := without(without(without(without(s.request, "Authorization"), "X-Amz-Date"), "X-Amz-Content-Sha256"), "X-Amz-Decoded-Content-Length")
			r := alice.header(with(headers, "X-Amz-Decoded-Content-Length", fmt.Sprint(size)), payload)
			_, err := receive(r, strings.NewReader(s.body()))
			rejected(t, fmt.Sprintf("%s announces %d", payload, size), err, IncompleteBody, iam.SignatureDoesNotMatch)
		}
	}
}

// Section 3: duplicate query parameters.
func TestTrap_DuplicateQueryCredentials(t *testing.T) {
	r := alice.presign(request("GET", "/b/k"), 60)
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		query, _ := url.ParseQuery(strings.SplitN(r.Target, "?", 2)[1])
		_, err := verify(editTarget(r, "?", "?"+name+"="+uriEncode(query.Get(name), "")+"&"))
		rejected(t, name+" twice", err, AuthorizationQueryParametersError)
		_, err = verify(editTarget(r, "?", "?"+strings.Replace(name, "-", "%2d", 1)+"=x&"))
		rejected(t, name+" encoded", err, AuthorizationQueryParametersError)
		_, err = verify(editTarget(r, "?", "?"+strings.ToUpper(name)+"=x&"))
		rejected(t, name+" in upper case", err, AuthorizationQueryParametersError)
	}
}

// A parameter that decides about the signature counts in its own spelling only;
// whoever reads the URL without regard to case must not see another one.
func TestTrap_MisspeltQueryCredentials(t *testing.T) {
	for _, param := range []string{"x-amz-content-sha256=UNSIGNED-PAYLOAD", "X-AMZ-REGION-SET=a", "x-amz-security-token=t"} {
		_, err := verify(alice.presign(request("GET", "/b/k?"+param), 60))
		rejected(t, param, err, AuthorizationQueryParametersError)
	}
}

// A field that decides about the signature is refused twice even if the client has
// signed the joined list.
func TestTrap_DecidingHeaderTwiceThoughSigned(t *testing.T) {
	for _, h := range []Header{{"Host", "other"}, {"Content-Length", "5"}, {"X-Amz-Decoded-Content-Length", "5"}, {"X-Amz-Region-Set", "*"}} {
		r := request("PUT", "/b/k", h, h)
		_, err := verify(alice.header(r, unsignedPayload))
		rejected(t, h.Name+" twice", err, iam.SignatureDoesNotMatch)
		_, err = verify(alice.presign(r, 60))
		rejected(t, h.Name+" twice, presigned", err, iam.SignatureDoesNotMatch)
		_, err = verify(r)
		rejected(t, h.Name+" twice, anonymous", err, InvalidRequest)
	}
}

// Section 6.6 of the S3 rules: announcing signed chunks and sending unsigned ones.
func TestTrap_SignedChunksAreNotDowngraded(t *testing.T) {
	s := alice.upload("hello", 64, streamingSigned)
	for i := range s.chunks {
		s.chunks[i].head = strings.SplitN(s.chunks[i].head, ";", 2)[0] + "\r\n"
	}
	_, err := receive(s.request, strings.NewReader(s.body()))
	rejected(t, "unsigned chunks", err, iam.SignatureDoesNotMatch)
	s = alice.upload("hello", 64, streamingSignedTrailer, "x-amz-checksum-crc32")
	s.trailer = s.trailer[:1]
	_, err = receive(s.request, strings.NewReader(s.body()))
	rejected(t, "unsigned trailer", err, iam.SignatureDoesNotMatch, IncompleteBody)
}

// Trailers are exactly those that x-amz-trailer names, each once.
func TestTrap_TrailersAreThoseAnnounced(t *testing.T) {
	s := alice.upload("hello", 64, streamingUnsignedTrailer, "x-amz-checksum-crc32", "x-amz-checksum-sha1")
	for what, trailer := range map[string][]string{
		"one is missing": s.trailer[:1], "none is there": nil, "one is there twice": append(s.trailer, s.trailer[0]),
		"one is not announced": append(s.trailer, "x-amz-checksum-sha256:"+reference("x-amz-checksum-sha256", "hello")),
		"one has no colon":     {s.trailer[0], "x-amz-checksum-sha1"},
		"too many":             make([]string, 0, 50),
	} {
		damaged := s
		for damaged.trailer = trailer; what == "too many" && len(damaged.trailer) < 50; {
			damaged.trailer = append(damaged.trailer, "a:b")
		}
		_, err := receive(s.request, strings.NewReader(damaged.body()))
		rejected(t, what, err, MalformedTrailerError)
	}
	plain := alice.upload("hello", 64, streamingSigned)
	plain.trailer = s.trailer
	_, err := receive(plain.request, strings.NewReader(plain.body()))
	rejected(t, "trailers where none are announced", err, MalformedTrailerError)
}

// Clients without X-Amz-Date sign Date, in either of its forms; and then it has to
// be signed.
func TestTrap_DateInPlaceOfXAmzDate(t *testing.T) {
	for _, date := range []string{"Tue, 24 Nov 2026 09:30:00 GMT", "20261124T093000Z"} {
		dated := without(alice.header(request("GET", "/b/k", Header{"Date", date}), emptyHash), "X-Amz-Date")
		dated = without(dated, "Authorization")
		for _, names := range [][]string{{"date", "host", "x-amz-content-sha256"}, {"host", "x-amz-content-sha256"}} {
			r := with(dated, "Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
				alice.id, alice.scope(), strings.Join(names, ";"), alice.sign(canonicalRequest(dated, S3, false, names, emptyHash))))
			v, err := verify(r)
			if names[0] == "host" {
				rejected(t, date+" unsigned", err, iam.AccessDenied)
			} else if err != nil || v.SignedAt() != iam.At(now) {
				t.Errorf("%s: %v", date, err)
			}
		}
	}
	_, err := verify(edit(alice.header(request("GET", "/b/k", Header{"Date", "Tue, 24 Nov 2026 09:30:00 GMT"}), emptyHash), "X-Amz-Date", "2026", "x"))
	rejected(t, "a broken X-Amz-Date beside a good Date", err, iam.AccessDenied)
}

// Class 16, RustFS GHSA-3p3x: signatures are compared in constant time, of the exact length, and a
// refusal gives no part of the right one away.
func TestClass16_SignaturesAreComparedWhole(t *testing.T) {
	r := alice.header(request("GET", "/b/k"), emptyHash)
	value := r.Headers[len(r.Headers)-1].Value
	right := value[strings.Index(value, "Signature=")+len("Signature="):]
	for _, wrong := range []string{right[:63], right + "0", right[:62], strings.ToUpper(right), right + right, " " + right, "0" + right[1:], right[:63] + "g"} {
		if wrong == right {
			continue
		}
		_, err := verify(edit(r, "Authorization", right, wrong))
		if code(err) != iam.SignatureDoesNotMatch && code(err) != AuthorizationHeaderMalformed {
			t.Errorf("signature %q: %v", wrong, err)
		}
		if refusal := err.(*Error); strings.Contains(string(refusal.AppendS3(nil, "/b/k", "R", "H")), right) && !strings.Contains(wrong, right) {
			t.Errorf("the refusal of %q holds the right signature", wrong)
		}
	}
}

// Class 12 and section 4: a line break in a field must not move the lines of the
// canonical request.
func TestClass12_LineBreaksDoNotMoveTheCanonicalRequest(t *testing.T) {
	r := alice.header(request("PUT", "/b/k", Header{"x-amz-meta-a", "1"}, Header{"x-amz-meta-b", "2"}), emptyHash)
	moved := with(without(without(r, "x-amz-meta-a"), "x-amz-meta-b"), "x-amz-meta-a", "1\nx-amz-meta-b:2")
	moved = edit(moved, "Authorization", "x-amz-meta-a;x-amz-meta-b", "x-amz-meta-a")
	_, err := verify(moved)
	rejected(t, "a line break in a value", err, iam.SignatureDoesNotMatch)
	for _, names := range []string{"host\n;x-amz-date", "host;x-amz-date:a", "host;;x-amz-date", ";host", "host;", "host;host", ""} {
		changed := edit(r, "Authorization", "host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;x-amz-meta-b", names)
		_, err := verify(changed)
		rejected(t, fmt.Sprintf("signed headers %q", names), err, AuthorizationHeaderMalformed)
	}
	_, err = verify(edit(r, "Authorization", "host;x-amz-content-sha256", "host:x-amz-content-sha256"))
	rejected(t, "a colon between signed headers", err, AuthorizationHeaderMalformed)
	_, err = verify(alice.header(request("PUT", "/b/k", Header{"x-amz-meta-a", "1\n2"}), emptyHash))
	rejected(t, "a line break that the client signed", err, iam.SignatureDoesNotMatch)
	r.Method = "PUT\n/b/k"
	_, err = verify(r)
	rejected(t, "a line break in the method", err, InvalidURI)
}

// The access key id is cut off the scope from the right, so that an id with
// slashes cannot move date, region or service.
func TestClass12_SlashesInTheAccessKeyDoNotShiftTheScope(t *testing.T) {
	odd := alice
	odd.id = "20200101/us-east-1/s3/aws4_request/me"
	for _, r := range []Request{odd.header(request("GET", "/b/k"), emptyHash), odd.presign(request("GET", "/b/k"), 60)} {
		c, err := S3Rules("eu-west-1").Parse(&r, iam.At(now))
		if err != nil || string(c.AccessKeyID()) != odd.id || c.Scope() != (Scope{"20261124", "eu-west-1", S3}) {
			t.Errorf("id %q, scope %v, %v", c.AccessKeyID(), c.Scope(), err)
		}
	}
}

// The scope ends in a part that is aws4_request, not in a part that ends so.
func TestClass12_ScopeEndsInTheWholeTerminator(t *testing.T) {
	for _, end := range []string{"xaws4_request", "aws4_requestx", "aws4_request/", "", "AWS4_REQUEST"} {
		_, err := verify(edit(alice.header(request("GET", "/b/k"), emptyHash), "Authorization", "aws4_request", end))
		rejected(t, "header "+end, err, AuthorizationHeaderMalformed)
		_, err = verify(editTarget(alice.presign(request("GET", "/b/k"), 60), "aws4_request", end))
		rejected(t, "presigned "+end, err, AuthorizationQueryParametersError)
	}
}

// A credential without an access key id is malformed, not anonymous.
func TestClass1_EmptyAccessKeyIsMalformed(t *testing.T) {
	nobody := alice
	nobody.id = ""
	_, err := nobody.verify(nobody.header(request("GET", "/b/k"), emptyHash), S3Rules("eu-west-1"), now)
	rejected(t, "header", err, AuthorizationHeaderMalformed)
	_, err = nobody.verify(nobody.presign(request("GET", "/b/k"), 60), S3Rules("eu-west-1"), now)
	rejected(t, "presigned", err, AuthorizationQueryParametersError)
	rejected(t, "form", nobody.form(nil).post("/b", "x"), AuthorizationQueryParametersError)
}

// Class 16, Section 4: identity headers that the client sends change nothing, and
// what a proxy may change is not covered either.
func TestClass5_ForwardedHeadersAreNotRead(t *testing.T) {
	r := alice.header(request("GET", "/b/k"), emptyHash)
	for _, name := range []string{"X-Forwarded-For", "X-Auth-Principal", "X-Original-Uri", "X-Original-Method", "Forwarded"} {
		r = with(r, name, "root")
	}
	v, err := verify(r)
	if err != nil || v.AccessKeyID() != "AKIDALICE" || v.Request().Target != "/b/k" {
		t.Errorf("%v %s", err, v.AccessKeyID())
	}
}

// Anonymous requests carry no chunk signatures, since there is no seed.
func TestClass1_AnonymousStreaming(t *testing.T) {
	for _, payload := range []string{streamingSigned, streamingSignedTrailer, streamingECDSA, "nonsense"} {
		_, err := verify(request("PUT", "/b/k", Header{"X-Amz-Content-Sha256", payload}))
		rejected(t, payload, err, InvalidArgument)
	}
	data, err := receive(request("PUT", "/b/k", Header{"X-Amz-Content-Sha256", streamingUnsignedTrailer},
		Header{"X-Amz-Trailer", "x-amz-checksum-crc32"}, Header{"X-Amz-Decoded-Content-Length", "5"}),
		strings.NewReader("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:"+reference("x-amz-checksum-crc32", "hello")+"\r\n\r\n"))
	if err != nil || data != "hello" {
		t.Errorf("anonymous upload with a checksum: %q %v", data, err)
	}
	_, err = receive(request("PUT", "/b/k", Header{"X-Amz-Content-Sha256", hexSum("hello")}), strings.NewReader("hallo"))
	rejected(t, "anonymous upload of another body than announced", err, XAmzContentSHA256Mismatch)
}

// Through net/http: what ServeMux and path.Clean would change reaches the verifier
// as it was sent.
func TestTrap_NetHTTPKeepsTheTargetRaw(t *testing.T) {
	var result error
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := FromHTTP(r, make([]Header, 0, 32))
		_, result = alice.verify(req, S3Rules("eu-west-1"), now)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	for _, target := range []string{"/b/../c//d/./e", "/b/%2e%2e/a+b%20c%2F", "/b/k?acl&a=1;b=2&c=x+y&c", "/b/ü?%C3%BC=%c3%bc", "//b/k", "/b/a%00b"} {
		r := Request{Method: "PUT", Target: target, Headers: []Header{{"Host", host}, {"Content-Length", "2"}, {"x-amz-meta-a", "1"}, {"x-amz-meta-a", "2"}, {"Accept-Encoding", "identity"}}}
		r = alice.header(r, unsignedPayload, "content-length", "accept-encoding")
		var wire bytes.Buffer
		fmt.Fprintf(&wire, "%s %s HTTP/1.1\r\n", r.Method, r.Target)
		for _, h := range r.Headers {
			fmt.Fprintf(&wire, "%s: %s\r\n", h.Name, h.Value)
		}
		wire.WriteString("Connection: close\r\n\r\nhi")
		result = fmt.Errorf("not served")
		exchange(t, host, wire.Bytes())
		if result != nil {
			t.Errorf("%s: %v", target, result)
		}
	}
}

// exchange sends raw bytes to a server and waits for its answer.
func exchange(t *testing.T, host string, wire []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write(wire)
	answer, _ := io.ReadAll(conn)
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 200")) {
		t.Errorf("%s", answer)
	}
}

// Hexadecimal digits of a chunk or trailer signature, like those of the request,
// are compared as they are.
func TestClass16_ChunkSignaturesAreComparedWhole(t *testing.T) {
	s := alice.upload("hello", 64, streamingSigned)
	for _, change := range []func(string) string{strings.ToUpper, func(s string) string { return s[:63] }, func(s string) string { return s + "0" }, func(string) string { return "" }} {
		damaged := alice.upload("hello", 64, streamingSigned)
		head := damaged.chunks[0].head
		signature := strings.TrimSuffix(head[strings.Index(head, "=")+1:], "\r\n")
		damaged.chunks[0].head = strings.Replace(head, signature, change(signature), 1)
		if damaged.chunks[0].head == head {
			continue
		}
		_, err := receive(s.request, strings.NewReader(damaged.body()))
		rejected(t, damaged.chunks[0].head, err, iam.SignatureDoesNotMatch)
	}
}
