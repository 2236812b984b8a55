package fsm

import (
	"slices"

	"github.com/doorward/doorward/iam"
)

func (s *step) createGroup(c iam.CreateGroup) *iam.Error {
	g := clone(&c.Group)
	if _, exists := s.view.Group(g.Account, g.Name); exists {
		return taken(iam.KindGroup, g.Name)
	}
	g.Inline = sortedInline(g.Inline)
	if err := first(
		checkEntity(g.Account, g.Name, maxName, g.Path, g.ID),
		s.checkInline(g.Inline),
		s.checkAttached(g.Attached),
	); err != nil {
		return err
	}
	s.put(iam.Change{Group: g})
	return nil
}

func (s *step) updateGroup(c iam.UpdateGroup) *iam.Error {
	old, err := s.group(c.Group)
	if err != nil {
		return err
	}
	g := clone(old)
	if c.NewName != "" {
		g.Name = c.NewName
	}
	if c.NewPath != "" {
		g.Path = c.NewPath
	}
	if err := checkEntity(g.Account, g.Name, maxName, g.Path, g.ID); err != nil {
		return err
	}
	if g.Name != old.Name {
		if err := s.renameGroup(old, g); err != nil {
			return err
		}
	}
	s.put(iam.Change{Group: g})
	return nil
}

// renameGroup takes the members along.
func (s *step) renameGroup(old, g *iam.Group) *iam.Error {
	if iam.Fold(old.Name) != iam.Fold(g.Name) {
		if _, exists := s.view.Group(g.Account, g.Name); exists {
			return taken(iam.KindGroup, g.Name)
		}
		s.delete(iam.TableGroups, old.Account, old.Name)
	}
	for u := range s.view.MembersOf(old.Account, old.Name) {
		if len(s.changes) >= maxChanges {
			return iam.Errorf(iam.LimitExceeded, "Group %s has too many members to be renamed at once. Create a group of the new name and move them.", old.Name)
		}
		moved := clone(u)
		moved.Groups = with(without(u.Groups, func(name string) bool { return name == old.Name }), g.Name)
		slices.Sort(moved.Groups)
		s.put(iam.Change{User: moved})
	}
	return nil
}

// deleteGroup holds DeleteGroup of the IAM API: "the group must not contain any
// users or have any attached policies".
func (s *step) deleteGroup(c iam.DeleteGroup) *iam.Error {
	g, err := s.group(c.Group)
	if err != nil {
		return err
	}
	for range s.view.MembersOf(g.Account, g.Name) {
		return conflict("remove users from group")
	}
	switch {
	case len(g.Attached) > 0:
		return conflict("detach all policies")
	case len(g.Inline) > 0:
		return conflict("delete policies")
	}
	s.delete(iam.TableGroups, g.Account, g.Name)
	return nil
}

func (s *step) addUserToGroup(c iam.AddUserToGroup) *iam.Error {
	u, g, err := s.membership(c.User, c.Group)
	if err != nil || slices.Contains(u.Groups, g.Name) {
		return err
	}
	if err := s.checkGroupCount(len(u.Groups) + 1); err != nil {
		return err
	}
	joined := clone(u)
	joined.Groups = with(u.Groups, g.Name)
	slices.Sort(joined.Groups)
	s.put(iam.Change{User: joined})
	return nil
}

func (s *step) removeUserFromGroup(c iam.RemoveUserFromGroup) *iam.Error {
	u, g, err := s.membership(c.User, c.Group)
	if err != nil || !slices.Contains(u.Groups, g.Name) {
		return err
	}
	left := clone(u)
	left.Groups = without(u.Groups, func(name string) bool { return name == g.Name })
	s.put(iam.Change{User: left})
	return nil
}

// membership finds a user and a group of one account.
func (s *step) membership(user, group iam.Ref) (*iam.User, *iam.Group, *iam.Error) {
	u, err := s.user(user)
	if err != nil {
		return nil, nil, err
	}
	g, err := s.group(group)
	if err != nil {
		return nil, nil, err
	}
	if u.Account != g.Account {
		return nil, nil, iam.Errorf(iam.InvalidInput, "User %s and group %s are in different accounts.", u.Name, g.Name)
	}
	return u, g, nil
}
