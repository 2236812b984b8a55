package main

import (
	"context"
	"fmt"

	"github.com/doorward/doorward/bench/policies"
	"github.com/doorward/doorward/bench/requests"
	"github.com/doorward/doorward/cmd/doorward/bench"
	"github.com/doorward/doorward/cmd/doorward/bench/measure"
	"github.com/doorward/doorward/cmd/doorward/bench/report"
	"github.com/doorward/doorward/cmd/doorward/bench/workload"
)

// principals are the numbers of statements of those who ask.
var principals = []int{1, 100, 1_000}

// requestSection measures whole answers beside the cryptography in them, and the
// public signers that servers verify with.
func requestSection(page *page) error {
	ctx := context.Background()
	verify := bench.Verify{Statements: principals}
	works, end, err := verify.Works(ctx)
	if end != nil {
		defer end()
	}
	if err != nil {
		return err
	}
	statements := workload.Mix(principals[len(principals)-1])
	bucket, object := statements[0].Bucket, statements[0].Prefix+"2026/11/report.csv"
	r, err := bench.Get("AKIAALICEALICEALICE1", bench.Secret, bucket, object)
	if err != nil {
		return err
	}
	minio, err := policies.NewMinIO(statements)
	if err != nil {
		return err
	}
	decide := minio.Prepare(workload.Question{Action: "s3:GetObject", Bucket: bucket, Key: object, SourceIP: "10.20.30.40"})
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

	page.WriteString(`## Whole requests

A GET as an SDK sends it. The floor is the SHA-256 of its canonical request and the HMAC of its string to sign, from a key that is ready. Doorward's answer
is that of the authorizer in process, following a store in memory: who signed the request, which operation it is, may the signer do it. Servers
that verify by signing again pay for a signer at each request.

`)
	costs := measure.Compare(page.rounds, works...)
	table := page.figures.Add("requests", "turns", page.rounds)
	for i, c := range costs {
		table.Row(works[i].Name, append(bench.Costs(c), report.Figure{Name: "÷ floor", Unit: report.Ratio, Value: c.Nanoseconds / costs[0].Nanoseconds})...)
	}
	page.table("requests")
	return page.profile("the answer to a principal with 1,000 statements", works[wholeAnswer])
}

// wholeAnswer is the work whose profile is shown.
const wholeAnswer = 4
