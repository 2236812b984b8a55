package sigv4

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
)

var update = flag.Bool("update", false, "write the tables of docs/signatures.md anew")

// refusal is a request that is refused. The rows are what docs/signatures.md
// lists, under the headings of where.
type refusal struct {
	where, name string
	want        iam.Code
	err         func() error
}

// with returns r with one more header field, and without with one field fewer.
func with(r Request, name, value string) Request {
	r.Headers = append(slices.Clone(r.Headers), Header{name, value})
	return r
}

func without(r Request, name string) Request {
	r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h Header) bool { return strings.EqualFold(h.Name, name) })
	return r
}

// edit replaces text in a header field, editTarget in the request-target.
func edit(r Request, name, old, new string) Request {
	r.Headers = slices.Clone(r.Headers)
	for i, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			if !strings.Contains(h.Value, old) {
				panic(name + " has no " + old)
			}
			r.Headers[i].Value = strings.Replace(h.Value, old, new, 1)
		}
	}
	return r
}

func editTarget(r Request, old, new string) Request {
	if !strings.Contains(r.Target, old) {
		panic(r.Target + " has no " + old)
	}
	r.Target = strings.Replace(r.Target, old, new, 1)
	return r
}

// refused is the error of an S3 server for r.
func refused(r Request) func() error {
	return func() error { _, err := verify(r); return err }
}

// at is refused with the server's clock moved.
func at(r Request, moved time.Duration) func() error {
	return func() error { _, err := alice.verify(r, S3Rules("eu-west-1"), now.Add(moved)); return err }
}

// body is the error of an S3 server that also reads the body.
func body(r Request, text string) func() error {
	return func() error { _, err := receive(r, strings.NewReader(text)); return err }
}

// queried is the error of an IAM and STS server, whose request has no body.
func queried(r Request, moved time.Duration) func() error {
	return func() error {
		r.Body = HashBody(nil)
		_, err := alice.verify(r, QueryRules(), now.Add(moved))
		return err
	}
}

func refusals() []refusal {
	get := alice.header(request("GET", "/b/k"), emptyHash)
	url := alice.presign(request("GET", "/b/k"), 60)
	sts := alice
	sts.service = STS
	call := sts.header(request("POST", "/", Header{"Content-Type", "application/x-www-form-urlencoded"}), emptyHash, "content-type")
	callURL := sts.presign(request("GET", "/?Action=GetCallerIdentity&Version=2011-06-15"), 60)
	signed := alice.upload("hello world", 5, streamingSigned)
	trailing := alice.upload("hello world", 5, streamingSignedTrailer, "x-amz-checksum-crc32")
	unsigned := alice.upload("hello world", 5, streamingUnsignedTrailer, "x-amz-checksum-sha256")
	damaged := func(s stream, old, new string) func() error {
		if !strings.Contains(s.body(), old) {
			panic("no " + old + " in the body")
		}
		return body(s.request, strings.Replace(s.body(), old, new, 1))
	}
	anywhere, header, presigned, query, whole, chunked := "In every form", "Authorization header", "Presigned URL",
		"IAM and STS", "Whole body", "aws-chunked body"
	return []refusal{
		{anywhere, "Signature Version 2 header", InvalidRequest, refused(request("GET", "/", Header{"Authorization", "AWS AKID:c2ln"}))},
		{anywhere, "Signature Version 2 query", InvalidRequest, refused(request("GET", "/b/k?AWSAccessKeyId=AKID&Signature=c2ln&Expires=1900000000"))},
		{anywhere, "Authorization header and presigned parameters together", InvalidArgument, refused(editTarget(get, "/b/k", "/b/k?X-Amz-Signature=0"))},
		{anywhere, "presigned and Signature Version 2 parameters together", InvalidArgument, refused(editTarget(url, "?", "?AWSAccessKeyId=A&"))},
		{anywhere, "two Authorization headers", InvalidArgument, refused(with(get, "authorization", "AWS4-HMAC-SHA256 x"))},
		{anywhere, "Host not among the signed headers", iam.AccessDenied, refused(edit(get, "Authorization", "host;", ""))},
		{anywhere, "an x-amz-* header that is not signed", iam.AccessDenied, refused(with(get, "X-Amz-Acl", "public-read"))},
		{anywhere, "a header field that decides about the signature sent twice", iam.SignatureDoesNotMatch, refused(with(get, "host", "s3.example.net"))},
		{anywhere, "broken percent-encoding in the path", InvalidURI, refused(editTarget(get, "/b/k", "/b/%zz"))},
		{anywhere, "broken percent-encoding in the query", InvalidURI, refused(editTarget(get, "/b/k", "/b/k?a=%f"))},
		{anywhere, "more than 256 header fields", RequestHeaderSectionTooLarge, refused(request("GET", "/", make([]Header, 256)...))},
		{anywhere, "a signature that does not match", iam.SignatureDoesNotMatch, refused(edit(get, "Authorization", "Signature=", "Signature=0"))},

		{header, "another scheme", InvalidArgument, refused(request("GET", "/", Header{"Authorization", "Bearer abc"}))},
		{header, "another algorithm of the family", InvalidArgument, refused(edit(get, "Authorization", "SHA256 ", "SHA1 "))},
		{header, "a missing part", AuthorizationHeaderMalformed, refused(edit(get, "Authorization", "SignedHeaders=", "Headers="))},
		{header, "a part that is there twice", AuthorizationHeaderMalformed, refused(edit(get, "Authorization", "Signature=", "Signature=0, Signature="))},
		{header, "a scope that does not end in aws4_request", AuthorizationHeaderMalformed, refused(edit(get, "Authorization", "aws4_request", "aws3_request"))},
		{header, "an access key id of more than 128 characters", AuthorizationHeaderMalformed, refused(edit(get, "Authorization", "AKIDALICE", strings.Repeat("A", 129)))},
		{header, "a scope of another region (with Region)", AuthorizationHeaderMalformed, refused(edit(get, "Authorization", "eu-west-1", "us-east-1"))},
		{header, "a scope of another service", AuthorizationHeaderMalformed, refused(edit(get, "Authorization", "/s3/", "/ec2/"))},
		{header, "a scope of another day than the date", AuthorizationHeaderMalformed, refused(edit(get, "Authorization", "20261124", "20261123"))},
		{header, "signed headers out of order", AuthorizationHeaderMalformed, refused(edit(get, "Authorization", "host;x-amz-content-sha256", "x-amz-content-sha256;host"))},
		{header, "signed headers in upper case", AuthorizationHeaderMalformed, refused(edit(get, "Authorization", "host;", "Host;"))},
		{header, "neither X-Amz-Date nor Date", iam.AccessDenied, refused(without(get, "X-Amz-Date"))},
		{header, "a date that does not exist", iam.AccessDenied, refused(edit(get, "X-Amz-Date", "20261124", "20261131"))},
		{header, "signed more than 15 minutes ago", RequestTimeTooSkewed, at(get, 15*time.Minute+time.Second)},
		{header, "signed more than 15 minutes from now", RequestTimeTooSkewed, at(get, -15*time.Minute-time.Second)},
		{header, "no x-amz-content-sha256", InvalidRequest, refused(without(get, "X-Amz-Content-Sha256"))},

		{presigned, "a missing parameter", AuthorizationQueryParametersError, refused(editTarget(url, "X-Amz-Expires=60&", ""))},
		{presigned, "a parameter that is there twice", AuthorizationQueryParametersError, refused(editTarget(url, "?", "?X-Amz-Expires=60&"))},
		{presigned, "a parameter spelt in another case", AuthorizationQueryParametersError, refused(editTarget(url, "?", "?x-amz-expires=60&"))},
		{presigned, "another algorithm", AuthorizationQueryParametersError, refused(editTarget(url, "SHA256", "SHA1"))},
		{presigned, "a malformed credential", AuthorizationQueryParametersError, refused(editTarget(url, "aws4_request", "aws3_request"))},
		{presigned, "another region or service", AuthorizationQueryParametersError, refused(editTarget(url, "eu-west-1", "us-east-1"))},
		{presigned, "X-Amz-Expires that is no number", AuthorizationQueryParametersError, refused(editTarget(url, "Expires=60", "Expires=-1"))},
		{presigned, "X-Amz-Expires of 0 or more than 604800", AuthorizationQueryParametersError, refused(editTarget(url, "Expires=60", "Expires=604801"))},
		{presigned, "past its expiry, without tolerance", iam.AccessDenied, at(url, 61*time.Second)},
		{presigned, "more than 15 minutes before its date", iam.AccessDenied, at(url, -15*time.Minute-time.Second)},
		{presigned, "a session token in a header as well", InvalidArgument, refused(with(url, "X-Amz-Security-Token", "t"))},

		{query, "a malformed Authorization header", iam.IncompleteSignature, queried(edit(call, "Authorization", "Signature=", "Sig="), 0)},
		{query, "a credential that has not five parts", iam.IncompleteSignature, queried(edit(call, "Authorization", "/aws4_request", ""), 0)},
		{query, "another algorithm or scheme", iam.MissingAuthenticationToken, queried(edit(call, "Authorization", "AWS4-HMAC-SHA256 ", "Bearer "), 0)},
		{query, "Signature Version 2", iam.IncompleteSignature, queried(request("GET", "/?AWSAccessKeyId=AKID&SignatureVersion=2"), 0)},
		{query, "no date", iam.IncompleteSignature, queried(without(call, "X-Amz-Date"), 0)},
		{query, "a date that does not exist", iam.IncompleteSignature, queried(edit(call, "X-Amz-Date", "T", ""), 0)},
		{query, "a scope that does not end in aws4_request", iam.SignatureDoesNotMatch, queried(edit(call, "Authorization", "/aws4_request", "/aws_request"), 0)},
		{query, "a scope of another day than the date", iam.SignatureDoesNotMatch, queried(edit(call, "Authorization", "/20261124/", "/20261123/"), 0)},
		{query, "a scope of another service", iam.SignatureDoesNotMatch, queried(edit(call, "Authorization", "/sts/", "/s3/"), 0)},
		{query, "clocks more than 15 minutes apart", iam.SignatureDoesNotMatch, queried(call, 16*time.Minute)},
		{query, "Host not among the signed headers", iam.SignatureDoesNotMatch, queried(edit(call, "Authorization", "host;", ""), 0)},
		{query, "a presigned URL without X-Amz-Algorithm, or with another", iam.MissingAuthenticationToken, queried(editTarget(callURL, "AWS4-HMAC", "AWS5-HMAC"), 0)},
		{query, "a presigned URL without another parameter, X-Amz-Expires aside", iam.IncompleteSignature, queried(editTarget(callURL, "X-Amz-Credential", "X-Credential"), 0)},
		{query, "a presigned URL past its X-Amz-Expires, or without one past 15 minutes", iam.SignatureDoesNotMatch, queried(callURL, 61*time.Second)},
		{query, "an x-amz-* header that is not signed", iam.SignatureDoesNotMatch, queried(with(call, "X-Amz-Security-Token", "t"), 0)},
		{query, "a signature that does not match, or another body", iam.SignatureDoesNotMatch, queried(edit(call, "Content-Type", "form", "from"), 0)},

		{whole, "a body of another hash", XAmzContentSHA256Mismatch, body(get, "surprise")},
		{whole, "a signed word that S3 does not document", InvalidArgument, body(alice.header(request("GET", "/b/k"), "SIGNED"), "")},
		{whole, "fewer or more bytes than Content-Length", IncompleteBody, body(alice.header(request("PUT", "/b/k", Header{"Content-Length", "5"}), unsignedPayload), "four")},

		{chunked, "no x-amz-decoded-content-length", MissingContentLength, body(alice.header(request("PUT", "/b/k"), streamingSigned), "0\r\n\r\n")},
		{chunked, "a chunk signature that does not match", iam.SignatureDoesNotMatch, damaged(signed, "hello", "hallo")},
		{chunked, "a chunk without its signature", iam.SignatureDoesNotMatch, damaged(signed, ";chunk-signature", ";chunk-sig")},
		{chunked, "a trailer signature that does not match or is missing", iam.SignatureDoesNotMatch, damaged(trailing, "trailer-signature:", "trailer-signature:0")},
		{chunked, "a malformed or overlong chunk line", IncompleteBody, damaged(signed, "5;", "x5;")},
		{chunked, "a chunk beyond the decoded length", IncompleteBody, damaged(signed, "5;", "c;")},
		{chunked, "a stream that ends early or goes on after its end", IncompleteBody, damaged(signed, " worl", "")},
		{chunked, "trailers other than those in x-amz-trailer", MalformedTrailerError, damaged(unsigned, "x-amz-checksum", "x-amz-chocksum")},
		{chunked, "trailers where x-amz-trailer names none, or the reverse", InvalidRequest, body(alice.header(request("PUT", "/b/k", Header{"X-Amz-Decoded-Content-Length", "0"}, Header{"X-Amz-Trailer", "x-amz-checksum-crc32"}), streamingSigned), "")},
		{chunked, "a trailer that is not a checksum S3 knows", InvalidRequest, body(alice.header(request("PUT", "/b/k", Header{"X-Amz-Decoded-Content-Length", "0"}, Header{"X-Amz-Trailer", "x-amz-meta-a"}), streamingUnsignedTrailer), "")},
		{chunked, "a checksum that does not match", BadDigest, damaged(unsigned, "hello", "hallo")},
		{chunked, "a checksum that is not base64 of its length", InvalidRequest, damaged(unsigned, "=\r\n", "\r\n")},
		{chunked, "signed streaming without a signature on the request", InvalidArgument, body(request("PUT", "/b/k", Header{"X-Amz-Content-Sha256", streamingSigned}), "0\r\n\r\n")},
		{chunked, "chunks signed with another algorithm than the request", InvalidArgument, body(alice.header(request("PUT", "/b/k"), streamingECDSA), "0\r\n\r\n")},
	}
}

// TestRefusals runs every row, and first the requests that the rows are made
// from: they are good until something is changed.
func TestRefusals(t *testing.T) {
	for _, r := range append(refusals(), formRefusals()...) {
		err := r.err()
		refusal, ok := err.(*Error)
		if !ok || refusal.Code != r.want || refusal.Status != Status(r.want) {
			t.Errorf("%s: %s: got %v, want %s", r.where, r.name, err, r.want)
		}
	}
}

// TestSoundRequests: what the rows of TestRefusals are made from is accepted.
func TestSoundRequests(t *testing.T) {
	sts := alice
	sts.service = STS
	for name, err := range map[string]error{
		"header":                            refused(alice.header(request("GET", "/b/k"), emptyHash))(),
		"presigned":                         refused(alice.presign(request("GET", "/b/k"), 60))(),
		"presigned, at the end of its life": at(alice.presign(request("GET", "/b/k"), 60), time.Minute)(),
		"header, 15 minutes late":           at(alice.header(request("GET", "/b/k"), emptyHash), 15*time.Minute)(),
		"query":                             queried(sts.header(request("POST", "/"), emptyHash), 0)(),
		"query, presigned":                  queried(sts.presign(request("GET", "/?Action=GetCallerIdentity&Version=2011-06-15"), 60), 0)(),
		"whole body":                        body(alice.header(request("PUT", "/b/k"), hexSum("hello")), "hello")(),
		"unsigned body":                     body(alice.header(request("PUT", "/b/k"), unsignedPayload), "hello")(),
		"form":                              alice.form(nil).post("/b", "hello"),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, payload := range []string{streamingSigned, streamingSignedTrailer, streamingUnsignedTrailer} {
		var trailers []string
		if strings.HasSuffix(payload, "TRAILER") {
			trailers = []string{"x-amz-checksum-crc32", "x-amz-checksum-crc32c", "x-amz-checksum-crc64nvme", "x-amz-checksum-sha1", "x-amz-checksum-sha256"}
		}
		s := alice.upload("hello world", 5, payload, trailers...)
		if data, err := receive(s.request, strings.NewReader(s.body())); err != nil || data != "hello world" {
			t.Errorf("%s: %q %v", payload, data, err)
		}
	}
}

// TestDocumentListsTheRefusals holds the tables of docs/signatures.md to the rows
// above.
func TestDocumentListsTheRefusals(t *testing.T) {
	const file = "../../docs/signatures.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := []byte("<!-- refusals: written by go test ./authz/sigv4 -run Document -update -->\n"), []byte("<!-- end of refusals -->\n")
	before, rest, ok1 := bytes.Cut(text, begin)
	tables, after, ok2 := bytes.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no marks for the tables", file)
	}
	var want bytes.Buffer
	where := ""
	for _, r := range append(refusals(), formRefusals()...) {
		if r.where != where {
			where = r.where
			fmt.Fprintf(&want, "\n### %s\n\n| request | code | status |\n| --- | --- | --- |\n", where)
		}
		fmt.Fprintf(&want, "| %s | `%s` | %d |\n", r.name, r.want, Status(r.want))
	}
	want.WriteByte('\n')
	if *update {
		if err := os.WriteFile(file, slices.Concat(before, begin, want.Bytes(), end, after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(tables, want.Bytes()) {
		t.Errorf("the tables of %s are not those of this test: run it with -update", file)
	}
}
