package sigv4

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"slices"
	"strings"

	"github.com/doorward/doorward/iam"
)

// piece is one chunk of an aws-chunked body as it is on the wire.
type piece struct{ head, data, tail string }

// stream is an aws-chunked body in parts that tests can move about: chunks, the
// final chunk among them, then the trailer.
type stream struct {
	request Request
	chunks  []piece
	trailer []string // lines without their ends
}

func (s stream) body() string {
	var out strings.Builder
	for _, c := range s.chunks {
		out.WriteString(c.head + c.data + c.tail)
	}
	for _, line := range s.trailer {
		out.WriteString(line + "\r\n")
	}
	out.WriteString("\r\n")
	return out.String()
}

// upload signs a PUT of data in chunks of the given size. The payload is one of
// the STREAMING- words and trailers are the names of checksums.
func (c client) upload(data string, size int, payload string, trailers ...string) stream {
	headers := []Header{{"Content-Encoding", "aws-chunked"}, {"X-Amz-Decoded-Content-Length", fmt.Sprint(len(data))}}
	if len(trailers) > 0 {
		headers = append(headers, Header{"X-Amz-Trailer", strings.Join(trailers, ",")})
	}
	chain, sign := c.chain, c.header
	if strings.HasPrefix(payload, "STREAMING-AWS4-ECDSA") {
		chain, sign = c.chainECDSA, c.headerECDSA
	}
	s := stream{request: sign(request("PUT", "/b/k", headers...), payload)}
	signed := payload != streamingUnsignedTrailer && payload != unsignedPayload
	authorization := s.request.Headers[len(s.request.Headers)-1].Value
	previous := authorization[strings.Index(authorization, "Signature=")+len("Signature="):]
	for rest := data; ; {
		n := min(size, len(rest))
		head := fmt.Sprintf("%x", n)
		if signed {
			previous = strings.TrimRight(previous, "*")
			previous = chain("PAYLOAD", previous, emptyHash+"\n"+hexSum(rest[:n]))
			head += ";chunk-signature=" + previous
		}
		if n == 0 {
			s.chunks = append(s.chunks, piece{head: head + "\r\n"})
			break
		}
		s.chunks = append(s.chunks, piece{head + "\r\n", rest[:n], "\r\n"})
		rest = rest[n:]
	}
	var canonical string
	slices.Sort(trailers)
	for _, name := range trailers {
		value := reference(name, data)
		s.trailer = append(s.trailer, name+":"+value)
		canonical += name + ":" + value + "\n"
	}
	if signed && len(trailers) > 0 {
		s.trailer = append(s.trailer, "x-amz-trailer-signature:"+chain("TRAILER", strings.TrimRight(previous, "*"), hexSum(canonical)))
	}
	return s
}

// chain is the signature of a chunk or trailer.
func (c client) chain(kind, previous, rest string) string {
	text := "AWS4-HMAC-SHA256-" + kind + "\n" + c.date() + "\n" + c.scope() + "\n" + previous + "\n" + rest
	return hex.EncodeToString(mac(c.key(), text))
}

// chainECDSA is the same of SigV4A, padded with stars as the AWS Common Runtime does.
func (c client) chainECDSA(kind, previous, rest string) string {
	signature := c.signECDSA("AWS4-ECDSA-P256-SHA256-" + kind + "\n" + c.date() + "\n" + c.scopeECDSA() + "\n" + previous + "\n" + rest)
	return signature + strings.Repeat("*", 144-len(signature))
}

// reference is the checksum called name of data.
func reference(name, data string) string {
	var h hash.Hash
	switch name {
	case "x-amz-checksum-crc32":
		h = crc32.NewIEEE()
	case "x-amz-checksum-crc32c":
		h = crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "x-amz-checksum-crc64nvme":
		h = crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5))
	case "x-amz-checksum-sha1":
		h = sha1.New()
	case "x-amz-checksum-sha256":
		h = sha256.New()
	}
	io.WriteString(h, data)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// receive verifies request and body, and returns the data if it is done.
func receive(r Request, body io.Reader) (string, error) {
	c, err := S3Rules("eu-west-1").Parse(&r, iam.At(now))
	if err != nil {
		return "", err
	}
	key := DeriveSigningKey(alice.secret, c.Scope())
	var v Verified
	switch {
	case c.Kind() == Anonymous:
		v, err = c.Admit()
	case c.Algorithm() == ECDSAP256:
		v, err = c.VerifyECDSA(alicePublic)
	default:
		v, err = c.Verify(&key)
	}
	if err != nil {
		return "", err
	}
	b, err := NewBody(&v, &key, body)
	if err != nil {
		return "", err
	}
	var data bytes.Buffer
	_, err = io.Copy(&data, b)
	if err == nil != b.Done() {
		panic("Done does not agree with the end of the body")
	}
	return data.String(), err
}
