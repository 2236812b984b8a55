package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/internal/seal"
	"github.com/doorward/doorward/internal/token"
)

// fast is a configuration for tests on a busy machine.
func fast(t testing.TB, dir string) Config {
	t.Helper()
	c := DefaultConfig()
	c.Dir = filepath.Join(dir, "data")
	c.Root.File = filepath.Join(dir, "root.key")
	if _, err := seal.CreateRootFile(c.Root.File); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	c.Timeout = 20 * time.Second
	c.Raft.Heartbeat, c.Raft.Election, c.Raft.Lease = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	c.Raft.LeaderStall, c.Raft.FollowerStall = time.Minute, time.Minute
	c.Raft.MinFree = 0
	return c
}

type started struct {
	*Node
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func start(t testing.TB, cfg Config) *started {
	t.Helper()
	n, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &started{Node: n, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = n.Run(ctx)
	}()
	t.Cleanup(func() { s.stop(t) })
	<-n.Running()
	return s
}

func (s *started) stop(t testing.TB) {
	t.Helper()
	s.cancel()
	<-s.done
	if s.err != nil {
		t.Error(s.err)
	}
}

func newStore(t testing.TB, cfg Config) (*started, RootKey) {
	t.Helper()
	s := start(t, cfg)
	root, err := s.Init(t.Context(), Birth{Policies: []iam.Policy{{
		Account: iam.FirstAccount, Name: "readonly", Path: "/", ID: "ANPA1", Builtin: true, Default: 1, Next: 2,
		Versions: []iam.PolicyVersion{{Number: 1, Document: "{}"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return s, root
}

func (s *started) do(t testing.TB, c iam.Command) iam.Result {
	t.Helper()
	r, err := s.Propose(t.Context(), iam.Envelope{Command: c, Request: newRequest(), Actor: iam.FirstAccount.Root(), Time: iam.At(time.Now())})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func createUser(name string) iam.CreateUser {
	return iam.CreateUser{User: iam.User{Account: iam.FirstAccount, Name: name, Path: "/", ID: iam.UniqueID("AIDA" + name), Status: iam.Active}}
}

func TestStoreIsBornOnceWithARootKeyPair(t *testing.T) {
	cfg := fast(t, t.TempDir())
	s := start(t, cfg)
	if _, err := s.SealSecret("AKIA", []byte("x")); !errors.Is(err, ErrNotInitialized) {
		t.Errorf("before birth SealSecret: %v", err)
	}
	s.cancel()
	<-s.done

	s, root := newStore(t, cfg)
	key, ok := s.View().AccessKey(root.ID)
	if !ok || key.Owner.Kind != iam.KindRoot || len(root.ID) != 20 || root.Secret.Len() != 40 {
		t.Fatalf("root key %+v", key)
	}
	secret, err := s.OpenSecret(root.ID, key.Secret)
	if err != nil || string(secret) != string(root.Secret.Reveal()) {
		t.Fatalf("the stored secret does not open: %v", err)
	}
	if _, ok := s.View().PolicyNamed(iam.FirstAccount, "readonly"); !ok {
		t.Error("the built-in policy is missing")
	}
	if _, err := s.Init(t.Context(), Birth{}); !errors.Is(err, ErrInitialized) {
		t.Errorf("second Init: %v, want ErrInitialized", err)
	}
	st := s.Status()
	if st.Cluster == "" || st.Cluster != s.View().Store().ClusterID || st.Log.Role != "Leader" || len(st.Log.Members) != 1 {
		t.Errorf("status %+v", st)
	}
}

func TestWritesAreInEffectWhenAcknowledgedAndSurviveARestart(t *testing.T) {
	cfg := fast(t, t.TempDir())
	s, root := newStore(t, cfg)
	for i := range 10 {
		r := s.do(t, createUser(fmt.Sprint("u", i)))
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if v := s.View(); v.Index() < r.Index {
			t.Fatalf("view at %d after a write at %d", v.Index(), r.Index)
		}
	}
	if r := s.do(t, createUser("u1")); r.Err == nil || r.Err.Code != iam.EntityAlreadyExists {
		t.Errorf("a user twice: %+v", r)
	}
	sum, text := s.View().Sum(), s.SealToken("ASIA1", 7, 9)
	s.stop(t)

	again := start(t, cfg)
	v, err := again.Consistent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if v.Sum() != sum {
		t.Error("the state differs after a restart")
	}
	key, _ := v.AccessKey(root.ID)
	if _, err := again.OpenSecret(root.ID, key.Secret); err != nil {
		t.Error(err)
	}
	if tok, err := again.OpenToken(text); err != nil || tok != (token.Token{Key: "ASIA1", Index: 7, Expires: 9}) {
		t.Errorf("token of before: %+v, %v", tok, err)
	}
	if _, err := again.Init(t.Context(), Birth{}); !errors.Is(err, ErrInitialized) {
		t.Errorf("Init after a restart: %v, want ErrInitialized", err)
	}
}

func TestRepeatedRequestTakesEffectOnce(t *testing.T) {
	s, _ := newStore(t, fast(t, t.TempDir()))
	e := iam.Envelope{Command: createUser("once"), Request: newRequest(), Actor: iam.FirstAccount.Root(), Time: iam.At(time.Now())}
	first, err := s.Propose(t.Context(), e)
	if err != nil || first.Err != nil {
		t.Fatal(err, first.Err)
	}
	second, err := s.Propose(t.Context(), e)
	if err != nil || second.Err != nil || second.Index != first.Index {
		t.Errorf("repeated: %+v, %v, want the first's result %+v", second, err, first)
	}
}

func TestSnapshotRestoresEverything(t *testing.T) {
	cfg := fast(t, t.TempDir())
	cfg.Raft.TrailingLogs = 1
	s, root := newStore(t, cfg)
	s.do(t, createUser("alice"))
	if err := s.raft.TakeSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.do(t, createUser("bob"))
	sum := s.View().Sum()
	s.stop(t)
	again := start(t, cfg)
	v, err := again.Consistent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := v.AccessKey(root.ID); !ok || v.Sum() != sum {
		t.Error("the state differs")
	}
}

func TestExpiredSessionsAreRemoved(t *testing.T) {
	cfg := fast(t, t.TempDir())
	cfg.ExpireEvery, cfg.ExpireBatch = 10*time.Millisecond, 2
	s, _ := newStore(t, cfg)
	s.do(t, createUser("alice"))
	alice, _ := s.View().User(iam.FirstAccount, "alice")
	now := iam.At(time.Now())
	for i := range 5 {
		key := iam.AccessKeyID(fmt.Sprint("ASIA", i))
		sealed, err := s.SealSecret(key, []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		expires := now.Add(-time.Second)
		if i == 4 {
			expires = now.Add(time.Hour)
		}
		r := s.do(t, iam.CreateSession{Session: iam.Session{Key: key, Secret: sealed, Kind: iam.SessionSelf, Parent: alice.Ref(), ParentID: alice.ID, Issued: now.Add(-time.Hour), Expires: expires}})
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	for index := s.View().Index(); s.View().Len(iam.TableSessions) > 1; index++ {
		if _, err := s.WaitFor(t.Context(), index); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := s.View().Session("ASIA4"); !ok {
		t.Error("a session that is not over is gone")
	}
}

// TestNothingReadableIsOnTheDisk plants a secret that can be recognised and looks
// for it in every file.
func TestNothingReadableIsOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	cfg := fast(t, dir)
	s, root := newStore(t, cfg)
	const planted = "XPLANTEDXSECRETXPLANTEDXSECRETXPLANTEDXS"
	sealed, err := s.SealSecret("AKIAPLANTED", []byte(planted))
	if err != nil {
		t.Fatal(err)
	}
	if r := s.do(t, iam.CreateAccessKey{Key: iam.AccessKey{ID: "AKIAPLANTED", Secret: sealed, Status: iam.Active,
		Owner: iam.Ref{Account: iam.FirstAccount, Kind: iam.KindRoot}}}); r.Err != nil {
		t.Fatal(r.Err)
	}
	if err := s.raft.TakeSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.stop(t)
	files, found := 0, false
	err = filepath.WalkDir(cfg.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files++
		for _, secret := range []string{planted, string(root.Secret.Reveal())} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s holds a secret in the clear", path)
			}
		}
		found = found || strings.Contains(string(text), "AKIAPLANTED")
		return err
	})
	if err != nil || files < 4 || !found {
		t.Errorf("looked at %d files, found the key's id: %t, %v", files, found, err)
	}
}

func TestSidecarFollowsTheNode(t *testing.T) {
	s, root := newStore(t, fast(t, t.TempDir()))
	source := s.Feed()
	index, err := source.Confirm(t.Context())
	if err != nil || index != s.View().Index() {
		t.Fatalf("Confirm = %d, %v, the view is at %d", index, err, s.View().Index())
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	follower, at := state.Empty(), make(chan iam.Index, 100)
	done := make(chan error, 1)
	go func() {
		done <- source.Follow(ctx, wire.Position{}, func(f wire.Frame) error {
			switch f := f.(type) {
			case wire.Hello:
				if _, err := token.Import(f.TokenKeys); err != nil {
					return err
				}
			case wire.SnapshotChunk:
				follower = follower.Apply(0, f.Changes)
			case wire.SnapshotEnd:
				follower = follower.Apply(f.Position.Index, nil)
				at <- f.Position.Index
			case wire.Delta:
				follower = follower.Apply(f.Index, f.Changes)
				at <- f.Index
			}
			return nil
		})
	}()
	r := s.do(t, createUser("alice"))
	for i := range at {
		if i >= r.Index {
			break
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if follower.Sum() != s.View().Sum() {
		t.Error("the follower holds another state")
	}
	today := time.Now().UTC().Format("20060102")
	if _, err := source.SigningKey(t.Context(), root.ID, wire.Scope{Date: today, Region: "us-east-1", Service: "s3"}); err != nil {
		t.Error(err)
	}
}

func TestOpenRefusals(t *testing.T) {
	cfg := fast(t, t.TempDir())
	s, _ := newStore(t, cfg)
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second process: %v", err)
	}
	s.stop(t)
	other := cfg
	other.Root.File = filepath.Join(t.TempDir(), "none.key")
	if _, err := Open(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the root key: %v", err)
	}
	if err := os.WriteFile(filepath.Join(cfg.Dir, clusterFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), clusterFile) {
		t.Errorf("a damaged cluster file: %v", err)
	}
}
