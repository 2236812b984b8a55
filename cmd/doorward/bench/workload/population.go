package workload

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/doorward/doorward/cluster/feed"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/internal/token"
)

// Config says how many identities there are and what they may do.
type Config struct {
	// Seed makes the secrets and the choices.
	Seed uint64
	// Keys is the number of access keys. Each has a user of its own.
	Keys int
	// Sessions is the share of keys that are temporary credentials.
	Sessions float64
	// Statements are the numbers of statements that users hold; they take turns.
	Statements []int
	// Variants is for how many groups of projects policies of each size are written;
	// zero: one.
	Variants int
}

// DefaultConfig is a company: most users hold a few statements, some hold a thousand.
func DefaultConfig() Config {
	return Config{Seed: 1, Keys: 10_000, Sessions: 0.1, Statements: []int{1, 10, 1, 10, 100, 1, 10, 1, 10, 1000}}
}

// Region is where requests are signed for.
const Region = "us-east-1"

// firstIndex is of the view that a population makes.
const firstIndex = 1

// Population is a store in memory that is full of identities. It is what a sidecar
// follows: Follow and SigningKey are those of the feed of a node.
type Population struct {
	*feed.Feed
	Config Config
	view   *state.View
	tokens *token.Keyring
	mixes  map[int][][]Statement // by size and variant
	born   iam.Time
}

// fixedRoot makes the key that seals session tokens from the seed: nobody but a
// benchmark trusts it.
type fixedRoot uint64

func (r fixedRoot) Derive(purpose string, size int) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", purpose, r))
	return sum[:size]
}

// New makes a population.
func New(c Config, now time.Time) (*Population, error) {
	tokens, err := token.NewKeyring("bench", fixedRoot(c.Seed))
	if err != nil {
		return nil, err
	}
	c.Variants = max(c.Variants, 1)
	p := &Population{Config: c, tokens: tokens, mixes: map[int][][]Statement{}, born: iam.At(now.Add(-24 * time.Hour))}
	b := state.NewBuilder()
	b.Add([]iam.Change{{Store: &iam.Store{ClusterID: "bench", Account: iam.FirstAccount, Epoch: 1}}})
	p.addPolicies(b)
	for i := range c.Keys {
		b.Add(p.identity(i, now))
	}
	p.view = b.View(firstIndex)
	p.Feed = feed.New(feed.Config{
		Node: "bench", View: p.View, TokenKeys: tokens.Export, Confirm: p.Confirm,
		OpenSecret: func(id iam.AccessKeyID, _ iam.Sealed) ([]byte, error) { return []byte(p.Secret(id)), nil },
	})
	p.Reset(p.view)
	return p, nil
}

// View returns all identities.
func (p *Population) View() *state.View { return p.view }

// Confirm implements sidecar.Source: nothing is written.
func (p *Population) Confirm(context.Context) (iam.Index, error) { return p.view.Index(), nil }

// statementsPerDocument keeps each document within 20,480 characters, the largest
// that a store can be set to accept.
const statementsPerDocument = 100

// Documents cuts statements into policies that a store accepts.
func Documents(statements []Statement) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		at := 0
		for part := range slices.Chunk(statements, statementsPerDocument) {
			if !yield(at, Document(part)) {
				return
			}
			at++
		}
	}
}

func (p *Population) addPolicies(b *state.Builder) {
	for _, size := range p.Config.Statements {
		if p.mixes[size] != nil {
			continue
		}
		for variant := range p.Config.Variants {
			mix := mixAt(variant*size, size)
			p.mixes[size] = append(p.mixes[size], mix)
			for part, document := range Documents(mix) {
				name := policyName(size, variant, part)
				b.Add([]iam.Change{{Policy: &iam.Policy{
					Account: iam.FirstAccount, Name: name, Path: "/", ID: iam.UniqueID("ANPA" + name), Created: p.born, Updated: p.born, Default: 1, Next: 2,
					Versions: []iam.PolicyVersion{{Number: 1, Document: document, Created: p.born}},
				}}})
			}
		}
	}
}

func policyName(size, variant, part int) string {
	return fmt.Sprintf("mix-%d-%d-%d", size, variant, part)
}

// holds is what the i-th identity holds: how many statements, of which variant.
func (p *Population) holds(i int) (size, variant int) {
	sizes := p.Config.Statements
	return sizes[i%len(sizes)], i / len(sizes) % p.Config.Variants
}

// isSession reports whether the i-th key is a temporary one. They are spread evenly
// over all sizes of policies.
func (p *Population) isSession(i int) bool {
	block := i / len(p.Config.Statements)
	return int(float64(block+1)*p.Config.Sessions) > int(float64(block)*p.Config.Sessions)
}

// Key is the i-th access key. Their order tells nothing about where they are in a
// table.
func (p *Population) Key(i int) iam.AccessKeyID {
	prefix := "AKIA"
	if p.isSession(i) {
		prefix = "ASIA"
	}
	const odd = 0x9e3779b97f4a7c15
	return iam.AccessKeyID(prefix + fmt.Sprintf("%016X", (uint64(i)+p.Config.Seed)*odd))
}

// Secret is that of an access key.
func (p *Population) Secret(id iam.AccessKeyID) string {
	sum := sha256.Sum256(append(strconv.AppendUint(nil, p.Config.Seed, 10), id...))
	return base64.StdEncoding.EncodeToString(sum[:30])
}

func (p *Population) identity(i int, now time.Time) []iam.Change {
	size, variant := p.holds(i)
	u := &iam.User{
		Account: iam.FirstAccount, Name: fmt.Sprintf("user-%07d", i), Path: "/", ID: iam.UniqueID(fmt.Sprintf("AIDA%017d", i)), Created: p.born, Status: iam.Active,
	}
	for part := range (size + statementsPerDocument - 1) / statementsPerDocument {
		u.Attached = append(u.Attached, iam.ARN("arn:aws:iam::"+string(iam.FirstAccount)+":policy/"+policyName(size, variant, part)))
	}
	// A sealed secret is as long as a real one; what it is comes from the seed.
	sealed, id := make(iam.Sealed, 73), p.Key(i)
	if p.isSession(i) {
		return []iam.Change{{User: u}, {Session: &iam.Session{
			Key: id, Secret: sealed, Kind: iam.SessionSelf, Parent: u.Ref(), ParentID: u.ID, Name: "work",
			Issued: p.born, Expires: iam.At(now.Add(7 * 24 * time.Hour)),
		}}}
	}
	return []iam.Change{{User: u}, {AccessKey: &iam.AccessKey{ID: id, Owner: u.Ref(), Secret: sealed, Status: iam.Active, Created: p.born}}}
}
