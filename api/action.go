package api

import (
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
)

// action is one call of the IAM or STS API.
type action struct {
	name    string
	service sigv4.Service
	params  []param
	// targets are what the call is about: the caller needs the permission
	// SERVICE:NAME on each. nil stands for actions on no particular resource, which
	// policies allow on "*".
	targets func(*call) []target
	// writes marks calls that are decided on a consistent view, for they change
	// something.
	writes bool
	// open marks calls that need no permission: the function decides itself.
	open bool
	// unsigned marks calls that come without a signature and prove the caller by
	// other means.
	unsigned bool
	run      func(*call) (any, error)
}

// The versions of the two APIs.
const (
	iamVersion = "2010-05-08"
	stsVersion = "2011-06-15"
)

func (a *action) version() string {
	if a.service == sigv4.STS {
		return stsVersion
	}
	return iamVersion
}

// namespace is that of the action's answers; nil stands for a request in which no
// action was recognised.
func (a *action) namespace() string {
	switch {
	case a == nil:
		return faultNamespace
	case a.service == sigv4.STS:
		return stsNamespace
	}
	return iamNamespace
}

// label names the action in metrics, which must not grow with what clients send.
func (a *action) label() string {
	if a == nil || a.run == nil {
		return "unknown"
	}
	return a.name
}

// permission is the action's name in policies.
func (a *action) permission() string { return string(a.service) + ":" + a.name }

// unknownAction stands for an action that there is none of, so that its caller is
// authenticated before it is told.
func unknownAction(f form) *action {
	if f["Version"] == stsVersion {
		return &action{name: f["Action"], service: sigv4.STS}
	}
	return &action{name: f["Action"], service: sigv4.IAM}
}

// actions is the table of all calls, by name.
var actions = func() map[string]*action {
	table := map[string]*action{}
	for _, group := range [][]action{
		userActions, groupActions, roleActions, policyActions, providerActions, accountActions, stsActions,
	} {
		for i := range group {
			table[group[i].name] = &group[i]
		}
	}
	return table
}()

const (
	ofUser   = iam.KindUser
	ofGroup  = iam.KindGroup
	ofRole   = iam.KindRole
	ofPolicy = iam.KindPolicy
)

func reads(name string, targets func(*call) []target, run func(*call) (any, error), params ...param) action {
	return action{name: name, service: sigv4.IAM, targets: targets, run: run, params: params}
}

func writes(name string, targets func(*call) []target, run func(*call) (any, error), params ...param) action {
	a := reads(name, targets, run, params...)
	a.writes = true
	return a
}

// asks is a call of STS, which decides itself what permission it needs.
func asks(name string, run func(*call) (any, error), params ...param) action {
	return action{name: name, service: sigv4.STS, run: run, params: params, open: true}
}

// begins is a call of STS that makes a session.
func begins(name string, run func(*call) (any, error), params ...param) action {
	a := asks(name, run, params...)
	a.writes = true
	return a
}

// withToken is a call without a signature.
func withToken(a action) action {
	a.unsigned = true
	return a
}

var userActions = []action{
	writes("CreateUser", newUser, createUser, newUserName.required(), path, tags, boundaryARN),
	reads("GetUser", userOrSelf, getUser, userName.emptyIsNone()),
	reads("ListUsers", nil, listUsers, pathPrefix, marker, maxItems),
	writes("UpdateUser", movedUser, updateUser, userName.mandatory(), newUserName.called("NewUserName"), path.called("NewPath")),
	writes("DeleteUser", theUser, deleteUser, userName.mandatory()),
	writes("TagUser", theUser, setTags(ofUser), userName.required(), tags.required()),
	writes("UntagUser", theUser, removeTags(ofUser), userName.required(), tagKeys),
	reads("ListUserTags", theUser, listTags(ofUser), userName.required(), marker, maxItems),
	writes("PutUserPermissionsBoundary", theUser, putBoundary(ofUser), userName.required(), boundaryARN.required()),
	writes("DeleteUserPermissionsBoundary", theUser, deleteBoundary(ofUser), userName.required()),

	writes("CreateAccessKey", userOrSelf, createAccessKey, userName),
	reads("ListAccessKeys", userOrSelf, listAccessKeys, userName, marker, maxItems),
	writes("UpdateAccessKey", userOrSelf, updateAccessKey, userName, accessKeyID, keyStatus),
	writes("DeleteAccessKey", userOrSelf, deleteAccessKey, userName, accessKeyID),
	reads("GetAccessKeyLastUsed", keyOwner, getAccessKeyLastUsed, accessKeyID),

	writes("PutUserPolicy", theUser, putInline(ofUser), userName.required(), policyName.required(), document),
	reads("GetUserPolicy", theUser, getInline(ofUser), userName.required(), policyName.required()),
	writes("DeleteUserPolicy", theUser, deleteInline(ofUser), userName.required(), policyName.required()),
	reads("ListUserPolicies", theUser, listInline(ofUser), userName.required(), marker, maxItems),
	writes("AttachUserPolicy", theUser, attach(ofUser), userName.required(), policyARN),
	writes("DetachUserPolicy", theUser, detach(ofUser), userName.required(), policyARN),
	reads("ListAttachedUserPolicies", theUser, listAttached(ofUser), userName.required(), pathPrefix, marker, maxItems),
	reads("ListGroupsForUser", theUser, listGroupsForUser, userName.required(), marker, maxItems),
}

var groupActions = []action{
	writes("CreateGroup", newGroup, createGroup, groupName.required(), path),
	reads("GetGroup", theGroup, getGroup, groupName.required(), marker, maxItems),
	reads("ListGroups", nil, listGroups, pathPrefix, marker, maxItems),
	writes("UpdateGroup", movedGroup, updateGroup, groupName.required(), groupName.called("NewGroupName"), path.called("NewPath")),
	writes("DeleteGroup", theGroup, deleteGroup, groupName.required()),
	writes("AddUserToGroup", theGroup, addUserToGroup, groupName.required(), userName.required()),
	writes("RemoveUserFromGroup", theGroup, removeUserFromGroup, groupName.required(), userName.required()),

	writes("PutGroupPolicy", theGroup, putInline(ofGroup), groupName.required(), policyName.required(), document),
	reads("GetGroupPolicy", theGroup, getInline(ofGroup), groupName.required(), policyName.required()),
	writes("DeleteGroupPolicy", theGroup, deleteInline(ofGroup), groupName.required(), policyName.required()),
	reads("ListGroupPolicies", theGroup, listInline(ofGroup), groupName.required(), marker, maxItems),
	writes("AttachGroupPolicy", theGroup, attach(ofGroup), groupName.required(), policyARN),
	writes("DetachGroupPolicy", theGroup, detach(ofGroup), groupName.required(), policyARN),
	reads("ListAttachedGroupPolicies", theGroup, listAttached(ofGroup), groupName.required(), pathPrefix, marker, maxItems),
}

var roleActions = []action{
	writes("CreateRole", newRole, createRole, roleName.required(), path, trust, description, maxSession, tags, boundaryARN),
	reads("GetRole", theRole, getRole, roleName.mandatory()),
	reads("ListRoles", nil, listRoles, pathPrefix, marker, maxItems),
	writes("UpdateRole", theRole, updateRole, roleName.required(), description, maxSession),
	writes("UpdateAssumeRolePolicy", theRole, updateAssumeRolePolicy, roleName.required(), document),
	writes("DeleteRole", theRole, deleteRole, roleName.mandatory()),
	writes("TagRole", theRole, setTags(ofRole), roleName.required(), tags.required()),
	writes("UntagRole", theRole, removeTags(ofRole), roleName.required(), tagKeys),
	reads("ListRoleTags", theRole, listTags(ofRole), roleName.required(), marker, maxItems),
	writes("PutRolePermissionsBoundary", theRole, putBoundary(ofRole), roleName.required(), boundaryARN.required()),
	writes("DeleteRolePermissionsBoundary", theRole, deleteBoundary(ofRole), roleName.required()),

	writes("PutRolePolicy", theRole, putInline(ofRole), roleName.required(), policyName.required(), document),
	reads("GetRolePolicy", theRole, getInline(ofRole), roleName.required(), policyName.required()),
	writes("DeleteRolePolicy", theRole, deleteInline(ofRole), roleName.required(), policyName.required()),
	reads("ListRolePolicies", theRole, listInline(ofRole), roleName.required(), marker, maxItems),
	writes("AttachRolePolicy", theRole, attach(ofRole), roleName.required(), policyARN),
	writes("DetachRolePolicy", theRole, detach(ofRole), roleName.required(), policyARN),
	reads("ListAttachedRolePolicies", theRole, listAttached(ofRole), roleName.required(), pathPrefix, marker, maxItems),
}

var (
	usageFilter  = param{name: "PolicyUsageFilter", enum: []string{"PermissionsPolicy", "PermissionsBoundary"}}
	entityFilter = param{name: "EntityFilter", enum: []string{"User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"}}
	policyScope  = param{name: "Scope", enum: []string{"All", "AWS", "Local"}}
	onlyAttached = param{name: "OnlyAttached", kind: boolean}
	setAsDefault = param{name: "SetAsDefault", kind: boolean}
)

var policyActions = []action{
	writes("CreatePolicy", newPolicy, createPolicy, policyName.required(), path.policyPath(), document, description, tags),
	reads("GetPolicy", thePolicy, getPolicy, policyARN),
	reads("ListPolicies", nil, listPolicies, policyScope, onlyAttached, pathPrefix, usageFilter, marker, maxItems),
	writes("DeletePolicy", thePolicy, deletePolicy, policyARN),
	reads("ListEntitiesForPolicy", thePolicy, listEntitiesForPolicy, policyARN, entityFilter, pathPrefix, usageFilter, marker, maxItems),
	writes("CreatePolicyVersion", thePolicy, createPolicyVersion, policyARN, document, setAsDefault),
	reads("GetPolicyVersion", thePolicy, getPolicyVersion, policyARN, versionID),
	reads("ListPolicyVersions", thePolicy, listPolicyVersions, policyARN, marker, maxItems),
	writes("DeletePolicyVersion", thePolicy, deletePolicyVersion, policyARN, versionID),
	writes("SetDefaultPolicyVersion", thePolicy, setDefaultPolicyVersion, policyARN, versionID),
	writes("TagPolicy", thePolicy, setTags(ofPolicy), policyARN, tags.required()),
	writes("UntagPolicy", thePolicy, removeTags(ofPolicy), policyARN, tagKeys),
	reads("ListPolicyTags", thePolicy, listTags(ofPolicy), policyARN, marker, maxItems),
}

var stsActions = []action{
	asks("GetCallerIdentity", getCallerIdentity),
	begins("AssumeRole", assumeRole, roleARN, sessionName, sessionPolicy, policyARNs, durationSeconds, tags, transitiveKeys, externalID, sourceIdentity),
	begins("GetSessionToken", getSessionToken, durationSeconds),
	begins("GetFederationToken", getFederationToken, federatedName, sessionPolicy, policyARNs, durationSeconds, tags),
	withToken(begins("AssumeRoleWithWebIdentity", assumeRoleWithWebIdentity,
		roleARN.required(), sessionName.required(), webToken, providerID, sessionPolicy, policyARNs, durationSeconds)),
	withToken(begins("AssumeRoleWithSAML", assumeRoleWithSAML,
		roleARN.required(), samlProvider, samlAssertion, sessionPolicy, policyARNs, durationSeconds)),
	withToken(begins("AssumeRoleWithLDAPIdentity", assumeRoleWithLDAPIdentity, ldapName, ldapPassword, durationSeconds)),
	asks("GetAccessKeyInfo", getAccessKeyInfo, accessKeyID.required()),
}
