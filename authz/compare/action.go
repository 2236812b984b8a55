package compare

import (
	"strings"

	"github.com/doorward/doorward/authz/policy"
)

// actionCell is an action that stands for all that the same rules speak of.
type actionCell struct {
	action string
	level  policy.Level
	// covers tells, for each rule, whether its Action or NotAction covers it.
	covers []bool
}

const (
	s3Prefix         = "s3:"
	listAllMyBuckets = "s3:listallmybuckets"
)

// familiar are the actions that examples show if they can.
var familiar = []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "sts:AssumeRole"}

// actions divides all actions by the rules that cover them: those of S3's table,
// those that the documents spell out, and every text for other services. It
// returns false if the budget ended first.
func (s *space) actions() (cells []actionCell, complete bool) {
	m, entries := s.actionMachine()
	seen := map[string]bool{}
	add := func(name string) {
		c := actionCell{action: name, level: levels[strings.ToLower(name)]}
		accepted := m.read(lowerASCII(name))
		for _, r := range s.rules {
			c.covers = append(c.covers, r.coversAction(entries, accepted))
		}
		key := boolKey(c.covers)
		if strings.EqualFold(name, listAllMyBuckets) {
			key = listAllMyBuckets // its resource is matched by a rule of its own
		}
		if !seen[key] {
			seen[key] = true
			cells = append(cells, c)
		}
	}
	for _, name := range familiar {
		add(name)
	}
	for _, level := range []policy.Level{policy.OnObject, policy.OnBucket, policy.OnAccount, policy.OnOther} {
		for _, known := range policy.S3Actions {
			if known.Level == level {
				add(known.Name)
			}
		}
	}
	for entry := range entries {
		if !strings.ContainsAny(entry, "*?") {
			add(entry)
		}
	}
	complete = m.explore(s.budget, func(text string, accepted []bool) {
		if !strings.HasPrefix(text, s3Prefix) {
			add(text)
		}
	})
	return cells, complete
}

// levels are those of S3's actions by their name in lower case; other actions
// count as acting on an account.
var levels = func() map[string]policy.Level {
	m := map[string]policy.Level{}
	for _, known := range policy.S3Actions {
		m[strings.ToLower(known.Name)] = known.Level
	}
	return m
}()

// actionMachine reads an action by every entry of the rules. Its first expression
// is SERVICE:NAME, its second keeps S3 apart from other services.
func (s *space) actionMachine() (m *machine, entries map[string]int) {
	none := symbols{}
	exprs := []expr{
		{items: []item{{kind: one, except: ':'}, {kind: run, except: ':'}, {kind: literal, r: ':'}, {kind: one}, {kind: run}}},
		{items: none.items(policy.ParsePattern(s3Prefix+"*", true, false), 0, false)},
	}
	entries = map[string]int{}
	for _, r := range s.rules {
		for _, t := range r.statement.Actions.List {
			entry := lowerASCII(t.Value)
			if _, ok := entries[entry]; !ok {
				entries[entry] = len(exprs)
				exprs = append(exprs, expr{items: none.items(policy.ParsePattern(entry, true, false), 0, false)})
			}
		}
	}
	return newMachine(exprs), entries
}

func (r *rule) coversAction(entries map[string]int, accepted []bool) bool {
	e := r.statement.Actions
	if !e.Present() {
		return true
	}
	for _, t := range e.List {
		if accepted[entries[lowerASCII(t.Value)]] {
			return !e.Not
		}
	}
	return e.Not
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
