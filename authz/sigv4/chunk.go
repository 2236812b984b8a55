package sigv4

import (
	"strings"

	"github.com/doorward/doorward/iam"
)

// Chain checks the signatures of an aws-chunked body one after the other, given
// only the hashes of the chunks: each signature covers the one before it, and the
// first covers that of the request. Source: Amazon S3 API Reference, "Signature
// calculations for the authorization header: transferring payload in multiple
// chunks". With SigV4A a signature is verified with the public key, and padded with
// stars that are no part of what the next one covers, as the clients of the AWS
// Common Runtime do. After a refusal the chain is spent and refuses everything.
type Chain struct {
	key      SigningKey
	public   *PublicKey // of a SigV4A chain; key is zero then
	scope    Scope
	date     string
	previous string
	spent    bool
}

// Chain starts the chunk chain of v at the signature of the request. The key is
// the one that v was verified with; with SigV4A it may be nil.
func (v *Verified) Chain(key *SigningKey) (Chain, error) {
	c := &v.cred
	switch c.body {
	case BodyStreaming, BodyStreamingTrailer:
		if !key.IsZero() && key.scope == c.scope {
			return Chain{key: *key, scope: c.scope, date: c.date, previous: c.signature}, nil
		}
	case BodyStreamingECDSA, BodyStreamingECDSATrailer:
		if v.public != nil {
			return Chain{public: v.public, scope: c.scope, date: c.date, previous: c.signature}, nil
		}
	}
	return Chain{}, c.internal("the signing key or the body mode does not belong to a chunk chain")
}

// ResumeChain starts a chain after the chunk, or the request, whose signature is
// previous (64 hexadecimal digits). The key's scope and signedAt are those of the
// request.
func ResumeChain(key *SigningKey, signedAt iam.Time, previous string) (Chain, error) {
	if _, ok := parseSum(previous); !ok || key.IsZero() {
		return Chain{}, errorf(InternalError, "We encountered an internal error: a chain resumes with a key after a signature of 64 hexadecimal digits.")
	}
	return Chain{key: *key, scope: key.scope, date: signedAt.Go().Format(basicISO), previous: previous}, nil
}

// Chunk checks the signature of the next chunk, given the SHA-256 of its data.
// The final chunk is checked like the others, with the hash of no data.
func (c *Chain) Chunk(sum [32]byte, signature string) error {
	return c.next("-PAYLOAD", true, sum, signature)
}

// Trailer checks the signature of the trailer, after that of the final chunk,
// given the SHA-256 of its canonical form: name, ":", value and a line feed for
// each trailer, in the order of their lower-case names.
func (c *Chain) Trailer(sum [32]byte, signature string) error {
	return c.next("-TRAILER", false, sum, signature)
}

// Previous returns the signature that the next one has to cover, with which a
// chain can be resumed.
func (c *Chain) Previous() string { return c.previous }

func (c *Chain) next(kind string, chunk bool, sum [32]byte, signature string) error {
	if c.spent || c.key.IsZero() && c.public == nil {
		return errorf(iam.SignatureDoesNotMatch, "The chunk chain is broken before this signature.")
	}
	h := hashers.Get().(*hasher)
	defer h.release()
	algorithm := algorithmHMAC
	if c.public != nil {
		algorithm = algorithmECDSA
	}
	h.message = append(append(append(h.message[:0], algorithm...), kind...), '\n')
	h.message = append(append(h.message, c.date...), '\n')
	h.message = append(c.scope.append(h.message), '\n')
	h.message = append(append(h.message, c.previous...), '\n')
	if chunk {
		h.message = append(append(h.message, emptySHA256...), '\n')
	}
	h.message = appendHex(h.message, &sum)
	holds := false
	if c.public != nil {
		if len(signature) <= maxECDSA {
			signature = strings.TrimRight(signature, "*")
		}
		holds = c.public.signed(h.message, signature)
	} else {
		h.hmac(&c.key)
		holds = h.matches(signature)
	}
	if !holds {
		c.spent = true
		return errorf(iam.SignatureDoesNotMatch, "The signature of a chunk or trailer does not match what was computed.")
	}
	c.previous = signature
	return nil
}
