package protocol

import "fmt"

// Magic opens a hello, so that a stranger on the socket is recognised at once.
const Magic = "DWRD"

// Hello is a client's first frame: what it speaks. Nothing else is read before it.
type Hello struct {
	MinVersion uint16
	MaxVersion uint16
	Features   Feature
	Client     string // name and version, for the operator
}

// Append appends h as the body of a hello frame.
func (h *Hello) Append(b []byte) ([]byte, error) {
	w := writer{b: append(b, Magic...)}
	w.u16(h.MinVersion)
	w.u16(h.MaxVersion)
	w.u64(uint64(h.Features))
	w.text(h.Client)
	return w.done(len(b), "hello")
}

// Read reads the body of a hello frame.
func (h *Hello) Read(body string) error {
	r := reader{rest: body}
	if magic := r.take(len(Magic)); magic != Magic {
		return fmt.Errorf("%w: a hello begins with %q", ErrMalformed, Magic)
	}
	*h = Hello{MinVersion: r.u16(), MaxVersion: r.u16(), Features: Feature(r.u64()), Client: r.text()}
	return r.err("hello")
}

// Choose returns the newest version that both sides speak.
func (h *Hello) Choose() (uint16, error) {
	v := min(h.MaxVersion, Version)
	if v < h.MinVersion || v < MinVersion {
		return 0, fmt.Errorf("client speaks versions %d to %d, this sidecar %d to %d",
			h.MinVersion, h.MaxVersion, MinVersion, Version)
	}
	return v, nil
}

// Welcome is the server's answer to a hello: what holds on this connection.
type Welcome struct {
	Version   uint16
	Features  Feature
	MaxItems  uint32 // items in one request
	Pipelined uint32 // requests that may be unanswered at once
	Index     uint64 // log index that the sidecar has applied
	Server    string
}

// Append appends m as the body of a welcome frame.
func (m *Welcome) Append(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.u16(m.Version)
	w.u64(uint64(m.Features))
	w.u32(m.MaxItems)
	w.u32(m.Pipelined)
	w.u64(m.Index)
	w.text(m.Server)
	return w.done(len(b), "welcome")
}

// Read reads the body of a welcome frame.
func (m *Welcome) Read(body string) error {
	r := reader{rest: body}
	*m = Welcome{
		Version: r.u16(), Features: Feature(r.u64()), MaxItems: r.u32(),
		Pipelined: r.u32(), Index: r.u64(), Server: r.text(),
	}
	return r.err("welcome")
}

// Reason says why a request was refused as a whole.
type Reason uint16

// The reasons. Those below 100 end the connection.
const (
	ReasonMalformed    Reason = 1   // the bytes are not a frame of this protocol
	ReasonVersion      Reason = 2   // no common version
	ReasonTooLarge     Reason = 3   // a cap is exceeded
	ReasonNotHello     Reason = 4   // the first frame is not a hello
	ReasonNotPermitted Reason = 100 // this peer may not ask this
	ReasonUnknownType  Reason = 101 // a type of frame that this sidecar does not know
	ReasonAnswerSize   Reason = 103 // the answer would exceed its cap: ask in smaller frames
)

// Fatal reports whether the connection is closed after the refusal.
func (r Reason) Fatal() bool { return r < 100 }

// Refusal is the answer to a request that was not looked at. It decides nothing:
// a client treats it as "no answer" and fails closed.
type Refusal struct {
	Reason  Reason
	Message string
}

// Append appends r as the body of a refusal.
func (r *Refusal) Append(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.u16(uint16(r.Reason))
	w.text(r.Message)
	return w.done(len(b), "refusal")
}

// Read reads the body of a refusal.
func (r *Refusal) Read(body string) error {
	in := reader{rest: body}
	*r = Refusal{Reason: Reason(in.u16()), Message: in.text()}
	return in.err("refusal")
}

// Error makes a refusal an error for the client.
func (r *Refusal) Error() string { return fmt.Sprintf("sidecar refused (%d): %s", r.Reason, r.Message) }
