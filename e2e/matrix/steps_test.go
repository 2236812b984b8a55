package matrix

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	arn      = "arn:aws:iam::000000000000:"
	allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	trust    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}`
	provider = arn + "oidc-provider/idp.example.com"
)

// free are the calls that need no permission, or decide otherwise.
var free = map[string]bool{"GetCallerIdentity": true, "AssumeRole": true, "GetSessionToken": true, "AssumeRoleWithWebIdentity": true, "AssumeRoleWithSAML": true}

// with returns the parameters of a call and some more.
func with(base p, more p) p {
	all := p{}
	for _, m := range []p{base, more} {
		for name, value := range m {
			all[name] = value
		}
	}
	return all
}

// ok is a call that succeeds, and, before that, is refused to nobody.
func ok(action string, params p) step { return step{Action: action, Params: params, Class: "success"} }

func gone(action string, params p) step {
	return step{Action: action, Params: params, Want: "NoSuchEntity", Class: "not found"}
}

func bad(action string, params p, code string) step {
	return step{Action: action, Params: params, Want: code, Class: "malformed"}
}

func clash(action string, params p, code string) step {
	return step{Action: action, Params: params, Want: code, Class: "conflict"}
}

// pages asks for a list of so many items in pages of one.
func pages(action string, params p, items int) step {
	return step{Action: action, Params: params, Walk: true, Items: items, Class: "paged"}
}

func inSTS(s step) step {
	if s.Service == "" {
		s.Service = "sts"
	}
	return s
}

func saving(s step, how string) step { s.Save = how; return s }

func becoming(s step, who string) step { s.Becomes = who; return s }

// withToken marks a step that needs an identity provider at an address of this host.
func withToken(s step) step { s.Class += byToken; return inSTS(s) }

const byToken = " by token"

var tag = []p{{"Key": "k", "Value": "v"}, {"Key": "l", "Value": "w"}}

// many are as many tags as a thing may have, less one.
var many = func() (all []p) {
	for n := range 49 {
		all = append(all, p{"Key": fmt.Sprint("n", n), "Value": "v"})
	}
	return all
}()

// oversize is a policy that is longer than the settings allow.
var oversize = strings.Replace(allowAll, `"*"`, `"arn:aws:s3:::`+strings.Repeat("b", 2100)+`"`, 1)

// held are the calls about the policies of a user, group or role.
func held(kind string, who, missing p) (all []step) {
	inline := p{"PolicyName": "in"}
	managed := p{"PolicyArn": arn + "policy/pol"}
	return []step{
		gone("Put"+kind+"Policy", with(missing, p{"PolicyName": "in", "PolicyDocument": allowAll})),
		bad("Put"+kind+"Policy", with(who, p{"PolicyName": "in", "PolicyDocument": "{"}), "MalformedPolicyDocument"),
		ok("Put"+kind+"Policy", with(who, p{"PolicyName": "in", "PolicyDocument": allowAll})),
		clash("Put"+kind+"Policy", with(who, p{"PolicyName": "in2", "PolicyDocument": oversize}), "LimitExceeded"),
		ok("Put"+kind+"Policy", with(who, p{"PolicyName": "in2", "PolicyDocument": allowAll})),
		ok("Get"+kind+"Policy", with(who, inline)), gone("Get"+kind+"Policy", with(who, p{"PolicyName": "none"})),
		ok("List"+kind+"Policies", who), gone("List"+kind+"Policies", missing), pages("List"+kind+"Policies", who, 2),
		ok("Delete"+kind+"Policy", with(who, inline)), gone("Delete"+kind+"Policy", with(who, inline)),
		ok("Delete"+kind+"Policy", with(who, p{"PolicyName": "in2"})),
		gone("Attach"+kind+"Policy", with(who, p{"PolicyArn": arn + "policy/nothere"})),
		ok("Attach"+kind+"Policy", with(who, managed)), ok("Attach"+kind+"Policy", with(who, p{"PolicyArn": arn + "policy/pol2"})),
		ok("ListAttached"+kind+"Policies", who), gone("ListAttached"+kind+"Policies", missing), pages("ListAttached"+kind+"Policies", who, 2),
		clash("Attach"+kind+"Policy", with(who, p{"PolicyArn": arn + "policy/readonly"}), "LimitExceeded"),
		clash("Delete"+kind, who, "DeleteConflict"), clash("DeletePolicy", managed, "DeleteConflict"),
		ok("Detach"+kind+"Policy", with(who, managed)), gone("Detach"+kind+"Policy", with(who, managed)),
		ok("Detach"+kind+"Policy", with(who, p{"PolicyArn": arn + "policy/pol2"})),
	}
}

var steps = slices.Concat(
	[]step{
		ok("CreatePolicy", p{"PolicyName": "pol", "PolicyDocument": allowAll}),
		ok("CreatePolicy", p{"PolicyName": "pol2", "PolicyDocument": allowAll}),
		clash("CreatePolicy", p{"PolicyName": "POL", "PolicyDocument": allowAll}, "EntityAlreadyExists"),
		bad("CreatePolicy", p{"PolicyName": "x", "PolicyDocument": `{"Version":"1999"}`}, "MalformedPolicyDocument"),
		bad("CreatePolicy", p{"PolicyName": "a b", "PolicyDocument": allowAll}, "ValidationError"),
		ok("GetPolicy", p{"PolicyArn": arn + "policy/pol"}), gone("GetPolicy", p{"PolicyArn": arn + "policy/nothere"}),
		ok("ListPolicies", p{}), pages("ListPolicies", p{}, 5), bad("ListPolicies", p{"MaxItems": 0}, "ValidationError"),
		ok("CreatePolicyVersion", p{"PolicyArn": arn + "policy/pol", "PolicyDocument": allowAll}),
		gone("CreatePolicyVersion", p{"PolicyArn": arn + "policy/nothere", "PolicyDocument": allowAll}),
		bad("CreatePolicyVersion", p{"PolicyArn": arn + "policy/pol", "PolicyDocument": "{"}, "MalformedPolicyDocument"),
		ok("CreatePolicyVersion", p{"PolicyArn": arn + "policy/pol", "PolicyDocument": allowAll}), ok("CreatePolicyVersion", p{"PolicyArn": arn + "policy/pol", "PolicyDocument": allowAll}),
		ok("CreatePolicyVersion", p{"PolicyArn": arn + "policy/pol", "PolicyDocument": allowAll}), clash("CreatePolicyVersion", p{"PolicyArn": arn + "policy/pol", "PolicyDocument": allowAll}, "LimitExceeded"),
		ok("GetPolicyVersion", p{"PolicyArn": arn + "policy/pol", "VersionId": "v2"}), gone("GetPolicyVersion", p{"PolicyArn": arn + "policy/pol", "VersionId": "v9"}),
		ok("ListPolicyVersions", p{"PolicyArn": arn + "policy/pol"}), pages("ListPolicyVersions", p{"PolicyArn": arn + "policy/pol"}, 5), gone("ListPolicyVersions", p{"PolicyArn": arn + "policy/nothere"}),
		ok("SetDefaultPolicyVersion", p{"PolicyArn": arn + "policy/pol", "VersionId": "v2"}), gone("SetDefaultPolicyVersion", p{"PolicyArn": arn + "policy/pol", "VersionId": "v9"}),
		clash("DeletePolicyVersion", p{"PolicyArn": arn + "policy/pol", "VersionId": "v2"}, "DeleteConflict"),
		ok("DeletePolicyVersion", p{"PolicyArn": arn + "policy/pol", "VersionId": "v1"}), gone("DeletePolicyVersion", p{"PolicyArn": arn + "policy/pol", "VersionId": "v1"}),
		ok("TagPolicy", p{"PolicyArn": arn + "policy/pol", "Tags": tag}), gone("TagPolicy", p{"PolicyArn": arn + "policy/nothere", "Tags": tag}),
		ok("ListPolicyTags", p{"PolicyArn": arn + "policy/pol"}), pages("ListPolicyTags", p{"PolicyArn": arn + "policy/pol"}, 2), gone("ListPolicyTags", p{"PolicyArn": arn + "policy/nothere"}),
		clash("TagPolicy", p{"PolicyArn": arn + "policy/pol", "Tags": many}, "LimitExceeded"),
		ok("UntagPolicy", p{"PolicyArn": arn + "policy/pol", "TagKeys": []string{"k"}}), gone("UntagPolicy", p{"PolicyArn": arn + "policy/nothere", "TagKeys": []string{"k"}}),
		ok("ListEntitiesForPolicy", p{"PolicyArn": arn + "policy/pol"}), gone("ListEntitiesForPolicy", p{"PolicyArn": arn + "policy/nothere"}),

		ok("CreateUser", p{"UserName": "ann"}), clash("CreateUser", p{"UserName": "ANN"}, "EntityAlreadyExists"), bad("CreateUser", p{"UserName": "a b"}, "ValidationError"),
		ok("GetUser", p{"UserName": "ann"}), gone("GetUser", p{"UserName": "none"}),
		ok("ListUsers", p{}), pages("ListUsers", p{}, 2), bad("ListUsers", p{"MaxItems": 1001}, "ValidationError"),
		ok("UpdateUser", p{"UserName": "ann", "NewPath": "/x/"}), gone("UpdateUser", p{"UserName": "none", "NewPath": "/x/"}),
		clash("UpdateUser", p{"UserName": "ann", "NewUserName": "nobody"}, "EntityAlreadyExists"), bad("UpdateUser", p{"UserName": "ann", "NewPath": "x"}, "ValidationError"),
		ok("TagUser", p{"UserName": "ann", "Tags": tag}), gone("TagUser", p{"UserName": "none", "Tags": tag}),
		ok("ListUserTags", p{"UserName": "ann"}), pages("ListUserTags", p{"UserName": "ann"}, 2), gone("ListUserTags", p{"UserName": "none"}),
		clash("TagUser", p{"UserName": "ann", "Tags": many}, "LimitExceeded"),
		ok("UntagUser", p{"UserName": "ann", "TagKeys": []string{"k"}}), gone("UntagUser", p{"UserName": "none", "TagKeys": []string{"k"}}),
		ok("PutUserPermissionsBoundary", p{"UserName": "ann", "PermissionsBoundary": arn + "policy/pol"}), gone("PutUserPermissionsBoundary", p{"UserName": "none", "PermissionsBoundary": arn + "policy/pol"}),
		ok("DeleteUserPermissionsBoundary", p{"UserName": "ann"}), gone("DeleteUserPermissionsBoundary", p{"UserName": "none"}),
		saving(ok("CreateAccessKey", p{"UserName": "ann"}), "KEY=AccessKey.AccessKeyId"), gone("CreateAccessKey", p{"UserName": "none"}),
		saving(ok("CreateAccessKey", p{"UserName": "ann"}), "OTHER=AccessKey.AccessKeyId"), clash("CreateAccessKey", p{"UserName": "ann"}, "LimitExceeded"),
		ok("ListAccessKeys", p{"UserName": "ann"}), pages("ListAccessKeys", p{"UserName": "ann"}, 2), gone("ListAccessKeys", p{"UserName": "none"}),
		ok("UpdateAccessKey", p{"UserName": "ann", "AccessKeyId": "$KEY", "Status": "Inactive"}), bad("UpdateAccessKey", p{"UserName": "ann", "AccessKeyId": "$KEY", "Status": "Asleep"}, "ValidationError"),
		gone("UpdateAccessKey", p{"UserName": "ann", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Active"}),
		ok("GetAccessKeyLastUsed", p{"AccessKeyId": "$KEY"}), gone("GetAccessKeyLastUsed", p{"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}),
		inSTS(ok("GetAccessKeyInfo", p{"AccessKeyId": "$KEY"})),
		inSTS(step{Action: "GetAccessKeyInfo", Params: p{"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}, Want: "ValidationError", Class: "not found"}),
		clash("DeleteUser", p{"UserName": "ann"}, "DeleteConflict"),
		ok("DeleteAccessKey", p{"UserName": "ann", "AccessKeyId": "$OTHER"}), gone("DeleteAccessKey", p{"UserName": "ann", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}),
		ok("DeleteAccessKey", p{"UserName": "ann", "AccessKeyId": "$KEY"}),

		ok("CreateGroup", p{"GroupName": "grp"}), ok("CreateGroup", p{"GroupName": "grp2"}), clash("CreateGroup", p{"GroupName": "GRP"}, "EntityAlreadyExists"), bad("CreateGroup", p{"GroupName": "a b"}, "ValidationError"),
		ok("ListGroups", p{}), pages("ListGroups", p{}, 2),
		ok("AddUserToGroup", p{"GroupName": "grp", "UserName": "ann"}), gone("AddUserToGroup", p{"GroupName": "none", "UserName": "ann"}),
		ok("AddUserToGroup", p{"GroupName": "grp2", "UserName": "ann"}), ok("CreateGroup", p{"GroupName": "grp5"}), clash("AddUserToGroup", p{"GroupName": "grp5", "UserName": "ann"}, "LimitExceeded"), ok("DeleteGroup", p{"GroupName": "grp5"}), ok("AddUserToGroup", p{"GroupName": "grp", "UserName": "nobody"}),
		ok("GetGroup", p{"GroupName": "grp"}), pages("GetGroup", p{"GroupName": "grp"}, 2), gone("GetGroup", p{"GroupName": "none"}),
		ok("ListGroupsForUser", p{"UserName": "ann"}), pages("ListGroupsForUser", p{"UserName": "ann"}, 2), gone("ListGroupsForUser", p{"UserName": "none"}),
		clash("DeleteGroup", p{"GroupName": "grp"}, "DeleteConflict"),
		ok("RemoveUserFromGroup", p{"GroupName": "grp", "UserName": "ann"}), gone("RemoveUserFromGroup", p{"GroupName": "none", "UserName": "ann"}),
		ok("RemoveUserFromGroup", p{"GroupName": "grp", "UserName": "nobody"}), ok("RemoveUserFromGroup", p{"GroupName": "grp2", "UserName": "ann"}),
		ok("UpdateGroup", p{"GroupName": "grp2", "NewGroupName": "grp3"}), gone("UpdateGroup", p{"GroupName": "none", "NewGroupName": "grp4"}), clash("UpdateGroup", p{"GroupName": "grp3", "NewGroupName": "grp"}, "EntityAlreadyExists"),

		ok("CreateRole", p{"RoleName": "rol", "AssumeRolePolicyDocument": trust}), ok("CreateRole", p{"RoleName": "rol2", "AssumeRolePolicyDocument": trust}),
		clash("CreateRole", p{"RoleName": "ROL", "AssumeRolePolicyDocument": trust}, "EntityAlreadyExists"), bad("CreateRole", p{"RoleName": "x", "AssumeRolePolicyDocument": allowAll}, "MalformedPolicyDocument"),
		ok("GetRole", p{"RoleName": "rol"}), gone("GetRole", p{"RoleName": "none"}), ok("ListRoles", p{}), pages("ListRoles", p{}, 2),
		ok("UpdateRole", p{"RoleName": "rol", "Description": "d"}), gone("UpdateRole", p{"RoleName": "none", "Description": "d"}), bad("UpdateRole", p{"RoleName": "rol", "MaxSessionDuration": 60}, "ValidationError"),
		ok("UpdateAssumeRolePolicy", p{"RoleName": "rol", "PolicyDocument": trust}), gone("UpdateAssumeRolePolicy", p{"RoleName": "none", "PolicyDocument": trust}), bad("UpdateAssumeRolePolicy", p{"RoleName": "rol", "PolicyDocument": "{"}, "MalformedPolicyDocument"),
		ok("TagRole", p{"RoleName": "rol", "Tags": tag}), gone("TagRole", p{"RoleName": "none", "Tags": tag}), ok("ListRoleTags", p{"RoleName": "rol"}), pages("ListRoleTags", p{"RoleName": "rol"}, 2), gone("ListRoleTags", p{"RoleName": "none"}),
		clash("TagRole", p{"RoleName": "rol", "Tags": many}, "LimitExceeded"),
		ok("UntagRole", p{"RoleName": "rol", "TagKeys": []string{"k"}}), gone("UntagRole", p{"RoleName": "none", "TagKeys": []string{"k"}}),
		ok("PutRolePermissionsBoundary", p{"RoleName": "rol", "PermissionsBoundary": arn + "policy/pol"}), gone("PutRolePermissionsBoundary", p{"RoleName": "none", "PermissionsBoundary": arn + "policy/pol"}),
		ok("DeleteRolePermissionsBoundary", p{"RoleName": "rol"}), gone("DeleteRolePermissionsBoundary", p{"RoleName": "none"}),
	},
	[]step{
		ok("AttachUserPolicy", p{"UserName": "ann", "PolicyArn": arn + "policy/pol"}), ok("AttachGroupPolicy", p{"GroupName": "grp", "PolicyArn": arn + "policy/pol"}),
		pages("ListEntitiesForPolicy", p{"PolicyArn": arn + "policy/pol"}, 2),
		ok("DetachUserPolicy", p{"UserName": "ann", "PolicyArn": arn + "policy/pol"}), ok("DetachGroupPolicy", p{"GroupName": "grp", "PolicyArn": arn + "policy/pol"}),
	},
	held("User", p{"UserName": "ann"}, p{"UserName": "none"}), held("Group", p{"GroupName": "grp"}, p{"GroupName": "none"}), held("Role", p{"RoleName": "rol"}, p{"RoleName": "none"}),
	[]step{
		ok("CreateOpenIDConnectProvider", p{"Url": "https://idp.example.com", "ClientIDList": []string{"app"}, "ThumbprintList": []string{"990f4193972f2becf12ddeda5237f9c952f20d9e"}}),
		clash("CreateOpenIDConnectProvider", p{"Url": "https://idp.example.com", "ThumbprintList": []string{"990f4193972f2becf12ddeda5237f9c952f20d9e"}}, "EntityAlreadyExists"),
		bad("CreateOpenIDConnectProvider", p{"Url": "http://idp.example.com", "ThumbprintList": []string{"990f4193972f2becf12ddeda5237f9c952f20d9e"}}, "InvalidInput"),
		ok("GetOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider}), gone("GetOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider + "x"}),
		ok("ListOpenIDConnectProviders", p{}),
		ok("AddClientIDToOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider, "ClientID": "b"}), gone("AddClientIDToOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider + "x", "ClientID": "b"}),
		ok("RemoveClientIDFromOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider, "ClientID": "b"}), gone("RemoveClientIDFromOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider + "x", "ClientID": "b"}),
		ok("UpdateOpenIDConnectProviderThumbprint", p{"OpenIDConnectProviderArn": provider, "ThumbprintList": []string{"990f4193972f2becf12ddeda5237f9c952f20d9e"}}),
		ok("TagOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider, "Tags": tag}), ok("ListOpenIDConnectProviderTags", p{"OpenIDConnectProviderArn": provider}), pages("ListOpenIDConnectProviderTags", p{"OpenIDConnectProviderArn": provider}, 2),
		gone("UpdateOpenIDConnectProviderThumbprint", p{"OpenIDConnectProviderArn": provider + "x", "ThumbprintList": []string{"990f4193972f2becf12ddeda5237f9c952f20d9e"}}),
		gone("TagOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider + "x", "Tags": tag}), gone("ListOpenIDConnectProviderTags", p{"OpenIDConnectProviderArn": provider + "x"}),
		ok("UntagOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider, "TagKeys": []string{"k"}}), gone("UntagOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider + "x", "TagKeys": []string{"k"}}),
		ok("DeleteOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider}), gone("DeleteOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider}),

		ok("CreateAccountAlias", p{"AccountAlias": "acme"}), bad("CreateAccountAlias", p{"AccountAlias": "A"}, "ValidationError"), ok("ListAccountAliases", p{}), pages("ListAccountAliases", p{}, 1), ok("DeleteAccountAlias", p{"AccountAlias": "acme"}), gone("DeleteAccountAlias", p{"AccountAlias": "acme"}),
		ok("GetAccountSummary", p{}), ok("GetAccountAuthorizationDetails", p{}), pages("GetAccountAuthorizationDetails", p{}, 11), ok("GenerateCredentialReport", p{}), ok("GetCredentialReport", p{}),
		ok("SimulatePrincipalPolicy", p{"PolicySourceArn": arn + "user/x/ann", "ActionNames": []string{"s3:GetObject"}}), gone("SimulatePrincipalPolicy", p{"PolicySourceArn": arn + "user/none", "ActionNames": []string{"s3:GetObject"}}),
		pages("SimulatePrincipalPolicy", p{"PolicySourceArn": arn + "user/x/ann", "ActionNames": []string{"s3:GetObject", "s3:PutObject"}}, 2),
		ok("SimulateCustomPolicy", p{"PolicyInputList": []string{allowAll}, "ActionNames": []string{"s3:GetObject"}}),
		pages("SimulateCustomPolicy", p{"PolicyInputList": []string{allowAll}, "ActionNames": []string{"s3:GetObject", "s3:PutObject"}}, 2),
		ok("GetContextKeysForCustomPolicy", p{"PolicyInputList": []string{allowAll}}),
		ok("GetContextKeysForPrincipalPolicy", p{"PolicySourceArn": arn + "user/x/ann"}), gone("GetContextKeysForPrincipalPolicy", p{"PolicySourceArn": arn + "user/none"}),

		inSTS(ok("GetCallerIdentity", p{})), inSTS(step{As: nobody, Action: "GetCallerIdentity", Params: p{}, Class: "success"}),
		inSTS(step{As: nobody, Action: "AssumeRole", Params: p{"RoleArn": arn + "role/rol", "RoleSessionName": "s1"}, Want: "AccessDenied", Class: "denied"}),
		inSTS(step{As: nobody, Action: "AssumeRole", Params: p{"RoleArn": arn + "role/rol", "RoleSessionName": "s 1"}, Want: "ValidationError", Class: "malformed"}),
		ok("CreateRole", p{"RoleName": "open", "AssumeRolePolicyDocument": strings.Replace(trust, "root", "user/nobody", 1)}),
		inSTS(becoming(step{As: nobody, Action: "AssumeRole", Params: p{"RoleArn": arn + "role/open", "RoleSessionName": "s1"}, Class: "success"}, "open")),
		inSTS(step{As: "open", Action: "GetCallerIdentity", Params: p{}, Class: "success"}),
		inSTS(becoming(step{As: nobody, Action: "GetSessionToken", Params: p{}, Class: "success"}, "token")),
		inSTS(step{As: nobody, Action: "GetSessionToken", Params: p{"DurationSeconds": 60}, Want: "ValidationError", Class: "malformed"}),
		inSTS(step{As: "token", Action: "GetSessionToken", Params: p{}, Want: "AccessDenied", Class: "denied"}),
		inSTS(ok("GetFederationToken", p{"Name": "fred"})), inSTS(bad("GetFederationToken", p{"Name": "f r"}, "ValidationError")),
		inSTS(bad("AssumeRoleWithWebIdentity", p{"RoleArn": arn + "role/rol", "RoleSessionName": "s1", "WebIdentityToken": "no token"}, "InvalidIdentityToken")),
		withToken(step{Service: "iam", Action: "CreateOpenIDConnectProvider", Params: p{"Url": "$ISSUER", "ClientIDList": []string{"app"}, "ThumbprintList": []string{"$THUMBPRINT"}}, Class: "success"}),
		withToken(step{Service: "iam", Action: "CreateRole", Params: p{"RoleName": "ci", "AssumeRolePolicyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + arn + `oidc-provider/$HOST"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"$HOST:sub":"good"}}},{"Effect":"Deny","Principal":"*","Action":"sts:*","Condition":{"StringEquals":{"$HOST:sub":"evil"}}}]}`}, Class: "success"}),
		withToken(becoming(step{Action: "AssumeRoleWithWebIdentity", Params: p{"RoleArn": arn + "role/ci", "RoleSessionName": "s1", "WebIdentityToken": "$GOOD"}, Class: "success"}, "ci")),
		withToken(step{As: "ci", Action: "GetCallerIdentity", Params: p{}, Class: "success"}),
		withToken(step{Action: "AssumeRoleWithWebIdentity", Params: p{"RoleArn": arn + "role/ci", "RoleSessionName": "s1", "WebIdentityToken": "$EVIL"}, Want: "AccessDenied", Class: "denied"}),
		inSTS(bad("AssumeRoleWithSAML", p{"RoleArn": arn + "role/rol", "PrincipalArn": arn + "saml-provider/adfs", "SAMLAssertion": "PHNhbWw+"}, "InvalidAction")),

		ok("DeleteRole", p{"RoleName": "rol"}), gone("DeleteRole", p{"RoleName": "rol"}), ok("DeleteGroup", p{"GroupName": "grp"}), gone("DeleteGroup", p{"GroupName": "grp"}),
		ok("DeleteUser", p{"UserName": "ann"}), gone("DeleteUser", p{"UserName": "ann"}), ok("DeletePolicy", p{"PolicyArn": arn + "policy/pol2"}), gone("DeletePolicy", p{"PolicyArn": arn + "policy/pol2"}),
	},
)

// wrong are values that no call takes for the parameter, the telling ones first, and
// what they are refused with, ValidationError if not said.
var wrong = []struct {
	name  string
	value any
	code  string
}{
	{"AccountAlias", "A", ""}, {"ClientID", "", ""}, {"ThumbprintList", []string{"short"}, "InvalidInput"},
	{"TagKeys", []string{""}, ""}, {"Tags", []p{{"Key": "", "Value": "v"}}, ""}, {"VersionId", "1", ""}, {"PermissionsBoundary", "x", ""},
	{"AccessKeyId", "x", ""}, {"PolicyInputList", []string{"{"}, "MalformedPolicyDocument"}, {"PolicySourceArn", "x", ""},
	{"PolicyName", "a b", ""}, {"PolicyArn", "x", ""}, {"UserName", "a b", ""}, {"GroupName", "a b", ""}, {"RoleName", "a b", ""},
	{"OpenIDConnectProviderArn", "x", ""},
}

// spoiled is a call with one parameter spoiled, and what it is refused with.
func spoiled(st step) (step, bool) {
	st.Save, st.Becomes, st.Class, st.Want = "", "", "malformed", "ValidationError"
	if st.Walk {
		st.Walk, st.Items, st.Params = false, 0, with(st.Params, p{"MaxItems": 0})
		return st, true
	}
	for _, w := range wrong {
		if _, ok := st.Params[w.name]; ok {
			st.Params, st.Want = with(st.Params, p{w.name: w.value}), cmp.Or(w.code, st.Want)
			return st, true
		}
	}
	return st, false
}

// complete adds to each call the same without permission, before it is made, and one
// that is malformed where the table has none.
func (s *store) complete() (all []step) {
	spoilt := map[string]bool{}
	for _, st := range steps {
		spoilt[st.Action] = spoilt[st.Action] || st.Class == "malformed"
	}
	for _, st := range steps {
		if s.Saved["ISSUER"] == "" && strings.HasSuffix(st.Class, byToken) {
			continue
		}
		if st.Service == "" {
			st.Service = "iam"
		}
		if st.As == "" {
			st.As = root
		}
		if st.Want == "" && !st.Walk && !free[st.Action] {
			refused := st
			refused.As, refused.Want, refused.Save, refused.Becomes, refused.Class = nobody, "AccessDenied", "", "", "denied"
			all = append(all, refused)
		}
		if st.Want == "" && !spoilt[st.Action] {
			if bad, ok := spoiled(st); ok {
				all, spoilt[st.Action] = append(all, bad), true
			}
		}
		all = append(all, st)
	}
	return all
}

// The outcomes that not every call can have. One that has parameters can be malformed,
// one that has MaxItems can be paged, and one of the parameters in names can name what is
// not there.
var (
	names      = []string{"userName", "groupName", "roleName", "policyARN", "accountAlias", "providerARN", "accessKeyID", "sourceARN"}
	makes      = []string{"CreateUser", "CreateGroup", "CreateRole", "CreateAccountAlias"}
	undeniable = []string{"GetCallerIdentity", "AssumeRoleWithSAML"}
	unmade     = []string{"AssumeRoleWithSAML", "AssumeRoleWithLDAPIdentity"}
	conflicts  = []string{
		"CreateUser", "UpdateUser", "DeleteUser", "CreateAccessKey", "CreateGroup", "UpdateGroup", "DeleteGroup", "CreateRole", "DeleteRole",
		"CreatePolicy", "DeletePolicy", "CreatePolicyVersion", "DeletePolicyVersion", "CreateOpenIDConnectProvider", "TagUser", "TagRole", "TagPolicy",
		"AttachUserPolicy", "AttachGroupPolicy", "AttachRolePolicy", "PutUserPolicy", "PutGroupPolicy", "PutRolePolicy", "AddUserToGroup",
	}
)

// TestEveryCallMeetsEveryOutcome compares the steps with the table of the API, which it
// reads from the source: each call has every outcome that it can have. The call that only
// MinIO's clients know is in no SDK of AWS.
func TestEveryCallMeetsEveryOutcome(t *testing.T) {
	met := map[[2]string]bool{}
	every := &store{Saved: map[string]string{"ISSUER": "any"}}
	for _, st := range every.complete() {
		met[[2]string{st.Action, strings.TrimSuffix(st.Class, byToken)}] = true
	}
	calls := callsOfTheAPI(t)
	if len(calls) < 80 {
		t.Errorf("only %d calls were found", len(calls))
	}
	for action, params := range calls {
		if action == "AssumeRoleWithLDAPIdentity" {
			continue
		}
		for class, can := range map[string]bool{
			"success":   !slices.Contains(unmade, action),
			"denied":    !slices.Contains(undeniable, action),
			"malformed": len(params) > 0,
			"not found": !slices.Contains(makes, action) && slices.ContainsFunc(params, func(name string) bool { return slices.Contains(names, name) }),
			"conflict":  slices.Contains(conflicts, action),
			"paged":     slices.Contains(params, "maxItems"),
		} {
			if can && !met[[2]string{action, class}] {
				t.Errorf("no step makes %s %s", action, class)
			}
		}
	}
}

// callsOfTheAPI returns the names of the variables of each call's parameters.
func callsOfTheAPI(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("../../api/*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls, lists := map[string][]string{}, map[string][]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if len(n.Values) == 1 && n.Names[0].Name == "simulation" {
					lists["simulation"] = identifiers(n.Values[0])
				}
			case *ast.CallExpr:
				how, ok := n.Fun.(*ast.Ident)
				if !ok || !slices.Contains([]string{"reads", "writes", "asks", "begins"}, how.Name) {
					break
				}
				first, ok := n.Args[0].(*ast.BasicLit)
				if !ok {
					break
				}
				before := 3 // name, targets, function
				if how.Name == "asks" || how.Name == "begins" {
					before = 2
				}
				action, _ := strconv.Unquote(first.Value)
				calls[action] = []string{}
				for _, arg := range n.Args[before:] {
					calls[action] = append(calls[action], identifiers(arg)...)
				}
			}
			return true
		})
	}
	for action, params := range calls {
		for _, name := range params {
			calls[action] = append(calls[action], lists[name]...)
		}
	}
	return calls
}

func identifiers(n ast.Node) (all []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			all = append(all, id.Name)
		}
		return true
	})
	return all
}
