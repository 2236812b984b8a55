package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/cmd/doorward/bench/load"
	"github.com/doorward/doorward/cmd/doorward/bench/report"
	"github.com/doorward/doorward/cmd/doorward/bench/stores"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

// Remote is a store that is named instead of one that is made for the occasion.
type Remote struct {
	Endpoint          string // URL of the API
	AccessKey, Secret string
	Token             string
}

func (r *Remote) credentials() sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: iam.AccessKeyID(r.AccessKey), Secret: r.Secret, Token: r.Token}
}

// Write measures writes that were acknowledged, and so are on the disks of a majority:
// at the log of the leader, as another node forwards them, and at the IAM API, where
// each is signed, authorised and recorded in the audit log as well. Each makes a user.
type Write struct {
	Program  string  // doorward, for the processes of the store
	Nodes    int     // of the store that is made
	Remote   *Remote // nil: a store is made, on loopback
	Writers  []int
	For      time.Duration // for each number of writers
	Progress Progress
}

// DefaultWrite makes a store of three nodes.
func DefaultWrite() Write {
	return Write{Nodes: 3, Writers: []int{1, 16, 128, 1024}, For: 3 * time.Second}
}

// Run adds the tables. What was written into a named store is deleted at the end.
func (b Write) Run(ctx context.Context, to *report.Report) (err error) {
	defer b.Progress.End()
	if b.Remote != nil {
		return b.remote(ctx, to)
	}
	store, done, err := b.Store(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	log, err := b.Log(ctx, store)
	if err != nil {
		return err
	}
	if err := b.table(ctx, to, "write/log", log); err != nil {
		return err
	}
	api, err := b.API(store)
	if err != nil {
		return err
	}
	defer api.Close()
	return b.table(ctx, to, "write/api", Door{Name: "api", Ask: Users(ctx, api)})
}

func (b Write) table(ctx context.Context, to *report.Report, name string, door Door) error {
	table := to.Add(name, "nodes", b.Nodes, "seconds", b.For.Seconds())
	for _, writers := range b.Writers {
		r, err := b.Drive(ctx, door, writers)
		if err != nil {
			return err
		}
		table.Row(fmt.Sprintf("%d writers", writers), loaded(r, 1)...)
	}
	return nil
}

// Drive keeps writers busy at a door.
func (b Write) Drive(ctx context.Context, door Door, writers int) (*load.Result, error) {
	what := fmt.Sprintf("write %s, %d writers", door.Name, writers)
	b.Progress.Step("%s", what)
	r := load.Plan{Workers: writers, For: b.For, Seen: b.Progress.seen(what)}.Run(ctx, door.Ask)
	return r, failure(what, r)
}

// Store makes the store to write into. Done ends it and leaves nothing behind.
func (b Write) Store(ctx context.Context) (store *stores.Store, done func() error, err error) {
	dir, err := os.MkdirTemp("", "doorward-bench-")
	if err != nil {
		return nil, nil, err
	}
	b.Progress.Step("write: starting %d nodes; a new node votes after 10 s", b.Nodes)
	store, err = stores.Start(ctx, stores.Config{Program: b.Program, Dir: dir, Nodes: b.Nodes})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return store, func() error { return errors.Join(store.Close(), os.RemoveAll(dir)) }, nil
}

// Log is the door of those who write as another node does, at the leader.
func (b Write) Log(ctx context.Context, store *stores.Store) (Door, error) {
	leader, id, err := store.Leader(ctx)
	if err != nil {
		return Door{}, err
	}
	name, address, pool := names(), store.Nodes[leader].Peer, store.Pool()
	return Door{Name: "log", Ask: func(int, uint64) error {
		command, err := newUser(name())
		if err != nil {
			return err
		}
		return propose(ctx, pool, id, address, command)
	}}, nil
}

// newUser is the entry of a command that makes a user.
func newUser(name string) ([]byte, error) {
	now := iam.At(time.Now())
	return wire.AppendEntry(nil, iam.Envelope{
		Command: iam.CreateUser{User: iam.User{
			Account: iam.FirstAccount, Name: name, Path: "/", ID: iam.UniqueID("AIDA" + rand.Text()[:17]), Created: now, Status: iam.Active,
		}},
		Request: [16]byte([]byte(rand.Text()[:16])), Actor: iam.FirstAccount.Root(), Time: now,
	})
}

func propose(ctx context.Context, pool *peer.Pool, id, address string, command []byte) error {
	result, err := pool.Propose(ctx, ctx.Done(), id, address, command)
	if err == nil && result.Err != nil {
		err = result.Err
	}
	return err
}

// API calls the IAM API of the leader, so that no call is forwarded.
func (b Write) API(store *stores.Store) (*API, error) {
	leader, _, err := store.Leader(context.Background())
	if err != nil {
		return nil, err
	}
	return NewAPI(store.Nodes[leader].API, sigv4.Credentials{AccessKeyID: iam.AccessKeyID(store.AccessKey), Secret: store.Secret}, maxWriters(b.Writers))
}

// Users makes users over the IAM API.
func Users(ctx context.Context, api *API) func(int, uint64) error {
	name := names()
	return func(int, uint64) error { return api.Call(ctx, "iam", "CreateUser", nil, "UserName", name()) }
}

// names returns a name that nobody has, each time.
func names() func() string {
	var n atomic.Uint64
	run := rand.Text()[:6]
	return func() string { return fmt.Sprintf("bench-%s-%d", run, n.Add(1)) }
}

func maxWriters(writers []int) int {
	most := 1
	for _, n := range writers {
		most = max(most, n)
	}
	return most
}

// remote writes tags of one user of the named store, which leaves nothing behind once
// the user is gone.
func (b Write) remote(ctx context.Context, to *report.Report) (err error) {
	api, err := NewAPI(b.Remote.Endpoint, b.Remote.credentials(), maxWriters(b.Writers))
	if err != nil {
		return err
	}
	defer api.Close()
	user := "doorward-bench-" + rand.Text()[:8]
	if err := api.Call(ctx, "iam", "CreateUser", nil, "UserName", user); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, api.Call(context.WithoutCancel(ctx), "iam", "DeleteUser", nil, "UserName", user))
	}()
	table := to.Add("write/api", "endpoint", b.Remote.Endpoint, "seconds", b.For.Seconds())
	for _, writers := range b.Writers {
		r, err := b.Drive(ctx, Door{Name: b.Remote.Endpoint, Ask: func(worker int, n uint64) error {
			return api.Call(ctx, "iam", "TagUser", nil, "UserName", user,
				"Tags.member.1.Key", fmt.Sprintf("writer-%d", worker%8), "Tags.member.1.Value", fmt.Sprint(n))
		}}, writers)
		if err != nil {
			return err
		}
		table.Row(fmt.Sprintf("%d writers", writers), loaded(r, 1)...)
	}
	return nil
}

// STS measures temporary credentials: AssumeRole of a user for itself, by so many
// clients at once. Each is a write, and a token that is sealed.
type STS struct {
	Program  string
	Nodes    int
	Remote   *Remote // nil: a store is made, with a user
	Clients  []int
	For      time.Duration
	Progress Progress
}

// DefaultSTS makes a store of three nodes.
func DefaultSTS() STS { return STS{Nodes: 3, Clients: []int{1, 16, 128}, For: 3 * time.Second} }

// Run adds the table. Sessions last a quarter of an hour, the least that there is.
func (b STS) Run(ctx context.Context, to *report.Report) (err error) {
	defer b.Progress.End()
	asked := b.Remote
	if asked == nil {
		writes := Write{Program: b.Program, Nodes: b.Nodes, Progress: b.Progress}
		store, done, err := writes.Store(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, done()) }()
		if asked, err = newAssumer(ctx, writes, store); err != nil {
			return err
		}
	}
	api, err := NewAPI(asked.Endpoint, asked.credentials(), maxWriters(b.Clients))
	if err != nil {
		return err
	}
	defer api.Close()
	table := to.Add("sts", "endpoint", asked.Endpoint, "seconds", b.For.Seconds())
	for _, clients := range b.Clients {
		what := fmt.Sprintf("sts, %d clients", clients)
		b.Progress.Step("%s", what)
		r := load.Plan{Workers: clients, For: b.For, Seen: b.Progress.seen(what)}.Run(ctx, func(int, uint64) error {
			return api.Call(ctx, "sts", "AssumeRole", nil, "RoleArn", "arn:aws:iam::"+string(iam.FirstAccount)+":role/self", "RoleSessionName", "bench", "DurationSeconds", "900")
		})
		if err := failure(what, r); err != nil {
			return err
		}
		table.Row(fmt.Sprintf("%d clients", clients), loaded(r, 1)...)
	}
	return nil
}

// newAssumer makes a user with a key, who may assume its own identity.
func newAssumer(ctx context.Context, b Write, store *stores.Store) (*Remote, error) {
	api, err := b.API(store)
	if err != nil {
		return nil, err
	}
	defer api.Close()
	if err := api.Call(ctx, "iam", "CreateUser", nil, "UserName", "assumer"); err != nil {
		return nil, err
	}
	allow := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","sts:AssumeRole"],"Resource":"*"}]}`
	if err := api.Call(ctx, "iam", "PutUserPolicy", nil, "UserName", "assumer", "PolicyName", "all", "PolicyDocument", allow); err != nil {
		return nil, err
	}
	var made struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	if err := api.Call(ctx, "iam", "CreateAccessKey", &made, "UserName", "assumer"); err != nil {
		return nil, err
	}
	return &Remote{Endpoint: api.endpoint, AccessKey: made.ID, Secret: made.Secret}, nil
}
