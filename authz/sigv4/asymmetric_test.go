package sigv4

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
)

// The SigV4A examples were signed with awscrt 0.16.8 (AWS Common Runtime) for the
// documented example key; the coordinates of its public key are those of the
// signing test suite of awslabs/aws-c-auth (Apache-2.0).
const (
	exampleID     = "AKIDEXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var exampleTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

var (
	exampleHeader = Request{Method: "GET", Target: "/b/k%20x?acl", Headers: []Header{
		{"Host", "s3.example.net"}, {"X-Amz-Date", "20150830T123600Z"}, {"X-Amz-Region-Set", "us-east-1,eu-*"},
		{"x-amz-content-sha256", emptyHash},
		{"Authorization", "AWS4-ECDSA-P256-SHA256 Credential=AKIDEXAMPLE/20150830/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-region-set, Signature=3045022005213a9ba400e985122ae3f91e31ff01571725f6fe43b7792c8ae69c060fcb7f0221008441cc92bf4efb2ca76cf668cbb9e9576b1c4da92b6094d37c6d2e42fd6910af"},
	}}
	examplePresigned = Request{Method: "GET", Headers: []Header{{"Host", "s3.example.net"}},
		Target: "/b/k%20x?acl=&X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fs3%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=60&X-Amz-Security-Token=tok%2Fen%2B%3D&X-Amz-Region-Set=%2A&X-Amz-Signature=3044022038b051f2ba5d6b7d7ad78a10bfed752062b4a7298aaf3a96618300cc3ce7f49602202631b682c114b05af22bff8b97074dcece156750a37d09b1767dd2d9ac0d38e6"}
)

func TestDerivePublicKey(t *testing.T) {
	key, err := DerivePublicKey(exampleID, exampleSecret)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	want := "04" + "b6618f6a65740a99e650b33b6b4b5bd0d43b176d721a3edfea7e7d2d56d936b1" + "865ed22a7eadc9c5cb9d2cbaca1b3699139fedc5043dc6661864218330c8e518"
	if got := hex.EncodeToString(point); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	again, err := ParsePublicKey(exampleID, point)
	if err != nil || !again.key.Equal(key.key) {
		t.Errorf("parsing it again: %v", err)
	}
	if _, err := ParsePublicKey(exampleID, bytes.Repeat([]byte{4}, 65)); err == nil {
		t.Error("a point off the curve is accepted")
	}
}

func verifyA(r Request, rules *Rules, id iam.AccessKeyID) (Verified, error) {
	c, err := rules.Parse(&r, iam.At(exampleTime))
	if err != nil {
		return Verified{}, err
	}
	key, err := DerivePublicKey(id, exampleSecret)
	if err != nil {
		return Verified{}, err
	}
	return c.VerifyECDSA(key)
}

func TestVerifyECDSA(t *testing.T) {
	for name, r := range map[string]Request{"header": exampleHeader, "presigned": examplePresigned} {
		v, err := verifyA(r, S3Rules("eu-west-1"), exampleID)
		if err != nil || !v.Valid() || v.Algorithm() != ECDSAP256 || v.Scope() != (Scope{Date: "20150830", Service: S3}) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	if v, _ := verifyA(examplePresigned, S3Rules("eu-west-1"), exampleID); v.Token() != "tok/en+=" {
		t.Errorf("token %q", v.Token())
	}
	for _, row := range []struct {
		name string
		r    Request
		rule *Rules
		want iam.Code
	}{
		{"a region outside the set", exampleHeader, S3Rules("ap-south-1"), AuthorizationHeaderMalformed},
		{"no region set", without(exampleHeader, "X-Amz-Region-Set"), S3Rules("us-east-1"), AuthorizationHeaderMalformed},
		{"a region set that was not signed", edit(exampleHeader, "Authorization", ";x-amz-region-set", ""), S3Rules("us-east-1"), iam.AccessDenied},
		{"a region set that was changed", edit(exampleHeader, "X-Amz-Region-Set", "us-east-1", "*"), S3Rules("us-east-1"), iam.SignatureDoesNotMatch},
		{"another path", editTarget(exampleHeader, "/b/k", "/b/l"), S3Rules("us-east-1"), iam.SignatureDoesNotMatch},
		{"a signature cut short", edit(exampleHeader, "Authorization", "10af", ""), S3Rules("us-east-1"), iam.SignatureDoesNotMatch},
		{"a signature that is no hexadecimal", edit(exampleHeader, "Authorization", "Signature=30", "Signature=zz"), S3Rules("us-east-1"), iam.SignatureDoesNotMatch},
		{"a scope with a region", edit(exampleHeader, "Authorization", "/s3/", "/us-east-1/s3/"), S3Rules("us-east-1"), AuthorizationHeaderMalformed},
	} {
		_, err := verifyA(row.r, row.rule, exampleID)
		if row.name == "a scope with a region" {
			if err == nil {
				t.Errorf("%s is accepted", row.name)
			}
			continue
		}
		rejected(t, row.name, err, row.want)
	}
	_, err := verifyA(exampleHeader, S3Rules("us-east-1"), "AKIDOTHER")
	rejected(t, "the key of another access key", err, InternalError)
}

// TestAlgorithmsAreNotConfused: a symmetric key verifies no SigV4A request and the
// reverse, whatever the caller passes.
func TestAlgorithmsAreNotConfused(t *testing.T) {
	c, err := S3Rules("us-east-1").Parse(&exampleHeader, iam.At(exampleTime))
	if err != nil {
		t.Fatal(err)
	}
	key := DeriveSigningKey(exampleSecret, c.Scope())
	if v, err := c.Verify(&key); err == nil || v.Valid() {
		t.Error("an HMAC key verifies SigV4A")
	}
	r := alice.header(request("GET", "/b/k"), emptyHash)
	c, err = S3Rules("eu-west-1").Parse(&r, iam.At(now))
	if err != nil {
		t.Fatal(err)
	}
	public, _ := DerivePublicKey(c.AccessKeyID(), alice.secret)
	if v, err := c.VerifyECDSA(public); err == nil || v.Valid() {
		t.Error("a public key verifies SigV4")
	}
	if v, err := c.VerifyECDSA(nil); err == nil || v.Valid() {
		t.Error("no key verifies")
	}
}

// TestECDSAChunks follows the chunked uploads of awslabs/aws-c-auth (Apache-2.0),
// test_chunked_signing.c: the padding of a signature is no part of what the next
// one covers.
func TestECDSAChunks(t *testing.T) {
	const data = "hello asymmetric world"
	for _, payload := range []string{streamingECDSA, streamingECDSATrailer} {
		var trailers []string
		if payload == streamingECDSATrailer {
			trailers = []string{"x-amz-checksum-crc32"}
		}
		s := alice.upload(data, 5, payload, trailers...)
		if got, err := receive(s.request, strings.NewReader(s.body())); err != nil || got != data {
			t.Errorf("%s: %q, %v", payload, got, err)
		}
		if got, err := receive(s.request, strings.NewReader(strings.ReplaceAll(s.body(), "*", ""))); err != nil || got != data {
			t.Errorf("%s without padding: %q, %v", payload, got, err)
		}
		for name, body := range map[string]string{
			"other data":               strings.Replace(s.body(), "hello", "hallo", 1),
			"padding beyond its end":   strings.Replace(s.body(), "*\r\n", "**\r\n", 1),
			"padding before its end":   strings.Replace(s.body(), "chunk-signature=", "chunk-signature=*", 1),
			"a signature of nothing":   strings.Replace(s.body(), "chunk-signature=3", "chunk-signature=", 1),
			"the signature of another": strings.Replace(s.body(), s.chunks[0].head, s.chunks[1].head, 1),
		} {
			_, err := receive(s.request, strings.NewReader(body))
			rejected(t, payload+", "+name, err, iam.SignatureDoesNotMatch)
		}
	}
}

// TestAChainKeepsTheAlgorithmOfItsRequest: nobody goes on with HMAC after a SigV4A
// signature, or the reverse.
func TestAChainKeepsTheAlgorithmOfItsRequest(t *testing.T) {
	for _, payload := range []string{streamingECDSA, streamingECDSATrailer} {
		_, err := verify(alice.header(request("PUT", "/b/k"), payload))
		rejected(t, payload+" signed with HMAC", err, InvalidArgument)
	}
	for _, payload := range []string{streamingSigned, streamingSignedTrailer} {
		r := alice.headerECDSA(request("PUT", "/b/k"), payload)
		c, err := S3Rules("eu-west-1").Parse(&r, iam.At(now))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.VerifyECDSA(alicePublic)
		rejected(t, payload+" signed with SigV4A", err, InvalidArgument)
	}
}

// TestRegionSets shows how the entries of a region set match.
func TestRegionSets(t *testing.T) {
	for _, row := range []struct {
		pattern, region string
		want            bool
	}{
		{"*", "eu-west-1", true}, {"eu-west-1", "eu-west-1", true}, {"eu-*", "eu-west-1", true}, {"*-1", "eu-west-1", true},
		{"e*w*1", "eu-west-1", true}, {"eu-*-1", "eu-west-1", true}, {"eu-west-1*", "eu-west-1", true}, {"**", "eu-west-1", true},
		{"", "eu-west-1", false}, {"eu", "eu-west-1", false}, {"eu-*-2", "eu-west-1", false}, {"EU-*", "eu-west-1", false},
		{"eu-west-11", "eu-west-1", false}, {"*west*west*", "eu-west-1", false}, {"eu-west-1*1", "eu-west-1", false},
	} {
		if got := matches(row.pattern, row.region); got != row.want {
			t.Errorf("%q on %q: %v", row.pattern, row.region, got)
		}
	}
}
