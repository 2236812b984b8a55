package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/doorward/doorward/authz/head"
)

// Body reads the body of a verified request. It ends with io.EOF only if
// everything that the request signs or announces about the body holds: hash,
// chunk signatures, length, final chunk, trailers and checksums. Any other end is
// an *Error, or the error of the underlying reader; then nothing that was read so
// far may become visible to anybody, since it is handed out as it streams, before
// the chunk or body that it belongs to is complete. Memory is constant.
type Body struct {
	mode io.Reader
	err  error
}

// NewBody returns the reader that v's body mode asks for, over the body as it is
// on the wire after transfer decoding. The key is needed for the streaming modes
// signed with HMAC and may be nil otherwise.
func NewBody(v *Verified, key *SigningKey, body io.Reader) (*Body, error) {
	if !v.Valid() {
		return nil, errorf(InternalError, "We encountered an internal error: a body needs a verified request.")
	}
	c := &v.cred
	if c.form != nil || c.req == nil {
		return nil, c.internal("the body of a form is read with Form.File, that of an attested request by the server itself")
	}
	f := scanned(c.req.Headers)
	switch c.body {
	case BodySigned, BodyUnsigned:
		return newPlainBody(c, f.value(head.ContentLength), body)
	case BodyStreaming, BodyStreamingTrailer, BodyStreamingECDSA, BodyStreamingECDSATrailer:
		chain, err := v.Chain(key)
		if err != nil {
			return nil, err
		}
		return newChunkedBody(c, &f, &chain, body)
	case BodyUnsignedTrailer:
		return newChunkedBody(c, &f, nil, body)
	}
	return nil, invalidPayload()
}

// Read implements io.Reader. After its first error it returns that error again.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.mode.Read(p)
	b.err = err
	return n, err
}

// Done reports whether the body has been read to its verified end.
func (b *Body) Done() bool { return b.err == io.EOF }

// plainBody is a body without framing: signed as a whole, or not at all.
type plainBody struct {
	src    io.Reader
	digest hash.Hash // nil if the body is not signed
	want   [sha256.Size]byte
	length int64 // announced, -1 if it is not
	read   int64
}

func newPlainBody(c *Credential, contentLength string, src io.Reader) (*Body, error) {
	b := &plainBody{src: src, length: -1}
	switch {
	case c.body == BodyUnsigned:
	case c.query:
		b.digest, b.want = sha256.New(), c.req.Body.sum
	default:
		b.digest = sha256.New()
		var ok bool
		if b.want, ok = parseSum(c.payload); !ok {
			return nil, invalidPayload()
		}
	}
	if contentLength != "" {
		var ok bool
		if b.length, ok = parseLength(contentLength); !ok {
			return nil, errorf(InvalidRequest, "Content-Length must be a decimal number of bytes.")
		}
	}
	return &Body{mode: b}, nil
}

func (b *plainBody) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	b.read += int64(n)
	if b.digest != nil {
		b.digest.Write(p[:n])
	}
	if err == io.EOF {
		err = b.end()
	} else if err != nil {
		err = cut(err)
	}
	return n, err
}

// end returns io.EOF if the body is what was announced.
func (b *plainBody) end() error {
	if b.digest != nil {
		if sum := b.digest.Sum(nil); [sha256.Size]byte(sum) != b.want {
			return errorf(XAmzContentSHA256Mismatch, "The provided 'x-amz-content-sha256' header does not match what was computed.").
				with("ClientComputedContentSHA256", hex.EncodeToString(b.want[:])).
				with("S3ComputedContentSHA256", hex.EncodeToString(sum))
		}
	}
	if b.length >= 0 && b.length != b.read {
		return incomplete("the body has %d bytes, Content-Length says %d", b.read, b.length)
	}
	return io.EOF
}

// cut turns the error of a body that ends too early into its refusal.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return incomplete("the body ends too early")
	}
	return fmt.Errorf("sigv4: read body: %w", err)
}

func incomplete(format string, args ...any) *Error {
	return errorf(IncompleteBody, "You did not provide the number of bytes specified by the headers: "+format+".", args...)
}
