package fsm

import "github.com/doorward/doorward/iam"

// The seconds that MaxSessionDuration of a role may have (IAM API, CreateRole).
const (
	leastRoleSession = 3600
	mostRoleSession  = 43_200
)

func (s *step) createRole(c iam.CreateRole) *iam.Error {
	r := clone(&c.Role)
	if _, exists := s.view.Role(r.Account, r.Name); exists {
		return taken(iam.KindRole, r.Name)
	}
	r.Inline = sortedInline(r.Inline)
	r.MaxSession = iam.Or(r.MaxSession, leastRoleSession)
	if err := first(
		s.checkRole(r),
		checkTags(r.Tags),
		s.checkInline(r.Inline),
		s.checkAttached(r.Attached),
		s.checkBoundary(r.Boundary),
	); err != nil {
		return err
	}
	s.put(iam.Change{Role: r})
	return nil
}

func (s *step) checkRole(r *iam.Role) *iam.Error {
	if r.MaxSession < leastRoleSession || r.MaxSession > mostRoleSession {
		return iam.Errorf(iam.ValidationError, "MaxSessionDuration of %d seconds is not between %d and %d.", r.MaxSession, leastRoleSession, mostRoleSession)
	}
	return first(
		checkEntity(r.Account, r.Name, maxUserName, r.Path, r.ID),
		checkLength("The description", r.Description, 0, maxDescription),
		s.checkDocument(r.Trust),
	)
}

func (s *step) updateRole(c iam.UpdateRole) *iam.Error {
	old, err := s.role(c.Role)
	if err != nil {
		return err
	}
	r := clone(old)
	if c.SetDescription {
		r.Description = c.Description
	}
	r.MaxSession = iam.Or(c.MaxSession, r.MaxSession)
	if c.Trust != "" {
		r.Trust = c.Trust
	}
	if err := s.checkRole(r); err != nil {
		return err
	}
	s.put(iam.Change{Role: r})
	return nil
}

// deleteRole holds DeleteRole of the IAM API: "the role must not have any policies
// attached". Its sessions end with it.
func (s *step) deleteRole(c iam.DeleteRole) *iam.Error {
	r, err := s.role(c.Role)
	switch {
	case err != nil:
		return err
	case len(r.Attached) > 0:
		return conflict("detach all policies")
	case len(r.Inline) > 0:
		return conflict("delete policies")
	}
	s.delete(iam.TableRoles, r.Account, r.Name)
	s.dropSessions(r.Ref())
	return nil
}
