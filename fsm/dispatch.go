package fsm

import "github.com/doorward/doorward/iam"

// do hands a command to its handler.
func (s *step) do(c iam.Command) *iam.Error {
	if init, ok := c.(iam.Initialize); ok {
		return s.initialize(init)
	}
	if s.view.Store().ClusterID == "" {
		return iam.Errorf(iam.ServiceUnavailable, "The store has not been initialised yet.")
	}
	switch c := c.(type) {
	case iam.CreateUser:
		return s.createUser(c)
	case iam.UpdateUser:
		return s.updateUser(c)
	case iam.DeleteUser:
		return s.deleteUser(c)
	case iam.CreateGroup:
		return s.createGroup(c)
	case iam.UpdateGroup:
		return s.updateGroup(c)
	case iam.DeleteGroup:
		return s.deleteGroup(c)
	case iam.AddUserToGroup:
		return s.addUserToGroup(c)
	case iam.RemoveUserFromGroup:
		return s.removeUserFromGroup(c)
	case iam.CreateRole:
		return s.createRole(c)
	case iam.UpdateRole:
		return s.updateRole(c)
	case iam.DeleteRole:
		return s.deleteRole(c)
	default:
		return s.doPolicy(c)
	}
}

func (s *step) doPolicy(c iam.Command) *iam.Error {
	switch c := c.(type) {
	case iam.CreatePolicy:
		return s.createPolicy(c)
	case iam.DeletePolicy:
		return s.deletePolicy(c)
	case iam.CreatePolicyVersion:
		return s.createPolicyVersion(c)
	case iam.DeletePolicyVersion:
		return s.deletePolicyVersion(c)
	case iam.SetDefaultPolicyVersion:
		return s.setDefaultPolicyVersion(c)
	case iam.AttachPolicy:
		return s.attachPolicy(c)
	case iam.DetachPolicy:
		return s.detachPolicy(c)
	case iam.PutInlinePolicy:
		return s.putInlinePolicy(c)
	case iam.DeleteInlinePolicy:
		return s.deleteInlinePolicy(c)
	case iam.SetBoundary:
		return s.setBoundary(c)
	case iam.SetTags:
		return s.setTags(c)
	default:
		return s.doCredential(c)
	}
}

func (s *step) doCredential(c iam.Command) *iam.Error {
	switch c := c.(type) {
	case iam.CreateAccessKey:
		return s.createAccessKey(c)
	case iam.UpdateAccessKey:
		return s.updateAccessKey(c)
	case iam.DeleteAccessKey:
		return s.deleteAccessKey(c)
	case iam.RecordLastUsed:
		return s.recordLastUsed(c)
	case iam.CreateServiceAccount:
		return s.createServiceAccount(c)
	case iam.UpdateServiceAccount:
		return s.updateServiceAccount(c)
	case iam.DeleteServiceAccount:
		return s.deleteServiceAccount(c)
	case iam.CreateSession:
		return s.createSession(c)
	case iam.RevokeSessions:
		return s.revokeSessions(c)
	case iam.ExpireSessions:
		return s.expireSessions(c)
	case iam.PutBucket:
		return s.putBucket(c)
	case iam.DeleteBucket:
		return s.deleteBucket(c)
	case iam.PutSettings:
		return s.putSettings(c)
	}
	return s.doProvider(c)
}

func (s *step) doProvider(c iam.Command) *iam.Error {
	switch c := c.(type) {
	case iam.CreateProvider:
		return s.createProvider(c)
	case iam.UpdateProvider:
		return s.updateProvider(c)
	case iam.DeleteProvider:
		return s.deleteProvider(c)
	case iam.SetAccountAlias:
		return s.setAccountAlias(c)
	}
	return s.doMember(c)
}

func (s *step) doMember(c iam.Command) *iam.Error {
	switch c := c.(type) {
	case iam.PutAuthority:
		return s.putAuthority(c)
	case iam.DeleteAuthority:
		return s.deleteAuthority(c)
	case iam.StageAuthority:
		return s.stageAuthority(c)
	case iam.UseAuthority:
		return s.useAuthority(c)
	case iam.CreateEnrolment:
		return s.createEnrolment(c)
	case iam.TakeEnrolment:
		return s.takeEnrolment(c)
	case iam.DeleteEnrolment:
		return s.deleteEnrolment(c)
	case iam.RaiseLevel:
		return s.raiseLevel(c)
	case iam.Batch:
		return s.batch(c)
	case iam.Reseal:
		return s.reseal(c)
	case iam.Guarded:
		return s.guarded(c)
	case iam.PutGossip:
		return s.putGossip(c)
	}
	panic("no handler")
}
