package fsm

import "github.com/doorward/doorward/iam"

// A day in milliseconds: the resolution of AccessKey.LastUsed.
const day = 24 * 60 * 60 * 1000

func checkKeyID(id iam.AccessKeyID) *iam.Error {
	return checkLength("The access key id", string(id), 1, maxKeyID)
}

func (s *step) checkAccessKey(k *iam.AccessKey) *iam.Error {
	return first(checkKeyID(k.ID), checkSealed(k.Secret), checkStatus(k.Status))
}

// createAccessKey holds CreateAccessKey of the IAM API: two keys to a user, so that
// they can be rotated. The name-and-password form does not count; a user has one at
// most, and its id is the user's name.
func (s *step) createAccessKey(c iam.CreateAccessKey) *iam.Error {
	k := clone(&c.Key)
	k.Status = orActive(k.Status)
	switch k.Owner.Kind {
	case iam.KindUser:
		u, err := s.user(k.Owner)
		if err != nil {
			return err
		}
		k.Owner = u.Ref()
		if k.Password {
			k.ID = iam.AccessKeyID(u.Name)
			if err := s.noPassword(u); err != nil {
				return err
			}
		}
	case iam.KindRoot:
		if err := checkAccount(k.Owner.Account); err != nil {
			return err
		}
		k.Owner.Name, k.Password = "", false
	default:
		return wantKind(k.Owner, iam.KindUser, iam.KindRoot)
	}
	if err := first(s.checkAccessKey(k), s.keyIDFree(k.ID), s.checkKeyCount(k)); err != nil {
		return err
	}
	s.put(iam.Change{AccessKey: k})
	return nil
}

func (s *step) noPassword(u *iam.User) *iam.Error {
	for k := range s.view.KeysOf(u.Ref()) {
		if k.Password {
			return iam.Errorf(iam.EntityAlreadyExists, "User %s already has a password. Change it instead.", u.Name)
		}
	}
	return nil
}

func (s *step) checkKeyCount(k *iam.AccessKey) *iam.Error {
	if k.Password {
		return nil
	}
	limit := iam.Or(s.view.Settings().KeysPerUser, defaultKeysPerUser)
	n := uint32(0)
	for other := range s.view.KeysOf(k.Owner) {
		if !other.Password {
			n++
		}
	}
	if n >= limit {
		return tooMany("AccessKeysPerUser", limit)
	}
	return nil
}

func (s *step) updateAccessKey(c iam.UpdateAccessKey) *iam.Error {
	old, err := s.accessKey(c.Owner, c.Key)
	if err != nil {
		return err
	}
	k := clone(old)
	if c.Status != 0 {
		k.Status = c.Status
	}
	if c.SetExpires {
		k.Expires = c.Expires
	}
	if c.Secret != nil {
		s.renew(k, c.Secret)
	}
	if err := s.checkAccessKey(k); err != nil {
		return err
	}
	s.put(iam.Change{AccessKey: k})
	return nil
}

// renewLevel is the level from which a new secret begins the age of its key anew: the
// greatest age of keys is one of secrets. Builds of lower levels keep the age, so nobody
// may begin it while one of them still applies the log.
const renewLevel = 3

// renew gives a key another secret.
func (s *step) renew(k *iam.AccessKey, secret iam.Sealed) {
	k.Secret = secret
	if s.view.Level() >= renewLevel {
		k.Created = s.now
	}
}

func (s *step) deleteAccessKey(c iam.DeleteAccessKey) *iam.Error {
	k, err := s.accessKey(c.Owner, c.Key)
	if err != nil {
		return err
	}
	s.delete(iam.TableAccessKeys, "", string(k.ID))
	return nil
}

// recordLastUsed is reported by sidecars, late and more than once: it only moves
// forward, and a key that is gone meanwhile is no error.
func (s *step) recordLastUsed(c iam.RecordLastUsed) *iam.Error {
	latest := make(map[iam.AccessKeyID]iam.Time, len(c.Uses))
	for _, use := range c.Uses {
		latest[use.Key] = max(latest[use.Key], use.Time-use.Time%day)
	}
	for _, use := range c.Uses { // in the order of the command, which a map has not
		at, first := latest[use.Key]
		delete(latest, use.Key)
		k, ok := s.view.AccessKey(use.Key)
		if !first || !ok || at <= k.LastUsed {
			continue
		}
		used := clone(k)
		used.LastUsed = at
		s.put(iam.Change{AccessKey: used})
		s.count++
	}
	return nil
}
