package fsm

import (
	"bytes"
	"crypto/subtle"

	"github.com/doorward/doorward/iam"
)

const (
	hashSize       = 32   // SHA-256
	maxCertificate = 8192 // PEM
	maxAuthorities = 8

	// maxEnrolments bounds the members of a cluster and the tokens that wait.
	maxEnrolments = 100_000

	// maxTokenTime is how long a token may wait at most, and how long an enrolment
	// that nobody took up is shown after its end.
	maxTokenTime = 7 * day
)

func (s *step) putAuthority(c iam.PutAuthority) *iam.Error {
	if err := s.newAuthority(&c.Authority); err != nil {
		return err
	}
	a := clone(&c.Authority)
	a.Signing = s.nextSigning()
	s.put(iam.Change{Authority: a})
	return nil
}

// newAuthority checks one that is to be added.
func (s *step) newAuthority(a *iam.Authority) *iam.Error {
	if err := first(
		checkLength("The fingerprint", a.Fingerprint, 2*hashSize, 2*hashSize),
		checkLength("The certificate", a.Certificate, 1, maxCertificate),
		checkSealed(a.Key),
	); err != nil {
		return err
	}
	if s.authority(a.Fingerprint) != nil {
		return iam.Errorf(iam.EntityAlreadyExists, "The store has the authority %s already.", a.Fingerprint)
	}
	if s.view.Len(iam.TableAuthorities) >= maxAuthorities {
		return tooMany("Authorities", maxAuthorities)
	}
	return nil
}

// nextSigning is when an authority begins to sign that does so now: after the others,
// whatever two clocks say.
func (s *step) nextSigning() iam.Time {
	if before := s.view.Authority(); before != nil && s.now <= before.Signing {
		return before.Signing + 1
	}
	return s.now
}

func (s *step) authority(fingerprint string) *iam.Authority {
	for a := range s.view.Authorities() {
		if a.Fingerprint == fingerprint {
			return a
		}
	}
	return nil
}

func (s *step) stageAuthority(c iam.StageAuthority) *iam.Error {
	if err := s.newAuthority(&c.Authority); err != nil {
		return err
	}
	switch n := s.view.Len(iam.TableAuthorities); {
	case s.view.Authority() == nil:
		return iam.Errorf(iam.NoSuchEntity, "The store has no authority that another could replace.")
	case n > 1:
		return iam.Errorf(iam.EntityTemporarilyUnmodifiable,
			"The store has %d authorities, and one is replaced at a time. Drop those that do not sign first.", n)
	}
	a := clone(&c.Authority)
	a.Signing = 0
	s.put(iam.Change{Authority: a})
	return nil
}

func (s *step) useAuthority(c iam.UseAuthority) *iam.Error {
	a := s.authority(c.Fingerprint)
	switch {
	case a == nil:
		return iam.Errorf(iam.NoSuchEntity, "The store has no authority %s.", c.Fingerprint)
	case a == s.view.Authority():
		return nil
	}
	a = clone(a)
	a.Signing = s.nextSigning()
	s.put(iam.Change{Authority: a})
	return nil
}

func (s *step) deleteAuthority(c iam.DeleteAuthority) *iam.Error {
	a := s.authority(c.Fingerprint)
	switch {
	case a == nil:
		return iam.Errorf(iam.NoSuchEntity, "The store has no authority %s.", c.Fingerprint)
	case a == s.view.Authority():
		return iam.Errorf(iam.DeleteConflict, "The authority %s signs the certificates of the cluster. Put a newer one in its place first.", c.Fingerprint)
	}
	s.delete(iam.TableAuthorities, "", c.Fingerprint)
	return nil
}

func (s *step) createEnrolment(c iam.CreateEnrolment) *iam.Error {
	e := clone(&c.Enrolment)
	if err := first(
		checkLength("The id of the enrolment", e.ID, 1, maxName),
		checkMemberName(e.Name),
		checkHash("The hash of the token", e.Hash),
	); err != nil {
		return err
	}
	if e.Kind != iam.MemberNode && e.Kind != iam.MemberSidecar {
		return iam.Errorf(iam.ValidationError, "A member is a node or a sidecar.")
	}
	if e.Expires <= s.now || e.Expires > s.now+maxTokenTime {
		return iam.Errorf(iam.ValidationError, "The token would end at %s; it has to end within 7 days from now.", e.Expires.ISO())
	}
	if _, exists := s.view.Enrolment(e.ID); exists {
		return iam.Errorf(iam.EntityAlreadyExists, "The enrolment %s exists already.", e.ID)
	}
	s.tidyEnrolments()
	if s.view.Len(iam.TableEnrolments)-len(s.changes) >= maxEnrolments {
		return tooMany("Enrolments", maxEnrolments)
	}
	e.Created, e.Used, e.Key = s.now, 0, nil
	s.put(iam.Change{Enrolment: e})
	return nil
}

// tidyEnrolments removes those that nobody took up, a while after their end.
func (s *step) tidyEnrolments() {
	for e := range s.view.Enrolments() {
		if e.Used == 0 && e.Expires+maxTokenTime < s.now && len(s.changes) < maxChanges {
			s.delete(iam.TableEnrolments, "", e.ID)
		}
	}
}

// takeEnrolment says the same of a token that is not known and of one that is known
// with another secret.
func (s *step) takeEnrolment(c iam.TakeEnrolment) *iam.Error {
	old, ok := s.view.Enrolment(c.ID)
	if !ok || subtle.ConstantTimeCompare(old.Hash, c.Hash) != 1 {
		return iam.Errorf(iam.AccessDenied, "The token is not known. It may have been deleted; ask an administrator for a new one.")
	}
	if err := first(checkMemberName(c.Name), checkHash("The hash of the public key", c.Key)); err != nil {
		return err
	}
	if old.Used != 0 && subtle.ConstantTimeCompare(old.Key, c.Key) == 1 && s.now < old.Expires {
		return nil
	}
	if old.Used != 0 {
		return iam.Errorf(iam.AccessDenied, "The token was used already, by %s at %s. A token lets one member in; ask an administrator for a new one.", old.Name, old.Used.ISO())
	}
	if s.now >= old.Expires {
		return iam.Errorf(iam.AccessDenied, "The token was good until %s. Ask an administrator for a new one.", old.Expires.ISO())
	}
	e := clone(old)
	if e.Name == "" {
		e.Name = c.Name
	}
	if e.Name == "" {
		return iam.Errorf(iam.ValidationError, "Neither the token nor the member says what the member is called.")
	}
	e.Used, e.Key = s.now, c.Key
	s.put(iam.Change{Enrolment: e})
	return nil
}

func (s *step) deleteEnrolment(c iam.DeleteEnrolment) *iam.Error {
	if _, ok := s.view.Enrolment(c.ID); !ok {
		return iam.Errorf(iam.NoSuchEntity, "There is no enrolment %s.", c.ID)
	}
	s.delete(iam.TableEnrolments, "", c.ID)
	return nil
}

func (s *step) raiseLevel(c iam.RaiseLevel) *iam.Error {
	if c.Level > s.view.Level() {
		s.put(iam.Change{Level: &iam.Level{Number: c.Level}})
	}
	return nil
}

// reseal counts those that it replaced. What is inside a secret nobody here can see;
// whoever proposes has opened the old one.
func (s *step) reseal(c iam.Reseal) *iam.Error {
	for _, r := range c.Secrets {
		if err := checkSealed(r.Now); err != nil {
			return err
		}
		if change, ok := s.resealed(r); ok {
			s.put(change)
			s.count++
		}
	}
	return nil
}

func (s *step) resealed(r iam.Resealed) (iam.Change, bool) {
	switch r.Table {
	case iam.TableAccessKeys:
		if k, ok := s.view.AccessKey(iam.AccessKeyID(r.Name)); ok && bytes.Equal(k.Secret, r.Was) {
			k = clone(k)
			k.Secret = r.Now
			return iam.Change{AccessKey: k}, true
		}
	case iam.TableSessions:
		if n, ok := s.view.Session(iam.AccessKeyID(r.Name)); ok && bytes.Equal(n.Secret, r.Was) {
			n = clone(n)
			n.Secret = r.Now
			return iam.Change{Session: n}, true
		}
	case iam.TableAuthorities:
		for a := range s.view.Authorities() {
			if a.Fingerprint == r.Name && bytes.Equal(a.Key, r.Was) {
				a = clone(a)
				a.Key = r.Now
				return iam.Change{Authority: a}, true
			}
		}
	}
	return iam.Change{}, false
}

func checkHash(what string, hash []byte) *iam.Error {
	return checkLength(what, string(hash), hashSize, hashSize)
}

// checkMemberName accepts what can be part of a URI and of a file name: letters,
// digits, dot, dash and underscore.
func checkMemberName(name string) *iam.Error {
	if len(name) > maxUserName {
		return checkLength("The name of the member", name, 0, maxUserName)
	}
	for _, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '.' && c != '-' && c != '_' {
			return iam.Errorf(iam.ValidationError, "The name %q of the member has other characters than letters, digits, dots, dashes and underscores.", name)
		}
	}
	return nil
}
