package requests

import (
	"context"
	"testing"
	"time"

	"github.com/doorward/doorward/bench/policies"
)

// Everything that is measured does what it says.
func TestTheWorksDoTheirWork(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := Open(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	statements := policies.Mix(1000)
	if err := s.User(ctx, "alice", "AKIAALICEALICEALICE1", statements); err != nil {
		t.Fatal(err)
	}
	r, err := Get("AKIAALICEALICEALICE1", statements[0].Bucket, statements[0].Prefix+"2026/11/report.csv")
	if err != nil {
		t.Fatal(err)
	}
	work, err := Authorize(s.Authorizer, Question(r))
	if err != nil {
		t.Fatal(err)
	}
	verify, err := Verify(r)
	if err != nil {
		t.Fatal(err)
	}
	work.Do(1)
	verify.Do(1)
	Floor(r).Do(1)
	SignAWS(r.Clone(ctx)).Do(1)
	SignMinIO(r.Clone(ctx)).Do(1)
	other, err := Get("AKIAALICEALICEALICE1", "elsewhere", "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Authorize(s.Authorizer, Question(other)); err == nil {
		t.Error("a request that no statement covers is allowed")
	}
}

// BenchmarkAuthorize is for profiles; cmd/results compares.
func BenchmarkAuthorize(b *testing.B) {
	s, err := Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	statements := policies.Mix(1000)
	if err := s.User(b.Context(), "alice", "AKIAALICEALICEALICE1", statements); err != nil {
		b.Fatal(err)
	}
	r, err := Get("AKIAALICEALICEALICE1", statements[0].Bucket, statements[0].Prefix+"2026/11/report.csv")
	if err != nil {
		b.Fatal(err)
	}
	work, err := Authorize(s.Authorizer, Question(r))
	if err != nil {
		b.Fatal(err)
	}
	floor := Floor(r)
	b.Run("floor", func(b *testing.B) { floor.Do(b.N) })
	b.Run("whole", func(b *testing.B) { b.ReportAllocs(); work.Do(b.N) })
}
