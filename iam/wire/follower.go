package wire

import "github.com/doorward/doorward/iam"

// What a follower says to the node that it follows: Subscribe first, and then,
// whenever it likes, how far it is and what it wants to know. A question carries a
// nonce of the follower's choice, and its answer, a Pong, Key or Refused, repeats it.

// Subscribe asks for the feed from a position on.
type Subscribe struct {
	Name     string // of the follower, for people; with TLS, the one in its certificate
	Version  string // of its build
	Instance uint64 // chosen at random when the follower started: tells namesakes apart
	From     Position
	Serves   bool // it decides by what it has until there is more; else it decides nothing
}

// Progress says what a follower has in effect and how it is doing.
type Progress struct {
	Index     iam.Index // of the view that it decides by
	Staleness uint32    // milliseconds since that view was last known to be current
	Rate      uint32    // decisions a second
	Used      []iam.Use // at most MaxUses, of the keys in use since the last report
}

// Trust says whose certificates a follower accepts: it comes after Subscribe, and
// again when that has changed. One that says nothing is of a build that does not.
type Trust struct{ Authorities []string } // fingerprints, sorted

// Confirm asks for a Pong.
type Confirm struct{ Nonce uint64 }

// AskKey asks for the signing key of an access key for one scope.
type AskKey struct {
	Nonce     uint64
	AccessKey iam.AccessKeyID
	Scope     Scope
}

// Key answers AskKey.
type Key struct {
	Nonce uint64
	Key   SigningKey
}

// Refused answers a question with an error: NoSuchEntity or ValidationError, which
// are the store's word, or ServiceUnavailable: it cannot tell now.
type Refused struct {
	Nonce   uint64
	Code    iam.Code
	Message string
}

func (Subscribe) frame() {}
func (Progress) frame()  {}
func (Trust) frame()     {}
func (Confirm) frame()   {}
func (AskKey) frame()    {}
func (Key) frame()       {}
func (Refused) frame()   {}

// MaxFollowerFrame is the size of the largest frame that a node reads from a
// follower, in bytes, and MaxUses the most uses in a Progress.
const (
	MaxFollowerFrame = 1 << 20
	MaxUses          = 4096
)

func (c *codec) subscribe(v *Subscribe) {
	c.record(5, func() {
		text(c, &v.Name)
		text(c, &v.Version)
		number(c, &v.Instance)
		c.position(&v.From)
		c.flag(&v.Serves)
	})
}

func (c *codec) progress(v *Progress) {
	c.record(4, func() {
		number(c, &v.Index)
		number(c, &v.Staleness)
		number(c, &v.Rate)
		list(c, &v.Used, c.use)
	})
}

func (c *codec) trust(v *Trust) {
	c.record(1, func() { texts(c, &v.Authorities) })
}

func (c *codec) confirm(v *Confirm) {
	c.record(1, func() { number(c, &v.Nonce) })
}

func (c *codec) askKey(v *AskKey) {
	c.record(3, func() {
		number(c, &v.Nonce)
		text(c, &v.AccessKey)
		c.scope(&v.Scope)
	})
}

func (c *codec) key(v *Key) {
	c.record(2, func() {
		number(c, &v.Nonce)
		c.signingKey(&v.Key)
	})
}

func (c *codec) refused(v *Refused) {
	c.record(3, func() {
		number(c, &v.Nonce)
		text(c, &v.Code)
		text(c, &v.Message)
	})
}
