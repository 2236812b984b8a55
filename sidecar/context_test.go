package sidecar

import (
	"testing"

	"github.com/doorward/doorward/authz/s3"
)

// A key that nobody knows yet must be left open, or a Deny that turns on it would
// not bite.
func TestEveryKeyThatAMissingBodyLeavesUnknownIsLeftOpen(t *testing.T) {
	mapper, err := s3.New(s3.Config{Endpoints: []string{"s3.example.net"}})
	if err != nil {
		t.Fatal(err)
	}
	covered := s3.KeySet(0)
	for _, u := range unknowns {
		for _, k := range u.keys {
			covered |= 1 << k
		}
	}
	seen := s3.KeySet(0)
	for _, row := range []struct{ method, target string }{
		{"PUT", "/bucket"}, {"PUT", "/bucket?inventory&id=a"}, {"PUT", "/bucket?replication"}, {"PUT", "/bucket?tagging"},
		{"PUT", "/bucket/key?encryption"}, {"PUT", "/bucket/key?tagging"}, {"PUT", "/bucket/key?retention"}, {"PUT", "/bucket/key?legal-hold"},
		{"GET", "/bucket/key"}, {"PUT", "/bucket?object-lock"},
	} {
		var result s3.Result
		request := s3.Request{Method: row.method, Target: row.target, Host: "s3.example.net"}
		if err := mapper.Map(&request, &result); err != nil {
			t.Fatalf("%s %s: %v", row.method, row.target, err)
		}
		for i := range result.Needs {
			unknown := result.Needs[i].Unknown
			seen |= unknown
			for k := s3.Key(1); int(k) < s3.NumKeys; k++ {
				if unknown.Has(k) && !covered.Has(k) {
					t.Errorf("%s %s: %s is unknown, but no fact stands for it", row.method, row.target, k.Name())
				}
			}
		}
	}
	for _, k := range []s3.Key{s3.KeySSE, s3.KeyInventoryFields, s3.KeyReplicationPause, s3.KeyExistingObjectTag} {
		if !seen.Has(k) {
			t.Errorf("no request left %s unknown, so this test shows less than it says", k.Name())
		}
	}
}
