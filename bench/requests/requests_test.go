package requests

import (
	"testing"

	"github.com/doorward/doorward/cmd/doorward/bench"
)

// Everything that is measured does what it says.
func TestTheSignersSign(t *testing.T) {
	r, err := bench.Get("AKIAALICEALICEALICE1", bench.Secret, "bucket", "object")
	if err != nil {
		t.Fatal(err)
	}
	for _, sign := range []string{"aws", "minio"} {
		c := r.Clone(t.Context())
		c.Header.Del("Authorization")
		work := SignAWS(c)
		if sign == "minio" {
			work = SignMinIO(c)
		}
		work.Do(2)
		if sign == "aws" && c.Header.Get("Authorization") == "" {
			t.Errorf("%s signed nothing", sign)
		}
	}
}
