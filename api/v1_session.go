package api

import (
	"iter"
	"slices"

	"github.com/doorward/doorward/iam"
)

type sessionJSON struct {
	ID             iam.AccessKeyID `json:"access_key_id"`
	Kind           string          `json:"kind"`
	Parent         iam.ARN         `json:"parent"`
	Name           string          `json:"name,omitempty"`
	Policies       []string        `json:"policies,omitempty"`
	PolicyARNs     []iam.ARN       `json:"policy_arns,omitempty"`
	Tags           []tagJSON       `json:"tags,omitempty"`
	SourceIdentity string          `json:"source_identity,omitempty"`
	Issuer         iam.AccessKeyID `json:"issuer"`
	Issued         string          `json:"issued"`
	Expires        string          `json:"expires"`
}

var sessionKinds = map[iam.SessionKind]string{
	iam.SessionSelf: "self", iam.SessionRole: "role", iam.SessionToken: "token", iam.SessionFederated: "federated",
}

func (c *call) sessionJSON(s *iam.Session) sessionJSON {
	x := sessionJSON{
		ID: s.Key, Kind: sessionKinds[s.Kind], Parent: c.refTarget(s.Parent).arn, Name: s.Name, Policies: s.Policies,
		PolicyARNs: s.PolicyARNs, SourceIdentity: s.SourceIdentity, Issuer: s.Issuer, Issued: s.Issued.ISO(), Expires: s.Expires.ISO(),
	}
	for _, t := range s.Tags {
		x.Tags = append(x.Tags, tagJSON(t))
	}
	return x
}

// refTarget is the user, role or root that a reference names. A service account
// is its user: policies know no resource of its own.
func (c *call) refTarget(ref iam.Ref) target {
	switch ref.Kind {
	case iam.KindUser:
		return c.userTarget(ref.Name)
	case iam.KindServiceAccount:
		if s, ok := c.view.ServiceAccount(iam.AccessKeyID(ref.Name)); ok {
			return c.userTarget(s.Parent)
		}
	case iam.KindRole:
		if r, ok := c.view.Role(ref.Account, ref.Name); ok {
			return targetOf(entityOfRole(r))
		}
		return target{arn: (&iam.Role{Account: ref.Account, Name: ref.Name}).ARN()}
	}
	return target{arn: ref.Account.Root()}
}

// sessionsOf is whose sessions the call is about: user and role are parameters.
func (c *call) sessionsOf() (iam.Ref, bool) {
	switch {
	case c.form["user"] != "":
		return iam.Ref{Account: c.caller.account, Kind: iam.KindUser, Name: c.form["user"]}, true
	case c.form["role"] != "":
		return iam.Ref{Account: c.caller.account, Kind: iam.KindRole, Name: c.form["role"]}, true
	}
	return iam.Ref{}, false
}

// sessionParent is the user or role whose sessions are listed, or everything.
func sessionParent(c *call) []target {
	if ref, ok := c.sessionsOf(); ok {
		return one(c.refTarget(ref))
	}
	return one(target{arn: "*"})
}

// sessionOwner is the parent of the session that the call names.
func sessionOwner(c *call) []target {
	if s, ok := c.view.Session(iam.AccessKeyID(c.form["AccessKeyId"])); ok && s.Parent.Account == c.caller.account {
		return one(c.refTarget(s.Parent))
	}
	return one(target{arn: "*"})
}

func listSessions(c *call) (any, error) {
	all := func(after string) iter.Seq[*iam.Session] { return c.view.Sessions(iam.AccessKeyID(after)) }
	current := func(s *iam.Session) bool { return s.Parent.Account == c.caller.account && s.Expires > c.now }
	key := func(s *iam.Session) string { return string(s.Key) }
	var shown []*iam.Session
	var end page
	var err error
	if ref, ok := c.sessionsOf(); ok {
		shown, end, err = pagedSlice(c, slices.Collect(c.view.SessionsOf(ref)), key, current)
	} else {
		shown, end, err = paged(c, all, key, current)
	}
	answer := struct {
		Sessions []sessionJSON `json:"sessions"`
		Marker   string        `json:"marker,omitempty"`
		Index    iam.Index     `json:"index"`
	}{[]sessionJSON{}, end.Marker, c.view.Index()}
	for _, s := range shown {
		answer.Sessions = append(answer.Sessions, c.sessionJSON(s))
	}
	return answer, err
}

func revokeSession(c *call) (any, error) {
	id := iam.AccessKeyID(c.form["AccessKeyId"])
	s, ok := c.view.Session(id)
	if !ok || s.Parent.Account != c.caller.account {
		return nil, iam.Errorf(iam.NoSuchEntity, "There is no session with the access key %s.", id)
	}
	return nil, c.propose(iam.RevokeSessions{Key: id})
}

// revokeSessions ends all sessions of a user or role that were issued before an
// instant, by default now.
func revokeSessions(c *call) (any, error) {
	var in struct {
		User         string   `json:"user"`
		Role         string   `json:"role"`
		IssuedBefore timeJSON `json:"issued_before"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	c.fill(map[string]string{"user": in.User, "role": in.Role}, nil)
	ref, ok := c.sessionsOf()
	if !ok || in.User != "" && in.Role != "" {
		return nil, iam.Errorf(iam.InvalidParameterCombination, "Name whose sessions end: either a user or a role.")
	}
	if err := c.need("doorward:RevokeSessions", c.refTarget(ref)); err != nil {
		return nil, err
	}
	if _, err := c.lookup(ref.Kind, ref.Name); err != nil {
		return nil, err
	}
	before := iam.Time(in.IssuedBefore)
	if before == 0 {
		before = c.now + 1
	}
	return nil, c.propose(iam.RevokeSessions{Parent: ref, IssuedBefore: before})
}
