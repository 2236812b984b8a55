package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
)

// Benchmarks come in pairs over the same bytes: what this package does, and the
// cryptography that nothing can do without (SHA-256 of the canonical request, an
// HMAC over the string to sign from a key whose pads are already hashed). The
// metric x-floor is the ratio of the two, measured in alternation in one run.

// benchmarkRequests are what clients send all day, and shapes of the public clients
// in testdata: keys and queries full of escapes, fifteen header fields, tokens.
var benchmarkRequests = []struct {
	name string
	make func(b *testing.B) *verification
}{
	{"plain get", func(b *testing.B) *verification {
		return newVerification(alice.header(request("GET", "/bucket/2026/11/24/part-00017.parquet", Header{"Range", "bytes=0-65535"}, Header{"User-Agent", "Boto3/1.40"}), emptyHash), alice.secret, "eu-west-1", now)
	}},
	{"plain presigned get", func(b *testing.B) *verification {
		return newVerification(alice.presign(request("GET", "/bucket/2026/11/24/part-00017.parquet", Header{"User-Agent", "curl/8.4.0"}), 3600), alice.secret, "eu-west-1", now)
	}},
	{"get botocore", like("botocore 1.43.11", "header", func(v *vector) bool { return v.Method == "GET" && len(v.Headers) == 8 })},
	{"put aws-sdk-go-v2", like("aws-sdk-go-v2 v1.47.7", "header", func(v *vector) bool { return v.Method == "PUT" && len(v.Headers) > 10 })},
	{"get minio-go", like("minio-go v7.4.1", "header", func(v *vector) bool { return v.Method == "GET" })},
	{"presigned botocore", like("botocore 1.43.11", "presigned", func(v *vector) bool { return v.Method == "GET" && v.Credentials.SessionToken == "" })},
	{"presigned with token", like("minio-go v7.4.1", "presigned", func(v *vector) bool { return v.Credentials.SessionToken != "" })},
}

// like takes the first sound vector of a client that matches.
func like(source, kind string, match func(*vector) bool) func(b *testing.B) *verification {
	return func(b *testing.B) *verification {
		for v := range vectors(b, "testdata/sigv4.jsonl.gz") {
			if v.Source == source && v.Kind == kind && v.Service == "s3" && v.Mutation == "" && match(v) {
				return newVerification(*v.request(), v.Credentials.SecretAccessKey, v.Region, v.Now)
			}
		}
		b.Fatal("no vector has this shape")
		return nil
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, shape := range benchmarkRequests {
		b.Run(shape.name, func(b *testing.B) { benchmarkVerify(b, shape.make(b)) })
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
	req                Request
	now                iam.Time
	key                SigningKey
	canonical, message []byte
	mac                hash.Hash
	sum                []byte
}

func newVerification(r Request, secret, region string, at time.Time) *verification {
	v := &verification{rules: S3Rules(region), req: r, now: iam.At(at), sum: make([]byte, 0, 32)}
	c, err := v.rules.Parse(&v.req, v.now)
	if err != nil {
		panic(err)
	}
	day := DeriveDayKey(secret, c.Scope())
	h := newHasher()
	path, _ := h.readHead(&v.req)
	if err := h.canonicalise(&c, path); err != nil {
		panic(err)
	}
	h.stringToSign(&c)
	v.key, v.mac = NewSigningKey(day, c.Scope()), hmac.New(sha256.New, day[:])
	v.canonical, v.message = h.canonical, h.message
	return v
}

func (v *verification) run(tb testing.TB) {
	c, err := v.rules.Parse(&v.req, v.now)
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

// BenchmarkBody reads 8 MiB through each reader that hashes, in pieces of 32 KiB.
// The metric %-of-sha256 is its throughput as a share of reading and hashing the
// same bytes without any check, %-of-memory as a share of hashing them where they
// lie, without the copy that every reader makes.
func BenchmarkBody(b *testing.B) {
	data := strings.Repeat("0123456789abcdef", 8<<20/16)
	whole := alice.header(request("PUT", "/b/k"), hexSum(data))
	b.Run("whole", func(b *testing.B) { benchmarkBody(b, whole, data, data) })
	for _, size := range []int{64 << 10, 1 << 20} {
		for name, trailers := range map[string][]string{streamingSigned: nil, streamingSignedTrailer: {"x-amz-checksum-crc32"}} {
			s := alice.upload(data, size, name, trailers...)
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) { benchmarkBody(b, s.request, s.body(), data) })
		}
	}
}

func benchmarkBody(b *testing.B, r Request, wire, data string) {
	c, err := S3Rules("eu-west-1").Parse(&r, iam.At(now))
	if err != nil {
		b.Fatal(err)
	}
	key := DeriveSigningKey(alice.secret, c.Scope())
	v, err := c.Verify(&key)
	if err != nil {
		b.Fatal(err)
	}
	buffer, plain := make([]byte, 32<<10), []byte(data)
	ours, bare, memory := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for b.Loop() {
		start := time.Now()
		body, err := NewBody(&v, &key, strings.NewReader(wire))
		for err == nil {
			_, err = body.Read(buffer)
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		middle := time.Now()
		digest := sha256.New()
		for rest := plain; len(rest) > 0; rest = rest[len(buffer):] {
			digest.Write(rest[:copy(buffer, rest)])
		}
		end := time.Now()
		sha256.Sum256(plain)
		ours, bare, memory = min(ours, middle.Sub(start)), min(bare, end.Sub(middle)), min(memory, time.Since(end))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(100*float64(memory)/float64(ours), "%-of-memory")
	b.ReportMetric(100*float64(bare)/float64(ours), "%-of-sha256")
	b.ReportMetric(float64(len(data))/ours.Seconds()/1e6, "MB/s-verified")
}
