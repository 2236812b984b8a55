package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/doorward/doorward/bench/measure"
	"github.com/doorward/doorward/bench/policies"
	"github.com/doorward/doorward/bench/requests"
	"github.com/doorward/doorward/iam"
)

// principals are the numbers of statements of those who ask.
var principals = []int{1, 100, 1_000}

// requestSection measures whole answers beside the cryptography in them, and the
// public signers that servers verify with.
func requestSection(page *strings.Builder, rounds int) error {
	dir, err := os.MkdirTemp("", "doorward-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	store, err := requests.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer store.Close()

	statements := policies.Mix(principals[len(principals)-1])
	bucket, object := statements[0].Bucket, statements[0].Prefix+"2026/11/report.csv"
	r, err := requests.Get("AKIAALICEALICEALICE1", bucket, object)
	if err != nil {
		return err
	}
	verify, err := requests.Verify(r)
	if err != nil {
		return err
	}
	works := []measure.Work{requests.Floor(r), verify}
	for _, n := range principals {
		name, key := fmt.Sprintf("user-%d", n), iam.AccessKeyID(fmt.Sprintf("AKIA%016d", n))
		if err := store.User(ctx, name, key, statements[:n]); err != nil {
			return err
		}
		signed, err := requests.Get(key, bucket, object)
		if err != nil {
			return err
		}
		work, err := requests.Authorize(store.Authorizer, requests.Question(signed))
		if err != nil {
			return err
		}
		work.Name = fmt.Sprintf("Doorward: verify, map, decide; %d statements", n)
		works = append(works, work)
	}
	minio, err := policies.NewMinIO(statements)
	if err != nil {
		return err
	}
	decide := minio.Prepare(policies.Question{Action: "s3:GetObject", Bucket: bucket, Key: object, SourceIP: "10.20.30.40"})
	if !decide() {
		return fmt.Errorf("MinIO's policy package refuses what is allowed")
	}
	sign := requests.SignMinIO(r.Clone(ctx))
	works = append(works, requests.SignAWS(r.Clone(ctx)), sign, measure.Work{
		Name: fmt.Sprintf("minio-go signer, then minio/pkg policy; %d statements", len(statements)),
		Do: func(n int) {
			for range n {
				sign.Do(1)
				decide()
			}
		},
	})

	page.WriteString(`
## Whole requests

A GET as an SDK sends it. The floor is the SHA-256 of its canonical request and the HMAC of its string to sign, from a key that is ready. Doorward's answer
is that of the authorizer in process, following a real store of one node: who signed the request, which operation it is, may the signer do it. Servers
that verify by signing again pay for a signer at each request.

| | time | ÷ floor | allocs |
|---|--:|--:|--:|
`)
	costs := measure.Compare(rounds, works...)
	for i, c := range costs {
		fmt.Fprintf(page, "| %s | %s | %.2f | %.0f |\n", works[i].Name, duration(c.Nanoseconds), c.Nanoseconds/costs[0].Nanoseconds, c.Allocations)
	}
	return nil
}
