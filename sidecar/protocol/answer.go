package protocol

// Decision is the sidecar's word on one question. Anything but Allow means that
// the request must not go on.
type Decision uint8

// The decisions. Zero is never sent, so that a zeroed answer allows nothing.
const (
	Allow Decision = 1
	Deny  Decision = 2
	Need  Decision = 3 // ask again with the facts named in Needs
)

// String returns ALLOW, DENY or NEED.
func (d Decision) String() string {
	switch d {
	case Allow:
		return "ALLOW"
	case Deny:
		return "DENY"
	case Need:
		return "NEED"
	}
	return "invalid"
}

// Answer is the decision about a check or a context, and why. A refusal carries
// the S3 error to send to the client; 503 means that the sidecar could not tell,
// and that the client should try again.
type Answer struct {
	Decision  Decision
	Status    uint16 // HTTP status: 200, 400, 403, 503 …
	Index     uint64 // log index of the view that decided
	Staleness uint32 // milliseconds since the view was last known to be current
	Each      bool   // about one object of the list that a check with Each names, in its order
	HasPOSIX  bool
	UID, GID  uint32
	Code      string // S3 error code; empty for ALLOW
	Message   string
	Principal string // ARN of the caller; empty if anonymous
	Account   string
	User      string // user or role name
	AccessKey string
	Session   string // role session name
	Action    string
	Resource  string
	Policy    string // policy that decided, its ARN or name
	Statement string // Sid or number of the deciding statement
	Needs     string // condition keys wanted, separated by commas
}

const (
	hasPOSIX = 1 << 0
	isEach   = 1 << 1
)

// Append appends a as one item of an answer; brief leaves out everything after
// the code.
func (a *Answer) Append(b []byte, brief bool) ([]byte, error) {
	w := writer{b: b}
	item := w.begin()
	w.u8(uint8(a.Decision))
	w.u8(bit(a.HasPOSIX, hasPOSIX) | bit(a.Each, isEach))
	w.u16(a.Status)
	w.u64(a.Index)
	w.u32(a.Staleness)
	w.u32(a.UID)
	w.u32(a.GID)
	w.text(a.Code)
	if !brief {
		for _, s := range a.texts() {
			w.text(*s)
		}
	}
	w.end(item)
	return w.done(len(b), "answer")
}

func (a *Answer) read(r reader) error {
	*a = Answer{Decision: Decision(r.u8())}
	flags := r.u8()
	a.HasPOSIX, a.Each = flags&hasPOSIX != 0, flags&isEach != 0
	a.Status, a.Index, a.Staleness = r.u16(), r.u64(), r.u32()
	a.UID, a.GID = r.u32(), r.u32()
	a.Code = r.text()
	if r.rest != "" {
		for _, s := range a.texts() {
			*s = r.text()
		}
	}
	return r.err("answer")
}

// texts are the fields that a brief answer leaves out, in the order of the wire.
func (a *Answer) texts() [11]*string {
	return [...]*string{
		&a.Message, &a.Principal, &a.Account, &a.User, &a.AccessKey, &a.Session,
		&a.Action, &a.Resource, &a.Policy, &a.Statement, &a.Needs,
	}
}

// KeyAnswer is the answer to a KeyRequest. Key is meaningful only if Status is 200.
type KeyAnswer struct {
	Status    uint16
	Index     uint64
	Key       [32]byte
	Code      string
	Message   string
	Principal string
	Role      string // ARN of the role, for a role session
}

// Append appends k as one item of an answer.
func (k *KeyAnswer) Append(b []byte) ([]byte, error) {
	w := writer{b: b}
	item := w.begin()
	w.u16(k.Status)
	w.u64(k.Index)
	w.digest(&k.Key)
	w.text(k.Code)
	w.text(k.Message)
	w.text(k.Principal)
	w.text(k.Role)
	w.end(item)
	return w.done(len(b), "signing key")
}

func (k *KeyAnswer) read(r reader) error {
	*k = KeyAnswer{
		Status: r.u16(), Index: r.u64(), Key: r.digest(),
		Code: r.text(), Message: r.text(), Principal: r.text(), Role: r.text(),
	}
	return r.err("signing key")
}

// String hides the key.
func (k KeyAnswer) String() string { return "signing key of " + k.Principal + " [redacted]" }

// GoString hides the key.
func (k KeyAnswer) GoString() string { return k.String() }

// ChunkAnswer is the answer to a Chunk: Status 200 means that the link holds.
type ChunkAnswer struct {
	Status  uint16
	Code    string
	Message string
}

// Append appends c as one item of an answer.
func (c *ChunkAnswer) Append(b []byte) ([]byte, error) {
	w := writer{b: b}
	item := w.begin()
	w.u16(c.Status)
	w.text(c.Code)
	w.text(c.Message)
	w.end(item)
	return w.done(len(b), "chunk answer")
}

func (c *ChunkAnswer) read(r reader) error {
	*c = ChunkAnswer{Status: r.u16(), Code: r.text(), Message: r.text()}
	return r.err("chunk answer")
}

// NextAnswer reads the next answer.
func (it *Items) NextAnswer(a *Answer) (bool, error) { return it.next(a) }

// NextKeyAnswer reads the next answer to a signing key request.
func (it *Items) NextKeyAnswer(k *KeyAnswer) (bool, error) { return it.next(k) }

// NextChunkAnswer reads the next answer to a chunk.
func (it *Items) NextChunkAnswer(c *ChunkAnswer) (bool, error) { return it.next(c) }
