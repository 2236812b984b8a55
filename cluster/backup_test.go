package cluster

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/raft"
)

// backup returns what a node would save.
func backup(t *testing.T, n *Node) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := n.WriteSnapshot(t.Context(), &b, false); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestABackupBecomesTheSameStoreInANewEpoch(t *testing.T) {
	w := newTown(t)
	old, root := newStore(t, w.ownTLS(0))
	old.do(t, createUser("alice"))
	saved := backup(t, old.Node)
	old.do(t, createUser("bob"))
	before := old.View().Store()
	old.stop(t)

	c := w.ownTLS(1)
	h, err := Restore(c, bytes.NewReader(saved))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(c, bytes.NewReader(saved)); !errors.Is(err, raft.ErrNotEmpty) {
		t.Errorf("restored over a store: %v", err)
	}
	s := start(t, c)
	w.nodes = []*started{s}
	if _, err := s.Consistent(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := s.View().Store()
	if after.ClusterID != before.ClusterID || after.Epoch == before.Epoch {
		t.Errorf("store %+v was %+v", after, before)
	}
	if _, ok := s.View().User(iam.FirstAccount, "alice"); !ok || s.View().Index() < h.Index {
		t.Error("alice is gone")
	}
	if _, ok := s.View().User(iam.FirstAccount, "bob"); ok {
		t.Error("bob is there, who came after the backup")
	}
	key, _ := s.View().AccessKey(root.ID)
	if secret, err := s.OpenSecret(root.ID, key.Secret); err != nil || !bytes.Equal(secret, root.Secret.Reveal()) {
		t.Errorf("the root key pair is not what it was: %v", err)
	}
	s.do(t, createUser("carol"))

	// It grows as any other, and the members that it had can come back.
	for i := 2; i < 4; i++ {
		n := w.newcomer(i, s)
		w.nodes = append(w.nodes, n)
	}
	w.until("all vote", func() bool { return w.voters() == 3 })
	w.agree()
}

// newcomer joins with a token.
func (w *town) newcomer(i int, at *started) *started {
	w.t.Helper()
	c := w.ownTLS(i)
	w.enroll(c, at)
	s := start(w.t, c)
	if err := s.Join(w.t.Context(), []string{at.Address()}); err != nil {
		w.t.Fatal(err)
	}
	return s
}

func TestBackupsThatCannotBeRestored(t *testing.T) {
	w, stranger := newTown(t), newTown(t)
	s, _ := newStore(t, w.ownTLS(0))
	saved := backup(t, s.Node)
	flipped := bytes.Clone(saved)
	flipped[len(flipped)/2] ^= 1
	for name, row := range map[string]struct {
		saved  []byte
		config Config
		want   string
	}{
		"cut short":                 {saved[:len(saved)-1], w.ownTLS(1), "ends too early"},
		"with a flipped bit":        {flipped, w.ownTLS(2), "corrupt"},
		"without its root key":      {saved, stranger.ownTLS(3), "the root key is not that of the backup"},
		"into another store's node": {saved, s.cfg, "in use"},
	} {
		if row.config.OwnTLS {
			row.config.TLS = nil
		}
		if _, err := Restore(row.config, bytes.NewReader(row.saved)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
	}
}

func TestOneSurvivorOfThreeIsRecovered(t *testing.T) {
	w := newTown(t)
	first, _ := newStore(t, w.ownTLS(0))
	w.nodes = []*started{first}
	for i := 1; i < 3; i++ {
		w.nodes = append(w.nodes, w.newcomer(i, first))
	}
	w.until("all vote", func() bool { return w.voters() == 3 })
	first.do(t, createUser("alice"))
	w.agree()
	before := first.View().Store()
	survivor := w.nodes[2]
	for _, s := range w.nodes {
		s.stop(t)
	}
	c := survivor.cfg
	c.TLS = nil
	index, term, err := Progress(c)
	if err != nil || index == 0 || term == 0 {
		t.Fatalf("index %d, term %d, %v", index, term, err)
	}
	if _, _, err := Recover(c); err != nil {
		t.Fatal(err)
	}
	alone := start(t, c)
	w.nodes = []*started{alone}
	v, err := alone.Consistent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := v.User(iam.FirstAccount, "alice"); !ok {
		t.Error("an acknowledged write is gone")
	}
	if after := v.Store(); after.ClusterID != before.ClusterID || after.Epoch == before.Epoch {
		t.Errorf("store %+v was %+v", after, before)
	}
	if members := alone.Status().Log.Members; len(members) != 1 {
		t.Errorf("members %+v", members)
	}
	w.nodes = append(w.nodes, w.newcomer(3, alone), w.newcomer(4, alone))
	w.until("all vote", func() bool { return w.voters() == 3 })
	w.agree()
	if _, _, err := Recover(w.ownTLS(9)); !errors.Is(err, ErrNotInitialized) {
		t.Errorf("an empty directory is recovered: %v", err)
	}
}

// TestSecretsAreSealedWhereverBytesComeToRest plants a secret that is easy to find.
func TestSecretsAreSealedWhereverBytesComeToRest(t *testing.T) {
	const planted = "planted-secret-that-nobody-may-find-0123"
	w := newTown(t)
	c := w.ownTLS(0)
	var logged bytes.Buffer
	c.Logger = bufferLogger(&logged)
	s, root := newStore(t, c)
	s.do(t, createUser("alice"))
	sealed, err := s.SealSecret("AKIAPLANTED", []byte(planted))
	if err != nil {
		t.Fatal(err)
	}
	if r := s.do(t, iam.CreateAccessKey{Key: iam.AccessKey{ID: "AKIAPLANTED", Secret: sealed, Owner: iam.Ref{Account: iam.FirstAccount, Kind: iam.KindUser, Name: "alice"}}}); r.Err != nil {
		t.Fatal(r.Err)
	}
	saved := backup(t, s.Node)
	if err := s.raft.TakeSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	snapshots, err := filepath.Glob(filepath.Join(c.Dir, "snapshots", "*", "state.bin"))
	if err != nil || len(snapshots) == 0 {
		t.Fatalf("no snapshot on disk: %v", err)
	}
	s.stop(t)
	opened, err := wire.ReadSnapshot(bytes.NewReader(saved), state.InTurn)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := opened.View.AccessKey("AKIAPLANTED")
	if secret, err := s.OpenSecret("AKIAPLANTED", key.Secret); err != nil || string(secret) != planted {
		t.Fatalf("the secret is not in the backup at all: %v", err)
	}
	for what, needle := range map[string][]byte{"planted secret": []byte(planted), "root secret": root.Secret.Reveal()} {
		if path := grep(t, c.Dir, needle); path != "" {
			t.Errorf("the %s is in %s", what, path)
		}
		if bytes.Contains(saved, needle) || bytes.Contains(logged.Bytes(), needle) {
			t.Errorf("the %s is in the backup or the log", what)
		}
	}
	if len(logged.Bytes()) == 0 {
		t.Error("nothing was logged")
	}
}

func bufferLogger(b *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
