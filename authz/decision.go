package authz

// Effect is the answer to a request.
type Effect uint8

// The effects. The zero Decision denies.
const (
	// Deny refuses the request.
	Deny Effect = iota
	// Allow lets it pass.
	Allow
	// Need means that the answer turns on facts that were left open in the
	// context. It is not an allow: ask again with the facts, or refuse.
	Need
)

// String returns "DENY", "ALLOW" or "NEED".
func (e Effect) String() string { return [...]string{"DENY", "ALLOW", "NEED"}[e] }

// Layer is a group of policies that takes part in a decision.
type Layer uint8

// The layers.
const (
	NoLayer Layer = iota
	// ServiceControlLayer is the account's guard rails.
	ServiceControlLayer
	// IdentityLayer is the policies of the user and its groups, of the role, or of
	// the service account.
	IdentityLayer
	// ParentLayer is the policies of a service account's user.
	ParentLayer
	BoundaryLayer
	SessionLayer
	// ResourceLayer is the bucket policy.
	ResourceLayer
	// RootLayer is the right of the root user.
	RootLayer
)

var layerNames = [...]string{"", "service-control", "identity", "parent", "boundary", "session", "resource", "root"}

// String returns the layer's name in lower case.
func (l Layer) String() string { return layerNames[l] }

// Decision is the answer and its reason.
type Decision struct {
	Effect Effect
	// Explicit is true when a Deny statement applied. A Deny that is not explicit
	// means that a layer did not allow.
	Explicit bool
	// Layer is where the deciding statement stands, or, for an implicit deny, the
	// first layer that did not allow.
	Layer Layer
	// Policy is the name of the deciding policy, empty if no statement decided.
	Policy string
	// Statement is the index of the deciding statement in its policy, -1 if no
	// statement decided.
	Statement int
	// Sid is that statement's name, if it has one.
	Sid string
	// Missing is, for Need, the families of facts that the answer turns on.
	Missing Facts
}

// Allowed reports whether the request may pass.
func (d Decision) Allowed() bool { return d.Effect == Allow }
