package cluster

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/seal"
)

func TestAFormerRootKeyIsNeededNoLongerOnceAllIsSealedAnew(t *testing.T) {
	w := newTown(t)
	old, fresh := seal.Source{File: filepath.Join(w.dir, "root.key")}, seal.Source{File: filepath.Join(w.dir, "new.key")}
	if _, err := seal.CreateRootFile(fresh.File); err != nil {
		t.Fatal(err)
	}
	with := func(i int, current seal.Source, former ...seal.Source) Config {
		c := w.ownTLS(i)
		c.Root, c.Former = current, former
		return c
	}
	first, root := newStore(t, with(0, old))
	w.nodes = []*started{first, w.newcomer(1, first), w.newcomer(2, first)}
	w.until("all vote", func() bool { return w.voters() == 3 })
	// roll restarts one node after the other, as an operator would.
	roll := func(current seal.Source, former ...seal.Source) {
		t.Helper()
		for i, s := range w.nodes {
			s.stop(t)
			w.nodes[i] = start(t, with(i, current, former...))
			w.until("all are well", func() bool {
				l := w.leader()
				if l == nil {
					return false
				}
				survey := l.Survey(t.Context())
				for _, m := range survey.Members {
					if !m.Well() {
						return false
					}
				}
				return len(survey.Members) == 3
			})
			// Whatever key a node seals with, the others open it.
			sealed, err := w.nodes[i].SealSecret("AKIAX", []byte("secret"))
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range w.nodes {
				if got, err := other.OpenSecret("AKIAX", sealed); err != nil || string(got) != "secret" {
					t.Fatalf("node %d cannot open what node %d has sealed: %v", i, i, err)
				}
			}
		}
	}
	roll(old, fresh)
	w.nodes[0].stop(t)
	w.nodes[0] = start(t, with(0, fresh, old))
	w.until("it answers", func() bool {
		_, err := w.nodes[0].Consistent(t.Context())
		return err == nil
	})
	w.until("rotation is refused while nodes have different keys", func() bool {
		_, err := w.nodes[0].Reseal(t.Context(), 1000)
		return errors.Is(err, ErrMember) && strings.Contains(err.Error(), "give every node the new root key first")
	})
	roll(fresh, old)
	// A node that has just moved may be unknown to one that follows, for a moment.
	rotate := func(n *started) (r Rotation) {
		w.until("all have the key", func() (ok bool) {
			var err error
			r, err = n.Reseal(t.Context(), 1000)
			return err == nil
		})
		return r
	}
	if r := rotate(w.nodes[1]); r.Resealed < 2 || r.Stale != 0 {
		t.Errorf("%+v", r)
	}
	if again := rotate(w.nodes[2]); again.Resealed != 0 || again.Stale != 0 {
		t.Errorf("%+v", again)
	}
	w.agree()
	roll(fresh)
	key, _ := w.nodes[0].View().AccessKey(root.ID)
	if secret, err := w.nodes[0].OpenSecret(root.ID, key.Secret); err != nil || !bytes.Equal(secret, root.Secret.Reveal()) {
		t.Errorf("the root key pair is not what it was: %v", err)
	}
	w.nodes = append(w.nodes, func() *started { // the authority signs on
		c := with(3, fresh)
		w.enroll(c, w.nodes[0])
		s := start(t, c)
		if err := s.Join(t.Context(), []string{w.nodes[0].Address()}); err != nil {
			t.Fatal(err)
		}
		return s
	}())
	w.agree()
}
