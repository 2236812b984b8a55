// Package sealedfile keeps chunks of bytes in a file that only the holder of a key
// can read, and that can be appended to.
//
// Whoever alters a chunk, or takes one out, ends the file there for the reader;
// whoever cuts the end off gives the reader an older file. What is in it therefore
// has to say by itself how old it is.
package sealedfile

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// A file, integers big-endian:
//
//	4   "DWSF"
//	1   version, 1
//	16  salt, random
//	    chunks: 4 length of what follows, n AES-256-GCM ciphertext, 16 tag
//
// The key is the file's own, derived with the salt, and the nonce is the number of
// the chunk, so that chunks cannot be moved within a file or between files. The
// header is authenticated with each chunk.
const (
	magic      = "DWSF"
	version    = 1
	headerSize = len(magic) + 1 + saltSize
	saltSize   = 16
	nonceSize  = 12
	tagSize    = 16
)

// MaxChunk is the size of the largest chunk, in bytes.
const MaxChunk = 64 << 20

// ErrFormat says that a file is none of these, or that another key sealed it.
var ErrFormat = errors.New("sealedfile: not a file of this key")

// Deriver gives bytes that are bound to a purpose; *seal.Root is one.
type Deriver interface {
	Derive(purpose string, size int) []byte
}

// sealer numbers chunks.
type sealer struct {
	aead   cipher.AEAD
	header []byte
	next   uint64
}

func newSealer(key Deriver, header []byte) (*sealer, error) {
	block, err := aes.NewCipher(key.Derive("sealed file 1 "+hex.EncodeToString(header[len(magic)+1:]), 32))
	if err != nil {
		return nil, fmt.Errorf("sealedfile: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("sealedfile: %w", err)
	}
	return &sealer{aead: aead, header: header}, nil
}

func (s *sealer) nonce() []byte {
	n := make([]byte, nonceSize)
	binary.BigEndian.PutUint64(n[nonceSize-8:], s.next)
	s.next++
	return n
}

// Writer appends chunks.
type Writer struct {
	*sealer
	out io.Writer
	buf []byte
}

// NewWriter begins a file.
func NewWriter(out io.Writer, key Deriver) (*Writer, error) {
	header := append([]byte(magic), version)
	header = append(header, make([]byte, saltSize)...)
	rand.Read(header[len(magic)+1:])
	s, err := newSealer(key, header)
	if err != nil {
		return nil, err
	}
	if _, err := out.Write(header); err != nil {
		return nil, err
	}
	return &Writer{sealer: s, out: out}, nil
}

// Append writes a chunk, which is not empty. After an error the file must not be
// appended to any more.
func (w *Writer) Append(chunk []byte) (size int, err error) {
	if len(chunk) == 0 || len(chunk) > MaxChunk {
		return 0, fmt.Errorf("sealedfile: chunk of %d bytes, 1 to %d are possible", len(chunk), MaxChunk)
	}
	w.buf = binary.BigEndian.AppendUint32(w.buf[:0], uint32(len(chunk)+tagSize))
	w.buf = w.aead.Seal(w.buf, w.nonce(), chunk, w.header)
	return w.out.Write(w.buf)
}

// Reader reads chunks.
type Reader struct {
	*sealer
	in  *bufio.Reader
	buf []byte
}

// NewReader reads the header. The error is [ErrFormat] or the stream's.
func NewReader(in io.Reader, key Deriver) (*Reader, error) {
	buffered := bufio.NewReaderSize(in, 256<<10)
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(buffered, header); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if string(header[:len(magic)]) != magic || header[len(magic)] != version {
		return nil, ErrFormat
	}
	s, err := newSealer(key, header)
	if err != nil {
		return nil, err
	}
	return &Reader{sealer: s, in: buffered}, nil
}

// Next returns the next chunk, valid until the following call. The error is io.EOF
// at the end: there is nothing more, or nothing more that holds.
func (r *Reader) Next() ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r.in, length[:]); err != nil {
		return nil, io.EOF
	}
	n := int(binary.BigEndian.Uint32(length[:]))
	if n <= tagSize || n > MaxChunk+tagSize {
		return nil, io.EOF
	}
	if err := r.fill(n); err != nil {
		return nil, io.EOF
	}
	chunk, err := r.aead.Open(r.buf[:0], r.nonce(), r.buf, r.header)
	if err != nil {
		return nil, io.EOF
	}
	return chunk, nil
}

// fill reads n bytes, and grows the buffer by what has arrived, not by what was
// promised.
func (r *Reader) fill(n int) error {
	const step = 1 << 20
	r.buf = r.buf[:0]
	for len(r.buf) < n {
		at, part := len(r.buf), min(n-len(r.buf), step)
		r.buf = append(r.buf, make([]byte, part)...)
		if _, err := io.ReadFull(r.in, r.buf[at:]); err != nil {
			return err
		}
	}
	return nil
}
