package authz

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/authz/policy"
)

// drawCase makes a request and policies that are nearly about it.
func drawCase(t *rapid.T) (*generator, Policies) {
	g := newGenerator(rapid.Uint64().Draw(t, "seed"))
	g.newRequest()
	return g, g.policies()
}

func decideBoth(t *rapid.T, p Policies, r *Request) Decision {
	d, err := newEngines(p).decide(r)
	if err != nil {
		t.Fatalf("%v\n%s", err, describe(p, r))
	}
	return d
}

// openness orders effects by how much they let through.
func openness(e Effect) int { return map[Effect]int{Deny: 0, Need: 1, Allow: 2}[e] }

func TestAddingADenyNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, p := drawCase(t)
		before := decideBoth(t, p, g.request)
		kind, layers := policy.Identity, []*PolicySet{&p.Identity, p.Session, p.Parent}
		doc := g.document(kind)
		doc = strings.ReplaceAll(doc, `"Effect":"Allow"`, `"Effect":"Deny"`)
		layer := layers[g.IntN(len(layers))]
		if layer == nil {
			layer = layers[0]
		}
		*layer = append(append(PolicySet{}, *layer...), Policy{"added", doc})
		if after := decideBoth(t, p, g.request); openness(after.Effect) > openness(before.Effect) {
			t.Fatalf("%v became %v by\n%s\n%s", before.Effect, after.Effect, doc, describe(p, g.request))
		}
	})
}

func TestAddingALimitNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, p := drawCase(t)
		if g.request.Principal.Type == FederatedUser {
			g.request.Principal.Type = User // without a session policy it would have no rights to limit
		}
		p.Boundary, p.Session = nil, nil
		before := decideBoth(t, p, g.request)
		switch g.IntN(3) {
		case 0:
			p.Boundary = &Policy{"boundary", g.document(policy.Boundary)}
		case 1:
			set := g.set("session", policy.Session, 2)
			p.Session = &set
		case 2:
			p.ServiceControl = append(p.ServiceControl, g.set("level", policy.ServiceControl, 2))
		}
		if after := decideBoth(t, p, g.request); openness(after.Effect) > openness(before.Effect) {
			t.Fatalf("%v became %v\n%s", before.Effect, after.Effect, describe(p, g.request))
		}
	})
}

func TestOrderNeverMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, p := drawCase(t)
		before := decideBoth(t, p, g.request)
		shuffled := p
		shuffled.Identity = shuffle(g.Rand, p.Identity)
		if p.Session != nil {
			set := shuffle(g.Rand, *p.Session)
			shuffled.Session = &set
		}
		if p.Resource != nil {
			shuffled.Resource = &shuffle(g.Rand, PolicySet{*p.Resource})[0]
		}
		after := decideBoth(t, shuffled, g.request)
		if after.Effect != before.Effect || after.Explicit != before.Explicit || after.Layer != before.Layer || after.Missing != before.Missing {
			t.Fatalf("%+v became %+v\n%s", before, after, describe(p, g.request))
		}
	})
}

// shuffle changes the order of the policies, and that of the statements in each.
func shuffle(r *rand.Rand, set PolicySet) PolicySet {
	out := append(PolicySet{}, set...)
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	for i := range out {
		head, body, ok := strings.Cut(out[i].Document, `"Statement":[`)
		if !ok || !strings.HasPrefix(body, `{"Sid"`) {
			continue
		}
		statements := strings.Split(strings.TrimSuffix(body, "]}"), `,{"Sid"`)
		for j := 1; j < len(statements); j++ {
			statements[j] = `{"Sid"` + statements[j]
		}
		r.Shuffle(len(statements), func(i, j int) { statements[i], statements[j] = statements[j], statements[i] })
		out[i].Document = head + `"Statement":[` + strings.Join(statements, ",") + "]}"
	}
	return out
}

func TestSuppliedFactsSettleANeed(t *testing.T) {
	needs := 0
	settle := func(t *rapid.T) {
		g, p := drawCase(t)
		g.request.Context.Leave(AllFacts)
		g.request.Context.SetTags(policy.S3ExistingObjectTag, nil)
		before := decideBoth(t, p, g.request)
		asked := before.Missing
		if before.Effect == Need {
			needs++
			if asked == 0 || asked&^AllFacts != 0 {
				t.Fatalf("a NEED that asks for %v\n%s", asked, describe(p, g.request))
			}
		}
		c := g.request.Context
		c.unresolved &^= asked
		for _, spec := range keySpecs {
			k := refer(spec.key)
			if _, _, kind, _ := c.find(&k); factsOf(k)&asked != 0 && kind == noValue && g.chance(70) {
				c.SetNamed(spec.key, spec.make(g))
			}
		}
		switch after := decideBoth(t, p, g.request); {
		case after.Effect == Need:
			t.Fatalf("%v was supplied and %v is asked for\n%s", asked, after.Missing, describe(p, g.request))
		case before.Effect != Need && after.Effect != before.Effect:
			t.Fatalf("%v was decided without asking and became %v\n%s", before.Effect, after.Effect, describe(p, g.request))
		}
	}
	for range 10 { // few cases are open
		if rapid.Check(t, settle); needs > 5 {
			return
		}
	}
	t.Errorf("only %d cases were open", needs)
}

func factsOf(k keyRef) Facts {
	switch k.place {
	case inTable:
		return keyFacts[k.key]
	case inTags:
		return tagFacts[k.family]
	}
	return 0
}

func TestDecidedWithOpenFactsIsDecidedForAllOfThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, p := drawCase(t)
		c := g.request.Context
		c.Leave(AllFacts)
		c.SetTags(policy.S3ExistingObjectTag, nil)
		before := decideBoth(t, p, g.request)
		if before.Effect == Need {
			return
		}
		for range 5 {
			c.unresolved = 0
			c.SetTags(policy.S3ExistingObjectTag, []Tag{{"team", pick(g, userNames...)}, {"Team", pick(g, userNames...)}})
			if after := decideBoth(t, p, g.request); after.Effect != before.Effect {
				t.Fatalf("%v was decided without asking and became %v\n%s", before.Effect, after.Effect, describe(p, g.request))
			}
		}
	})
}

func TestEqualPoliciesAreOneObject(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, p := drawCase(t)
		c := NewCompiler()
		a := c.Authority(p)
		if b := c.Authority(copied(p)); a != b {
			t.Fatalf("equal policies gave two authorities\n%+v", p)
		}
		if len(p.Identity) == 0 {
			return
		}
		changed := copied(p)
		changed.Identity[0].Document += " "
		renamed := copied(p)
		renamed.Identity[0].Name += "x"
		if c.Authority(changed) == a || c.Authority(renamed) == a {
			t.Fatal("different policies gave one authority")
		}
		if c.Authority(renamed).identity.documents[0] != a.identity.documents[0] {
			t.Fatal("a new name compiled the document again")
		}
	})
}

func copied(p Policies) Policies {
	p.Identity = append(PolicySet{}, p.Identity...)
	for i := range p.Identity {
		p.Identity[i].Document = strings.Clone(p.Identity[i].Document)
		p.Identity[i].Name = strings.Clone(p.Identity[i].Name)
	}
	return p
}

// FuzzEngines holds the engines against each other on any text at all.
func FuzzEngines(f *testing.F) {
	for seed := range uint64(20) {
		g := newGenerator(seed)
		g.newRequest()
		f.Add(g.document(policy.Resource), g.request.Action, g.request.Resource, "alice", uint16(seed))
	}
	f.Fuzz(func(t *testing.T, document, action, resource, value string, bits uint16) {
		r := &Request{Action: action, Resource: resource, Context: &Context{}}
		r.Principal = newGenerator(uint64(bits)).newRequest().Principal
		r.ResourceAccount = r.Principal.Account
		for i, spec := range keySpecs {
			if bits&(1<<(i%16)) != 0 {
				r.Context.SetNamed(spec.key, value)
			}
		}
		r.Context.Leave(Facts(bits) & AllFacts)
		p := Policies{Identity: PolicySet{{"identity", document}}, Resource: &Policy{"bucket", document}}
		if bits&1 != 0 {
			p.Boundary = &Policy{"boundary", document}
		}
		if _, err := newEngines(p).decide(r); err != nil {
			t.Fatalf("%v\n%s", err, describe(p, r))
		}
	})
}
