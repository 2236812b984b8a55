package sigv4

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"strings"

	"github.com/doorward/doorward/authz/head"
	"github.com/doorward/doorward/iam"
)

// Bounds of an aws-chunked body. A chunk line holds a size and a signature; S3
// knows a handful of trailers, each with a short value.
const (
	chunkBuffer   = 4 << 10 // also the longest line
	maxChunkLine  = 256
	maxTrailers   = 16
	maxSizeDigits = 15 // 60 bits, which no int64 overflows
)

// chunkedBody takes the aws-chunked framing off a body and checks all that it
// carries.
//
//	chunk   = hex-size [";chunk-signature=" signature] CRLF data CRLF
//	last    = "0" [";chunk-signature=" signature] CRLF trailers CRLF
//	trailer = name ":" value CRLF
type chunkedBody struct {
	src       *bufio.Reader
	chain     *Chain // nil if the chunks are not signed
	left      int64  // payload bytes announced and not yet begun
	chunk     int64  // bytes left in the current chunk
	inside    bool   // a chunk has begun and its end is not checked yet
	digest    hash.Hash
	signature string // of the current chunk
	trailer   *trailer
}

func newChunkedBody(c *Credential, f *fields, chain *Chain, src io.Reader) (*Body, error) {
	length := f.value(head.DecodedContentLength)
	if length == "" {
		return nil, errorf(MissingContentLength, "You must provide the x-amz-decoded-content-length HTTP header.")
	}
	left, ok := parseLength(length)
	if !ok {
		return nil, errorf(InvalidRequest, "x-amz-decoded-content-length must be a decimal number of bytes.")
	}
	b := &chunkedBody{src: bufio.NewReaderSize(src, chunkBuffer), chain: chain, left: left}
	if chain != nil {
		b.digest = sha256.New()
	}
	var err error
	b.trailer, err = newTrailer(c.body, f.value(head.Trailer))
	return &Body{mode: b}, err
}

// Read returns data of the current chunk, after checking the chunk before it.
func (b *chunkedBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for b.chunk == 0 {
		if err := b.endChunk(); err != nil {
			return 0, err
		}
		last, err := b.beginChunk()
		if err != nil {
			return 0, err
		}
		if last {
			return 0, b.end()
		}
	}
	n, err := b.src.Read(p[:min(int64(len(p)), b.chunk)])
	b.chunk -= int64(n)
	if b.digest != nil {
		b.digest.Write(p[:n])
	}
	b.trailer.write(p[:n])
	if err != nil {
		err = cut(err)
	}
	return n, err
}

// beginChunk reads the line before a chunk. A size beyond what is announced is
// refused here: a chunk that never ends would never have its signature checked.
func (b *chunkedBody) beginChunk() (last bool, err error) {
	line, err := b.line()
	if err != nil {
		return false, err
	}
	text, crlf := bytes.CutSuffix(line, []byte("\r"))
	digits, extension, _ := bytes.Cut(text, []byte(";"))
	size, ok := parseChunkSize(digits)
	signature, signed := strings.CutPrefix(string(extension), "chunk-signature=")
	switch {
	case !ok || !crlf || len(line) > maxChunkLine:
		return false, incomplete("a chunk must begin with its size in hexadecimal, a line of at most %d bytes ended by CRLF", maxChunkLine)
	case b.chain == nil && len(text) != len(digits):
		return false, incomplete("the chunks of an unsigned body carry no extension")
	case b.chain != nil && !signed:
		return false, errorf(iam.SignatureDoesNotMatch, "Every chunk of a signed body must carry its chunk-signature.")
	case size > b.left:
		return false, incomplete("a chunk goes beyond x-amz-decoded-content-length")
	case size == 0 && b.left > 0:
		return false, incomplete("the final chunk comes %d bytes before x-amz-decoded-content-length", b.left)
	}
	b.chunk, b.left, b.signature, b.inside = size, b.left-size, signature, size > 0
	return size == 0, nil
}

// endChunk reads the line break after the data of a chunk and checks its
// signature.
func (b *chunkedBody) endChunk() error {
	if !b.inside {
		return nil
	}
	b.inside = false
	line, err := b.line()
	if err != nil {
		return err
	}
	if string(line) != "\r" {
		return incomplete("the data of a chunk must be followed by CRLF")
	}
	return b.checkChunk()
}

func (b *chunkedBody) checkChunk() error {
	if b.chain == nil {
		return nil
	}
	var sum [sha256.Size]byte
	b.digest.Sum(sum[:0])
	b.digest.Reset()
	return b.chain.Chunk(sum, b.signature)
}

// end checks the final chunk and what comes after it, and returns io.EOF if all
// is as announced and nothing follows.
func (b *chunkedBody) end() error {
	if err := b.checkChunk(); err != nil {
		return err
	}
	if err := b.trailer.read(b); err != nil {
		return err
	}
	switch _, err := b.src.ReadByte(); {
	case err == nil:
		return incomplete("there is more after the final chunk")
	case err != io.EOF:
		return cut(err)
	}
	return io.EOF
}

// line reads up to the next line feed and returns what is before it, good until
// the next read.
func (b *chunkedBody) line() ([]byte, error) {
	line, err := b.src.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, incomplete("a line of the chunk framing is longer than %d bytes", chunkBuffer)
	}
	if err != nil {
		return nil, cut(err)
	}
	return line[:len(line)-1], nil
}

// parseChunkSize reads a size of 1 to maxSizeDigits hexadecimal digits, which
// cannot overflow.
func parseChunkSize(digits []byte) (size int64, ok bool) {
	if len(digits) == 0 || len(digits) > maxSizeDigits {
		return 0, false
	}
	for _, c := range digits {
		d := hexDigit[c]
		if d > 0x0F {
			return 0, false
		}
		size = size<<4 | int64(d)
	}
	return size, true
}
