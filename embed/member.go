package embed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/doorward/doorward/cluster/enrol"
	"github.com/doorward/doorward/cluster/pki"
	"github.com/doorward/doorward/internal/seal"
	"github.com/doorward/doorward/sidecar"
)

// ErrNoToken says that there is no certificate yet, and no token to get one with.
var ErrNoToken = errors.New("a join token is needed")

// joinTime bounds joining.
const joinTime = time.Minute

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
	if errors.Is(err, fs.ErrNotExist) && s.Certificate == "" {
		err = h.enroll(ctx)
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
		Dir: h.config.State, Name: h.config.Name, Logger: h.config.Logger,
		Addresses: func() []string {
			if h.source != nil {
				return h.source.Nodes()
			}
			return h.config.Nodes
		},
	}
}

func (h *Host) enroll(ctx context.Context) error {
	if h.config.Token == "" {
		return ErrNoToken
	}
	token, err := enrol.ParseToken(h.config.Token)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	_, err = enrol.Enrol(ctx, h.enrolment(), token)
	return err
}

// renew renews a certificate that the sidecar keeps itself, in time.
func (h *Host) renew(ctx context.Context) error {
	if h.files == nil || h.config.Certificate != "" {
		<-ctx.Done()
		return ctx.Err()
	}
	return enrol.Keep(ctx, h.enrolment())
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
