package clustertest

import (
	"context"
	"flag"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/cluster/feed"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/remote"
)

var million = flag.Bool("million", false, "also start with a million identities, which takes a minute and 2 GB")

// crowd is a view with n users, each with a managed policy attached and one access key.
func crowd(n int) *state.View {
	const readonly iam.ARN = "arn:aws:iam::000000000000:policy/readonly"
	b := state.NewBuilder()
	b.Add([]iam.Change{{Store: &iam.Store{ClusterID: "crowd", Account: iam.FirstAccount, Epoch: 1}}})
	for i := range n {
		u := &iam.User{
			Account: iam.FirstAccount, Name: fmt.Sprintf("user-%07d", i), Path: "/", ID: iam.UniqueID(fmt.Sprintf("AIDA%017d", i)),
			Created: 1_700_000_000_000, Status: iam.Active, Attached: []iam.ARN{readonly},
		}
		key := iam.AccessKeyID(fmt.Sprintf("AKIA%016X", uint64(i)*0x9e3779b97f4a7c15))
		b.Add([]iam.Change{{User: u}, {AccessKey: &iam.AccessKey{
			ID: key, Owner: u.Ref(), Status: iam.Active, Created: 1_700_000_000_000, Secret: make(iam.Sealed, 73),
		}}})
	}
	return b.View(1)
}

// serveCrowd serves the feed of a view on this machine, without TLS.
func serveCrowd(b *testing.B, v *state.View) (address string) {
	f := feed.New(feed.Config{
		Node: "n1", View: func() *state.View { return v },
		TokenKeys:  func() [][]byte { return [][]byte{make([]byte, 32)} },
		OpenSecret: func(iam.AccessKeyID, iam.Sealed) ([]byte, error) { return []byte("secret"), nil },
		Confirm:    func(context.Context) (iam.Index, error) { return v.Index(), nil },
	})
	f.Reset(v)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	// Ends with the listener, and what it serves with ctx.
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { defer conn.Close(); _ = f.Serve(ctx, conn, feed.Peer{}) })
		}
	})
	b.Cleanup(func() { cancel(); _ = l.Close(); serving.Wait() })
	return l.Addr().String()
}

// BenchmarkColdStartFromNode is a sidecar that has nothing, from its start until it
// decides: by the clock, while node and sidecar share the processors, and by the processor
// time of both.
func BenchmarkColdStartFromNode(b *testing.B) {
	sizes := []int{10_000, 100_000}
	if *million {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			v := crowd(n)
			address := serveCrowd(b, v)
			spent := processorTime(b)
			for b.Loop() {
				startFrom(b, address, v.Index())
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/start")
			b.ReportMetric((processorTime(b)-spent).Seconds()/float64(b.N), "cpu-s/start")
		})
	}
}

func startFrom(b *testing.B, address string, index iam.Index) {
	source, err := remote.New(remote.Config{
		Nodes: []string{address}, Name: "s",
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	a, err := sidecar.New(sidecar.DefaultConfig(), source)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() { _ = a.Run(ctx) }) // ends with ctx
	if err := a.Wait(ctx, index); err != nil {
		b.Fatal(err)
	}
	cancel()
	running.Wait()
}
