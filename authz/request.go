package authz

import "github.com/doorward/doorward/iam"

// PrincipalType says what kind of caller a principal is.
type PrincipalType uint8

// The types of callers.
const (
	// Anonymous sent no credentials. Only a bucket policy can let it in.
	Anonymous PrincipalType = iota
	// User is an IAM user, with its own keys, through GetSessionToken or by
	// assuming its own identity, or one of its service accounts.
	User
	// AssumedRole is a session of a role.
	AssumedRole
	// FederatedUser is a session of GetFederationToken. Without a session policy
	// it has no rights but those that a bucket policy grants to its own ARN.
	FederatedUser
	// Root is the account's root user, who is allowed whatever no guard rail and
	// no bucket policy denies.
	Root
	// WebIdentity brings a token of an identity provider and asks for a session of
	// a role. It has no policies of its own, and only a statement that names the
	// provider as Federated lets it in; a Deny may name everyone instead.
	WebIdentity
)

// outside reports whether the caller is nobody's principal yet, so that only the
// policy of the resource speaks on its requests.
func (t PrincipalType) outside() bool { return t == Anonymous || t == WebIdentity }

// Principal is who asks.
type Principal struct {
	Type PrincipalType
	// Account is the caller's, empty for Anonymous and WebIdentity.
	Account iam.AccountID
	// ARN is the caller's own: the user, the role session
	// (arn:aws:sts::A:assumed-role/ROLE/SESSION), the federated user, the
	// account's root, or of a WebIdentity the provider. Empty for Anonymous.
	ARN iam.ARN
	// RoleARN is, for AssumedRole, the role with its path.
	RoleARN iam.ARN
	// UserARN is, for FederatedUser, the user who made the session.
	UserARN iam.ARN
	// Canonical is the account's canonical user id in S3, empty if it has none.
	Canonical string
}

// Request is one question: may Principal do Action to Resource? A Request is
// not changed by being decided and may be used again.
type Request struct {
	Principal Principal
	// Action with its service, e.g. "s3:GetObject", in any case.
	Action string
	// Resource is an ARN, or "*" for an action on no particular resource. Its
	// text is literal: "*" and "?" in it are ordinary characters.
	Resource string
	// ResourceAccount owns the resource. Empty means the caller's account.
	ResourceAccount iam.AccountID
	// Context holds every condition key of the request; nil is an empty context.
	Context *Context
}
