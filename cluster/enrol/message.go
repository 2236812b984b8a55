package enrol

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// question is what a host says on a connection, once. Without a token it asks for a
// new certificate, by right of the one that the connection was made with.
type question struct {
	Token   string   `json:"token,omitempty"`  // id
	Secret  []byte   `json:"secret,omitempty"` // of the token
	Name    string   `json:"name,omitempty"`   // what the host would like to be called
	Hosts   []string `json:"hosts,omitempty"`  // see pki.Identity
	Request []byte   `json:"request"`          // PEM
}

// answer is what a node says to it.
type answer struct {
	Refusal     string `json:"refusal,omitempty"`
	Again       bool   `json:"again,omitempty"` // the refusal is about this moment
	Certificate []byte `json:"certificate,omitempty"`
	Authorities []byte `json:"authorities,omitempty"`
	Cluster     string `json:"cluster,omitempty"`
}

// maxMessage bounds a message, in bytes.
const maxMessage = 128 << 10

// writeMessage writes JSON behind its length in four bytes, big-endian.
func writeMessage(w io.Writer, message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	return err
}

func readMessage(r io.Reader, message any) error {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxMessage {
		return fmt.Errorf("enrol: message of %d bytes, the limit is %d", n, maxMessage)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return err
	}
	return json.Unmarshal(text, message)
}
