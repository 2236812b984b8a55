package sigv4

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/doorward/doorward/authz/head"
)

// hashState is the chaining value of SHA-256 after one block.
type hashState [sha256.Size]byte

// The state that crypto/sha256 marshals is a magic word, the chaining value, the
// buffered block and the length. A hashState is kept without the rest, which is
// the same for every key; TestHashStateLayout holds the standard library to it.
const (
	marshaledMagic  = 4
	marshaledLength = marshaledMagic + sha256.Size + sha256.BlockSize + 8
)

// stateAfter returns the state of SHA-256 after block.
func stateAfter(block *[sha256.BlockSize]byte) hashState {
	digest := sha256.New()
	digest.Write(block[:])
	text, err := digest.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil || len(text) != marshaledLength {
		panic("sigv4: crypto/sha256 marshals its state in another form")
	}
	return hashState(text[marshaledMagic:])
}

// resumable is what crypto/sha256.New returns.
type resumable interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// hasher is the working memory of one verification. Hashers are pooled, so that
// verifying allocates nothing; they hold no reference to a request between uses.
type hasher struct {
	digest resumable
	state  []byte // of digest, marshaled
	resume [marshaledLength]byte
	mac    [sha256.Size]byte
	outer  [sha256.BlockSize]byte // inner hash of an HMAC, and the padding behind it

	f         fields
	p         params
	fields    []head.Field // of the headers
	own       []head.Field // memory for it, where the caller does not say
	canonical []byte       // the canonical request
	message   []byte       // the string to sign
	names     []byte       // the decoded list of signed headers
	text      []byte       // the query parameters, encoded anew
	spans     []span       // where each lies in text
}

func newHasher() *hasher {
	digest := sha256.New().(resumable)
	h := &hasher{digest: digest}
	digest.Write(make([]byte, sha256.BlockSize))
	text, err := digest.AppendBinary(nil)
	if err != nil || len(text) != marshaledLength {
		panic("sigv4: crypto/sha256 marshals its state in another form")
	}
	h.state = text
	copy(h.resume[:], text)
	h.outer[sha256.Size] = padding[0]
	binary.BigEndian.PutUint64(h.outer[sha256.BlockSize-8:], (sha256.BlockSize+sha256.Size)*8)
	return h
}

var hashers = sync.Pool{New: func() any { return newHasher() }}

// readHead takes the head of a request apart, once. It returns the raw path, and false if
// the query is not well formed.
func (h *hasher) readHead(req *Request) (path string, ok bool) {
	if h.fields = req.Fields; len(h.fields) != len(req.Headers) {
		h.own = head.Read(h.own[:0], req.Headers)
		h.fields = h.own
	}
	h.f.scan(req.Headers, h.fields)
	path, query := splitTarget(req.Target)
	return path, h.scanQuery(query, &h.p)
}

// maxKept is how much of a buffer a pooled hasher keeps.
const maxKept = 16 << 10

// release puts h back, without the buffers of an unusually large request.
func (h *hasher) release() {
	if cap(h.canonical)+cap(h.text) > maxKept {
		h.canonical, h.text, h.spans = nil, nil, nil
	}
	h.f, h.p, h.fields = fields{}, params{}, nil
	hashers.Put(h)
}

// sum leaves the SHA-256 of h.canonical in sum.
func (h *hasher) sum(sum *[sha256.Size]byte) {
	h.digest.Reset()
	h.canonical = h.finish(sum[:], h.canonical, 0)
}

// hmac leaves the HMAC-SHA256 of h.message under key in h.mac.
func (h *hasher) hmac(key *SigningKey) {
	h.load(&key.inner)
	h.message = h.finish(h.outer[:sha256.Size], h.message, sha256.BlockSize)
	h.load(&key.outer)
	h.digest.Write(h.outer[:])
	h.read(h.mac[:])
}

// load puts the digest into the given state after one block.
func (h *hasher) load(state *hashState) {
	copy(h.resume[marshaledMagic:], state[:])
	if err := h.digest.UnmarshalBinary(h.resume[:]); err != nil {
		panic("sigv4: crypto/sha256 refuses its own state: " + err.Error())
	}
}

// finish hashes message behind the given number of bytes that the digest has
// taken, and leaves the hash in sum. It pads the message itself, in place, and
// returns it without the padding but with its memory.
func (h *hasher) finish(sum, message []byte, taken int) []byte {
	n := len(message)
	zeros := sha256.BlockSize - 1 - (n+8)%sha256.BlockSize
	message = append(message, padding[:1+zeros]...)
	message = binary.BigEndian.AppendUint64(message, uint64(taken+n)*8)
	h.digest.Write(message)
	h.read(sum)
	return message[:n]
}

// read leaves the state of the digest in sum, which after the padding is the hash.
// Sum would first copy the digest, to be able to go on.
func (h *hasher) read(sum []byte) {
	h.state, _ = h.digest.AppendBinary(h.state[:0])
	copy(sum, h.state[marshaledMagic:])
}

// padding ends a message of SHA-256 (FIPS 180-4, section 5.1.1).
var padding = [sha256.BlockSize]byte{0x80}
