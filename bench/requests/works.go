package requests

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsv4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/bench/measure"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
)

// Floor is the cryptography in the verification of r: SHA-256 over the canonical
// request and an HMAC over the string to sign, from a key that is ready.
func Floor(r *http.Request) measure.Work {
	canonical, message := canonical(r)
	var day [sha256.Size]byte
	mac := hmac.New(sha256.New, day[:])
	sum := make([]byte, 0, sha256.Size)
	return measure.Work{Name: "bare SHA-256 and HMAC", Do: func(n int) {
		for range n {
			digest := sha256.Sum256(canonical)
			sum = append(sum[:0], digest[:]...)
			mac.Reset()
			mac.Write(message)
			sum = mac.Sum(sum[:0])
		}
	}}
}

// canonical writes the canonical request and the string to sign of a request whose
// path is plain and which has no query.
func canonical(r *http.Request) (request, toSign []byte) {
	_, list, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", r.Method, r.URL.EscapedPath())
	for name := range strings.SplitSeq(list, ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		fmt.Fprintf(&b, "%s:%s\n", name, value)
	}
	fmt.Fprintf(&b, "\n%s\n%s", list, r.Header.Get("X-Amz-Content-Sha256"))
	date := r.Header.Get("X-Amz-Date")
	sum := sha256.Sum256([]byte(b.String()))
	text := fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s/%s/s3/aws4_request\n%s", date, date[:8], Region, hex.EncodeToString(sum[:]))
	return []byte(b.String()), []byte(text)
}

// Verify is the verification of r by authz/sigv4 with a key that is ready.
func Verify(r *http.Request) (measure.Work, error) {
	rules, now := sigv4.S3Rules(Region), iam.At(time.Now())
	signed := sigv4.FromHTTP(r, nil)
	c, err := rules.Parse(&signed, now)
	if err != nil {
		return measure.Work{}, err
	}
	key := sigv4.DeriveSigningKey(Secret, c.Scope())
	if _, err := c.Verify(&key); err != nil {
		return measure.Work{}, err
	}
	return measure.Work{Name: "authz/sigv4", Do: func(n int) {
		for range n {
			c, err := rules.Parse(&signed, now)
			if err == nil {
				_, err = c.Verify(&key)
			}
			if err != nil {
				panic(err)
			}
		}
	}}, nil
}

// SignAWS is what a server pays that signs the request again with the signer of
// aws-sdk-go-v2, which keeps derived keys, and compares.
func SignAWS(r *http.Request) measure.Work {
	s := awsv4.NewSigner()
	credentials := aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: Secret}
	at := time.Now()
	return measure.Work{Name: "aws-sdk-go-v2 signer", Do: func(n int) {
		for range n {
			if err := s.SignHTTP(context.Background(), credentials, r, "UNSIGNED-PAYLOAD", "s3", Region, at); err != nil {
				panic(err)
			}
		}
	}}
}

// SignMinIO is the same with the signer of minio-go.
func SignMinIO(r *http.Request) measure.Work {
	return measure.Work{Name: "minio-go signer", Do: func(n int) {
		for range n {
			signer.SignV4(*r, "AKIAIOSFODNN7EXAMPLE", Secret, "", Region)
		}
	}}
}

// Authorize is the whole answer: verification, S3 mapping and decision.
func Authorize(a *sidecar.Authorizer, q *sidecar.Request) (measure.Work, error) {
	var d sidecar.Decision
	if a.Authorize(context.Background(), q, &d); !d.Allowed() {
		return measure.Work{}, fmt.Errorf("the request is not allowed: %+v", d)
	}
	return measure.Work{Name: "Doorward", Do: func(n int) {
		for range n {
			a.Authorize(context.Background(), q, &d)
		}
	}}, nil
}
