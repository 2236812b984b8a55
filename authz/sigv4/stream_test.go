package sigv4

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/doorward/doorward/iam"
	"pgregory.net/rapid"
)

// streamings are all forms of aws-chunked bodies.
var streamings = []string{streamingSigned, streamingSignedTrailer, streamingUnsignedTrailer, streamingECDSA, streamingECDSATrailer}

// genUpload is a sound upload in any of them.
var genUpload = rapid.Custom(func(t *rapid.T) stream {
	return genUploadAs(rapid.SampledFrom(streamings).Draw(t, "payload")).Draw(t, "upload")
})

func genUploadAs(payload string) *rapid.Generator[stream] {
	return rapid.Custom(func(t *rapid.T) stream { return drawUpload(t, payload) })
}

func drawUpload(t *rapid.T, payload string) stream {
	data := rapid.StringN(0, 400, 400).Draw(t, "data")
	var trailers []string
	if payload != streamingSigned && payload != streamingECDSA {
		all := []string{"x-amz-checksum-crc32", "x-amz-checksum-crc32c", "x-amz-checksum-crc64nvme", "x-amz-checksum-sha1", "x-amz-checksum-sha256"}
		trailers = rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, 3, rapid.ID).Draw(t, "trailers")
	}
	return alice.upload(data, rapid.IntRange(8, 100).Draw(t, "size"), payload, trailers...)
}

// TestSoundStreamsAreDone: whatever the chunk size, and however the network cuts
// the stream, the data comes out whole.
func TestSoundStreamsAreDone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genUpload.Draw(t, "upload")
		var want strings.Builder
		for _, c := range s.chunks {
			want.WriteString(c.data)
		}
		for _, reader := range []io.Reader{
			strings.NewReader(s.body()), iotest.OneByteReader(strings.NewReader(s.body())),
			iotest.DataErrReader(strings.NewReader(s.body())), iotest.HalfReader(strings.NewReader(s.body())),
		} {
			if data, err := receive(s.request, reader); err != nil || data != want.String() {
				t.Fatalf("%d of %d bytes, %v", len(data), want.Len(), err)
			}
		}
	})
}

// damage changes a stream as an attacker on the wire could, and says how. It
// leaves streams alone that it cannot change in that way.
func damage(t *rapid.T, s stream) (body, how string) {
	sound := s.body()
	s.chunks, s.trailer = slices.Clone(s.chunks), slices.Clone(s.trailer)
	n := len(s.chunks)
	pick := func(what string, below int) int { return rapid.IntRange(0, below-1).Draw(t, what) }
	how = rapid.SampledFrom([]string{"cut", "reorder", "duplicate", "drop", "lengthen", "append", "flip", "splice", "retrailer", "droptrailer", "merge"}).Draw(t, "how")
	switch how {
	case "cut":
		return sound[:pick("at", len(sound))], how
	case "reorder":
		i, j := pick("i", n), pick("j", n)
		s.chunks[i], s.chunks[j] = s.chunks[j], s.chunks[i]
	case "duplicate":
		i := pick("i", n)
		s.chunks = slices.Insert(s.chunks, i, s.chunks[i])
	case "drop":
		s.chunks = slices.Delete(s.chunks, pick("i", n), n)
	case "lengthen":
		i := pick("i", n)
		s.chunks[i].data += rapid.StringN(1, 20, 20).Draw(t, "more")
	case "append":
		return sound + rapid.StringN(1, 20, 20).Draw(t, "more"), how
	case "flip":
		at := pick("at", len(sound))
		return sound[:at] + string(sound[at]^byte(1<<pick("bit", 8))) + sound[at+1:], how
	case "splice":
		i, j := pick("i", len(sound)), pick("j", len(sound))
		return sound[:min(i, j)] + sound[max(i, j):], how
	case "retrailer":
		if len(s.trailer) > 0 {
			i := pick("i", len(s.trailer))
			name, value, _ := strings.Cut(s.trailer[i], ":")
			at := pick("at", len(value))
			s.trailer[i] = name + ":" + value[:at] + string("A0"[pick("c", 2)]) + value[at+1:]
		}
	case "droptrailer":
		if len(s.trailer) > 0 {
			s.trailer = slices.Delete(s.trailer, pick("i", len(s.trailer)), len(s.trailer))
		}
	case "merge":
		other := genUpload.Draw(t, "other")
		s.chunks[pick("i", n)] = other.chunks[pick("j", len(other.chunks))]
	}
	return s.body(), how
}

// TestDamagedStreamsAreNeverDone: a stream that is cut, reordered, duplicated,
// lengthened, spliced, or that has a wrong trailer never reaches its end; unless
// the damage leaves its meaning alone, and then the data is whole.
func TestDamagedStreamsAreNeverDone(t *testing.T) {
	for _, payload := range streamings {
		t.Run(payload, func(t *testing.T) { neverDoneWhenDamaged(t, payload) })
	}
}

func neverDoneWhenDamaged(t *testing.T, payload string) {
	refusedAs := map[iam.Code]int{}
	rapid.Check(t, func(t *rapid.T) {
		s := genUploadAs(payload).Draw(t, "upload")
		var want strings.Builder
		for _, c := range s.chunks {
			want.WriteString(c.data)
		}
		body, how := damage(t, s)
		data, err := receive(s.request, strings.NewReader(body))
		refusedAs[code(err)]++
		if err == nil && (data != want.String() || !sameMeaning(body, s.body())) {
			t.Fatalf("%s: accepted\n%q\ninstead of\n%q", how, body, s.body())
		}
		var refusal *Error
		if err != nil && !errors.As(err, &refusal) {
			t.Fatalf("%s: %v has no code", how, err)
		}
	})
	wrong := iam.SignatureDoesNotMatch
	if payload == streamingUnsignedTrailer {
		wrong = BadDigest
	}
	if refusedAs[wrong] == 0 || refusedAs[IncompleteBody] == 0 {
		t.Errorf("the damage was of one kind only: %v", refusedAs)
	}
}

// sameMeaning compares bodies but for what the framing leaves open: the case of
// hexadecimal sizes and trailer names, blanks around trailer values, the CR of
// trailer lines, the padding of SigV4A signatures.
func sameMeaning(a, b string) bool {
	plain := func(s string) string {
		return strings.NewReplacer(" ", "", "\t", "", "\r", "", "*", "").Replace(strings.ToLower(s))
	}
	return plain(a) == plain(b)
}

// TestNothingOfAChunkIsDoneBeforeItsSignature: the data of a damaged chunk may
// stream out, but no read reports the end.
func TestNothingOfAChunkIsDoneBeforeItsSignature(t *testing.T) {
	s := alice.upload("hello world", 5, streamingSigned)
	s.chunks[1].data = " WORL"
	data, err := receive(s.request, strings.NewReader(s.body()))
	if code(err) != iam.SignatureDoesNotMatch || data != "hello WORL" {
		t.Errorf("%q, %v", data, err)
	}
}

// TestBodyErrorsAreFinal: after a refusal a body stays refused.
func TestBodyErrorsAreFinal(t *testing.T) {
	s := alice.upload("hello", 5, streamingSigned)
	c, _ := S3Rules("eu-west-1").Parse(&s.request, iam.At(now))
	key := DeriveSigningKey(alice.secret, c.Scope())
	v, err := c.Verify(&key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBody(&v, &key, strings.NewReader(strings.Replace(s.body(), "hello", "hallo", 1)+s.body()))
	if err != nil {
		t.Fatal(err)
	}
	_, first := io.Copy(io.Discard, b)
	_, again := b.Read(make([]byte, 10))
	if first == nil || again != first || b.Done() {
		t.Errorf("first %v, then %v, done %v", first, again, b.Done())
	}
}

// TestReaderErrorsPassThrough: a broken connection is no refusal of the client.
func TestReaderErrorsPassThrough(t *testing.T) {
	broken := errors.New("connection reset")
	for _, payload := range []string{unsignedPayload, streamingSigned} {
		s := alice.upload("hello", 5, payload)
		_, err := receive(s.request, io.MultiReader(strings.NewReader(s.body()[:3]), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("%s: %v", payload, err)
		}
	}
	_, err := receive(alice.header(request("PUT", "/b/k"), unsignedPayload), iotest.ErrReader(io.ErrUnexpectedEOF))
	if code(err) != IncompleteBody {
		t.Errorf("a body cut by net/http: %v", err)
	}
}

// TestMinioTrailer is the form of minio-go: LF behind the trailer, an empty line
// before its signature.
func TestMinioTrailer(t *testing.T) {
	s := alice.upload("hello", 5, streamingSignedTrailer, "x-amz-checksum-crc32")
	body := strings.Replace(s.body(), "\r\nx-amz-trailer-signature", "\n\r\nx-amz-trailer-signature", 1)
	if data, err := receive(s.request, strings.NewReader(body)); err != nil || data != "hello" {
		t.Errorf("%q, %v", data, err)
	}
}

// TestMinioUnsignedTrailer is the same without a signature: the empty line too many
// is at the end, and nothing may follow it.
func TestMinioUnsignedTrailer(t *testing.T) {
	s := alice.upload("hello", 5, streamingUnsignedTrailer, "x-amz-checksum-crc64nvme")
	minio := strings.TrimSuffix(s.body(), "\r\n\r\n") + "\n\r\n\r\n"
	if data, err := receive(s.request, strings.NewReader(minio)); err != nil || data != "hello" {
		t.Errorf("%q, %v", data, err)
	}
	for name, body := range map[string]string{
		"an empty line too many after CRLF": s.body() + "\r\n",
		"two empty lines too many":          minio + "\r\n",
		"a line feed too many":              minio + "\n",
		"something behind the empty line":   minio + "0",
	} {
		_, err := receive(s.request, strings.NewReader(body))
		rejected(t, name, err, IncompleteBody)
	}
}

// TestChainByHashes is the way of a sidecar that sees hashes only: each chunk is
// checked by the sum of its data, and the chain can be resumed between any two.
func TestChainByHashes(t *testing.T) {
	s := alice.upload("hello world", 5, streamingSignedTrailer, "x-amz-checksum-crc32")
	c, _ := S3Rules("eu-west-1").Parse(&s.request, iam.At(now))
	key := DeriveSigningKey(alice.secret, c.Scope())
	v, err := c.Verify(&key)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := v.Chain(&key)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range s.chunks {
		signature := strings.TrimSuffix(p.head[strings.Index(p.head, "=")+1:], "\r\n")
		broken := chain
		if err := broken.Chunk(sha256.Sum256([]byte(p.data+"x")), signature); code(err) != iam.SignatureDoesNotMatch {
			t.Errorf("chunk %d with other data: %v", i, err)
		}
		if err := broken.Chunk(sha256.Sum256([]byte(p.data)), signature); code(err) != iam.SignatureDoesNotMatch {
			t.Errorf("chunk %d after a refusal: %v", i, err)
		}
		resumed, err := ResumeChain(&key, v.SignedAt(), chain.Previous())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(chain.Chunk(sha256.Sum256([]byte(p.data)), signature), resumed.Chunk(sha256.Sum256([]byte(p.data)), signature)); err != nil {
			t.Errorf("chunk %d: %v", i, err)
		}
	}
	signature := s.trailer[1][strings.Index(s.trailer[1], ":")+1:]
	if err := chain.Trailer(sha256.Sum256([]byte(s.trailer[0]+"\n")), signature); err != nil {
		t.Errorf("trailer: %v", err)
	}
	var zero Chain
	if zero.Chunk(sha256.Sum256(nil), signature) == nil {
		t.Error("a zero chain accepts")
	}
	if _, err := ResumeChain(&key, v.SignedAt(), "short"); err == nil {
		t.Error("a chain resumes at half a signature")
	}
	if _, err := ResumeChain(&SigningKey{}, v.SignedAt(), signature); err == nil {
		t.Error("a chain resumes without a key")
	}
}

// TestChunksTakeConstantMemory: reading a large chunk allocates nothing per byte.
func TestChunksTakeConstantMemory(t *testing.T) {
	s := alice.upload(strings.Repeat("x", 1<<20), 1<<20, streamingSigned)
	body := []byte(s.body())
	c, _ := S3Rules("eu-west-1").Parse(&s.request, iam.At(now))
	key := DeriveSigningKey(alice.secret, c.Scope())
	v, err := c.Verify(&key)
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 32<<10)
	allocations := testing.AllocsPerRun(20, func() {
		b, err := NewBody(&v, &key, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = b.Read(buffer)
		}
		if err != io.EOF {
			t.Fatal(err)
		}
	})
	if countAllocations && allocations > 12 {
		t.Errorf("%v allocations for a body", allocations)
	}
}
