package api

import "github.com/doorward/doorward/iam"

// tagged finds the user, role or policy whose tags the call is about.
func (c *call) tagged(k iam.Kind) (iam.Ref, []iam.Tag, error) {
	if k == iam.KindPolicy {
		p, err := c.policy()
		if err != nil {
			return iam.Ref{}, nil, err
		}
		return p.Ref(), p.Tags, nil
	}
	e, err := c.named(k)
	return e.ref, e.tags, err
}

func setTags(k iam.Kind) func(*call) (any, error) {
	return func(c *call) (any, error) {
		ref, _, err := c.tagged(k)
		if err != nil {
			return nil, err
		}
		return nil, c.propose(iam.SetTags{On: ref, Set: c.form.tags()})
	}
}

func removeTags(k iam.Kind) func(*call) (any, error) {
	return func(c *call) (any, error) {
		ref, _, err := c.tagged(k)
		if err != nil {
			return nil, err
		}
		return nil, c.propose(iam.SetTags{On: ref, Remove: c.form.list("TagKeys")})
	}
}

func listTags(k iam.Kind) func(*call) (any, error) {
	return func(c *call) (any, error) {
		_, tags, err := c.tagged(k)
		if err != nil {
			return nil, err
		}
		return c.tagPage(tags)
	}
}

func (c *call) tagPage(tags []iam.Tag) (any, error) {
	shown, end, err := pagedSlice(c, tags, func(t iam.Tag) string { return t.Key }, every)
	return struct {
		Tags listOf[tagXML]
		page
	}{listing(shown, func(t iam.Tag) tagXML { return tagXML(t) }), end}, err
}
