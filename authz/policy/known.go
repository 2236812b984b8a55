package policy

import "strings"

// knownActions are the actions of the services that Doorward decides on, by
// service. An action of one of them that is not here matches no request.
var knownActions = map[string][]string{
	"s3": func() (names []string) {
		for _, a := range S3Actions {
			names = append(names, strings.TrimPrefix(a.Name, "s3:"))
		}
		return names
	}(),
	"iam":      strings.Fields(iamActions),
	"sts":      strings.Fields(stsActions),
	"doorward": strings.Fields(doorwardActions),
}

// iamActions and stsActions are the operations of the two APIs and the actions
// that are permissions only (service authorization reference).
const iamActions = `
AcceptDelegationRequest AddClientIDToOpenIDConnectProvider AddRoleToInstanceProfile AddUserToGroup
AssociateDelegationRequest AttachGroupPolicy AttachRolePolicy AttachUserPolicy ChangePassword CreateAccessKey
CreateAccountAlias CreateDelegationRequest CreateGroup CreateInstanceProfile CreateLoginProfile
CreateOpenIDConnectProvider CreatePolicy CreatePolicyVersion CreateRole CreateSAMLProvider CreateServiceLinkedRole
CreateServiceSpecificCredential CreateUser CreateVirtualMFADevice DeactivateMFADevice DeleteAccessKey
DeleteAccountAlias DeleteAccountPasswordPolicy DeleteGroup DeleteGroupPolicy DeleteInstanceProfile DeleteLoginProfile
DeleteOpenIDConnectProvider DeletePolicy DeletePolicyVersion DeleteRole DeleteRolePermissionsBoundary DeleteRolePolicy
DeleteSAMLProvider DeleteSSHPublicKey DeleteServerCertificate DeleteServiceLinkedRole DeleteServiceSpecificCredential
DeleteSigningCertificate DeleteUser DeleteUserPermissionsBoundary DeleteUserPolicy DeleteVirtualMFADevice
DetachGroupPolicy DetachRolePolicy DetachUserPolicy DisableOrganizationsRootCredentialsManagement
DisableOrganizationsRootSessions DisableOutboundWebIdentityFederation EnableMFADevice
EnableOrganizationsRootCredentialsManagement EnableOrganizationsRootSessions EnableOutboundWebIdentityFederation
GenerateCredentialReport GenerateOrganizationsAccessReport GenerateServiceLastAccessedDetails GetAccessKeyLastUsed
GetAccountAuthorizationDetails GetAccountPasswordPolicy GetAccountProperties GetAccountSummary
GetContextKeysForCustomPolicy GetContextKeysForPrincipalPolicy GetCredentialReport GetDelegationRequest GetGroup
GetGroupPolicy GetHumanReadableSummary GetInstanceProfile GetLoginProfile GetMFADevice GetOpenIDConnectProvider
GetOrganizationsAccessReport GetOutboundWebIdentityFederationInfo GetPolicy GetPolicyVersion GetRole GetRolePolicy
GetSAMLProvider GetSSHPublicKey GetServerCertificate GetServiceLastAccessedDetails
GetServiceLastAccessedDetailsWithEntities GetServiceLinkedRoleDeletionStatus GetUser GetUserPolicy ListAccessKeys
ListAccountAliases ListAttachedGroupPolicies ListAttachedRolePolicies ListAttachedUserPolicies ListDelegationRequests
ListEntitiesForPolicy ListGroupPolicies ListGroups ListGroupsForUser ListInstanceProfileTags ListInstanceProfiles
ListInstanceProfilesForRole ListMFADeviceTags ListMFADevices ListOpenIDConnectProviderTags ListOpenIDConnectProviders
ListOrganizationsFeatures ListPolicies ListPoliciesGrantingServiceAccess ListPolicyTags ListPolicyVersions
ListRolePolicies ListRoleTags ListRoles ListSAMLProviderTags ListSAMLProviders ListSSHPublicKeys
ListServerCertificateTags ListServerCertificates ListServiceSpecificCredentials ListSigningCertificates
ListUserPolicies ListUserTags ListUsers ListVirtualMFADevices PassRole PutAccountProperties PutGroupPolicy
PutRolePermissionsBoundary PutRolePolicy PutUserPermissionsBoundary PutUserPolicy RejectDelegationRequest
RemoveClientIDFromOpenIDConnectProvider RemoveRoleFromInstanceProfile RemoveUserFromGroup
ResetServiceSpecificCredential ResyncMFADevice SendDelegationToken SetDefaultPolicyVersion
SetSecurityTokenServicePreferences SimulateCustomPolicy SimulatePrincipalPolicy TagInstanceProfile TagMFADevice
TagOpenIDConnectProvider TagPolicy TagRole TagSAMLProvider TagServerCertificate TagUser UntagInstanceProfile
UntagMFADevice UntagOpenIDConnectProvider UntagPolicy UntagRole UntagSAMLProvider UntagServerCertificate UntagUser
UpdateAccessKey UpdateAccountPasswordPolicy UpdateAssumeRolePolicy UpdateDelegationRequest UpdateGroup
UpdateLoginProfile UpdateOpenIDConnectProviderThumbprint UpdateRole UpdateRoleDescription UpdateSAMLProvider
UpdateSSHPublicKey UpdateServerCertificate UpdateServiceSpecificCredential UpdateSigningCertificate UpdateUser
UploadSSHPublicKey UploadServerCertificate UploadSigningCertificate`

const stsActions = `
AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot DecodeAuthorizationMessage GetAccessKeyInfo
GetCallerIdentity GetDelegatedAccessToken GetFederationToken GetServiceBearerToken GetSessionToken GetWebIdentityToken
SetContext SetSourceIdentity TagSession`

// doorwardActions are those of what AWS has no call for.
const doorwardActions = `
CreateServiceAccount DeleteServiceAccount GetServiceAccount GetSettings ListServiceAccounts ListSessions
RevokeSessions UpdateServiceAccount UpdateSettings`

// s3Operations are operations of S3 that people take for actions, with the
// action that each needs (service authorization reference).
var s3Operations = map[string]string{
	"headobject":              "GetObject",
	"headbucket":              "ListBucket",
	"listobjects":             "ListBucket",
	"listobjectsv2":           "ListBucket",
	"listobjectversions":      "ListBucketVersions",
	"listbuckets":             "ListAllMyBuckets",
	"listmultipartuploads":    "ListBucketMultipartUploads",
	"listparts":               "ListMultipartUploadParts",
	"copyobject":              "PutObject",
	"createmultipartupload":   "PutObject",
	"uploadpart":              "PutObject",
	"uploadpartcopy":          "PutObject",
	"completemultipartupload": "PutObject",
	"deleteobjects":           "DeleteObject",
	"deletebuckettagging":     "PutBucketTagging",
	"deletebucketcors":        "PutBucketCORS",
	"deletebucketlifecycle":   "PutLifecycleConfiguration",
	"deletebucketencryption":  "PutEncryptionConfiguration",
	"getbucketencryption":     "GetEncryptionConfiguration",
	"putbucketencryption":     "PutEncryptionConfiguration",
	"getbucketlifecycle":      "GetLifecycleConfiguration",
	"putbucketlifecycle":      "PutLifecycleConfiguration",
	"getbucketreplication":    "GetReplicationConfiguration",
	"putbucketreplication":    "PutReplicationConfiguration",
	"getpublicaccessblock":    "GetBucketPublicAccessBlock",
	"putpublicaccessblock":    "PutBucketPublicAccessBlock",

	"getbucketlifecycleconfiguration": "GetLifecycleConfiguration",
	"putbucketlifecycleconfiguration": "PutLifecycleConfiguration",
	"getobjectlockconfiguration":      "GetBucketObjectLockConfiguration",
	"putobjectlockconfiguration":      "PutBucketObjectLockConfiguration",
}
