package embed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/doorward/doorward/cluster/enrol"
	"github.com/doorward/doorward/cluster/pki"
	"github.com/doorward/doorward/internal/seal"
	"github.com/doorward/doorward/sidecar"
)

// ErrNoToken says that there is no certificate yet, and no token to get one with.
var ErrNoToken = errors.New("a join token is needed")

// joinTime bounds joining, and rejoinTime joining anew, which a start does not depend on.
const (
	joinTime   = time.Minute
	rejoinTime = 10 * time.Second
)

// newToken reports whether there is a token other than the one that the certificate came
// with: whoever was away while the cluster's authority was replaced joins anew with it.
func (h *Host) newToken() bool {
	token, err := enrol.ParseToken(h.config.Token)
	if err != nil {
		return false
	}
	id, _, _, err := h.files.Identity()
	return err == nil && id.Enrolment != token.ID
}

// join makes the host a member: by the files that the settings name, by a certificate
// that it got before, or with the token.
func (h *Host) join(ctx context.Context) error {
	s := &h.config
	switch {
	case s.Plain:
		return nil
	case s.Certificate != "":
		h.files = &pki.Files{Certificate: s.Certificate, Key: s.Key, Authority: s.Authority}
	default:
		h.files = pki.FilesIn(s.State)
	}
	err := h.files.Check()
	switch {
	case s.Certificate != "":
	case errors.Is(err, fs.ErrNotExist):
		err = h.enroll(ctx, joinTime)
	case err == nil && h.newToken():
		if err := h.enroll(ctx, rejoinTime); err != nil {
			s.Logger.Warn("cannot join anew with this token, going on with the certificate that there is", "reason", err)
		}
	}
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	id, _, _, err := h.files.Identity()
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	h.config.Name = id.Name
	return nil
}

func (h *Host) enrolment() enrol.Config {
	return enrol.Config{
		Dir: h.config.State, Name: h.config.Name, Logger: h.config.Logger, Carrier: h.config.Carrier,
		Addresses: func() []string {
			if h.source != nil {
				return h.source.Nodes()
			}
			return h.config.Nodes
		},
	}
}

func (h *Host) enroll(ctx context.Context, limit time.Duration) error {
	if h.config.Token == "" {
		return ErrNoToken
	}
	token, err := enrol.ParseToken(h.config.Token)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err = enrol.Enrol(ctx, h.enrolment(), token)
	return err
}

// renew renews a certificate that the sidecar keeps itself, in time and when the feed
// tells of other authorities. Then it shows the node that it follows the new one.
func (h *Host) renew(ctx context.Context) error {
	if h.files == nil || h.config.Certificate != "" {
		<-ctx.Done()
		return ctx.Err()
	}
	c := h.enrolment()
	c.Wanted, c.Wake = h.wanted, h.wake
	c.Renewed = func(ctx context.Context) {
		if err := h.source.Redial(ctx); err != nil {
			h.config.Logger.Info("the new certificate is shown to the next node", "reason", err)
		}
	}
	return enrol.Keep(ctx, c)
}

func (h *Host) wanted() pki.Trust {
	all, signs := h.authorizer.Authorities()
	return pki.Trust{Authorities: all, Signer: signs}
}

// settle is called when the view has changed.
func (h *Host) settle() error {
	if now := h.wanted(); now.Signer != h.heeded.Signer || !slices.Equal(now.Authorities, h.heeded.Authorities) {
		h.heeded = now
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
	return h.authorizer.Settle()
}

// trusted is what a node is told of this host's trust; nil: nothing.
func (h *Host) trusted() []string {
	if h.files == nil {
		return nil
	}
	trust, err := h.files.Trust()
	if err != nil {
		return nil
	}
	return trust.Authorities
}

// keep says where the local snapshot is, nil if there is none. Its key is made if it
// is in the state directory and not there yet.
func (h *Host) keep() (*sidecar.KeepConfig, error) {
	key := h.config.SnapshotKey
	if key.None {
		return nil, nil
	}
	if key.File == "" && key.Credential == "" {
		key.File = filepath.Join(h.config.State, "snapshot.key")
	}
	if key.File != "" {
		if _, err := seal.CreateRootFile(key.File); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("snapshot_key: %w", err)
		}
	}
	root, err := seal.LoadRoot(seal.Source{File: key.File, Credential: key.Credential}, "sidecar")
	if err != nil {
		return nil, fmt.Errorf("snapshot_key: %w", err)
	}
	path := filepath.Join(h.config.State, "snapshot")
	if leftovers, err := filepath.Glob(path + ".new-*"); err == nil {
		for _, name := range leftovers { // of a sidecar that was killed while it wrote
			_ = os.Remove(name)
		}
	}
	return &sidecar.KeepConfig{Path: path, Key: root}, nil
}
