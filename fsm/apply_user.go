package fsm

import (
	"slices"

	"github.com/doorward/doorward/iam"
)

func (s *step) createUser(c iam.CreateUser) *iam.Error {
	u := clone(&c.User)
	u.Status = orActive(u.Status)
	if _, exists := s.view.User(u.Account, u.Name); exists {
		return taken(iam.KindUser, u.Name)
	}
	if err := s.checkUser(u); err != nil {
		return err
	}
	s.put(iam.Change{User: u})
	if c.Password == nil {
		return nil
	}
	k := clone(c.Password)
	k.ID, k.Owner, k.Password, k.Status = iam.AccessKeyID(u.Name), u.Ref(), true, orActive(k.Status)
	if err := first(s.checkAccessKey(k), s.keyIDFree(k.ID)); err != nil {
		return err
	}
	s.put(iam.Change{AccessKey: k})
	return nil
}

// checkUser checks a whole user and puts its lists in order.
func (s *step) checkUser(u *iam.User) *iam.Error {
	groups, err := s.spelled(u)
	if err != nil {
		return err
	}
	u.Groups = groups
	u.Inline = sortedInline(u.Inline)
	return first(
		checkEntity(u.Account, u.Name, maxUserName, u.Path, u.ID),
		checkStatus(u.Status),
		checkTags(u.Tags),
		s.checkInline(u.Inline),
		s.checkAttached(u.Attached),
		s.checkBoundary(u.Boundary),
		s.checkGroupCount(len(u.Groups)),
	)
}

// spelled returns the groups of a user, sorted and spelled as the groups
// themselves are.
func (s *step) spelled(u *iam.User) ([]string, *iam.Error) {
	var names []string
	for _, name := range u.Groups {
		g, err := s.group(iam.Ref{Account: u.Account, Kind: iam.KindGroup, Name: name})
		if err != nil {
			return nil, err
		}
		names = append(names, g.Name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// checkGroupCount holds the quota "Groups an IAM user can be a member of".
func (s *step) checkGroupCount(n int) *iam.Error {
	limit := iam.Or(s.view.Settings().GroupsPerUser, defaultGroupsPerUser)
	if n > int(limit) {
		return tooMany("GroupsPerUser", limit)
	}
	return nil
}

func (s *step) updateUser(c iam.UpdateUser) *iam.Error {
	old, err := s.user(c.User)
	if err != nil {
		return err
	}
	u := clone(old)
	if c.NewName != "" {
		u.Name = c.NewName
	}
	if c.NewPath != "" {
		u.Path = c.NewPath
	}
	if c.Status != 0 {
		u.Status = c.Status
	}
	if c.SetPOSIX {
		u.POSIX = c.POSIX
	}
	if err := first(checkEntity(u.Account, u.Name, maxUserName, u.Path, u.ID), checkStatus(u.Status)); err != nil {
		return err
	}
	if u.Name != old.Name {
		if err := s.renameUser(old, u, c.Password); err != nil {
			return err
		}
	}
	s.put(iam.Change{User: u})
	return nil
}

// renameUser moves what belongs to a user to its new name (UpdateUser of the IAM
// API: "the user's access keys, groups and policies stay").
func (s *step) renameUser(old, u *iam.User, password iam.Sealed) *iam.Error {
	if iam.Fold(old.Name) != iam.Fold(u.Name) {
		if _, exists := s.view.User(u.Account, u.Name); exists {
			return taken(iam.KindUser, u.Name)
		}
		s.delete(iam.TableUsers, old.Account, old.Name)
	}
	if err := s.renameKeys(old, u, password); err != nil {
		return err
	}
	for sa := range s.view.ServiceAccountsOf(old.Account, old.Name) {
		moved := clone(sa)
		moved.Parent = u.Name
		s.put(iam.Change{ServiceAccount: moved})
	}
	for session := range s.view.SessionsOf(old.Ref()) {
		if len(s.changes) >= maxChanges {
			return iam.Errorf(iam.LimitExceeded, "User %s has too many sessions to be renamed at once. Revoke them, or wait until they have expired.", old.Name)
		}
		moved := clone(session)
		moved.Parent = u.Ref()
		s.put(iam.Change{Session: moved})
	}
	return nil
}

// renameKeys gives keys their new owner. The name-and-password key gets a new id,
// to which the proposer has sealed its secret; if the user got or lost that key in
// the meantime, the proposer has to look again.
func (s *step) renameKeys(old, u *iam.User, password iam.Sealed) *iam.Error {
	renamed := false
	for k := range s.view.KeysOf(old.Ref()) {
		moved := clone(k)
		moved.Owner = u.Ref()
		if k.Password {
			moved.ID, moved.Secret, renamed = iam.AccessKeyID(u.Name), password, true
			if err := first(s.keyIDFree(moved.ID), checkKeyID(moved.ID)); err != nil {
				return err
			}
			s.delete(iam.TableAccessKeys, "", string(k.ID))
		}
		s.put(iam.Change{AccessKey: moved})
	}
	if renamed != (len(password) > 0) {
		return iam.Errorf(iam.ConcurrentModification, "The password of user %s was set or removed while the user was being renamed. Try again.", old.Name)
	}
	return nil
}

// deleteUser holds DeleteUser of the IAM API: "before attempting to delete a user,
// remove the following items". Sessions end with the user in any case.
func (s *step) deleteUser(c iam.DeleteUser) *iam.Error {
	u, err := s.user(c.User)
	if err != nil {
		return err
	}
	if !c.Cascade {
		if err := s.userIsBare(u); err != nil {
			return err
		}
	}
	s.delete(iam.TableUsers, u.Account, u.Name)
	for k := range s.view.KeysOf(u.Ref()) {
		s.delete(iam.TableAccessKeys, "", string(k.ID))
	}
	for sa := range s.view.ServiceAccountsOf(u.Account, u.Name) {
		s.dropServiceAccount(sa)
	}
	s.dropSessions(u.Ref())
	return nil
}

func (s *step) userIsBare(u *iam.User) *iam.Error {
	for k := range s.view.KeysOf(u.Ref()) {
		if k.Password {
			return conflict("delete the secret key")
		}
		return conflict("delete access keys")
	}
	for range s.view.ServiceAccountsOf(u.Account, u.Name) {
		return conflict("delete service accounts")
	}
	switch {
	case len(u.Attached) > 0:
		return conflict("detach all policies")
	case len(u.Inline) > 0:
		return conflict("delete policies")
	case len(u.Groups) > 0:
		return conflict("remove users from group")
	}
	return nil
}

// conflict words DeleteConflict as AWS does: what has to be done first.
func conflict(cure string) *iam.Error {
	return iam.Errorf(iam.DeleteConflict, "Cannot delete entity, must %s first.", cure)
}

// dropSessions ends the sessions of a parent that is going. Those beyond the limit
// of a command are void as well, because their parent is gone; they leave when they
// expire.
func (s *step) dropSessions(parent iam.Ref) {
	for session := range s.view.SessionsOf(parent) {
		if len(s.changes) >= maxChanges {
			return
		}
		s.delete(iam.TableSessions, "", string(session.Key))
	}
}
