package sigv4

import (
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
)

// attest is what a trusted server passes on of a request that alice signed.
func attest(canonical string) *Attestation {
	return &Attestation{
		AccessKeyID:  "AKIDALICE",
		StringToSign: "AWS4-HMAC-SHA256\n" + alice.date() + "\n" + alice.scope() + "\n" + hexSum(canonical),
		Signature:    alice.sign(canonical),
		Payload:      unsignedPayload,
	}
}

func verifyAttested(a *Attestation, at time.Time) (Verified, error) {
	c, err := S3Rules("eu-west-1").ParseStringToSign(a, iam.At(at))
	if err != nil {
		return Verified{}, err
	}
	key := DeriveSigningKey(alice.secret, c.Scope())
	return c.Verify(&key)
}

func TestAttestations(t *testing.T) {
	sound := attest("anything")
	sound.Token = "token"
	v, err := verifyAttested(sound, now.Add(time.Minute))
	if err != nil || v.Kind() != Attested || v.AccessKeyID() != "AKIDALICE" || v.Age() != time.Minute || v.Token() != "token" || v.Body() != BodyUnsigned {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := NewBody(&v, nil, strings.NewReader("")); err == nil {
		t.Error("the body of an attested request is read here")
	}
	change := func(f func(a *Attestation)) *Attestation { a := attest("anything"); f(a); return a }
	replace := func(old, new string) *Attestation {
		return change(func(a *Attestation) { a.StringToSign = strings.Replace(a.StringToSign, old, new, 1) })
	}
	for _, row := range []struct {
		name string
		a    *Attestation
		at   time.Time
		want iam.Code
	}{
		{"another request", change(func(a *Attestation) { a.StringToSign = attest("other").StringToSign }), now, iam.SignatureDoesNotMatch},
		{"another signature", change(func(a *Attestation) { a.Signature = strings.Repeat("0", 64) }), now, iam.SignatureDoesNotMatch},
		{"no access key", change(func(a *Attestation) { a.AccessKeyID = "" }), now, iam.AccessDenied},
		{"a chunk's string to sign", replace("SHA256\n", "SHA256-PAYLOAD\n"), now, AuthorizationHeaderMalformed},
		{"another algorithm", replace("HMAC-SHA256", "ECDSA-P256-SHA256"), now, AuthorizationHeaderMalformed},
		{"another region", replace("eu-west-1", "us-east-1"), now, AuthorizationHeaderMalformed},
		{"another service", replace("/s3/", "/ec2/"), now, AuthorizationHeaderMalformed},
		{"a scope of another day", replace("\n20261124/", "\n20261123/"), now, AuthorizationHeaderMalformed},
		{"more in the scope", replace("\n20261124/", "\nx/20261124/"), now, AuthorizationHeaderMalformed},
		{"no time", replace("20261124T", "20261124t"), now, AuthorizationHeaderMalformed},
		{"no hash", change(func(a *Attestation) { a.StringToSign += "0" }), now, AuthorizationHeaderMalformed},
		{"nothing", change(func(a *Attestation) { a.StringToSign = "" }), now, AuthorizationHeaderMalformed},
		{"a payload word that is not documented", change(func(a *Attestation) { a.Payload = "x" }), now, InvalidArgument},
		{"an old header signature", attest("anything"), now.Add(16 * time.Minute), RequestTimeTooSkewed},
		{"an old presigned URL", change(func(a *Attestation) { a.Presigned, a.Expires = true, 60 }), now.Add(61 * time.Second), iam.AccessDenied},
		{"a presigned URL for ever", change(func(a *Attestation) { a.Presigned, a.Expires = true, MaxExpires+1 }), now, AuthorizationHeaderMalformed},
	} {
		v, err := verifyAttested(row.a, row.at)
		rejected(t, row.name, err, row.want)
		if v.Valid() {
			t.Errorf("%s: valid", row.name)
		}
	}
	week := change(func(a *Attestation) { a.Presigned, a.Expires = true, MaxExpires })
	if _, err := verifyAttested(week, now.Add(6*24*time.Hour)); err != nil {
		t.Errorf("a presigned URL of six days: %v", err)
	}
}

// TestAttestedChunks: the chain starts at an attested signature.
func TestAttestedChunks(t *testing.T) {
	s := alice.upload("hello", 64, streamingSigned)
	value := s.request.Headers[len(s.request.Headers)-1].Value
	names := signedNames(s.request.Headers, nil)
	unsigned := without(s.request, "Authorization")
	a := attest(canonicalRequest(unsigned, S3, false, names, streamingSigned))
	a.Payload = streamingSigned
	if a.Signature != value[strings.Index(value, "Signature=")+len("Signature="):] {
		t.Fatal("the reference does not agree with itself")
	}
	v, err := verifyAttested(a, now)
	if err != nil {
		t.Fatal(err)
	}
	key := DeriveSigningKey(alice.secret, v.Scope())
	chain, err := v.Chain(&key)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.chunks {
		signature := strings.TrimSuffix(p.head[strings.Index(p.head, "=")+1:], "\r\n")
		if err := chain.Chunk(HashBody([]byte(p.data)).sum, signature); err != nil {
			t.Error(err)
		}
	}
}
