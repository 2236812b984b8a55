package seal

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/argon2"
)

// RootSize is the length of a root key in bytes.
const RootSize = 32

// The cost of turning a passphrase into a root key: argon2id over 64 MiB, three
// passes, four lanes (RFC 9106, section 4, second recommended option).
const (
	argonPasses = 3
	argonMemory = 64 << 10 // KiB
	argonLanes  = 4
)

// minPassphrase is the shortest passphrase accepted, in bytes.
const minPassphrase = 16

// Root is the root key of a store. Every other key is derived from it, so every
// node has the same one.
type Root struct{ key Secret }

// Derive returns size bytes that are bound to purpose and independent of what
// any other purpose gets (HKDF-SHA256, RFC 5869).
func (r *Root) Derive(purpose string, size int) []byte {
	out, err := hkdf.Key(sha256.New, r.key.Reveal(), nil, "doorward "+purpose, size)
	if err != nil {
		panic("seal: derive " + purpose + ": " + err.Error()) // size beyond 8160 bytes
	}
	return out
}

// NewRoot returns a root key of fresh randomness.
func NewRoot() *Root {
	key := make([]byte, RootSize)
	rand.Read(key)
	return &Root{NewSecret(key)}
}

// RootFromBytes makes a root key of 32 bytes, which it copies.
func RootFromBytes(key []byte) (*Root, error) {
	if len(key) != RootSize {
		return nil, fmt.Errorf("root key has %d bytes, it must have %d", len(key), RootSize)
	}
	if [RootSize]byte(key) == [RootSize]byte{} {
		return nil, errors.New("root key is all zeros")
	}
	return &Root{NewSecret(append([]byte(nil), key...))}, nil
}

// Source says where a root key is. Exactly one field is set.
type Source struct {
	// File holds the key as base64 text; mode 0600 or stricter.
	File string
	// Env names an environment variable that holds the key as base64 text. It is
	// removed from the environment once read, so that children do not inherit it.
	Env string
	// Credential names a systemd credential (LoadCredential=, systemd.exec(5)):
	// a file in $CREDENTIALS_DIRECTORY that holds the key as base64 text.
	Credential string
	// Passphrase is a file, mode 0600 or stricter, whose first line is stretched
	// into the key with argon2id. Every node needs the same passphrase.
	Passphrase string
}

// LoadRoot reads the root key from where s says. The salt counts for a
// passphrase only: the cluster id, so that two stores with one passphrase have
// different keys.
func LoadRoot(s Source, salt string) (*Root, error) {
	set := 0
	for _, field := range []string{s.File, s.Env, s.Credential, s.Passphrase} {
		if field != "" {
			set++
		}
	}
	switch {
	case set != 1:
		return nil, fmt.Errorf("root key: %d sources given, exactly one of file, environment variable, credential and passphrase file is needed", set)
	case s.File != "":
		return rootFromFile(s.File, 0o077)
	case s.Env != "":
		return rootFromEnv(s.Env)
	case s.Credential != "":
		return rootFromCredential(s.Credential)
	}
	return rootFromPassphrase(s.Passphrase, salt)
}

// CreateRootFile writes a fresh root key to a new file with mode 0600 and returns
// it. An existing file is never overwritten: errors.Is(err, fs.ErrExist).
func CreateRootFile(path string) (*Root, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create root key file: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create root key file: %w", err)
	}
	defer f.Close()
	root := NewRoot()
	if _, err := f.WriteString(base64.StdEncoding.EncodeToString(root.key.Reveal()) + "\n"); err != nil {
		return nil, fmt.Errorf("create root key file: %w", err)
	}
	if err := errors.Join(f.Sync(), syncDir(filepath.Dir(path))); err != nil {
		return nil, fmt.Errorf("create root key file: %w", err)
	}
	return root, nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

func rootFromFile(path string, forbidden fs.FileMode) (*Root, error) {
	text, err := readPrivate(path, forbidden)
	if err != nil {
		return nil, fmt.Errorf("root key file: %w", err)
	}
	root, err := parseRoot(text)
	if err != nil {
		return nil, fmt.Errorf("root key file %s: %w", path, err)
	}
	return root, nil
}

func rootFromEnv(name string) (*Root, error) {
	text, ok := os.LookupEnv(name)
	if !ok {
		return nil, fmt.Errorf("root key: environment variable %s is not set", name)
	}
	os.Unsetenv(name)
	root, err := parseRoot(text)
	if err != nil {
		return nil, fmt.Errorf("root key in environment variable %s: %w", name, err)
	}
	return root, nil
}

func rootFromCredential(name string) (*Root, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return nil, fmt.Errorf("root key credential %s: $CREDENTIALS_DIRECTORY is not set (is LoadCredential=%s:… in the unit?)", name, name)
	}
	if name != filepath.Base(name) {
		return nil, fmt.Errorf("root key credential %q: a name is needed, not a path", name)
	}
	// systemd makes credentials readable to the unit's group as well.
	return rootFromFile(filepath.Join(dir, name), 0o007)
}

func rootFromPassphrase(path, salt string) (*Root, error) {
	text, err := readPrivate(path, 0o077)
	if err != nil {
		return nil, fmt.Errorf("passphrase file: %w", err)
	}
	line, _, _ := strings.Cut(text, "\n")
	line = strings.TrimSuffix(line, "\r")
	if len(line) < minPassphrase {
		return nil, fmt.Errorf("passphrase file %s: first line has %d bytes, at least %d are needed", path, len(line), minPassphrase)
	}
	if salt == "" {
		return nil, fmt.Errorf("passphrase file %s: no cluster id to salt it with", path)
	}
	key := argon2.IDKey([]byte(line), []byte("doorward root\x00"+salt), argonPasses, argonMemory, argonLanes, RootSize)
	return RootFromBytes(key)
}

// readPrivate reads a small file that nobody else may read.
func readPrivate(path string, forbidden fs.FileMode) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > 4096 {
		return "", fmt.Errorf("%s: not a regular file of at most 4096 bytes", path)
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return "", fmt.Errorf("%s has mode %04o, so others can read it: chmod 600 %s", path, mode, path)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return string(text), nil
}

func parseRoot(text string) (*Root, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		// The decoder's message would quote the text.
		return nil, fmt.Errorf("not base64; %d random bytes as base64 text are needed", RootSize)
	}
	return RootFromBytes(key)
}
