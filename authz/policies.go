package authz

// Policy is a document and the name it goes by in decisions: its ARN, or the
// name of an inline policy.
type Policy struct {
	Name string
	// Document is the text as it is stored. It is read by [policy.ParseStored],
	// so that nothing in the log is ever refused; what is not understood denies.
	Document string
}

// PolicySet is several policies that allow together: what one of them allows is
// allowed. The empty set allows nothing.
type PolicySet []Policy

// Policies is everything that may speak on a caller's request. The effective
// permission is the intersection of the layers that are there.
type Policies struct {
	// Identity is the policies of the user and its groups, or of the role. For a
	// service account narrowed by a policy of its own it is that policy, and for
	// one that is not, the user's. For a federated user it is those of the user
	// who made the session.
	Identity PolicySet
	// Parent is, for a service account with a policy of its own, the policies of
	// its user; nil otherwise.
	Parent *PolicySet
	// Boundary is the permissions boundary, nil if none is set.
	Boundary *Policy
	// Session is the session policies, nil if none were passed.
	Session *PolicySet
	// ServiceControl is the guard rails of the caller's account, level by level
	// from the root down; each level must allow. Empty if there are none.
	ServiceControl []PolicySet
	// Resource is the policy of the bucket that the request is about, nil if it
	// has none. Compiled authorities leave it out: it belongs to the bucket, see
	// [Compiler.Bucket].
	Resource *Policy
	// Trust is the trust policy of the role that is about to be assumed, nil for
	// any other request. It takes the place of Resource, and must allow even in the
	// caller's own account.
	Trust *Policy
}
