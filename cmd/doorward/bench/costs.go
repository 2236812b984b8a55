package bench

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/cmd/doorward/bench/measure"
	"github.com/doorward/doorward/cmd/doorward/bench/workload"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/protocol"
)

// Secret is the secret of the requests that [Get] signs.
const Secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

// Get is a request to read an object, as an SDK sends it.
func Get(key iam.AccessKeyID, secret, bucket, object string) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodGet, "https://s3.example.com/"+bucket+"/"+object, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Range", "bytes=0-65535")
	r.Header.Set("User-Agent", "aws-sdk-go-v2/1.47.7 ua/2.1 os/linux lang/go#1.26.8 md/GOOS#linux md/GOARCH#amd64 api/s3#1.114.8")
	credentials := sigv4.Credentials{AccessKeyID: key, Secret: secret}
	return r, sigv4.Sign(r, credentials, workload.Region, sigv4.S3, sigv4.UnsignedPayload, iam.At(time.Now()))
}

// Question is what an S3 server asks its sidecar about a request.
func Question(r *http.Request) *sidecar.Request {
	q := &sidecar.Request{Method: r.Method, Target: r.URL.RequestURI(), Remote: netip.MustParseAddr("10.20.30.40"), Secure: true, TLSVersion: "1.3"}
	for _, h := range sigv4.FromHTTP(r, nil).Headers {
		q.Headers = append(q.Headers, protocol.Pair(h))
	}
	return q
}

// checkOf is the same question to a sidecar behind a socket.
func checkOf(q *sidecar.Request) protocol.Check {
	return protocol.Check{Method: q.Method, Target: q.Target, Remote: q.Remote.String(), TLS: protocol.TLS13, Headers: q.Headers}
}

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
	text := fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s/%s/s3/aws4_request\n%s", date, date[:8], workload.Region, hex.EncodeToString(sum[:]))
	return []byte(b.String()), []byte(text)
}

// Verification is the verification of a request that Get has made, by authz/sigv4
// with a key that is ready.
func Verification(r *http.Request, secret string) (measure.Work, error) {
	rules, now := sigv4.S3Rules(workload.Region), iam.At(time.Now())
	signed := sigv4.FromHTTP(r, nil)
	c, err := rules.Parse(&signed, now)
	if err != nil {
		return measure.Work{}, err
	}
	key := sigv4.DeriveSigningKey(secret, c.Scope())
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

// Authorization is the whole answer: verification, S3 mapping and decision.
func Authorization(a *sidecar.Authorizer, q *sidecar.Request) (measure.Work, error) {
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

// Evaluation is a policy engine that holds some statements. The function that it
// returns for a question is one decision; what a server has at hand when it asks is
// made before.
type Evaluation func(workload.Question) func() bool

// Evaluate compiles statements as the policies that are attached to a user.
func Evaluate(statements []workload.Statement) (Evaluation, error) {
	var attached authz.PolicySet
	for part, document := range workload.Documents(statements) {
		if _, err := policy.Parse([]byte(document), policy.Identity); err != nil {
			return nil, fmt.Errorf("doorward: %w", err)
		}
		attached = append(attached, authz.Policy{Name: fmt.Sprintf("mix-%d", part), Document: document})
	}
	authority := authz.NewCompiler().Authority(authz.Policies{Identity: attached})
	return func(q workload.Question) func() bool {
		request := &authz.Request{
			Principal: authz.Principal{Type: authz.User, Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/alice"},
			Action:    q.Action, Resource: q.Resource(), ResourceAccount: "111122223333", Context: new(authz.Context),
		}
		request.Context.Set(policy.SourceIP, q.SourceIP)
		if q.Key == "" {
			request.Context.SetNamed("s3:prefix", q.Prefix)
		}
		return func() bool { return authority.Decide(request, nil).Effect == authz.Allow }
	}, nil
}
