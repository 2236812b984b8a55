package authz

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/doorward/doorward/authz/policy"
)

// engines is one caller's policies in both engines.
type engines struct {
	reading   *reading
	authority *Authority
	bucket    *BucketPolicy
}

func newEngines(p Policies) *engines {
	c := NewCompiler()
	e := &engines{reading: read(p), authority: c.Authority(p)}
	if p.Resource != nil {
		e.bucket = c.Bucket(*p.Resource)
	}
	return e
}

// decide asks both engines and says how they differ.
func (e *engines) decide(r *Request) (Decision, error) {
	found := evaluate(e.reading, r)
	want, got := found.decide(), e.authority.Decide(r, e.bucket)
	asking := *r
	asking.Context = supplied(r.Context)
	if again := e.authority.Decide(&asking, e.bucket); again != got {
		return got, fmt.Errorf("with all keys in the context the answer is %+v,\nwith all of them in its source %+v", got, again)
	}
	switch {
	case got.Effect != want.Effect || got.Explicit != want.Explicit || got.Layer != want.Layer || got.Missing != want.Missing || (got.Statement < 0) != (want.Statement < 0):
		return got, fmt.Errorf("the reference gives %+v,\nthe compiled engine %+v", want, got)
	case got.Statement >= 0 && !found.confirms(got):
		return got, fmt.Errorf("the compiled engine names a statement that does not decide: %+v,\nthe reference %+v", got, want)
	}
	return got, nil
}

// shelf is a source of what a context holds.
type shelf struct{ *Context }

func (s shelf) Tags(f policy.TagFamily) []Tag { return s.tags[f] }

func (s shelf) Supply(c *Context, k policy.Key) {
	switch {
	case s.multi.has(k):
		c.SetList(k, s.lists[k])
	case s.spelled.has(k):
		c.SetSpellings(k, s.lists[k])
	case s.present.has(k):
		c.Set(k, s.one[k])
	}
}

// supplied returns a context that says the same as c and leaves all to its source
// that a source can supply.
func supplied(c *Context) *Context {
	if c == nil {
		return nil
	}
	empty := &Context{other: c.other, unresolved: c.unresolved}
	empty.From(shelf{c})
	return empty
}

// confirms reports whether the statement that d names is one that could decide:
// where several do, the engines may name different ones.
func (e *evaluation) confirms(d Decision) bool {
	_, least := e.granting()
	for _, f := range e.findings {
		if f.layer == d.Layer && f.name == d.Policy && f.index == d.Statement && f.statement.Sid.Value == d.Sid {
			effect := map[Effect]policy.Effect{Allow: policy.Allow, Deny: policy.Deny}[d.Effect]
			return f.applies == yes && f.statement.Effect == effect && (effect == policy.Deny || f.layer != ResourceLayer || f.grant >= least)
		}
	}
	return false
}

// describe prints a case so that it can be read and repeated.
func describe(p Policies, r *Request) string {
	s := fmt.Sprintf("principal %+v\naction %q resource %q owner %q\n", r.Principal, r.Action, r.Resource, r.ResourceAccount)
	for _, spec := range keySpecs {
		if v, open := r.Context.Lookup(spec.key); v.Present || open != 0 {
			s += fmt.Sprintf("  %s = %q (multi %v, open %v)\n", spec.key, v.Values, v.Multi, open)
		}
	}
	add := func(set ...Policy) {
		for _, doc := range set {
			s += fmt.Sprintf("%s: %s\n", doc.Name, doc.Document)
		}
	}
	for _, level := range p.ServiceControl {
		add(level...)
	}
	add(p.Identity...)
	for _, set := range []*PolicySet{p.Parent, p.Session} {
		if set != nil {
			add(*set...)
		}
	}
	for _, doc := range []*Policy{p.Boundary, p.Resource} {
		if doc != nil {
			add(*doc)
		}
	}
	return s
}

// TestEnginesAgree holds the compiled engine against the reference. In the
// normal tests it runs 100,000 cases; DOORWARD_CASES asks for another number and
// DOORWARD_SEED for another beginning.
func TestEnginesAgree(t *testing.T) {
	cases, seed := 100_000, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("DOORWARD_CASES")); err == nil {
		cases = n
	}
	if n, err := strconv.ParseUint(os.Getenv("DOORWARD_SEED"), 10, 64); err == nil {
		seed = n
	}
	first := seed
	var effects [3]int
	explicit := 0
	for done := 0; done < cases; {
		g := newGenerator(seed)
		seed++
		g.newRequest()
		p := g.policies()
		e := newEngines(p)
		for range 20 {
			d, err := e.decide(g.request)
			if err != nil {
				t.Fatalf("seed %d, case %d: %v\n%s", seed-1, done, err, describe(p, g.request))
			}
			effects[d.Effect]++
			if d.Explicit {
				explicit++
			}
			done++
			g.nudge()
		}
		if done%1_000_000 == 0 {
			fmt.Printf("fuzz-policy: %d cases agreed so far\n", done)
		}
	}
	fmt.Printf("fuzz-policy: %d cases agreed, from seed %d (ALLOW %d, DENY %d of which explicit %d, NEED %d)\n",
		cases, first, effects[Allow], effects[Deny], explicit, effects[Need])
	for effect, n := range effects {
		if n < cases/200 {
			t.Errorf("only %d of %d cases end in %v: the generator has gone blind", n, cases, Effect(effect))
		}
	}
}
