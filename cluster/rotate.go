package cluster

import (
	"context"
	"fmt"
	"iter"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/internal/seal"
)

// resealBatch is how many secrets one command seals anew.
const resealBatch = 256

// Rotation is how far the secrets have come to be sealed with the current root key.
type Rotation struct {
	SealKey  string // id of the key that seals
	Resealed int    // secrets sealed anew by this call
	Stale    int    // secrets that another key has sealed
}

// Reseal seals up to limit secrets anew that another root key than the current one has
// sealed, by commands like any other. It is refused with [ErrMember] unless every
// member is well and seals with the same key: one that has not got the key yet could
// not open them.
func (n *Node) Reseal(ctx context.Context, limit int) (Rotation, error) {
	k := n.keys.Load()
	if k == nil {
		return Rotation{}, ErrNotInitialized
	}
	survey := n.Survey(ctx)
	for _, m := range survey.Members {
		switch {
		case m.Gone != "":
			return Rotation{}, fmt.Errorf("%w: node %s does not answer, so nobody knows whether it has the key", ErrMember, m.Member.ID)
		case m.SealKey != k.seal.ID():
			return Rotation{}, fmt.Errorf("%w: node %s seals with key %s, and this one with %s; give every node the new root key first, the old one as former", ErrMember, m.Member.ID, m.SealKey, k.seal.ID())
		}
	}
	r := Rotation{SealKey: k.seal.ID()}
	for r.Resealed < limit {
		batch, err := n.staleBatch(k)
		if err != nil {
			return r, err
		}
		if len(batch) == 0 {
			break
		}
		result, err := n.Propose(ctx, iam.Envelope{
			Command: iam.Reseal{Secrets: batch}, Request: newRequest(), Actor: n.actor(), Time: iam.At(n.cfg.Now()),
		})
		if err != nil {
			return r, err
		}
		if result.Err != nil {
			return r, result.Err
		}
		r.Resealed += result.Count
	}
	for range n.stale(k) {
		r.Stale++
	}
	return r, nil
}

// staleBatch opens and seals the first secrets that are stale.
func (n *Node) staleBatch(k *keys) ([]iam.Resealed, error) {
	var batch []iam.Resealed
	for s := range n.stale(k) {
		secret, err := k.seal.Open(s.of, s.sealed)
		if err != nil {
			return nil, fmt.Errorf("cluster: %s %q: %w", s.of.Table, s.of.Key, err)
		}
		batch = append(batch, iam.Resealed{Table: s.table, Name: s.of.Key, Was: s.sealed, Now: k.seal.Seal(s.of, secret)})
		if len(batch) == resealBatch {
			break
		}
	}
	return batch, nil
}

// sealedSecret is a secret of the store.
type sealedSecret struct {
	table  iam.Table
	of     seal.Record
	sealed iam.Sealed
}

// stale yields the secrets that another key than the current one has sealed.
func (n *Node) stale(k *keys) iter.Seq[sealedSecret] {
	return func(yield func(sealedSecret) bool) {
		for s := range k.secrets(n.View()) {
			if k.seal.Stale(s.sealed) && !yield(s) {
				return
			}
		}
	}
}

// secrets yields all that is sealed.
func (k *keys) secrets(v *state.View) iter.Seq[sealedSecret] {
	return func(yield func(sealedSecret) bool) {
		for a := range v.Authorities() {
			if !yield(sealedSecret{iam.TableAuthorities, k.authority(a.Fingerprint), a.Key}) {
				return
			}
		}
		for key := range v.AccessKeys("") {
			if !yield(sealedSecret{iam.TableAccessKeys, k.record(key.ID), key.Secret}) {
				return
			}
		}
		for s := range v.Sessions("") {
			if !yield(sealedSecret{iam.TableSessions, k.record(s.Key), s.Secret}) {
				return
			}
		}
	}
}
