package protocol

import "fmt"

// Pair is a header field, or a condition key with one of its values: a key with
// several values is several pairs. It is an alias, so that a slice of them can be
// shared with packages that name the same two fields.
type Pair = struct{ Name, Value string }

// TLS says how the client's request reached the S3 server.
type TLS uint8

// The values of TLS.
const (
	Plain      TLS = 0
	TLSUnknown TLS = 1
	TLS12      TLS = 12
	TLS13      TLS = 13
)

// Check is the raw depth: the request as the S3 server received it. The sidecar
// does everything.
type Check struct {
	MinIndex uint64 // wait until this log index is applied; zero: do not wait
	TLS      TLS
	Method   string
	Target   string // request-target of the request line, byte for byte
	Remote   string // address of the client: "192.0.2.1", "2001:db8::1", with or without port
	Headers  []Pair // as received, in order, Host among them
	// BodySum is the SHA-256 of a body that the server has read in full;
	// meaningful if HasBodySum.
	BodySum    [32]byte
	HasBodySum bool
	// Body is the whole body, for operations that name objects in it
	// (DeleteObjects); meaningful if HasBody. aws-chunked framing is removed.
	Body    string
	HasBody bool
	// Each asks for an answer for each object that the body names, with Answer.Each
	// set, so that one denial does not fail the others. There is one answer, without
	// it, if the request is refused as a whole or names no list. Such a check has to be
	// the only item of its frame, since the number of its answers is not known before.
	Each bool
	// What the S3 server knows and the store may not. Empty fields say nothing.
	BucketAccount string // account that owns the bucket
	BucketPolicy  string // bucket policy document
	Facts         []Pair // condition keys, such as s3:ExistingObjectTag/class
}

const (
	hasBodySum = 1 << 0
	hasBody    = 1 << 1
	wantsEach  = 1 << 2
)

// Append appends c as one item of a check frame.
func (c *Check) Append(b []byte) ([]byte, error) {
	w := writer{b: b}
	item := w.begin()
	w.u64(c.MinIndex)
	w.u8(uint8(c.TLS))
	w.u8(bit(c.HasBodySum, hasBodySum) | bit(c.HasBody, hasBody) | bit(c.Each, wantsEach))
	w.digest(&c.BodySum)
	w.text(c.Method)
	w.text(c.Target)
	w.text(c.Remote)
	w.pairs(c.Headers, MaxHeaders)
	w.text(c.BucketAccount)
	w.text(c.BucketPolicy)
	w.pairs(c.Facts, MaxPairs)
	w.blob(c.Body)
	w.end(item)
	return w.done(len(b), "check")
}

func (c *Check) read(r reader) (err error) {
	headers, facts := c.Headers[:0], c.Facts[:0]
	*c = Check{MinIndex: r.u64(), TLS: TLS(r.u8())}
	flags := r.u8()
	c.HasBodySum, c.HasBody, c.Each = flags&hasBodySum != 0, flags&hasBody != 0, flags&wantsEach != 0
	c.BodySum = r.digest()
	c.Method, c.Target, c.Remote = r.text(), r.text(), r.text()
	if c.Headers, err = r.pairs(headers, MaxHeaders, "headers"); err != nil {
		return err
	}
	c.BucketAccount, c.BucketPolicy = r.text(), r.text()
	if c.Facts, err = r.pairs(facts, MaxPairs, "facts"); err != nil {
		return err
	}
	c.Body = r.blob()
	return r.err("check")
}

// Scope is a credential scope.
type Scope struct{ Date, Region, Service string }

func (s Scope) append(w *writer) {
	w.text(s.Date)
	w.text(s.Region)
	w.text(s.Service)
}

func readScope(r *reader) Scope { return Scope{r.text(), r.text(), r.text()} }

// Context is one question about a verified caller.
type Context struct {
	Action     string // "s3:GetObject"
	Resource   string // "arn:aws:s3:::bucket/key"
	Conditions []Pair // beyond those of the Verify
}

// Verify is the middle depth: the S3 server has built the string to sign, and
// knows which actions it is about to do. One answer comes back for each context.
type Verify struct {
	MinIndex     uint64
	AccessKey    string
	Token        string
	StringToSign string // four lines; the scope is in the third
	Signature    [32]byte
	// Presigned says that the credential came in the query string, with the given
	// X-Amz-Expires in seconds.
	Presigned bool
	Expires   uint32
	// Payload is the last line of the canonical request: a hash or the word that
	// stands for one.
	Payload       string
	Remote        string
	TLS           TLS
	Conditions    []Pair // condition keys that all contexts share
	BucketAccount string
	BucketPolicy  string
	Contexts      []Context
}

const isPresigned = 1 << 0

// Append appends v as one item of a verify frame.
func (v *Verify) Append(b []byte) ([]byte, error) {
	w := writer{b: b}
	item := w.begin()
	w.u64(v.MinIndex)
	w.u8(uint8(v.TLS))
	w.u8(bit(v.Presigned, isPresigned))
	w.text(v.AccessKey)
	w.text(v.Token)
	w.text(v.StringToSign)
	w.digest(&v.Signature)
	w.u32(v.Expires)
	w.text(v.Payload)
	w.text(v.Remote)
	w.pairs(v.Conditions, MaxPairs)
	w.text(v.BucketAccount)
	w.text(v.BucketPolicy)
	w.tooLong = w.tooLong || len(v.Contexts) > MaxItems
	w.u16(uint16(len(v.Contexts)))
	for i := range v.Contexts {
		w.text(v.Contexts[i].Action)
		w.text(v.Contexts[i].Resource)
		w.pairs(v.Contexts[i].Conditions, MaxPairs)
	}
	w.end(item)
	return w.done(len(b), "verify")
}

func (v *Verify) read(r reader) (err error) {
	shared, contexts := v.Conditions[:0], v.Contexts[:0]
	*v = Verify{MinIndex: r.u64(), TLS: TLS(r.u8()), Presigned: r.u8()&isPresigned != 0}
	v.AccessKey, v.Token, v.StringToSign = r.text(), r.text(), r.text()
	v.Signature, v.Expires, v.Payload = r.digest(), r.u32(), r.text()
	v.Remote = r.text()
	if v.Conditions, err = r.pairs(shared, MaxPairs, "conditions"); err != nil {
		return err
	}
	v.BucketAccount, v.BucketPolicy = r.text(), r.text()
	n := int(r.u16())
	if n > MaxItems {
		return fmt.Errorf("%w: %d contexts, at most %d", ErrTooLarge, n, MaxItems)
	}
	v.Contexts, err = readContexts(&r, contexts, n)
	if err != nil {
		return err
	}
	return r.err("verify")
}

// readContexts reuses the condition slices that the elements of into still hold.
func readContexts(r *reader, into []Context, n int) ([]Context, error) {
	for i := 0; i < n && !r.bad; i++ {
		if cap(into) > i {
			into = into[:i+1]
		} else {
			into = append(into, Context{})
		}
		c := &into[i]
		c.Action, c.Resource = r.text(), r.text()
		var err error
		if c.Conditions, err = r.pairs(c.Conditions[:0], MaxPairs, "conditions"); err != nil {
			return into, err
		}
	}
	return into, nil
}

// KeyRequest is the deepest depth: a signing key for a server that checks
// signatures itself. Only the service s3 is answered.
type KeyRequest struct {
	MinIndex  uint64
	AccessKey string
	Scope     Scope
	Token     string
}

// Append appends k as one item of a signing key frame.
func (k *KeyRequest) Append(b []byte) ([]byte, error) {
	w := writer{b: b}
	item := w.begin()
	w.u64(k.MinIndex)
	w.text(k.AccessKey)
	k.Scope.append(&w)
	w.text(k.Token)
	w.end(item)
	return w.done(len(b), "signing key request")
}

func (k *KeyRequest) read(r reader) error {
	*k = KeyRequest{MinIndex: r.u64(), AccessKey: r.text(), Scope: readScope(&r), Token: r.text()}
	return r.err("signing key request")
}

// ChunkKind says which link of a chunk signature chain is asked about.
type ChunkKind uint8

// The kinds of chunk.
const (
	ChunkData    ChunkKind = 1 // AWS4-HMAC-SHA256-PAYLOAD
	ChunkTrailer ChunkKind = 2 // AWS4-HMAC-SHA256-TRAILER
)

// Chunk asks whether a link of the chain of a STREAMING-AWS4-HMAC-SHA256-PAYLOAD
// body holds. The S3 server hashes the data; the sidecar keeps nothing.
type Chunk struct {
	AccessKey string
	Scope     Scope
	Token     string
	Kind      ChunkKind
	Date      string   // X-Amz-Date of the request, 20260102T030405Z
	Previous  [32]byte // signature before this one; of the request for the first chunk
	Sum       [32]byte // SHA-256 of the chunk's data, or of the canonical trailers
	Signature [32]byte
}

// Append appends c as one item of a chunk frame.
func (c *Chunk) Append(b []byte) ([]byte, error) {
	w := writer{b: b}
	item := w.begin()
	w.text(c.AccessKey)
	c.Scope.append(&w)
	w.text(c.Token)
	w.u8(uint8(c.Kind))
	w.text(c.Date)
	w.digest(&c.Previous)
	w.digest(&c.Sum)
	w.digest(&c.Signature)
	w.end(item)
	return w.done(len(b), "chunk")
}

func (c *Chunk) read(r reader) error {
	*c = Chunk{
		AccessKey: r.text(), Scope: readScope(&r), Token: r.text(), Kind: ChunkKind(r.u8()),
		Date: r.text(), Previous: r.digest(), Sum: r.digest(), Signature: r.digest(),
	}
	if c.Kind != ChunkData && c.Kind != ChunkTrailer && !r.bad {
		return fmt.Errorf("%w: chunk kind %d", ErrMalformed, c.Kind)
	}
	return r.err("chunk")
}

// Items reads the items of a request's body one after another.
type Items struct {
	r    reader
	left int
}

// ReadItems starts reading a body of n items.
func ReadItems(body string, n uint16) Items { return Items{reader{rest: body}, int(n)} }

// item is what Items yields: each kind of request and answer.
type item interface{ read(reader) error }

// next reads the next item into v, which may be reused. It returns false when all
// are read, and an error if the body is not what the header announced.
func (it *Items) next(v item) (bool, error) {
	if it.left == 0 {
		if it.r.rest != "" {
			return false, fmt.Errorf("%w: %d bytes after the last item", ErrMalformed, len(it.r.rest))
		}
		return false, nil
	}
	it.left--
	one := it.r.item()
	if err := it.r.err("body"); err != nil {
		return false, err
	}
	if err := v.read(one); err != nil {
		return false, err
	}
	return true, nil
}

// NextCheck reads the next item of a check frame.
func (it *Items) NextCheck(c *Check) (bool, error) { return it.next(c) }

// NextVerify reads the next item of a verify frame.
func (it *Items) NextVerify(v *Verify) (bool, error) { return it.next(v) }

// NextKey reads the next item of a signing key frame.
func (it *Items) NextKey(k *KeyRequest) (bool, error) { return it.next(k) }

// NextChunk reads the next item of a chunk frame.
func (it *Items) NextChunk(c *Chunk) (bool, error) { return it.next(c) }

// Left returns the number of items that have not been read yet.
func (it *Items) Left() int { return it.left }

// Unread returns the number of bytes that have not been read yet.
func (it *Items) Unread() int { return len(it.r.rest) }
