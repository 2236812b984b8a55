package fsm

import "github.com/doorward/doorward/iam"

// maxSessionPolicies is the most managed policies that a session may name (STS
// API, PolicyArns of AssumeRole).
const maxSessionPolicies = 10

func (s *step) createSession(c iam.CreateSession) *iam.Error {
	n := clone(&c.Session)
	if err := s.bindParent(n); err != nil {
		return err
	}
	if err := first(
		checkKeyID(n.Key),
		s.keyIDFree(n.Key),
		checkSealed(n.Secret),
		checkLength("The session name", n.Name, 0, maxUserName),
		checkLength("The source identity", n.SourceIdentity, 0, maxUserName),
		checkTags(n.Tags),
		checkTransitive(n.TransitiveTags),
		s.checkSessionPolicies(n),
	); err != nil {
		return err
	}
	if n.Expires <= n.Issued {
		return iam.Errorf(iam.ValidationError, "The session would end at %s, before it begins at %s.", n.Expires.ISO(), n.Issued.ISO())
	}
	s.put(iam.Change{Session: n})
	return nil
}

// bindParent makes sure that the parent is still the one that the proposer saw: a
// namesake that was created meanwhile is somebody else.
func (s *step) bindParent(n *iam.Session) *iam.Error {
	var id iam.UniqueID
	switch n.Parent.Kind {
	case iam.KindUser:
		u, err := s.user(n.Parent)
		if err != nil {
			return err
		}
		n.Parent, id = u.Ref(), u.ID
	case iam.KindRole:
		r, err := s.role(n.Parent)
		if err != nil {
			return err
		}
		n.Parent, id = r.Ref(), r.ID
	case iam.KindServiceAccount:
		sa, _, err := s.serviceAccount(n.Parent)
		if err != nil {
			return err
		}
		u, err := s.user(sa.ParentRef())
		if err != nil {
			return err
		}
		n.Parent, id = sa.Ref(), u.ID
	case iam.KindRoot:
		if err := checkAccount(n.Parent.Account); err != nil {
			return err
		}
		n.Parent.Name, id = "", iam.UniqueID(n.Parent.Account)
	default:
		return wantKind(n.Parent, iam.KindUser, iam.KindRole, iam.KindServiceAccount, iam.KindRoot)
	}
	if n.ParentID != id {
		return iam.Errorf(iam.NoSuchEntity, "The %s %s with unique id %s is gone. Authenticate again.", n.Parent.Kind, n.Parent.Name, n.ParentID)
	}
	return nil
}

func checkTransitive(keys []string) *iam.Error {
	if len(keys) > maxTags {
		return tooMany("TransitiveTagKeys", maxTags)
	}
	for _, key := range keys {
		if err := checkLength("A transitive tag key", key, 1, maxTagKey); err != nil {
			return err
		}
	}
	return nil
}

func (s *step) checkSessionPolicies(n *iam.Session) *iam.Error {
	total := 0
	for _, document := range n.Policies {
		if err := s.checkDocument(document); err != nil {
			return err
		}
		total += len(document)
	}
	if total > maxDocuments || len(n.PolicyARNs) > maxSessionPolicies {
		return iam.Errorf(iam.PackedPolicyTooLarge, "The session has %d managed policies and %d bytes of inline policies; %d and %d are the most.", len(n.PolicyARNs), total, maxSessionPolicies, maxDocuments)
	}
	for _, arn := range n.PolicyARNs {
		if _, err := s.policy(arn); err != nil {
			return err
		}
	}
	return nil
}

// revokeSessions ends one session, or those of a parent that were issued before an
// instant, up to maxChanges of them: whoever asked repeats while Count is that much.
func (s *step) revokeSessions(c iam.RevokeSessions) *iam.Error {
	if c.Key != "" {
		if _, ok := s.view.Session(c.Key); !ok {
			return iam.Errorf(iam.NoSuchEntity, "The session with access key id %s cannot be found.", c.Key)
		}
		s.endSession(c.Key)
		return nil
	}
	for session := range s.view.SessionsOf(c.Parent) {
		if s.count >= maxChanges {
			break
		}
		if session.Issued < c.IssuedBefore {
			s.endSession(session.Key)
		}
	}
	return nil
}

// expireSessions tidies up, soonest expired first.
func (s *step) expireSessions(c iam.ExpireSessions) *iam.Error {
	most := min(int(c.Max), maxChanges)
	for session := range s.view.Expiring(c.Cutoff) {
		if s.count >= most {
			break
		}
		s.endSession(session.Key)
	}
	return nil
}

func (s *step) endSession(key iam.AccessKeyID) {
	s.delete(iam.TableSessions, "", string(key))
	s.count++
}
