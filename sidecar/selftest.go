package sidecar

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/internal/token"
	"github.com/doorward/doorward/sidecar/protocol"
)

// The vector is the first example of the S3 API reference, "Signature Calculations
// for the Authorization Header: Transferring Payload in a Single Chunk", with the
// key pair of AWS's documentation.
const (
	vectorKey    = "AKIAIOSFODNN7EXAMPLE"
	vectorSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	vectorProof  = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
)

var vectorTime = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

// SelfTest decides about a request that AWS documents, in an authorizer of its own:
// the right signature is allowed where a policy allows and denied where none does,
// and a wrong one is refused. A program that fails it must not serve.
func SelfTest(ctx context.Context) error {
	for _, row := range []struct {
		policy, target, proof string
		want                  iam.Code
	}{
		{vectorPolicy, "/test.txt", vectorProof, ""},
		{vectorPolicy, "/test.txt", "00" + vectorProof[2:], iam.SignatureDoesNotMatch},
		{vectorPolicy, "/text.txt", vectorProof, iam.SignatureDoesNotMatch},
		{"", "/test.txt", vectorProof, iam.AccessDenied},
	} {
		d, err := vector(row.policy).decide(ctx, vectorRequest(row.target, row.proof))
		if err != nil {
			return fmt.Errorf("self-test: %w", err)
		}
		if d.Code() != row.want || d.Allowed() != (row.want == "") {
			return fmt.Errorf("self-test: %s with signature %.4s…: %v %q, want %q", row.target, row.proof, d.Effect, d.Code(), row.want)
		}
	}
	return nil
}

func vectorRequest(target, proof string) *Request {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	return &Request{Method: "GET", Target: target, Remote: netip.IPv4Unspecified(), Headers: []protocol.Pair{
		{Name: "Host", Value: "examplebucket.s3.amazonaws.com"},
		{Name: "Range", Value: "bytes=0-9"},
		{Name: "X-Amz-Content-Sha256", Value: empty},
		{Name: "X-Amz-Date", Value: "20130524T000000Z"},
		{Name: "Authorization", Value: "AWS4-HMAC-SHA256 Credential=" + vectorKey +
			"/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=" + proof},
	}}
}

// vector is a store with one user who has this policy, for the self-test.
type vector string

const vectorPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::examplebucket/test.txt"}]}`

// decide asks an authorizer that follows the store.
func (v vector) decide(ctx context.Context, q *Request) (d Decision, err error) {
	config := DefaultConfig()
	config.Endpoints, config.Callers, config.ConfirmGap = []string{"s3.amazonaws.com"}, waysPerSet, time.Millisecond
	config.Now = func() time.Time { return vectorTime }
	a, err := New(config, v)
	if err != nil {
		return d, err
	}
	ctx, cancel := context.WithTimeout(ctx, config.Patience)
	done := make(chan struct{})
	// Ended by cancel.
	go func() { defer close(done); _ = a.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if err := a.Wait(ctx, 1); err != nil {
		return d, err
	}
	a.Authorize(ctx, q, &d)
	return d, nil
}

// Follow gives the whole store, to which nothing is added.
func (v vector) Follow(ctx context.Context, _ wire.Position, sink func(wire.Frame) error) error {
	user := &iam.User{Account: iam.FirstAccount, Name: "self-test", Path: "/", ID: "AIDASELFTEST", Status: iam.Active}
	if v != "" {
		user.Inline = []iam.InlinePolicy{{Name: "read", Document: string(v)}}
	}
	all := state.Empty().Apply(1, []iam.Change{
		{Store: &iam.Store{ClusterID: "self-test", Account: iam.FirstAccount, Epoch: 1}}, {User: user},
		{AccessKey: &iam.AccessKey{ID: vectorKey, Owner: user.Ref(), Status: iam.Active, Created: 1}},
	})
	at := wire.PositionOf(all)
	records := slices.Collect(all.All())
	for _, frame := range []wire.Frame{
		wire.Hello{Cluster: at.Cluster, Epoch: at.Epoch, TokenKeys: [][]byte{make([]byte, token.KeySize)}},
		wire.SnapshotBegin{Position: at, Records: uint64(len(records))}, wire.SnapshotChunk{Changes: records}, wire.SnapshotEnd{Position: at},
	} {
		if err := sink(frame); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// SigningKey gives the vector's.
func (vector) SigningKey(_ context.Context, id iam.AccessKeyID, scope wire.Scope) (wire.SigningKey, error) {
	key := sigv4.DeriveDayKey(vectorSecret, sigv4.Scope{Date: scope.Date, Region: scope.Region, Service: sigv4.Service(scope.Service)})
	return wire.SigningKey{AccessKey: id, Scope: scope, Key: wire.DerivedKey(key)}, nil
}

// Confirm gives the only index that there is.
func (vector) Confirm(context.Context) (iam.Index, error) { return 1, nil }
