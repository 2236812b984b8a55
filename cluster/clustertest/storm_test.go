package clustertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/protocol"
)

// stormSize is how many credentials a storm has; DOORWARD_STORM=10000 makes a long one.
func stormSize(t *testing.T) int {
	text := os.Getenv("DOORWARD_STORM")
	if text == "" {
		return 400
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// credentialsPerUser bounds the keys of one user.
const credentialsPerUser = 1000

const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// storm has users who may do everything, and makes keys and sessions for them.
type storm struct{ *World }

func newStorm(w *World, size int) *storm {
	s := &storm{w}
	s.must(w.Leader(), iam.PutSettings{Settings: iam.Settings{KeysPerUser: credentialsPerUser}})
	for i := 0; i < size; i += credentialsPerUser {
		s.must(w.Leader(), iam.CreateUser{User: s.user(i)})
	}
	return s
}

// user is who the i-th credential belongs to.
func (s *storm) user(i int) iam.User {
	name := fmt.Sprint("storm", i/credentialsPerUser)
	return iam.User{
		Account: iam.FirstAccount, Name: name, Path: "/", ID: iam.UniqueID("AIDA" + name), Status: iam.Active,
		Inline: []iam.InlinePolicy{{Name: "all", Document: allowAll}},
	}
}

func (s *storm) must(n *Node, c iam.Command) iam.Index {
	s.t.Helper()
	r, err := n.Do(context.Background(), c)
	if err = errors.Join(err, refusal(r)); err != nil {
		s.t.Errorf("%T at %s: %v", c, n.host, err)
	}
	return r.Index
}

// credential makes the i-th: a key, or every second time a session.
func (s *storm) credential(n *Node, i int) sigv4.Credentials {
	c := sigv4.Credentials{AccessKeyID: iam.AccessKeyID(fmt.Sprintf("AKIA%012d", i)), Secret: fmt.Sprint("secret", i)}
	at, user := iam.At(time.Now()), s.user(i)
	if i%2 == 1 {
		c.AccessKeyID = iam.AccessKeyID(fmt.Sprintf("ASIA%012d", i))
	}
	sealed, err := n.SealSecret(c.AccessKeyID, []byte(c.Secret))
	if err != nil {
		s.t.Error(err)
	}
	if i%2 == 0 {
		s.must(n, iam.CreateAccessKey{Key: iam.AccessKey{ID: c.AccessKeyID, Secret: sealed, Owner: user.Ref(), Status: iam.Active, Created: at}})
		return c
	}
	end := at + iam.Time(time.Hour.Milliseconds())
	index := s.must(n, iam.CreateSession{Session: iam.Session{
		Key: c.AccessKeyID, Secret: sealed, Kind: iam.SessionSelf, Parent: user.Ref(), ParentID: user.ID, Name: "storm", Issued: at, Expires: end,
	}})
	c.Token = n.SealToken(c.AccessKeyID, index, end)
	return c
}

// ask signs a request and asks a host about it.
func (s *storm) ask(h *host, c sigv4.Credentials) (d sidecar.Decision) {
	r, err := http.NewRequest("GET", "http://s3.example/bucket/key", nil)
	if err == nil {
		err = sigv4.Sign(r, c, "us-east-1", sigv4.S3, sigv4.UnsignedPayload, iam.At(time.Now()))
	}
	if err != nil {
		s.t.Error(err)
	}
	q := &sidecar.Request{Method: "GET", Target: "/bucket/key", Remote: netip.IPv4Unspecified()}
	for _, header := range sigv4.FromHTTP(r, nil).Headers {
		q.Headers = append(q.Headers, protocol.Pair(header))
	}
	h.Authorize(context.Background(), q, &d)
	return d
}

// hosts starts n sidecars and waits until they follow.
func (s *storm) hosts(n int, change ...func(*sidecar.Config)) (hosts []*host) {
	for i := range n {
		hosts = append(hosts, s.sidecar(fmt.Sprint("s", i), s.Node(i%len(s.nodes)), change...))
	}
	for _, h := range hosts {
		h.caughtUp(s.Leader())
	}
	return hosts
}

func TestFreshCredentialsWorkAtOnceAtEverySidecar(t *testing.T) {
	within(t, 3, nil, func(t *testing.T, w *World) {
		size := stormSize(t)
		s := newStorm(w, size)
		hosts := s.hosts(8)
		// Some hosts are far away: what they get comes late, in jumps.
		ctx, cancel := context.WithCancel(t.Context())
		var lag sync.WaitGroup
		for i := range 4 {
			lag.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(i)))
				for ctx.Err() == nil {
					s.far(hosts[i], true)
					time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
					s.far(hosts[i], false)
					time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
				}
			})
		}
		var clients sync.WaitGroup
		for c := range 8 {
			clients.Go(func() {
				random := rand.New(rand.NewPCG(2, uint64(c)))
				for i := c; i < size; i += 8 {
					fresh := s.credential(w.Node(random.IntN(3)), i)
					h := hosts[random.IntN(len(hosts))]
					if d := s.ask(h, fresh); !d.Allowed() {
						t.Errorf("%s at %s: %s %s (index %d)", fresh.AccessKeyID, h.name, d.Code(), d.Message(), d.Index)
					}
				}
			})
		}
		clients.Wait()
		cancel()
		lag.Wait()
	})
}

// far cuts a host off from what nodes send, or lets it through again.
func (w *World) far(h *host, cut bool) {
	for _, n := range w.nodes {
		w.net.Set(n.host, h.name, cut)
	}
}

// The history of one credential: it is revoked once, and asked about at any time.
type (
	asked   struct{ revoke bool }
	decided struct{ allowed, unknown bool }
)

// revocation is what may be observed at one host of a credential that works at first:
// it is allowed, and from some moment before its revocation returns on it is not.
var revocation = porcupine.Model{
	Init: func() any { return true },
	Step: func(state, in, out any) (bool, any) {
		works, o := state.(bool), out.(decided)
		switch {
		case in.(asked).revoke:
			return true, false
		case o.unknown:
			return true, works
		}
		return o.allowed == works, works
	},
	Equal: func(a, b any) bool { return a == b },
}

// seenBy returns what one host has decided, and the revocation. Each host takes it in
// at a moment of its own between call and return.
func seenBy(host int, history []porcupine.Operation) (seen []porcupine.Operation) {
	for _, o := range history {
		if o.ClientId == host || o.Input.(asked).revoke {
			seen = append(seen, o)
		}
	}
	return seen
}

func TestAfterAFencedRevocationNobodyIsAllowedAnywhere(t *testing.T) {
	within(t, 3, nil, func(t *testing.T, w *World) {
		s := newStorm(w, 1)
		dir := t.TempDir()
		keeps := func(name string) func(*sidecar.Config) {
			return func(c *sidecar.Config) {
				c.Keep = &sidecar.KeepConfig{Path: filepath.Join(dir, name), Key: keyOf(name)}
			}
		}
		var hosts []*host
		for i := range 8 {
			hosts = append(hosts, s.sidecar(fmt.Sprint("s", i), w.Node(i%3), keeps(fmt.Sprint("s", i))))
		}
		for _, h := range hosts {
			h.caughtUp(w.Leader())
		}
		confirmed := 0
		owner := s.user(0)
		for round := range 30 {
			random := rand.New(rand.NewPCG(3, uint64(round)))
			c := s.credential(w.Node(round%3), 2*round) // a key
			var mu sync.Mutex
			var history []porcupine.Operation
			note := func(client int, in asked, call time.Time, out decided) {
				mu.Lock()
				defer mu.Unlock()
				history = append(history, porcupine.Operation{ClientId: client, Input: in, Call: call.UnixNano(), Output: out, Return: time.Now().UnixNano()})
			}
			for _, h := range hosts {
				if d := s.ask(h, c); !d.Allowed() {
					t.Errorf("round %d: %s at first: %s %s", round, h.name, d.Code(), d.Message())
				}
			}
			if round%5 == 4 {
				time.Sleep(7 * time.Second) // the key is in what the hosts keep
			}
			ctx, cancel := context.WithCancel(t.Context())
			var clients sync.WaitGroup
			for i, h := range hosts {
				clients.Go(func() {
					for ctx.Err() == nil {
						call := time.Now()
						d := s.ask(h, c)
						note(i, asked{}, call, decided{allowed: d.Allowed(), unknown: d.Status() == 503})
						time.Sleep(time.Millisecond)
					}
				})
			}
			// Trouble while the key is revoked: lag, a restart, or none.
			far := hosts[random.IntN(8)]
			if round%3 == 1 {
				s.far(far, true)
				time.AfterFunc(time.Duration(random.IntN(400))*time.Millisecond, func() { s.far(far, false) })
			}
			time.Sleep(5 * time.Millisecond)
			n := w.Node(random.IntN(3))
			call := time.Now()
			index := s.must(n, iam.UpdateAccessKey{Owner: owner.Ref(), Key: c.AccessKeyID, Status: iam.Inactive})
			all := n.Fence(t.Context(), index, 5*time.Second)
			complete := len(all.Silent) == 0 && len(all.Followers) >= len(hosts)
			for _, f := range all.Followers {
				complete = complete && f.Index >= index
			}
			if complete {
				confirmed++
				note(len(hosts), asked{revoke: true}, call, decided{})
			}
			time.Sleep(20 * time.Millisecond)
			cancel()
			clients.Wait()
			if !complete {
				t.Errorf("round %d: not everybody has confirmed: %+v", round, all)
			}
			for i, h := range hosts {
				if !porcupine.CheckOperations(revocation, seenBy(i, history)) {
					t.Errorf("round %d: %s allowed after the revocation had returned, or after it had denied", round, h.name)
				}
			}
			// What was confirmed holds after a crash, with the store out of reach.
			if round%5 == 4 {
				i := random.IntN(8)
				s.far(hosts[i], true)
				crash(t, hosts[i], filepath.Join(dir, hosts[i].name))
				hosts[i] = s.sidecar(hosts[i].name, w.Node(i%3), keeps(hosts[i].name))
				for range 50 {
					if d := s.ask(hosts[i], c); d.Allowed() {
						t.Errorf("round %d: %s allows after a restart what it had confirmed to be revoked", round, hosts[i].name)
					}
					time.Sleep(time.Millisecond)
				}
				s.far(hosts[i], false)
				hosts[i].caughtUp(w.Leader())
			}
		}
		if confirmed == 0 {
			t.Error("no revocation was confirmed")
		}
	})
}

// crash ends a host and leaves its file as it was before the end.
func crash(t *testing.T, h *host, path string) {
	t.Helper()
	file, err := os.ReadFile(path)
	h.end()
	if err == nil {
		err = os.WriteFile(path, file, 0o600)
	} else if errors.Is(err, os.ErrNotExist) {
		if err = os.Remove(path); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// keyOf is the key of a host's file, which nobody else reads.
type keyOf string

func (k keyOf) Derive(purpose string, size int) []byte {
	return make([]byte, size)
}
