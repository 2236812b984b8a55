package fsm

import "github.com/doorward/doorward/iam"

// createServiceAccount adds a child of a user. The key repeats the service
// account's status and expiry, so that whoever looks at either sees both.
func (s *step) createServiceAccount(c iam.CreateServiceAccount) *iam.Error {
	sa, k := clone(&c.ServiceAccount), clone(&c.Key)
	parent, err := s.user(sa.ParentRef())
	if err != nil {
		return err
	}
	sa.Parent, sa.Key, sa.Status = parent.Name, k.ID, orActive(sa.Status)
	k.Owner, k.Status, k.Expires, k.Password = sa.Ref(), sa.Status, sa.Expires, false
	if err := first(
		s.checkServiceAccount(sa),
		s.checkAccessKey(k),
		s.keyIDFree(k.ID),
		s.checkServiceAccountCount(parent),
	); err != nil {
		return err
	}
	s.put(iam.Change{ServiceAccount: sa}, iam.Change{AccessKey: k})
	return nil
}

func (s *step) checkServiceAccount(sa *iam.ServiceAccount) *iam.Error {
	if sa.Policy != "" {
		if err := s.checkDocument(sa.Policy); err != nil {
			return err
		}
	}
	return first(checkStatus(sa.Status), checkLength("The description", sa.Description, 0, maxDescription))
}

func (s *step) checkServiceAccountCount(parent *iam.User) *iam.Error {
	limit := iam.Or(s.view.Settings().ServiceAccounts, defaultServiceAccounts)
	n := uint32(0)
	for range s.view.ServiceAccountsOf(parent.Account, parent.Name) {
		n++
	}
	if n >= limit {
		return tooMany("ServiceAccountsPerUser", limit)
	}
	return nil
}

func (s *step) updateServiceAccount(c iam.UpdateServiceAccount) *iam.Error {
	oldAccount, oldKey, err := s.serviceAccount(c.ServiceAccount)
	if err != nil {
		return err
	}
	sa, k := clone(oldAccount), clone(oldKey)
	if c.SetDescription {
		sa.Description = c.Description
	}
	if c.SetPolicy {
		sa.Policy = c.Policy
	}
	if c.Status != 0 {
		sa.Status = c.Status
	}
	if c.SetExpires {
		sa.Expires = c.Expires
	}
	if c.Secret != nil {
		s.renew(k, c.Secret)
	}
	k.Status, k.Expires = sa.Status, sa.Expires
	if err := first(s.checkServiceAccount(sa), s.checkAccessKey(k)); err != nil {
		return err
	}
	s.put(iam.Change{ServiceAccount: sa}, iam.Change{AccessKey: k})
	return nil
}

func (s *step) deleteServiceAccount(c iam.DeleteServiceAccount) *iam.Error {
	sa, _, err := s.serviceAccount(c.ServiceAccount)
	if err != nil {
		return err
	}
	s.dropServiceAccount(sa)
	return nil
}

func (s *step) dropServiceAccount(sa *iam.ServiceAccount) {
	s.delete(iam.TableServiceAccounts, "", string(sa.Key))
	s.delete(iam.TableAccessKeys, "", string(sa.Key))
	s.dropSessions(sa.Ref())
}
