package matrix

import (
	"os"
	"regexp"
	"slices"
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

// forCLI are the calls that the command line makes: all classes of outcome, few of the calls.
var forCLI = map[string]bool{"CreateUser": true, "GetUser": true, "ListUsers": true, "GetCallerIdentity": true}

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

// pages asks for a list of which there is more than one page, and for the whole.
func pages(action string, params p) step {
	return step{Action: action, Params: with(params, p{"MaxItems": 1}), Truncated: true, Class: "paged"}
}

func inSTS(s step) step { s.Service = "sts"; return s }

func saving(s step, how string) step { s.Save = how; return s }

var tag = []p{{"Key": "k", "Value": "v"}, {"Key": "l", "Value": "w"}}

// held are the calls about the policies of a user, group or role.
func held(kind string, who, missing p) (all []step) {
	inline := p{"PolicyName": "in"}
	managed := p{"PolicyArn": arn + "policy/pol"}
	return []step{
		gone("Put"+kind+"Policy", with(missing, p{"PolicyName": "in", "PolicyDocument": allowAll})),
		bad("Put"+kind+"Policy", with(who, p{"PolicyName": "in", "PolicyDocument": "{"}), "MalformedPolicyDocument"),
		ok("Put"+kind+"Policy", with(who, p{"PolicyName": "in", "PolicyDocument": allowAll})),
		ok("Put"+kind+"Policy", with(who, p{"PolicyName": "in2", "PolicyDocument": allowAll})),
		ok("Get"+kind+"Policy", with(who, inline)), gone("Get"+kind+"Policy", with(who, p{"PolicyName": "none"})),
		ok("List"+kind+"Policies", who), gone("List"+kind+"Policies", missing), pages("List"+kind+"Policies", who),
		ok("Delete"+kind+"Policy", with(who, inline)), gone("Delete"+kind+"Policy", with(who, inline)),
		ok("Delete"+kind+"Policy", with(who, p{"PolicyName": "in2"})),
		gone("Attach"+kind+"Policy", with(who, p{"PolicyArn": arn + "policy/nothere"})),
		ok("Attach"+kind+"Policy", with(who, managed)), ok("Attach"+kind+"Policy", with(who, p{"PolicyArn": arn + "policy/pol2"})),
		ok("ListAttached"+kind+"Policies", who), gone("ListAttached"+kind+"Policies", missing), pages("ListAttached"+kind+"Policies", who),
		clash("Delete"+kind, who, "DeleteConflict"),
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
		ok("ListPolicies", p{}), pages("ListPolicies", p{}), bad("ListPolicies", p{"MaxItems": 0}, "ValidationError"),
		ok("CreatePolicyVersion", p{"PolicyArn": arn + "policy/pol", "PolicyDocument": allowAll}),
		gone("CreatePolicyVersion", p{"PolicyArn": arn + "policy/nothere", "PolicyDocument": allowAll}),
		bad("CreatePolicyVersion", p{"PolicyArn": arn + "policy/pol", "PolicyDocument": "{"}, "MalformedPolicyDocument"),
		ok("GetPolicyVersion", p{"PolicyArn": arn + "policy/pol", "VersionId": "v2"}), gone("GetPolicyVersion", p{"PolicyArn": arn + "policy/pol", "VersionId": "v9"}),
		ok("ListPolicyVersions", p{"PolicyArn": arn + "policy/pol"}), pages("ListPolicyVersions", p{"PolicyArn": arn + "policy/pol"}), gone("ListPolicyVersions", p{"PolicyArn": arn + "policy/nothere"}),
		ok("SetDefaultPolicyVersion", p{"PolicyArn": arn + "policy/pol", "VersionId": "v2"}), gone("SetDefaultPolicyVersion", p{"PolicyArn": arn + "policy/pol", "VersionId": "v9"}),
		clash("DeletePolicyVersion", p{"PolicyArn": arn + "policy/pol", "VersionId": "v2"}, "DeleteConflict"),
		ok("DeletePolicyVersion", p{"PolicyArn": arn + "policy/pol", "VersionId": "v1"}), gone("DeletePolicyVersion", p{"PolicyArn": arn + "policy/pol", "VersionId": "v1"}),
		ok("TagPolicy", p{"PolicyArn": arn + "policy/pol", "Tags": tag}), gone("TagPolicy", p{"PolicyArn": arn + "policy/nothere", "Tags": tag}),
		ok("ListPolicyTags", p{"PolicyArn": arn + "policy/pol"}), pages("ListPolicyTags", p{"PolicyArn": arn + "policy/pol"}),
		ok("UntagPolicy", p{"PolicyArn": arn + "policy/pol", "TagKeys": []string{"k"}}), gone("UntagPolicy", p{"PolicyArn": arn + "policy/nothere", "TagKeys": []string{"k"}}),
		ok("ListEntitiesForPolicy", p{"PolicyArn": arn + "policy/pol"}), gone("ListEntitiesForPolicy", p{"PolicyArn": arn + "policy/nothere"}),

		ok("CreateUser", p{"UserName": "ann"}), clash("CreateUser", p{"UserName": "ANN"}, "EntityAlreadyExists"), bad("CreateUser", p{"UserName": "a b"}, "ValidationError"),
		ok("GetUser", p{"UserName": "ann"}), gone("GetUser", p{"UserName": "none"}),
		ok("ListUsers", p{}), pages("ListUsers", p{}), bad("ListUsers", p{"MaxItems": 1001}, "ValidationError"),
		ok("UpdateUser", p{"UserName": "ann", "NewPath": "/x/"}), gone("UpdateUser", p{"UserName": "none", "NewPath": "/x/"}),
		clash("UpdateUser", p{"UserName": "ann", "NewUserName": "nobody"}, "EntityAlreadyExists"), bad("UpdateUser", p{"UserName": "ann", "NewPath": "x"}, "ValidationError"),
		ok("TagUser", p{"UserName": "ann", "Tags": tag}), gone("TagUser", p{"UserName": "none", "Tags": tag}),
		ok("ListUserTags", p{"UserName": "ann"}), pages("ListUserTags", p{"UserName": "ann"}), gone("ListUserTags", p{"UserName": "none"}),
		ok("UntagUser", p{"UserName": "ann", "TagKeys": []string{"k"}}), gone("UntagUser", p{"UserName": "none", "TagKeys": []string{"k"}}),
		ok("PutUserPermissionsBoundary", p{"UserName": "ann", "PermissionsBoundary": arn + "policy/pol"}), gone("PutUserPermissionsBoundary", p{"UserName": "none", "PermissionsBoundary": arn + "policy/pol"}),
		ok("DeleteUserPermissionsBoundary", p{"UserName": "ann"}), gone("DeleteUserPermissionsBoundary", p{"UserName": "none"}),
		saving(ok("CreateAccessKey", p{"UserName": "ann"}), "KEY=AccessKey.AccessKeyId"), gone("CreateAccessKey", p{"UserName": "none"}),
		saving(ok("CreateAccessKey", p{"UserName": "ann"}), "OTHER=AccessKey.AccessKeyId"), clash("CreateAccessKey", p{"UserName": "ann"}, "LimitExceeded"),
		ok("ListAccessKeys", p{"UserName": "ann"}), pages("ListAccessKeys", p{"UserName": "ann"}), gone("ListAccessKeys", p{"UserName": "none"}),
		ok("UpdateAccessKey", p{"UserName": "ann", "AccessKeyId": "$KEY", "Status": "Inactive"}), bad("UpdateAccessKey", p{"UserName": "ann", "AccessKeyId": "$KEY", "Status": "Asleep"}, "ValidationError"),
		gone("UpdateAccessKey", p{"UserName": "ann", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Active"}),
		ok("GetAccessKeyLastUsed", p{"AccessKeyId": "$KEY"}),
		inSTS(ok("GetAccessKeyInfo", p{"AccessKeyId": "$KEY"})),
		clash("DeleteUser", p{"UserName": "ann"}, "DeleteConflict"),
		ok("DeleteAccessKey", p{"UserName": "ann", "AccessKeyId": "$OTHER"}), gone("DeleteAccessKey", p{"UserName": "ann", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}),
		ok("DeleteAccessKey", p{"UserName": "ann", "AccessKeyId": "$KEY"}),

		ok("CreateGroup", p{"GroupName": "grp"}), ok("CreateGroup", p{"GroupName": "grp2"}), clash("CreateGroup", p{"GroupName": "GRP"}, "EntityAlreadyExists"), bad("CreateGroup", p{"GroupName": "a b"}, "ValidationError"),
		ok("ListGroups", p{}), pages("ListGroups", p{}),
		ok("AddUserToGroup", p{"GroupName": "grp", "UserName": "ann"}), gone("AddUserToGroup", p{"GroupName": "none", "UserName": "ann"}),
		ok("AddUserToGroup", p{"GroupName": "grp2", "UserName": "ann"}), ok("AddUserToGroup", p{"GroupName": "grp", "UserName": "nobody"}),
		ok("GetGroup", p{"GroupName": "grp"}), pages("GetGroup", p{"GroupName": "grp"}), gone("GetGroup", p{"GroupName": "none"}),
		ok("ListGroupsForUser", p{"UserName": "ann"}), pages("ListGroupsForUser", p{"UserName": "ann"}), gone("ListGroupsForUser", p{"UserName": "none"}),
		clash("DeleteGroup", p{"GroupName": "grp"}, "DeleteConflict"),
		ok("RemoveUserFromGroup", p{"GroupName": "grp", "UserName": "ann"}), gone("RemoveUserFromGroup", p{"GroupName": "none", "UserName": "ann"}),
		ok("RemoveUserFromGroup", p{"GroupName": "grp", "UserName": "nobody"}), ok("RemoveUserFromGroup", p{"GroupName": "grp2", "UserName": "ann"}),
		ok("UpdateGroup", p{"GroupName": "grp2", "NewGroupName": "grp3"}), gone("UpdateGroup", p{"GroupName": "none", "NewGroupName": "grp4"}), clash("UpdateGroup", p{"GroupName": "grp3", "NewGroupName": "grp"}, "EntityAlreadyExists"),

		ok("CreateRole", p{"RoleName": "rol", "AssumeRolePolicyDocument": trust}), ok("CreateRole", p{"RoleName": "rol2", "AssumeRolePolicyDocument": trust}),
		clash("CreateRole", p{"RoleName": "ROL", "AssumeRolePolicyDocument": trust}, "EntityAlreadyExists"), bad("CreateRole", p{"RoleName": "x", "AssumeRolePolicyDocument": allowAll}, "MalformedPolicyDocument"),
		ok("GetRole", p{"RoleName": "rol"}), gone("GetRole", p{"RoleName": "none"}), ok("ListRoles", p{}), pages("ListRoles", p{}),
		ok("UpdateRole", p{"RoleName": "rol", "Description": "d"}), gone("UpdateRole", p{"RoleName": "none", "Description": "d"}), bad("UpdateRole", p{"RoleName": "rol", "MaxSessionDuration": 60}, "ValidationError"),
		ok("UpdateAssumeRolePolicy", p{"RoleName": "rol", "PolicyDocument": trust}), gone("UpdateAssumeRolePolicy", p{"RoleName": "none", "PolicyDocument": trust}), bad("UpdateAssumeRolePolicy", p{"RoleName": "rol", "PolicyDocument": "{"}, "MalformedPolicyDocument"),
		ok("TagRole", p{"RoleName": "rol", "Tags": tag}), gone("TagRole", p{"RoleName": "none", "Tags": tag}), ok("ListRoleTags", p{"RoleName": "rol"}), pages("ListRoleTags", p{"RoleName": "rol"}), gone("ListRoleTags", p{"RoleName": "none"}),
		ok("UntagRole", p{"RoleName": "rol", "TagKeys": []string{"k"}}), gone("UntagRole", p{"RoleName": "none", "TagKeys": []string{"k"}}),
		ok("PutRolePermissionsBoundary", p{"RoleName": "rol", "PermissionsBoundary": arn + "policy/pol"}), gone("PutRolePermissionsBoundary", p{"RoleName": "none", "PermissionsBoundary": arn + "policy/pol"}),
		ok("DeleteRolePermissionsBoundary", p{"RoleName": "rol"}), gone("DeleteRolePermissionsBoundary", p{"RoleName": "none"}),
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
		ok("TagOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider, "Tags": tag}), ok("ListOpenIDConnectProviderTags", p{"OpenIDConnectProviderArn": provider}), pages("ListOpenIDConnectProviderTags", p{"OpenIDConnectProviderArn": provider}),
		ok("UntagOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider, "TagKeys": []string{"k"}}),
		ok("DeleteOpenIDConnectProvider", p{"OpenIDConnectProviderArn": provider}),

		ok("CreateAccountAlias", p{"AccountAlias": "acme"}), bad("CreateAccountAlias", p{"AccountAlias": "A"}, "ValidationError"), ok("ListAccountAliases", p{}), ok("DeleteAccountAlias", p{"AccountAlias": "acme"}), gone("DeleteAccountAlias", p{"AccountAlias": "acme"}),
		ok("GetAccountSummary", p{}), ok("GetAccountAuthorizationDetails", p{}), pages("GetAccountAuthorizationDetails", p{}), ok("GenerateCredentialReport", p{}), ok("GetCredentialReport", p{}),
		ok("SimulatePrincipalPolicy", p{"PolicySourceArn": arn + "user/x/ann", "ActionNames": []string{"s3:GetObject"}}), gone("SimulatePrincipalPolicy", p{"PolicySourceArn": arn + "user/none", "ActionNames": []string{"s3:GetObject"}}),
		ok("SimulateCustomPolicy", p{"PolicyInputList": []string{allowAll}, "ActionNames": []string{"s3:GetObject"}}),
		ok("GetContextKeysForCustomPolicy", p{"PolicyInputList": []string{allowAll}}),
		ok("GetContextKeysForPrincipalPolicy", p{"PolicySourceArn": arn + "user/x/ann"}), gone("GetContextKeysForPrincipalPolicy", p{"PolicySourceArn": arn + "user/none"}),

		inSTS(ok("GetCallerIdentity", p{})), inSTS(step{As: nobody, Action: "GetCallerIdentity", Params: p{}, Class: "success"}),
		inSTS(step{As: nobody, Action: "AssumeRole", Params: p{"RoleArn": arn + "role/rol", "RoleSessionName": "s1"}, Want: "AccessDenied", Class: "denied"}),
		inSTS(step{As: nobody, Action: "AssumeRole", Params: p{"RoleArn": arn + "role/rol", "RoleSessionName": "s 1"}, Want: "ValidationError", Class: "malformed"}),
		inSTS(step{As: nobody, Action: "GetSessionToken", Params: p{}, Class: "success"}), inSTS(step{As: nobody, Action: "GetSessionToken", Params: p{"DurationSeconds": 60}, Want: "ValidationError", Class: "malformed"}),
		inSTS(ok("GetFederationToken", p{"Name": "fred"})), inSTS(bad("GetFederationToken", p{"Name": "f r"}, "ValidationError")),
		inSTS(bad("AssumeRoleWithWebIdentity", p{"RoleArn": arn + "role/rol", "RoleSessionName": "s1", "WebIdentityToken": "no token"}, "InvalidIdentityToken")),
		inSTS(bad("AssumeRoleWithSAML", p{"RoleArn": arn + "role/rol", "PrincipalArn": arn + "saml-provider/adfs", "SAMLAssertion": "PHNhbWw+"}, "InvalidAction")),

		ok("DeleteRole", p{"RoleName": "rol"}), gone("DeleteRole", p{"RoleName": "rol"}), ok("DeleteGroup", p{"GroupName": "grp"}), gone("DeleteGroup", p{"GroupName": "grp"}),
		ok("DeleteUser", p{"UserName": "ann"}), gone("DeleteUser", p{"UserName": "ann"}), ok("DeletePolicy", p{"PolicyArn": arn + "policy/pol"}), gone("DeletePolicy", p{"PolicyArn": arn + "policy/pol"}),
	},
)

// TestEveryCallIsMade compares the steps with the table of the API. The call that only
// MinIO's clients know is in no SDK of AWS.
func TestEveryCallIsMade(t *testing.T) {
	made := map[string]bool{"AssumeRoleWithLDAPIdentity": true}
	for _, st := range steps {
		made[st.Action] = true
	}
	found := 0
	for _, file := range []string{"action.go", "provider.go", "account.go", "simulate.go"} {
		source, err := os.ReadFile("../../api/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?:reads|writes|asks|begins)\("(\w+)"`).FindAllSubmatch(source, -1) {
			found++
			if !made[string(m[1])] {
				t.Errorf("no step calls %s", m[1])
			}
		}
	}
	if found < 80 {
		t.Errorf("only %d calls were found", found)
	}
}
