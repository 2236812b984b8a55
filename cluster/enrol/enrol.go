package enrol

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/doorward/doorward/cluster/mesh"
	"github.com/doorward/doorward/cluster/pki"
)

// Config says who wants to be a member, and of what.
type Config struct {
	// Dir is where certificate, key and authorities are kept ([pki.FilesIn]).
	Dir string

	// Name is what the member would like to be called, unless the token says so;
	// Hosts are names and addresses of it that clients may check.
	Name  string
	Hosts []string

	// Addresses returns those of nodes. They are asked one after the other.
	Addresses func() []string

	// Carrier is where connections come from; nil means TCP.
	Carrier mesh.Carrier

	// Logger gets what [Keep] does; nil discards.
	Logger *slog.Logger

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (c *Config) setDefaults() {
	if c.Carrier == nil {
		c.Carrier = mesh.TCP{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// pendingKey is the key of a member whose certificate has not come yet. A token may
// be used again with the same key, so an answer that was lost costs nothing.
const pendingKey = "pending.key"

// Enrol gets the first certificate of a member and returns the id of its cluster.
// The error is [ErrRefused] if the cluster does not want it.
func Enrol(ctx context.Context, cfg Config, token Token) (cluster string, err error) {
	cfg.setDefaults()
	key, err := keptKey(filepath.Join(cfg.Dir, pendingKey))
	if err != nil {
		return "", err
	}
	request, err := pki.RequestFor(key)
	if err != nil {
		return "", err
	}
	q := question{Token: token.ID, Secret: token.Secret[:], Name: cfg.Name, Hosts: cfg.Hosts, Request: request}
	a, err := cfg.ask(ctx, pki.Pinned(string(mesh.Enrol), token.Authority), q)
	if err != nil {
		return "", err
	}
	if err := pki.FilesIn(cfg.Dir).Keep(a.Certificate, key, a.Authorities); err != nil {
		return "", err
	}
	return a.Cluster, os.Remove(filepath.Join(cfg.Dir, pendingKey))
}

// keptKey returns the key in a file, making it if there is none.
func keptKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	if _, key, err = pki.NewRequest(); err != nil {
		return nil, err
	}
	return key, os.WriteFile(path, key, 0o600)
}

// Renew gets a new certificate, for a new key, by right of the one that there is.
func Renew(ctx context.Context, cfg Config) error {
	cfg.setDefaults()
	files := pki.FilesIn(cfg.Dir)
	settings, err := files.Client(string(mesh.Enrol))
	if err != nil {
		return err
	}
	request, key, err := pki.NewRequest()
	if err != nil {
		return err
	}
	a, err := cfg.ask(ctx, settings, question{Request: request})
	if err != nil {
		return err
	}
	return files.Keep(a.Certificate, key, a.Authorities)
}

// checkEvery is how often a member looks whether its certificate wants renewal.
const checkEvery = time.Hour

// Due reports whether a certificate wants renewal: a third of its time is left.
func Due(from, until, now time.Time) bool {
	return now.After(until.Add(-until.Sub(from) / 3))
}

// Keep renews a member's certificate in time, until ctx is done. A refusal or a
// failure is logged and tried again: there is a month left.
func Keep(ctx context.Context, cfg Config) error {
	cfg.setDefaults()
	files := pki.FilesIn(cfg.Dir)
	for {
		_, from, until, err := files.Identity()
		if err == nil && Due(from, until, cfg.Now()) {
			if err = Renew(ctx, cfg); err == nil {
				cfg.Logger.Info("certificate renewed")
			}
		}
		if err != nil && ctx.Err() == nil {
			cfg.Logger.Warn("cannot renew the certificate", "until", until, "error", err)
		}
		// Members that began together do not ask together.
		pause := time.NewTimer(checkEvery/2 + rand.N(checkEvery))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

// ask puts a question to one node after the other, until one decides.
func (c *Config) ask(ctx context.Context, settings *tls.Config, q question) (answer, error) {
	reasons := []error{errors.New("enrol: no node has given a certificate")}
	for _, address := range c.Addresses() {
		a, err := c.askAt(ctx, settings, address, q)
		if err == nil || errors.Is(err, ErrRefused) {
			return a, err
		}
		reasons = append(reasons, fmt.Errorf("%s: %w", address, err))
	}
	return answer{}, errors.Join(reasons...)
}

func (c *Config) askAt(ctx context.Context, settings *tls.Config, address string, q question) (a answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	raw, err := c.Carrier.Dial(ctx, address)
	if err != nil {
		return answer{}, err
	}
	defer raw.Close()
	deadline, _ := ctx.Deadline()
	if err := raw.SetDeadline(deadline); err != nil {
		return answer{}, err
	}
	conn := tls.Client(raw, settings)
	if err := conn.HandshakeContext(ctx); err != nil {
		return answer{}, err
	}
	if err := writeMessage(conn, q); err != nil {
		return answer{}, err
	}
	if err := readMessage(conn, &a); err != nil {
		return answer{}, err
	}
	switch {
	case a.Refusal != "" && a.Again:
		return answer{}, errors.New(a.Refusal)
	case a.Refusal != "":
		return answer{}, fmt.Errorf("%w: %s", ErrRefused, a.Refusal)
	case !bytes.Contains(a.Certificate, []byte("BEGIN CERTIFICATE")):
		return answer{}, errors.New("enrol: the answer has no certificate")
	}
	return a, nil
}
