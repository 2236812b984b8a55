package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/doorward/doorward/iam"
)

// Record is one administrative call.
type Record struct {
	// Sequence counts the records of a node, from 1.
	Sequence uint64 `json:"sequence"`
	// Time is when the call came in, RFC 3339 in UTC.
	Time string `json:"time"`
	// Node answered it; Request is the id that the client was told.
	Node    string `json:"node,omitempty"`
	Request string `json:"request"`
	// Caller and AccessKey are empty if nobody was authenticated.
	Caller    iam.ARN         `json:"caller,omitempty"`
	AccessKey iam.AccessKeyID `json:"access_key,omitempty"`
	// Source is the address of the connection, and Agent what the client calls
	// itself.
	Source string `json:"source,omitempty"`
	Agent  string `json:"agent,omitempty"`
	// Action is the name of the call, and Parameters what it asked for. Secrets are
	// not among them, and long values are cut.
	Action     string            `json:"action"`
	Parameters map[string]string `json:"parameters,omitempty"`
	// Outcome is "ok", or the error code.
	Outcome string `json:"outcome"`
	// Index is that of the last change that was committed for the call, and Before
	// and After are the state's digests around it, as INDEX:SUM. Zero and empty for
	// a call that changed nothing.
	Index  iam.Index `json:"index,omitempty"`
	Before string    `json:"before,omitempty"`
	After  string    `json:"after,omitempty"`
}

// Entry is one line of a file.
type Entry struct {
	Hash   string          `json:"hash"` // lower-case hexadecimal
	Record json.RawMessage `json:"record"`
}

// Hash is a link of the chain.
type Hash [sha256.Size]byte

// String returns the hash in lower-case hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads what String returns.
func ParseHash(text string) (h Hash, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(h) {
		return h, fmt.Errorf("audit: %q is not a hash: want %d hexadecimal digits", text, 2*len(h))
	}
	return Hash(raw), nil
}

// next is the link behind h for the bytes of a record.
func (h Hash) next(record []byte) Hash {
	sum := sha256.New()
	sum.Write(h[:])
	sum.Write(record)
	return Hash(sum.Sum(nil))
}

// line is the line of a record behind the link previous, and its own link.
func line(previous Hash, r Record) ([]byte, Hash, error) {
	record, err := json.Marshal(r)
	if err != nil {
		return nil, previous, fmt.Errorf("audit: %w", err)
	}
	hash := previous.next(record)
	text, err := json.Marshal(Entry{hash.String(), record})
	return append(text, '\n'), hash, err
}
