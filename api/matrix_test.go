package api

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// matrixRow is a call of the matrix: its parameters, and the resources that it is
// about, "*" for none in particular.
type matrixRow struct {
	pairs     []string
	resources []string
}

const (
	targetUser     = "arn:aws:iam::000000000000:user/div/target"
	targetGroup    = "arn:aws:iam::000000000000:group/div/target"
	targetRole     = "arn:aws:iam::000000000000:role/div/target"
	targetProvider = "arn:aws:iam::000000000000:oidc-provider/idp.example.com"
	targetPolicy   = "arn:aws:iam::000000000000:policy/div/target"
)

func on(resource string, pairs ...string) matrixRow { return matrixRow{pairs, []string{resource}} }

// matrix has one row for every action that needs a permission of its name.
var matrix = map[string]matrixRow{
	"CreateUser":                              on("arn:aws:iam::000000000000:user/div/fresh", "UserName", "fresh", "Path", "/div/"),
	"GetUser":                                 on(targetUser, "UserName", "target"),
	"ListUsers":                               on("*"),
	"UpdateUser":                              {[]string{"UserName", "target", "NewPath", "/moved/"}, []string{targetUser, "arn:aws:iam::000000000000:user/moved/target"}},
	"DeleteUser":                              on(targetUser, "UserName", "target"),
	"TagUser":                                 on(targetUser, "UserName", "target", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"),
	"UntagUser":                               on(targetUser, "UserName", "target", "TagKeys.member.1", "k"),
	"ListUserTags":                            on(targetUser, "UserName", "target"),
	"PutUserPermissionsBoundary":              on(targetUser, "UserName", "target", "PermissionsBoundary", targetPolicy),
	"DeleteUserPermissionsBoundary":           on(targetUser, "UserName", "target"),
	"CreateAccessKey":                         on(targetUser, "UserName", "target"),
	"ListAccessKeys":                          on(targetUser, "UserName", "target"),
	"UpdateAccessKey":                         on(targetUser, "UserName", "target", "AccessKeyId", "AKIAIOSFODNN7EXAMPLE", "Status", "Active"),
	"DeleteAccessKey":                         on(targetUser, "UserName", "target", "AccessKeyId", "AKIAIOSFODNN7EXAMPLE"),
	"GetAccessKeyLastUsed":                    on("*", "AccessKeyId", "AKIAIOSFODNN7EXAMPLE"),
	"PutUserPolicy":                           on(targetUser, "UserName", "target", "PolicyName", "p", "PolicyDocument", allow("s3:*", "*")),
	"GetUserPolicy":                           on(targetUser, "UserName", "target", "PolicyName", "p"),
	"DeleteUserPolicy":                        on(targetUser, "UserName", "target", "PolicyName", "p"),
	"ListUserPolicies":                        on(targetUser, "UserName", "target"),
	"AttachUserPolicy":                        on(targetUser, "UserName", "target", "PolicyArn", targetPolicy),
	"DetachUserPolicy":                        on(targetUser, "UserName", "target", "PolicyArn", targetPolicy),
	"ListAttachedUserPolicies":                on(targetUser, "UserName", "target"),
	"ListGroupsForUser":                       on(targetUser, "UserName", "target"),
	"CreateGroup":                             on("arn:aws:iam::000000000000:group/fresh", "GroupName", "fresh"),
	"GetGroup":                                on(targetGroup, "GroupName", "target"),
	"ListGroups":                              on("*"),
	"UpdateGroup":                             {[]string{"GroupName", "target", "NewGroupName", "renamed"}, []string{targetGroup, "arn:aws:iam::000000000000:group/div/renamed"}},
	"DeleteGroup":                             on(targetGroup, "GroupName", "target"),
	"AddUserToGroup":                          on(targetGroup, "GroupName", "target", "UserName", "target"),
	"RemoveUserFromGroup":                     on(targetGroup, "GroupName", "target", "UserName", "target"),
	"PutGroupPolicy":                          on(targetGroup, "GroupName", "target", "PolicyName", "p", "PolicyDocument", allow("s3:*", "*")),
	"GetGroupPolicy":                          on(targetGroup, "GroupName", "target", "PolicyName", "p"),
	"DeleteGroupPolicy":                       on(targetGroup, "GroupName", "target", "PolicyName", "p"),
	"ListGroupPolicies":                       on(targetGroup, "GroupName", "target"),
	"AttachGroupPolicy":                       on(targetGroup, "GroupName", "target", "PolicyArn", targetPolicy),
	"DetachGroupPolicy":                       on(targetGroup, "GroupName", "target", "PolicyArn", targetPolicy),
	"ListAttachedGroupPolicies":               on(targetGroup, "GroupName", "target"),
	"CreateRole":                              on("arn:aws:iam::000000000000:role/fresh", "RoleName", "fresh", "AssumeRolePolicyDocument", trustRoot),
	"GetRole":                                 on(targetRole, "RoleName", "target"),
	"ListRoles":                               on("*"),
	"UpdateRole":                              on(targetRole, "RoleName", "target", "Description", "d"),
	"UpdateAssumeRolePolicy":                  on(targetRole, "RoleName", "target", "PolicyDocument", trustRoot),
	"DeleteRole":                              on(targetRole, "RoleName", "target"),
	"TagRole":                                 on(targetRole, "RoleName", "target", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"),
	"UntagRole":                               on(targetRole, "RoleName", "target", "TagKeys.member.1", "k"),
	"ListRoleTags":                            on(targetRole, "RoleName", "target"),
	"PutRolePermissionsBoundary":              on(targetRole, "RoleName", "target", "PermissionsBoundary", targetPolicy),
	"DeleteRolePermissionsBoundary":           on(targetRole, "RoleName", "target"),
	"PutRolePolicy":                           on(targetRole, "RoleName", "target", "PolicyName", "p", "PolicyDocument", allow("s3:*", "*")),
	"GetRolePolicy":                           on(targetRole, "RoleName", "target", "PolicyName", "p"),
	"DeleteRolePolicy":                        on(targetRole, "RoleName", "target", "PolicyName", "p"),
	"ListRolePolicies":                        on(targetRole, "RoleName", "target"),
	"AttachRolePolicy":                        on(targetRole, "RoleName", "target", "PolicyArn", targetPolicy),
	"DetachRolePolicy":                        on(targetRole, "RoleName", "target", "PolicyArn", targetPolicy),
	"ListAttachedRolePolicies":                on(targetRole, "RoleName", "target"),
	"CreatePolicy":                            on("arn:aws:iam::000000000000:policy/fresh", "PolicyName", "fresh", "PolicyDocument", allow("s3:*", "*")),
	"GetPolicy":                               on(targetPolicy, "PolicyArn", targetPolicy),
	"ListPolicies":                            on("*"),
	"DeletePolicy":                            on(targetPolicy, "PolicyArn", targetPolicy),
	"ListEntitiesForPolicy":                   on(targetPolicy, "PolicyArn", targetPolicy),
	"CreatePolicyVersion":                     on(targetPolicy, "PolicyArn", targetPolicy, "PolicyDocument", allow("s3:*", "*")),
	"GetPolicyVersion":                        on(targetPolicy, "PolicyArn", targetPolicy, "VersionId", "v1"),
	"ListPolicyVersions":                      on(targetPolicy, "PolicyArn", targetPolicy),
	"DeletePolicyVersion":                     on(targetPolicy, "PolicyArn", targetPolicy, "VersionId", "v9"),
	"SetDefaultPolicyVersion":                 on(targetPolicy, "PolicyArn", targetPolicy, "VersionId", "v1"),
	"TagPolicy":                               on(targetPolicy, "PolicyArn", targetPolicy, "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"),
	"UntagPolicy":                             on(targetPolicy, "PolicyArn", targetPolicy, "TagKeys.member.1", "k"),
	"ListPolicyTags":                          on(targetPolicy, "PolicyArn", targetPolicy),
	"CreateOpenIDConnectProvider":             on("arn:aws:iam::000000000000:oidc-provider/fresh.example.com", "Url", "https://fresh.example.com", "ThumbprintList.member.1", strings.Repeat("a", 40)),
	"GetOpenIDConnectProvider":                on(targetProvider, "OpenIDConnectProviderArn", targetProvider),
	"ListOpenIDConnectProviders":              on("*"),
	"DeleteOpenIDConnectProvider":             on(targetProvider, "OpenIDConnectProviderArn", targetProvider),
	"AddClientIDToOpenIDConnectProvider":      on(targetProvider, "OpenIDConnectProviderArn", targetProvider, "ClientID", "app"),
	"RemoveClientIDFromOpenIDConnectProvider": on(targetProvider, "OpenIDConnectProviderArn", targetProvider, "ClientID", "app"),
	"UpdateOpenIDConnectProviderThumbprint":   on(targetProvider, "OpenIDConnectProviderArn", targetProvider, "ThumbprintList.member.1", strings.Repeat("a", 40)),
	"TagOpenIDConnectProvider":                on(targetProvider, "OpenIDConnectProviderArn", targetProvider, "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"),
	"UntagOpenIDConnectProvider":              on(targetProvider, "OpenIDConnectProviderArn", targetProvider, "TagKeys.member.1", "k"),
	"ListOpenIDConnectProviderTags":           on(targetProvider, "OpenIDConnectProviderArn", targetProvider),
	"CreateAccountAlias":                      on("*", "AccountAlias", "acme"),
	"DeleteAccountAlias":                      on("*", "AccountAlias", "acme"),
	"ListAccountAliases":                      on("*"),
	"GetAccountSummary":                       on("*"),
	"GetAccountAuthorizationDetails":          on("*"),
	"GenerateCredentialReport":                on("*"),
	"GetCredentialReport":                     on("*"),
	"SimulatePrincipalPolicy":                 on(targetUser, "PolicySourceArn", targetUser, "ActionNames.member.1", "s3:GetObject"),
	"SimulateCustomPolicy":                    on("*", "PolicyInputList.member.1", allow("s3:*", "*"), "ActionNames.member.1", "s3:GetObject"),
	"GetContextKeysForCustomPolicy":           on("*", "PolicyInputList.member.1", allow("s3:*", "*")),
	"GetContextKeysForPrincipalPolicy":        on(targetUser, "PolicySourceArn", targetUser),
	"GetFederationToken":                      on("arn:aws:sts::000000000000:federated-user/bob", "Name", "bob"),
	"GetAccessKeyInfo":                        on("*", "AccessKeyId", "AKIAIOSFODNN7EXAMPLE"),
}

// withoutPermission are the calls that need none: anybody may ask who they are, and
// the sessions of AssumeRole and GetSessionToken give nothing that the caller has
// not, or what a trust policy grants.
var withoutPermission = []string{"GetCallerIdentity", "AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "AssumeRoleWithLDAPIdentity", "GetSessionToken"}

func TestTheMatrixIsComplete(t *testing.T) {
	for name := range actions {
		if _, ok := matrix[name]; ok == slices.Contains(withoutPermission, name) {
			t.Errorf("%s is in the matrix: %v", name, ok)
		}
	}
	for name := range matrix {
		if actions[name] == nil {
			t.Errorf("the matrix has %s, the table of actions has not", name)
		}
	}
}

// holder is one way to hold permissions: given the policies, it returns
// credentials that have them and no more.
type holder struct {
	name   string
	ownKey bool // signs with a user's own long-term key
	make   func(w *world, name, document string) credentials
}

var holders = []holder{
	{"a user", true, func(w *world, name, document string) credentials { return w.user(name, document) }},
	{"a member of a group", true, func(w *world, name, document string) credentials {
		w.must(w.root, "CreateGroup", "GroupName", name)
		w.must(w.root, "PutGroupPolicy", "GroupName", name, "PolicyName", "p", "PolicyDocument", document)
		c := w.user(name)
		w.must(w.root, "AddUserToGroup", "GroupName", name, "UserName", name)
		return c
	}},
	{"a service account of an administrator", false, func(w *world, name, document string) credentials {
		admin := w.user(name, allow("*", "*"))
		made := w.mustJSON(admin, "POST", "/v1/service-accounts", `{"policy":`+quote(document)+`}`)
		return credentials{made["access_key_id"].(string), made["secret_access_key"].(string), ""}
	}},
	{"a session of an administrator", false, func(w *world, name, document string) credentials {
		return sessionOf(w.must(w.user(name, allow("*", "*")), "AssumeRole", "Policy", document))
	}},
	{"an administrator within a boundary", true, func(w *world, name, document string) credentials {
		arn := w.must(w.root, "CreatePolicy", "PolicyName", name, "PolicyDocument", document).text("Arn")
		c := w.user(name, allow("*", "*"))
		w.must(w.root, "PutUserPermissionsBoundary", "UserName", name, "PermissionsBoundary", arn)
		return c
	}},
	{"a role", false, func(w *world, name, document string) credentials {
		arn := w.roleFor(name, arnOf+name, "", document)
		return sessionOf(w.must(w.user(name), "AssumeRole", "RoleArn", arn, "RoleSessionName", "session"))
	}},
}

// TestEachCallNeedsExactlyItsAction asks each call with no permission, with every
// permission but its own, with its own on another resource, with its own in another
// account, and with exactly its own, through every way to hold permissions.
func TestEachCallNeedsExactlyItsAction(t *testing.T) {
	// GetFederationToken works with a user's own key alone.
	ownKeyOnly := map[string]bool{"GetFederationToken": true}
	for _, h := range holders {
		t.Run(h.name, func(t *testing.T) {
			w := newWorld(t)
			others := holderOfOthers(w, h)
			for _, name := range slices.Sorted(maps.Keys(matrix)) {
				row := matrix[name]
				permission := actions[name].permission()
				makeTargets(w)
				caller := func(kind, document string) credentials { return h.make(w, name+kind, document) }
				if ownKeyOnly[name] && !h.ownKey {
					w.refused(t, name, "a key that is not a user's own", caller("-exact", allowAll(permission, row.resources)), row)
					continue
				}
				w.refused(t, name, "no permission", caller("-none", allow("s3:*", "*")), row)
				w.refused(t, name, "every other permission", others(name), row)
				w.refused(t, name, "another resource", caller("-other", allow(permission, "arn:aws:iam::000000000000:user/somebody")), row)
				if row.resources[0] != "*" {
					elsewhere := strings.ReplaceAll(row.resources[0], "000000000000", "111111111111")
					w.refused(t, name, "another account", caller("-elsewhere", allow(permission, elsewhere)), row)
				}
				if len(row.resources) > 1 {
					w.refused(t, name, "one of two resources", caller("-half", allow(permission, row.resources[0])), row)
				}
				exact := caller("-exact", allowAll(permission, row.resources))
				if a := w.call(exact, name, row.pairs...); a.code == "AccessDenied" {
					t.Errorf("%s with exactly %s on %q: %s", name, permission, row.resources, a.message)
				}
			}
		})
	}
}

func (w *world) refused(t *testing.T, name, with string, c credentials, row matrixRow) {
	t.Helper()
	if a := w.call(c, name, row.pairs...); a.status != 403 || a.code != "AccessDenied" {
		t.Errorf("%s with %s: %d %s", name, with, a.status, a.body)
	}
}

// holderOfOthers returns a caller who may do everything but one action.
func holderOfOthers(w *world, h holder) func(name string) credentials {
	return func(name string) credentials {
		document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"` + actions[name].permission() + `","Resource":"*"}]}`
		return h.make(w, name+"-all", document)
	}
}

func allowAll(permission string, resources []string) string {
	return strings.Replace(allow(permission, "*"), `"*"`, `["`+strings.Join(resources, `","`)+`"]`, 1)
}

// makeTargets makes what the matrix is about, where the call before has taken it
// away.
func makeTargets(w *world) {
	w.call(w.root, "CreateUser", "UserName", "target", "Path", "/div/")
	w.call(w.root, "UpdateUser", "UserName", "target", "NewPath", "/div/")
	w.call(w.root, "CreateGroup", "GroupName", "target", "Path", "/div/")
	w.call(w.root, "CreateRole", "RoleName", "target", "Path", "/div/", "AssumeRolePolicyDocument", trustRoot)
	w.call(w.root, "CreatePolicy", "PolicyName", "target", "Path", "/div/", "PolicyDocument", allow("s3:*", "*"))
}

// TestTheCallsWithoutPermissionGiveNobodyMore makes the calls that need no permission
// with nothing but s3, and with a Deny of everything.
func TestTheCallsWithoutPermissionGiveNobodyMore(t *testing.T) {
	for _, h := range holders {
		t.Run(h.name, func(t *testing.T) {
			w := newWorld(t)
			makeTargets(w)
			few, none := h.make(w, "few", allow("s3:*", "*")), h.make(w, "none", deny("*", "*"))
			w.want(w.call(few, "GetCallerIdentity"), 200, "")
			w.want(w.call(none, "GetCallerIdentity"), 200, "")
			w.want(w.call(few, "AssumeRole", "RoleArn", targetRole, "RoleSessionName", "s1"), 403, "AccessDenied")
			own, code := 403, "AccessDenied"
			if h.ownKey {
				own, code = 200, ""
			}
			w.want(w.call(few, "GetSessionToken"), own, code)
			w.want(w.call(none, "GetSessionToken"), 403, "AccessDenied")
			if h.ownKey {
				w.want(w.call(few, "AssumeRole"), 200, "")
			}
			w.want(w.call(none, "AssumeRole"), 403, "AccessDenied")
		})
	}
}
