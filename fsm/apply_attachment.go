package fsm

import (
	"cmp"
	"slices"

	"github.com/doorward/doorward/iam"
)

// holder is what users, groups and roles have in common: they hold policies. The
// pointers lead into a copy of the record, which put writes.
type holder struct {
	attached *[]iam.ARN
	inline   *[]iam.InlinePolicy
	boundary *iam.ARN   // nil: groups have none
	tags     *[]iam.Tag // nil: groups have none
	change   iam.Change
}

func (s *step) holder(ref iam.Ref) (holder, *iam.Error) {
	switch ref.Kind {
	case iam.KindUser:
		u, err := s.user(ref)
		if err != nil {
			return holder{}, err
		}
		u = clone(u)
		return holder{&u.Attached, &u.Inline, &u.Boundary, &u.Tags, iam.Change{User: u}}, nil
	case iam.KindGroup:
		g, err := s.group(ref)
		if err != nil {
			return holder{}, err
		}
		g = clone(g)
		return holder{&g.Attached, &g.Inline, nil, nil, iam.Change{Group: g}}, nil
	case iam.KindRole:
		r, err := s.role(ref)
		if err != nil {
			return holder{}, err
		}
		r = clone(r)
		return holder{&r.Attached, &r.Inline, &r.Boundary, &r.Tags, iam.Change{Role: r}}, nil
	}
	return holder{}, wantKind(ref, iam.KindUser, iam.KindGroup, iam.KindRole)
}

func (s *step) attachPolicy(c iam.AttachPolicy) *iam.Error {
	h, err := s.holder(c.To)
	if err != nil {
		return err
	}
	if slices.Contains(*h.attached, c.Policy) {
		return nil
	}
	*h.attached = with(*h.attached, c.Policy)
	if err := s.checkAttached(*h.attached); err != nil {
		return err
	}
	s.put(h.change)
	return nil
}

// detachPolicy refuses to detach what is not attached, as AWS does.
func (s *step) detachPolicy(c iam.DetachPolicy) *iam.Error {
	h, err := s.holder(c.From)
	if err != nil {
		return err
	}
	if !slices.Contains(*h.attached, c.Policy) {
		return iam.Errorf(iam.NoSuchEntity, "Policy %s was not found: it is not attached to %s %s.", c.Policy, c.From.Kind, c.From.Name)
	}
	*h.attached = without(*h.attached, func(arn iam.ARN) bool { return arn == c.Policy })
	s.put(h.change)
	return nil
}

func (s *step) putInlinePolicy(c iam.PutInlinePolicy) *iam.Error {
	h, err := s.holder(c.On)
	if err != nil {
		return err
	}
	others := without(*h.inline, func(p iam.InlinePolicy) bool { return p.Name == c.Policy.Name })
	*h.inline = sortedInline(append(others, c.Policy))
	if err := s.checkInline(*h.inline); err != nil {
		return err
	}
	s.put(h.change)
	return nil
}

func (s *step) deleteInlinePolicy(c iam.DeleteInlinePolicy) *iam.Error {
	h, err := s.holder(c.On)
	if err != nil {
		return err
	}
	left := without(*h.inline, func(p iam.InlinePolicy) bool { return p.Name == c.Name })
	if len(left) == len(*h.inline) {
		return iam.Errorf(iam.NoSuchEntity, "The %s policy with name %s cannot be found.", c.On.Kind, c.Name)
	}
	*h.inline = left
	s.put(h.change)
	return nil
}

func (s *step) setBoundary(c iam.SetBoundary) *iam.Error {
	h, err := s.holder(c.On)
	if err != nil {
		return err
	}
	if h.boundary == nil {
		return wantKind(c.On, iam.KindUser, iam.KindRole)
	}
	if err := s.checkBoundary(c.Policy); err != nil || *h.boundary == c.Policy {
		return err
	}
	*h.boundary = c.Policy
	s.put(h.change)
	return nil
}

// setTags overwrites tags whose keys are equal, of all but providers ignoring case,
// and adds the others at the end.
func (s *step) setTags(c iam.SetTags) *iam.Error {
	tags, change, err := s.tagged(c.On)
	if err != nil {
		return err
	}
	form := iam.Fold
	if c.On.Kind == iam.KindProvider {
		form = exactly
	}
	if err := checkTagsBy(form, c.Set); err != nil {
		return err
	}
	old := *tags
	*tags = without(old, func(t iam.Tag) bool {
		return slices.ContainsFunc(c.Remove, func(key string) bool { return form(key) == form(t.Key) })
	})
	for _, t := range c.Set {
		if i := slices.IndexFunc(*tags, func(o iam.Tag) bool { return form(o.Key) == form(t.Key) }); i >= 0 {
			(*tags)[i] = t
		} else {
			*tags = append(*tags, t)
		}
	}
	if err := checkTagsBy(form, *tags); err != nil || slices.Equal(*tags, old) {
		return err
	}
	s.put(change)
	return nil
}

// tagged returns the tags of a copy of a record, and the change that writes it.
func (s *step) tagged(ref iam.Ref) (*[]iam.Tag, iam.Change, *iam.Error) {
	if ref.Kind == iam.KindPolicy {
		p, ok := s.view.PolicyNamed(ref.Account, ref.Name)
		if !ok {
			return nil, iam.Change{}, noSuch(iam.KindPolicy, ref.Name)
		}
		if _, err := s.ownPolicy(p.ARN()); err != nil {
			return nil, iam.Change{}, err
		}
		p = clone(p)
		return &p.Tags, iam.Change{Policy: p}, nil
	}
	if ref.Kind == iam.KindProvider {
		p, err := s.provider(ref)
		if err != nil {
			return nil, iam.Change{}, err
		}
		p = clone(p)
		return &p.Tags, iam.Change{Provider: p}, nil
	}
	h, err := s.holder(ref)
	if err == nil && h.tags == nil {
		err = wantKind(ref, iam.KindUser, iam.KindRole, iam.KindPolicy)
	}
	return h.tags, h.change, err
}

func sortedInline(policies []iam.InlinePolicy) []iam.InlinePolicy {
	sorted := append([]iam.InlinePolicy(nil), policies...)
	slices.SortFunc(sorted, func(a, b iam.InlinePolicy) int { return cmp.Compare(a.Name, b.Name) })
	return sorted
}
