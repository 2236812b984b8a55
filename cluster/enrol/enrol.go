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
	"slices"
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

	// Wanted returns what the store has lately said of the member's trust: the
	// authorities to accept, and the one that signs; zero: nothing. [Keep] renews a
	// certificate that does not fit, which brings what fits. Nil: nobody says so.
	Wanted func() pki.Trust
	// Wake has Keep look at that at once; nil: nothing does.
	Wake <-chan struct{}
	// Renewed is called by Keep after each renewal; nil: nobody is told.
	Renewed func(context.Context)

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

// checkEvery is how often a member looks whether its certificate wants renewal, and
// firstRetry when it tries again after a failure, doubled with each.
const (
	checkEvery = time.Hour
	firstRetry = 2 * time.Second
)

// spread is how long a member waits at most when it is woken: many are, at once.
const spread = time.Second

// Due reports whether a certificate wants renewal: a third of its time is left.
func Due(from, until, now time.Time) bool {
	return now.After(until.Add(-until.Sub(from) / 3))
}

// Keep renews a member's certificate in time, and when the authorities of the cluster
// have changed, until ctx is done. A refusal or a failure is logged and tried again:
// there is a month left.
func Keep(ctx context.Context, cfg Config) error {
	cfg.setDefaults()
	retry := firstRetry
	for {
		// Members that began together, or hear of something together, do not ask together.
		pause := checkEvery/2 + rand.N(checkEvery)
		if renewed, err := cfg.keep(ctx); err != nil && ctx.Err() == nil {
			cfg.Logger.Warn("cannot renew the certificate", "error", err)
			pause, retry = min(pause, retry+rand.N(retry)), min(2*retry, checkEvery)
		} else if renewed {
			retry = firstRetry
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
		case <-cfg.Wake:
			again.Reset(rand.N(spread))
			select {
			case <-again.C:
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
		again.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// keep renews the certificate if that is needed.
func (c *Config) keep(ctx context.Context) (renewed bool, err error) {
	files := pki.FilesIn(c.Dir)
	_, from, until, err := files.Identity()
	if err != nil {
		return false, err
	}
	fits, err := c.fits(files)
	if err != nil || fits && !Due(from, until, c.Now()) {
		return false, err
	}
	if err := Renew(ctx, *c); err != nil {
		return false, err
	}
	c.Logger.Info("certificate renewed")
	if c.Renewed != nil {
		c.Renewed(ctx)
	}
	return true, nil
}

// fits reports whether certificate and authorities are as the store wants them.
func (c *Config) fits(files *pki.Files) (bool, error) {
	if c.Wanted == nil {
		return true, nil
	}
	have, err := files.Trust()
	want := c.Wanted()
	return want.Signer == "" || have.Signer == want.Signer && slices.Equal(have.Authorities, want.Authorities), err
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
		return answer{}, pki.Refused(err)
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
