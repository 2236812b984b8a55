package policy

import "strconv"

// Kind is the place a document is used in, which decides what it may hold.
type Kind uint8

// The kinds of policy documents.
const (
	// Identity is attached to, or inline in, a user, group or role.
	Identity Kind = iota
	// Session is passed when temporary credentials are asked for.
	Session
	// Boundary is a permissions boundary.
	Boundary
	// Resource is a bucket policy.
	Resource
	// Trust says who may assume a role.
	Trust
	// ServiceControl is an account's guard rail.
	ServiceControl
)

var kindNames = [...]string{"identity", "session", "boundary", "bucket", "trust", "service control"}

// String returns the kind as a word, e.g. "identity".
func (k Kind) String() string { return kindNames[k] }

// HasPrincipal reports whether statements of this kind name their principals:
// required in bucket and trust policies, forbidden in all others.
func (k Kind) HasPrincipal() bool { return k == Resource || k == Trust }

// HasResource reports whether statements of this kind name resources: required
// everywhere but in trust policies, where it is forbidden.
func (k Kind) HasResource() bool { return k != Trust }

// The versions of the policy language. Policy variables, their escapes and
// default values exist only in Version2012; a document that names no version
// speaks Version2008.
const (
	Version2008 = "2008-10-17"
	Version2012 = "2012-10-17"
)

// Position is a place in the text of a document. Line and Column count from 1,
// Column in characters; the zero Position means "nowhere".
type Position struct{ Line, Column int }

// String returns "line L, column C".
func (p Position) String() string {
	return "line " + strconv.Itoa(p.Line) + ", column " + strconv.Itoa(p.Column)
}

// Text is a string of the document and where it stands. For an unquoted number
// or boolean in a condition, Value is its text.
type Text struct {
	Value string
	Pos   Position
}

// Document is a parsed policy. It is immutable once returned.
type Document struct {
	Kind Kind
	// Version is as written: "", Version2008 or Version2012. In a stored
	// document it may be anything.
	Version Text
	// ID is the Id element, empty if absent.
	ID Text
	// Statements are in the order of the text.
	Statements []Statement
	// Unknown is what a later parser would refuse outside of the statements, nil
	// in a document from Parse. Every statement then carries it as well.
	Unknown *Error
}

// HasVariables reports whether ${…} is a variable in this document and not
// literal text.
func (d *Document) HasVariables() bool { return d.Version.Value == Version2012 }

// Effect is what a statement does when it applies.
type Effect uint8

// The effects of a statement.
const (
	Allow Effect = iota
	Deny
)

// String returns "Allow" or "Deny".
func (e Effect) String() string {
	if e == Allow {
		return "Allow"
	}
	return "Deny"
}

// Statement is one rule of a document.
type Statement struct {
	// Pos is where the statement's object begins.
	Pos Position
	// Sid is the statement's name, empty if it has none.
	Sid    Text
	Effect Effect
	// Principals is the Principal or NotPrincipal element; absent from kinds
	// without principals.
	Principals Principals
	// Actions is the Action or NotAction element.
	Actions Entries
	// Resources is the Resource or NotResource element; absent from trust
	// policies.
	Resources Entries
	// Conditions all have to hold. One entry for each operator and key, in the
	// order of the text.
	Conditions []Condition
	// Unknown is the first thing in the statement that a later parser would
	// refuse, nil in a document from Parse. Such a statement fails closed: an
	// Allow never applies, a Deny applies to whatever the parts that could be read
	// do not exclude. A stored statement with no readable Effect is a Deny.
	Unknown *Error
}

// Entries is the content of an Action, NotAction, Resource or NotResource
// element.
type Entries struct {
	// Not is true for NotAction and NotResource.
	Not bool
	// Pos is where the element's name stands, zero if the element is absent.
	Pos  Position
	List []Text
}

// Present reports whether the element was written.
func (e Entries) Present() bool { return e.Pos != Position{} }

// PrincipalType is the kind of thing that a principal entry names.
type PrincipalType uint8

// The types of principals.
const (
	// Everyone is "*" or {"AWS": "*"}, anonymous callers included.
	Everyone PrincipalType = iota
	// AWS is an account id, or the ARN of an account, user, role or session.
	AWS
	// CanonicalUser is a canonical user id of S3.
	CanonicalUser
	// Federated is an identity provider.
	Federated
	// Service is an AWS service.
	Service
)

// Principals is the content of a Principal or NotPrincipal element.
type Principals struct {
	// Not is true for NotPrincipal.
	Not bool
	// Pos is where the element's name stands, zero if the element is absent.
	Pos  Position
	List []Principal
}

// Present reports whether the element was written.
func (p Principals) Present() bool { return p.Pos != Position{} }

// Principal is one entry of a Principals element. The text of Everyone is "*".
type Principal struct {
	Type PrincipalType
	Text
}

// Condition compares one condition key by one operator.
type Condition struct {
	Operator Operator
	// Key as written, e.g. "aws:SourceIp" or "s3:ExistingObjectTag/team".
	Key Text
	// Values are alternatives; at least one.
	Values []Text
	// Pos is where the operator's name stands.
	Pos Position
}
