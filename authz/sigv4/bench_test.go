package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"math"
	"testing"
	"time"
)

// Benchmarks come in pairs over the same bytes: what this package does, and the
// cryptography that nothing can do without (SHA-256 of the canonical request, an
// HMAC over the string to sign from a key whose pads are already hashed). The
// metric x-floor is the ratio of the two, measured in alternation in one run.

// benchmarkRequests are shapes of the public clients in testdata.
var benchmarkRequests = []struct {
	name, source, kind string
	match              func(*vector) bool
}{
	{"get botocore", "botocore 1.43.11", "header", func(v *vector) bool { return v.Method == "GET" && len(v.Headers) == 8 }},
	{"put aws-sdk-go-v2", "aws-sdk-go-v2 v1.47.7", "header", func(v *vector) bool { return v.Method == "PUT" && len(v.Headers) > 10 }},
	{"get minio-go", "minio-go v7.4.1", "header", func(v *vector) bool { return v.Method == "GET" }},
	{"get presigned botocore", "botocore 1.43.11", "presigned", func(v *vector) bool { return v.Method == "GET" && v.Credentials.SessionToken == "" }},
	{"presigned with token", "minio-go v7.4.1", "presigned", func(v *vector) bool { return v.Credentials.SessionToken != "" }},
}

func BenchmarkVerify(b *testing.B) {
	for _, shape := range benchmarkRequests {
		b.Run(shape.name, func(b *testing.B) {
			for v := range vectors(b, "testdata/sigv4.jsonl.gz") {
				if v.Source == shape.source && v.Kind == shape.kind && v.Service == "s3" && v.Mutation == "" && shape.match(v) {
					benchmarkVerify(b, newVerification(v))
					return
				}
			}
			b.Fatal("no vector has this shape")
		})
	}
}

// benchmarkVerify alternates short batches of both and keeps the fastest of each,
// which is what the processor needs when nothing else runs on it.
func benchmarkVerify(b *testing.B, v *verification) {
	const batch = 32
	ours, bare := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		for range batch {
			v.run(b)
		}
		middle := time.Now()
		for range batch {
			v.floor()
		}
		ours, bare = min(ours, middle.Sub(start)), min(bare, time.Since(middle))
	}
	b.ReportMetric(float64(ours.Nanoseconds())/batch, "ns/verify")
	b.ReportMetric(float64(bare.Nanoseconds())/batch, "ns/floor")
	b.ReportMetric(float64(ours)/float64(bare), "x-floor")
	b.ReportMetric(float64(len(v.canonical)), "canonical-bytes")
	b.ReportMetric(0, "ns/op")
}

// verification is one request with its cached key, and the bytes that are hashed
// for it.
type verification struct {
	rules              *Rules
	vector             *vector
	req                *Request
	key                SigningKey
	canonical, message []byte
	mac                hash.Hash
	sum                []byte
}

func newVerification(v *vector) *verification {
	c, err := v.rules().Parse(v.request(), v.now())
	if err != nil {
		panic(err)
	}
	day := DeriveDayKey(v.Credentials.SecretAccessKey, c.Scope())
	h := newHasher()
	path, query := splitTarget(v.Target)
	h.scanQuery(query, new(params))
	if err := h.canonicalise(&c, path); err != nil {
		panic(err)
	}
	h.stringToSign(&c)
	return &verification{
		rules: v.rules(), vector: v, req: v.request(), key: NewSigningKey(day, c.Scope()),
		canonical: h.canonical, message: h.message, mac: hmac.New(sha256.New, day[:]), sum: make([]byte, 0, 32),
	}
}

func (v *verification) run(tb testing.TB) {
	c, err := v.rules.Parse(v.req, v.vector.now())
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := c.Verify(&v.key); err != nil {
		tb.Fatal(err)
	}
}

func (v *verification) floor() {
	sum := sha256.Sum256(v.canonical)
	_ = sum
	v.mac.Reset()
	v.mac.Write(v.message)
	v.sum = v.mac.Sum(v.sum[:0])
}
