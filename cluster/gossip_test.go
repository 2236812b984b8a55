package cluster

import (
	"bytes"
	"slices"
	"testing"

	"github.com/doorward/doorward/cluster/gossip"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/internal/seal"
)

// TestNodesOneStepApartReadOneAnother takes two nodes through rotations of the
// gossip's key, one of them a step ahead, and through the replacement of the root key.
func TestNodesOneStepApartReadOneAnother(t *testing.T) {
	old, fresh := seal.NewRoot(), seal.NewRoot()
	reads := func(a, b gossip.Keys) bool {
		return slices.ContainsFunc(a.Accept, func(k []byte) bool { return bytes.Equal(k, b.Use) })
	}
	roots := [][]*seal.Root{{old}, {old, fresh}, {fresh, old}, {fresh}}
	g := iam.Gossip{}
	for step := range 7 {
		for i := range roots {
			a := &keys{cluster: "c", roots: roots[i]}
			b := &keys{cluster: "c", roots: roots[min(i+1, len(roots)-1)]}
			one, two := a.gossip(g), a.gossip(g.Next())
			if !reads(one, two) || !reads(two, one) {
				t.Errorf("step %d: nodes at %+v and %+v do not read one another", step, g, g.Next())
			}
			if one, two = a.gossip(g), b.gossip(g); !reads(one, two) || !reads(two, one) {
				t.Errorf("step %d: nodes do not read one another while the root key is replaced", step)
			}
		}
		g = g.Next()
	}
	if g.Current < 2 {
		t.Errorf("after seven steps the key is %d", g.Current)
	}
	a, other := &keys{cluster: "c", roots: roots[0]}, &keys{cluster: "d", roots: roots[0]}
	if reads(a.gossip(g), other.gossip(g)) || reads(a.gossip(iam.Gossip{}), a.gossip(g)) {
		t.Error("a node of another cluster, or with a key that is gone, is read")
	}
}
