package workload

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/internal/token"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/protocol"
)

// Traffic says what clients send.
type Traffic struct {
	// Requests is how many different ones there are.
	Requests int
	// Skew is the exponent of the Zipf law by which access keys are chosen, above 1.
	Skew float64
	// Denied and Forged are the shares of requests that no policy allows, and of
	// signatures that are wrong.
	Denied, Forged float64
}

// DefaultTraffic is that of a company.
func DefaultTraffic() Traffic {
	return Traffic{Requests: 16_384, Skew: 1.1, Denied: 0.05, Forged: 0.01}
}

// Request is one request of S3 and what the answer to it has to be.
type Request struct {
	// Sidecar is the question to an authorizer in process, Check the same to one behind
	// a socket.
	Sidecar sidecar.Request
	Check   protocol.Check
	// Code is that of the S3 error to expect; empty: the request may pass.
	Code iam.Code
}

// Requests makes requests, signed now.
func (p *Population) Requests(t Traffic, now time.Time) ([]Request, error) {
	if t.Requests < 1 || t.Skew <= 1 {
		return nil, fmt.Errorf("traffic: %d requests with skew %v: want at least one, and a skew above 1", t.Requests, t.Skew)
	}
	r := rand.New(rand.NewPCG(p.Config.Seed, 2))
	zipf := rand.NewZipf(r, t.Skew, 1, uint64(p.Config.Keys-1))
	requests := make([]Request, t.Requests)
	for n := range requests {
		kind := r.Float64()
		q := &requests[n]
		if kind < t.Denied {
			q.Code = iam.AccessDenied
		}
		i := int(zipf.Uint64())
		question, err := p.question(i, q.Code == "", r)
		if err != nil {
			return nil, err
		}
		remote := netip.MustParseAddr(question.SourceIP)
		secret := p.Secret(p.Key(i))
		if kind >= 1-t.Forged {
			q.Code, secret = iam.SignatureDoesNotMatch, "of somebody else"
			// Everywhere else, so that no source is locked out for it.
			remote = netip.AddrFrom4([4]byte{100, 64 + byte(n>>16&63), byte(n >> 8), byte(n)})
		}
		if err := q.sign(p.credentials(i, secret), question, remote, now); err != nil {
			return nil, err
		}
	}
	return requests, nil
}

// triesForAQuestion bounds the search for one that is decided as it should be.
const triesForAQuestion = 1000

// question draws one that the i-th identity may, or may not, do.
func (p *Population) question(i int, allowed bool, r *rand.Rand) (Question, error) {
	size, variant := p.holds(i)
	mix := p.mixes[size][variant]
	for range triesForAQuestion {
		if q := ask(mix, r); Allowed(mix, q) == allowed {
			return q, nil
		}
	}
	return Question{}, fmt.Errorf("no question about %d statements has the answer %v", size, allowed)
}

func (p *Population) credentials(i int, secret string) sigv4.Credentials {
	c := sigv4.Credentials{AccessKeyID: p.Key(i), Secret: secret}
	if s, ok := p.view.Session(c.AccessKeyID); ok {
		c.Token = p.tokens.Seal(token.Token{Key: s.Key, Index: firstIndex, Expires: s.Expires})
	}
	return c
}

// target is the request-target that asks a question, and its method.
func (q Question) target() (method, target string) {
	switch q.Action {
	case "s3:ListBucket":
		return http.MethodGet, "/" + q.Bucket + "?list-type=2&prefix=" + url.QueryEscape(q.Prefix)
	case "s3:PutObject":
		method = http.MethodPut
	default:
		method = http.MethodGet
	}
	return method, "/" + q.Bucket + "/" + q.Key
}

// sign fills in the request as the SDK for Go sends it.
func (r *Request) sign(c sigv4.Credentials, q Question, remote netip.Addr, now time.Time) error {
	method, target := q.target()
	h, err := http.NewRequest(method, "https://s3.example.com"+target, nil)
	if err != nil {
		return err
	}
	h.Header.Set("User-Agent", "aws-sdk-go-v2/1.47.7 ua/2.1 os/linux lang/go#1.26.8 md/GOOS#linux md/GOARCH#amd64 api/s3#1.114.8")
	h.Header.Set("Accept-Encoding", "identity")
	h.Header.Set("Amz-Sdk-Request", "attempt=1; max=3")
	if err := sigv4.Sign(h, c, Region, sigv4.S3, sigv4.UnsignedPayload, iam.At(now)); err != nil {
		return err
	}
	r.Sidecar = sidecar.Request{Method: method, Target: target, Remote: remote, Secure: true, TLSVersion: "1.3"}
	r.Check = protocol.Check{Method: method, Target: target, Remote: remote.String(), TLS: protocol.TLS13}
	for _, field := range sigv4.FromHTTP(h, nil).Headers {
		r.Sidecar.Headers = append(r.Sidecar.Headers, protocol.Pair(field))
	}
	r.Check.Headers = r.Sidecar.Headers
	return nil
}
