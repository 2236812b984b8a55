package compare

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/authz/policy"
)

// resourceCell is a resource that stands for all that the same rules speak of.
//
// Without variables the three lists are one. With them the text holds symbols in
// the place of values, and each rule's resource element may hold or must hold,
// whatever the values are. A rule leads where an example that it decides can be
// told by this text: it holds with its own variables in their places.
type resourceCell struct {
	resource        string
	lead, may, must []bool
}

const (
	s3ARN   = "arn:aws:s3:::"
	anARN   = "arn:*:*:*:*:*"
	anyName = "*"
)

// resources divides the resources by the rules, of those given, that match them,
// and calls visit until it returns false. It returns false if the budget ended
// before all cells were visited.
func (s *space) resources(a actionCell, live []bool, visit func(resourceCell) bool) bool {
	seen := map[string]bool{}
	going := true
	show := func(c resourceCell) {
		if key := boolKey(c.lead) + boolKey(c.may) + boolKey(c.must); going && !seen[key] {
			seen[key] = true
			going = visit(c)
		}
	}
	if !s.kind.HasResource() {
		show(resourceCell{resource: s.account.role(), lead: live, may: live, must: live})
		return true
	}
	everything := func() { show(s.resourceCell(anyName, live, s.accountMatch(a))) }
	if a.level == policy.OnAccount && strings.HasPrefix(a.action, s3Prefix) {
		everything()
	}
	entries, exprs := s.resourceExprs(live)
	complete := true
	for _, shape := range shapes(a) {
		if !going {
			return true
		}
		m := newMachine(append([]expr{{items: shape}}, exprs...))
		complete = m.explore(s.budget, func(text string, accepted []bool) {
			show(s.resourceCell(text, live, func(t policy.Text, r *rule) (may, must bool) {
				at := entries[r.entryKey(t)]
				return accepted[1+at.may], accepted[1+at.must]
			}))
		}) && complete
	}
	everything()
	return complete
}

// shapes are what texts look like, the likeliest first and in the end any ARN.
func shapes(a actionCell) [][]item {
	none := symbols{}
	head := none.items(policy.ParsePattern(s3ARN, false, false), 0, false)
	name := []item{{kind: one, except: '/'}, {kind: one, except: '/'}, {kind: one, except: '/'}, {kind: run, except: '/'}}
	bucket := slices.Concat(head, name)
	object := slices.Concat(bucket, []item{{kind: literal, r: '/'}, {kind: one}, {kind: run}})
	all := none.arnItems(strings.SplitN(anARN, ":", 6), false, false)
	switch {
	case !strings.HasPrefix(a.action, s3Prefix):
		service, _, _ := strings.Cut(a.action, ":")
		other := none.items(policy.ParsePattern("arn:aws:"+service+":::?*", true, false), 0, false)
		return [][]item{other, all}
	case a.level == policy.OnObject:
		return [][]item{object, bucket, all}
	}
	return [][]item{bucket, object, all}
}

// entryAt is where a machine has the two readings of an entry.
type entryAt struct{ may, must int }

// entryKey tells entries apart; variables are read in some documents only.
func (r *rule) entryKey(t policy.Text) string {
	if r.document.HasVariables() {
		return "v" + t.Value
	}
	return "-" + t.Value
}

func (s *space) resourceExprs(live []bool) (entries map[string]entryAt, exprs []expr) {
	entries = map[string]entryAt{}
	for i := range s.rules {
		r := &s.rules[i]
		for _, t := range r.statement.Resources.List {
			key := r.entryKey(t)
			if _, ok := entries[key]; ok || !live[i] {
				continue
			}
			items := s.resourceItems(t.Value, r.document.HasVariables())
			entries[key] = entryAt{len(exprs), len(exprs)}
			exprs = append(exprs, expr{items: items})
			if len(s.symbols) > 0 {
				entries[key] = entryAt{may: len(exprs), must: len(exprs) - 1}
				exprs = append(exprs, expr{items: items, loose: true})
			}
		}
	}
	return entries, exprs
}

func (s *space) resourceItems(entry string, variables bool) []item {
	if entry == anyName {
		return []item{{kind: run}}
	}
	return s.symbols.arnItems(arnSegments(entry), false, variables)
}

// arnSegments splits at the first five colons; an ARN that ends early is
// completed with wildcards (IAM user guide, "Resource").
func arnSegments(arn string) []string {
	parts := strings.SplitN(arn, ":", 6)
	for len(parts) < 6 {
		parts = append(parts, "*")
	}
	return parts
}

// resourceCell works out the rules' resource elements from their entries.
func (s *space) resourceCell(text string, live []bool, match func(policy.Text, *rule) (may, must bool)) resourceCell {
	c := resourceCell{resource: text}
	for i := range s.rules {
		r := &s.rules[i]
		e := r.statement.Resources
		anyMay, anyMust, open := false, false, false
		for _, t := range e.List {
			if !live[i] {
				break
			}
			may, must := match(t, r)
			anyMay, anyMust = anyMay || may, anyMust || must
			open = open || r.mayHaveNoValue(t.Value)
		}
		may, must, lead := anyMay, anyMust, anyMust
		if e.Not {
			// An Allow with NotResource does not apply if a variable has no value.
			may, must, lead = !anyMust, !anyMay && (!open || r.statement.Effect == policy.Deny), !anyMust
		}
		c.may = append(c.may, live[i] && may)
		c.must = append(c.must, live[i] && must)
		c.lead = append(c.lead, live[i] && lead)
	}
	return c
}

// mayHaveNoValue reports whether the entry holds a variable without a default.
func (r *rule) mayHaveNoValue(entry string) bool {
	if entry == anyName || !r.document.HasVariables() {
		return false
	}
	return slices.ContainsFunc(policy.ParsePattern(arnSegments(entry)[5], true, true), func(p policy.Part) bool {
		return p.Kind == policy.Variable && !p.HasDefault
	})
}

// accountMatch matches entries with the resource "*", which ARNs do not match but
// for s3:ListAllMyBuckets (S3 user guide, "Policy actions for Amazon S3").
func (s *space) accountMatch(a actionCell) func(policy.Text, *rule) (may, must bool) {
	return func(t policy.Text, _ *rule) (may, must bool) {
		match := t.Value == anyName
		if parts := arnSegments(t.Value); !match && strings.EqualFold(a.action, listAllMyBuckets) && strings.Trim(parts[5], "*") == "" && parts[5] != "" {
			m := newMachine([]expr{{items: s.resourceItems(t.Value, false)}})
			match = m.read(s3ARN + "*")[0]
		}
		return match, match
	}
}
