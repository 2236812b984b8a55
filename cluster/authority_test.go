package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"
)

// TestANodeBelievesItsFilesMoreThanAnOldSnapshot restarts a node, alone, whose snapshot is
// from before the authority was replaced. What it knows then would cut it off for good.
func TestANodeBelievesItsFilesMoreThanAnOldSnapshot(t *testing.T) {
	w := newTown(t)
	c := w.ownTLS(0)
	c.Raft.SnapshotThreshold, c.Raft.SnapshotInterval = 30, 10*time.Millisecond
	first, _ := newStore(t, c)
	w.nodes = []*started{first}
	for i := 1; i < 3; i++ {
		w.nodes = append(w.nodes, w.newcomer(i, first))
	}
	w.until("all vote", func() bool { return w.voters() == 3 })
	snapshots := 0
	for i := 0; snapshots == 0; i++ { // so that none comes after this one
		first.do(t, createUser(fmt.Sprint("u", i)))
		found, err := filepath.Glob(filepath.Join(c.Dir, "snapshots", "*[0-9]", "meta.json"))
		if snapshots = len(found); err != nil || i > 1000 {
			t.Fatalf("no snapshot after %d writes: %v", i, err)
		}
	}
	old := first.View().Authority().Fingerprint
	if err := first.StageAuthority(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until("all trust it", func() bool { return first.UseAuthority(t.Context(), false) == nil })
	w.until("all have a certificate of it", func() bool { return first.DropAuthority(t.Context(), "", false) == nil })
	w.until("the first node lets go of the old one", func() bool { return first.current(first.View()) })
	before, err := first.cfg.TLS.Trust()
	if err != nil || before.Signer == old || len(before.Authorities) != 1 {
		t.Fatalf("%+v, %v", before, err)
	}
	var again []Config
	for _, s := range w.nodes {
		config := s.cfg
		config.TLS, config.Listen = nil, s.Address() // a cluster that has moved finds nobody
		again = append(again, config)
		s.stop(t)
	}

	alone := start(t, again[0])
	if a := alone.View().Authority(); a == nil || a.Fingerprint != old {
		t.Fatalf("the node does not begin with the old authority: %+v", a)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := alone.keepCertificate(ctx); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if after, err := alone.cfg.TLS.Trust(); err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("trust before %+v, after %+v, %v", before, after, err)
	}
	w.nodes[0] = alone
	for i := 1; i < 3; i++ {
		w.nodes[i] = start(t, again[i])
	}
	w.until("all are well", func() bool {
		return !slices.ContainsFunc(w.nodes, func(s *started) bool { return s.Trouble() != "" })
	})
	w.agree()
}
