package mesh

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/doorward/doorward/cluster/pki"
)

// Protocol is what a connection carries; its name is the ALPN id.
type Protocol string

// The protocols of the port. The number grows when a protocol becomes something
// that its former self cannot talk to.
const (
	Raft Protocol = "doorward-raft/1"
	RPC  Protocol = "doorward-rpc/1"
	Feed Protocol = "doorward-feed/1"

	// Enrol is for those who want a certificate. It has no greeting, and the other side
	// may be anybody; [Conn.Peer] names a member who has shown a certificate.
	Enrol Protocol = "doorward-enrol/1"
)

var protocols = []string{string(Raft), string(RPC), string(Feed)}

// ErrRefused: the other side does not want the connection, and has said why.
var ErrRefused = errors.New("mesh: refused")

// hello is what the dialling side says first. In JSON behind its length in two
// bytes, big-endian.
type hello struct {
	Protocol Protocol `json:"protocol"`
	Cluster  string   `json:"cluster,omitempty"` // empty: belongs to none yet
	From     string   `json:"from"`              // id of the node, name of the sidecar
	To       string   `json:"to,omitempty"`      // id of the node that is meant; empty: whoever is there
}

// welcome is the answer to it.
type welcome struct {
	Refusal string `json:"refusal,omitempty"`
	Cluster string `json:"cluster,omitempty"`
	ID      string `json:"id"`
}

const maxHello = 4096

func writeMessage(w io.Writer, message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...))
	return err
}

// readMessage reads not a byte more than the message.
func readMessage(r io.Reader, message any) error {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint16(size[:])
	if n > maxHello {
		return fmt.Errorf("mesh: greeting of %d bytes, the limit is %d", n, maxHello)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return err
	}
	return json.Unmarshal(text, message)
}

// Conn is a connection to another member.
type Conn struct {
	net.Conn
	Peer Peer
	mesh *Mesh // nil for a member without a port
}

// Peer is who is at the other end.
type Peer struct {
	ID       string       // of the node; the name of a sidecar
	Cluster  string       // empty if it belongs to none
	Name     string       // in its certificate; empty without TLS
	Identity pki.Identity // in its certificate; zero without one
	Signer   string       // fingerprint of the authority that signed it; empty without one
}

// Close ends the connection. It is safe to call twice.
func (c *Conn) Close() error {
	if c.mesh != nil {
		c.mesh.forget(c)
	}
	return c.Conn.Close()
}
