package dev

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/doorward/doorward/cluster"
)

// Ready is what scripts need to know of a running dev node.
type Ready struct {
	Endpoint        string `json:"endpoint"`                  // URL of IAM, STS and /v1
	Socket          string `json:"socket"`                    // of the authorizer, for versitygw
	Frames          string `json:"frames"`                    // of the authorizer, for other S3 servers (docs/protocol.md)
	HTTP            string `json:"http"`                      // URL of /auth, health and metrics of the authorizer
	Data            string `json:"data"`                      // data directory
	AccessKeyID     string `json:"accessKeyId,omitempty"`     // of the root key pair, at the first start only
	SecretAccessKey string `json:"secretAccessKey,omitempty"` // likewise
}

// write puts r into a file that only its owner may read, all at once: who finds
// the file finds it complete.
func (r Ready) write(name string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	// CreateTemp makes files with mode 0600.
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("write ready file: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(text, '\n'))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write ready file: %w", err)
	}
	return nil
}

const warning = `This is dev mode, for this machine only: plain HTTP on loopback, and the key
that seals the secrets lies beside the data.
`

// announce tells scripts and people that all parts serve, and the root key pair if
// the store is new.
func announce(config Config, api, http net.Addr, key cluster.RootKey) error {
	ready := Ready{Endpoint: "http://" + api.String(), Socket: config.Socket, Frames: config.Frames, HTTP: "http://" + http.String(), Data: config.Dir}
	if key.ID != "" {
		ready.AccessKeyID, ready.SecretAccessKey = string(key.ID), string(key.Secret.Reveal())
	}
	if config.ReadyFile != "" {
		if err := ready.write(config.ReadyFile); err != nil {
			return err
		}
	}
	fmt.Fprint(config.Err, warning)
	return config.welcome(ready)
}

// welcome prints where everything is and what to paste next.
func (c *Config) welcome(r Ready) error {
	if c.JSON {
		encoder := json.NewEncoder(c.Out)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(r)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `Doorward serves.

  IAM, STS and /v1   %s
  for versitygw      %s
  for other servers  %s
  for proxies        %s/auth
  data               %s

`, r.Endpoint, r.Socket, r.Frames, r.HTTP, r.Data)
	if r.SecretAccessKey != "" {
		fmt.Fprintf(&b, `The root key pair, shown this once; keep it now:

  export AWS_ACCESS_KEY_ID=%s
  export AWS_SECRET_ACCESS_KEY=%s
`, r.AccessKeyID, r.SecretAccessKey)
	} else {
		fmt.Fprintf(&b, `The root key pair was shown at the first start and cannot be shown again. If it
is lost, remove %s and start anew.
`, r.Data)
	}
	fmt.Fprintf(&b, `
Paste into another terminal:

  export DOORWARD_ENDPOINT=%[1]s AWS_DEFAULT_REGION=us-east-1
  %[4]s user create alice --generate --policy readonly
  aws --endpoint-url %[1]s iam list-users
  aws --endpoint-url %[1]s sts get-caller-identity

An S3 server that asks on every request (versitygw v1.8.0; its own root key pair
is its own affair):

  mkdir -p %[3]s
  ROOT_ACCESS_KEY=gateway ROOT_SECRET_KEY=$(openssl rand -hex 20) \
    versitygw --port 127.0.0.1:7070 --iam-standalone-endpoint %[2]s posix %[3]s
  aws --endpoint-url http://127.0.0.1:7070 s3 ls

Ctrl-C stops it.
`, r.Endpoint, quoted(r.Socket), quoted(c.Objects), quoted(program()))
	_, err := fmt.Fprint(c.Out, b.String())
	return err
}

// program is how to call this binary from a shell: by name if that finds it.
func program() string {
	path, err := os.Executable()
	if err != nil {
		return "doorward"
	}
	if found, err := exec.LookPath("doorward"); err == nil && sameFile(found, path) {
		return "doorward"
	}
	return path
}

func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// quoted returns path as one word for a shell.
func quoted(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,:@", r)
	}
	if strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
