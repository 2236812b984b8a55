package s3

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestATargetIsPlainIfEachOfItsBytesIs(t *testing.T) {
	for n := range 20 {
		for at := range n {
			for c := range 256 {
				s := strings.Repeat("a", at) + string([]byte{byte(c)}) + strings.Repeat("z", n-at-1)
				if got := plainTarget(s); got != only(s, targetByte) {
					t.Fatalf("%q is plain: %v", s, got)
				}
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	plain := 0
	for range 200_000 {
		s := make([]byte, r.IntN(24))
		for i := range s {
			if s[i] = byte(r.Uint32()); r.IntN(16) > 0 {
				s[i] |= 0x40
			}
		}
		if plainTarget(string(s)) != only(string(s), targetByte) {
			t.Fatalf("%q is plain: %v", s, plainTarget(string(s)))
		}
		if plainTarget(string(s)) {
			plain++
		}
	}
	if plain == 0 || plain == 200_000 {
		t.Errorf("%d of the random targets are plain, so this test shows less than it says", plain)
	}
}
