package requests

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/bench/policies"
	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/internal/seal"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/protocol"
)

// Secret is the secret of every access key of the store.
const Secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

// Region is where requests are signed for.
const Region = "us-east-1"

// Store is a real store of one node, and an authorizer in process that follows it.
type Store struct {
	Authorizer *sidecar.Authorizer
	node       *cluster.Node
	stop       context.CancelFunc
	ended      chan error
}

// Open makes a store in an empty directory.
func Open(ctx context.Context, dir string) (_ *Store, err error) {
	rootKey := dir + "/root.key"
	if _, err := seal.CreateRootFile(rootKey); err != nil {
		return nil, err
	}
	config := cluster.DefaultConfig()
	config.Dir, config.Root = dir+"/node", seal.Source{File: rootKey}
	node, err := cluster.Open(config)
	if err != nil {
		return nil, err
	}
	settings := sidecar.DefaultConfig()
	authorizer, err := sidecar.New(settings, node.Feed())
	if err != nil {
		return nil, errors.Join(err, node.Close())
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Store{Authorizer: authorizer, node: node, stop: stop, ended: make(chan error, 2)}
	// Both end with Close.
	go func() { s.ended <- node.Run(running) }()
	go func() { s.ended <- authorizer.Run(running) }()
	if _, err := node.Init(ctx, cluster.Birth{Account: iam.FirstAccount}); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	err = s.propose(ctx, iam.PutSettings{Settings: iam.Settings{PolicySize: 20_480, AttachedPolicies: 20}})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends the store.
func (s *Store) Close() error {
	s.stop()
	for range cap(s.ended) {
		<-s.ended
	}
	return s.node.Close()
}

func (s *Store) propose(ctx context.Context, c iam.Command) error {
	result, err := s.node.Propose(ctx, iam.Envelope{Command: c, Actor: iam.FirstAccount.Root(), Time: iam.At(time.Now())})
	if err == nil && result.Err != nil {
		err = result.Err
	}
	if err != nil {
		return fmt.Errorf("%T: %w", c, err)
	}
	return nil
}

// User adds a user with an access key of its name in capitals, who holds statements
// as attached policies, and waits until the authorizer knows it.
func (s *Store) User(ctx context.Context, name string, key iam.AccessKeyID, statements []policies.Statement) error {
	now := iam.At(time.Now())
	user := iam.User{Account: iam.FirstAccount, Name: name, Path: "/", ID: iam.UniqueID("AIDA" + name), Status: iam.Active, Created: now}
	if err := s.propose(ctx, iam.CreateUser{User: user}); err != nil {
		return err
	}
	at := 0
	for part := range slices.Chunk(statements, 100) {
		p := iam.Policy{
			Account: iam.FirstAccount, Name: fmt.Sprintf("%s-%d", name, at), Path: "/", ID: iam.UniqueID(fmt.Sprintf("ANPA%s%d", name, at)),
			Created: now, Updated: now, Default: 1, Next: 2,
			Versions: []iam.PolicyVersion{{Number: 1, Document: policies.Document(part), Created: now}},
		}
		if err := s.propose(ctx, iam.CreatePolicy{Policy: p}); err != nil {
			return err
		}
		if err := s.propose(ctx, iam.AttachPolicy{To: user.Ref(), Policy: p.ARN()}); err != nil {
			return err
		}
		at++
	}
	sealed, err := s.node.SealSecret(key, []byte(Secret))
	if err != nil {
		return err
	}
	if err := s.propose(ctx, iam.CreateAccessKey{Key: iam.AccessKey{ID: key, Owner: user.Ref(), Secret: sealed, Status: iam.Active, Created: now}}); err != nil {
		return err
	}
	return s.Authorizer.Wait(ctx, s.node.View().Index())
}

// Get is a request to read an object, as an SDK sends it.
func Get(key iam.AccessKeyID, bucket, object string) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodGet, "https://s3.example.com/"+bucket+"/"+object, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Range", "bytes=0-65535")
	r.Header.Set("User-Agent", "aws-sdk-go-v2/1.47.7 ua/2.1 os/linux lang/go#1.26.8 md/GOOS#linux md/GOARCH#amd64 api/s3#1.114.8")
	credentials := sigv4.Credentials{AccessKeyID: key, Secret: Secret}
	return r, sigv4.Sign(r, credentials, Region, sigv4.S3, sigv4.UnsignedPayload, iam.At(time.Now()))
}

// Question is what an S3 server asks its sidecar about a request.
func Question(r *http.Request) *sidecar.Request {
	q := &sidecar.Request{Method: r.Method, Target: r.URL.RequestURI(), Remote: netip.MustParseAddr("10.20.30.40"), Secure: true, TLSVersion: "1.3"}
	for _, h := range sigv4.FromHTTP(r, nil).Headers {
		q.Headers = append(q.Headers, protocol.Pair(h))
	}
	return q
}
