package iam

// Kind says which table a [Ref] points into.
type Kind uint8

// The kinds of entity. The numbers are part of the log format and never change.
const (
	KindRoot           Kind = 1 // the account itself; its name is empty
	KindUser           Kind = 2
	KindGroup          Kind = 3
	KindRole           Kind = 4
	KindServiceAccount Kind = 5
	KindPolicy         Kind = 6
	KindProvider       Kind = 7
)

// String returns the word that messages use for k.
func (k Kind) String() string {
	switch k {
	case KindRoot:
		return "root"
	case KindUser:
		return "user"
	case KindGroup:
		return "group"
	case KindRole:
		return "role"
	case KindServiceAccount:
		return "service account"
	case KindPolicy:
		return "policy"
	case KindProvider:
		return "provider"
	}
	return "unknown"
}

// Ref names one entity. Names compare ignoring case, as in IAM; a service
// account's name is its access key id, a provider's its URL without scheme.
type Ref struct {
	Account AccountID
	Kind    Kind
	Name    string
}

// Status says whether a credential or principal may be used.
type Status uint8

// The two states that IAM knows.
const (
	Active   Status = 1
	Inactive Status = 2
)

// String returns the spelling of the IAM API.
func (s Status) String() string {
	if s == Active {
		return "Active"
	}
	return "Inactive"
}

// Sealed is a secret encrypted under the store's root key, made and opened by
// internal/seal. It is opaque everywhere else and safe to write to disk.
type Sealed []byte

// Tag is a key and a value on an entity or session. Keys are unique in a set
// ignoring case.
type Tag struct{ Key, Value string }

// POSIX is the owner of the files behind a user's objects.
type POSIX struct{ UID, GID uint32 }

// InlinePolicy is a policy that lives and dies with its user, group or role.
type InlinePolicy struct {
	Name     string
	Document string // as it was given, byte for byte
}

// User is a person or application with long-term credentials.
type User struct {
	Account  AccountID
	Name     string
	Path     string // begins and ends with "/"
	ID       UniqueID
	Created  Time
	Status   Status // Inactive: every credential of the user is refused
	Tags     []Tag
	POSIX    *POSIX         // nil: the S3 server's anonymous ids apply
	Groups   []string       // sorted
	Attached []ARN          // managed policies, in order of attachment
	Inline   []InlinePolicy // sorted by name
	Boundary ARN            // managed policy that cuts what the user may do; empty: none
}

// ARN returns the user's ARN, path included.
func (u *User) ARN() ARN { return entityARN(u.Account, "user", u.Path, u.Name) }

// Ref returns the user's reference.
func (u *User) Ref() Ref { return Ref{u.Account, KindUser, u.Name} }

// Group is a set of users that share policies. It is not a principal.
type Group struct {
	Account  AccountID
	Name     string
	Path     string
	ID       UniqueID
	Created  Time
	Attached []ARN
	Inline   []InlinePolicy
}

// ARN returns the group's ARN, path included.
func (g *Group) ARN() ARN { return entityARN(g.Account, "group", g.Path, g.Name) }

// Ref returns the group's reference.
func (g *Group) Ref() Ref { return Ref{g.Account, KindGroup, g.Name} }

// Role is an identity without credentials of its own, assumed by whom its trust
// policy names.
type Role struct {
	Account     AccountID
	Name        string
	Path        string
	ID          UniqueID
	Created     Time
	Description string
	Trust       string // trust policy document, as given
	MaxSession  uint32 // seconds, 3600…43200
	Tags        []Tag
	Attached    []ARN
	Inline      []InlinePolicy
	Boundary    ARN
	POSIX       *POSIX
}

// ARN returns the role's ARN, path included.
func (r *Role) ARN() ARN { return entityARN(r.Account, "role", r.Path, r.Name) }

// Ref returns the role's reference.
func (r *Role) Ref() Ref { return Ref{r.Account, KindRole, r.Name} }

// PolicyVersion is one text of a managed policy. Numbers begin at 1 and are
// never used again.
type PolicyVersion struct {
	Number   uint32
	Document string // as given, byte for byte
	Created  Time
}

// Policy is a managed policy: a named document in up to five versions, one of
// them in force.
type Policy struct {
	Account     AccountID
	Name        string
	Path        string
	ID          UniqueID
	Description string
	Created     Time
	Updated     Time
	Versions    []PolicyVersion // ascending by number
	Default     uint32          // number of the version in force
	Next        uint32          // number that the next version gets
	Tags        []Tag
	Builtin     bool // made by the store; cannot be changed or deleted
}

// ARN returns the policy's ARN, path included.
func (p *Policy) ARN() ARN { return entityARN(p.Account, "policy", p.Path, p.Name) }

// Ref returns the policy's reference.
func (p *Policy) Ref() Ref { return Ref{p.Account, KindPolicy, p.Name} }

// InForce returns the document of the default version.
func (p *Policy) InForce() string {
	for _, v := range p.Versions {
		if v.Number == p.Default {
			return v.Document
		}
	}
	return ""
}

// AccessKey is a long-term credential. The name-and-password form of a user is
// an AccessKey whose ID is the user's name ([AccessKey.Password]).
type AccessKey struct {
	ID       AccessKeyID
	Secret   Sealed
	Owner    Ref // a user, a service account or the account's root
	Status   Status
	Created  Time
	Expires  Time // zero: never
	LastUsed Time // day resolution, reported by sidecars
	Password bool // the name-and-password form
}

// ServiceAccount is a child of exactly one user with a key pair of its own. It
// has the user's policies, narrowed by its own if it has one, and is managed with
// the parent user's own credentials only.
type ServiceAccount struct {
	Account     AccountID
	Parent      string      // user name
	Key         AccessKeyID // its AccessKey, and its name
	Description string
	Policy      string // narrowing document; empty: all that the parent may
	Status      Status
	Created     Time
	Expires     Time // zero: never
}

// Ref returns the service account's reference.
func (s *ServiceAccount) Ref() Ref { return Ref{s.Account, KindServiceAccount, string(s.Key)} }

// ParentRef returns the reference of the user that s belongs to.
func (s *ServiceAccount) ParentRef() Ref { return Ref{s.Account, KindUser, s.Parent} }

// SessionKind says which STS call made a session, and so how policies see it.
type SessionKind uint8

// The kinds of session.
const (
	SessionSelf      SessionKind = 1 // AssumeRole without a role: the parent itself
	SessionRole      SessionKind = 2 // AssumeRole* with a role
	SessionToken     SessionKind = 3 // GetSessionToken
	SessionFederated SessionKind = 4 // GetFederationToken
)

// Session is a temporary credential. Authority is evaluated afresh on each use:
// the parent's policies of that moment, cut by the session's own.
type Session struct {
	Key            AccessKeyID // ASIA…
	Secret         Sealed
	Kind           SessionKind
	Parent         Ref      // user, service account, role or root
	ParentID       UniqueID // of the parent when issued, of a service account's user, or the root's account number: a recreated namesake is somebody else
	Name           string   // role session name or federated user name
	Policies       []string // inline session policies; their union cuts the parent's
	PolicyARNs     []ARN    // managed session policies, part of the same union
	Tags           []Tag
	TransitiveTags []string // keys of Tags that pass down a role chain
	SourceIdentity string
	Chained        bool        // made with the credentials of a role session
	Issuer         AccessKeyID // the key that asked for it
	Issued         Time
	Expires        Time
}

// Bucket records who owns a bucket and its policy, for S3 servers that leave
// bucket policies to the store.
type Bucket struct {
	Name    string
	Account AccountID
	Policy  string // resource policy document; empty: none
}

// Provider is an OpenID Connect identity provider whose tokens a role's trust
// policy may accept.
type Provider struct {
	Account     AccountID
	URL         string // without the scheme, which is https; compared byte by byte
	Created     Time
	ClientIDs   []string // audiences, in order of their addition
	Thumbprints []string // SHA-1 of certificates, lower-case hexadecimal
	Tags        []Tag    // keys are unique byte by byte
}

// ARN returns the provider's ARN.
func (p *Provider) ARN() ARN { return entityARN(p.Account, "oidc-provider", "/", p.URL) }

// Ref returns the provider's reference.
func (p *Provider) Ref() Ref { return Ref{p.Account, KindProvider, p.URL} }

// Member says what a member of the cluster is.
type Member uint8

// The kinds of member. The numbers are part of the log format.
const (
	MemberNode    Member = 1 // has everything, sealed secrets included
	MemberSidecar Member = 2 // follows the changes
)

// String returns the word that messages and certificates use for m.
func (m Member) String() string {
	switch m {
	case MemberNode:
		return "node"
	case MemberSidecar:
		return "sidecar"
	}
	return "unknown"
}

// Enrolment is leave to become a member of the cluster: first for whoever has its
// token, then, once used, for the member that did.
type Enrolment struct {
	ID      string
	Kind    Member
	Name    string // of the member; empty: the member chooses
	Hash    []byte // SHA-256 of the token's secret
	Created Time
	Expires Time   // of the token
	By      ARN    // who made it
	Used    Time   // zero: not yet
	Key     []byte // SHA-256 of the member's public key, once used
}

// Authority signs the certificates of the cluster's members, or waits to, or did. All
// members trust it.
type Authority struct {
	Fingerprint string // SHA-256 of the certificate in DER, hexadecimal
	Certificate string // PEM
	Key         Sealed // PEM, sealed
	Signing     Time   // since when it signs, unless another does since a later time; zero: it waits
}

// Level is the feature level that every node of the store is at. A store without
// one is at 1.
type Level struct{ Number uint16 }

// Settings are the limits that an administrator may change. Zero fields mean the
// default named at each.
type Settings struct {
	PolicySize       uint32     // bytes of a policy document, white space aside; 2048, at most 20480
	KeysPerUser      uint32     // generated access keys of a user; 2
	ServiceAccounts  uint32     // service accounts of a user; 100
	AttachedPolicies uint32     // managed policies of a user, group or role; 10
	GroupsPerUser    uint32     // 10
	MaxStaleness     uint32     // seconds that a sidecar may serve cut off; 900, 1…604800
	NoSelfAssume     bool       // AssumeRole without a role is refused, as AWS does
	KeyMaxAge        uint32     // seconds after which a long-term key is refused; 0: never
	MinSession       uint32     // seconds of the shortest session that STS grants; 900, at least 1
	MaxSession       uint32     // seconds of the longest; 604800, at most that
	GuardRails       [][]string // account guard-rail policies by level, root first; each level must allow
}

// Or returns v, or the default if v is zero.
func Or(v, byDefault uint32) uint32 {
	if v == 0 {
		return byDefault
	}
	return v
}

func entityARN(account AccountID, kind, path, name string) ARN {
	if path == "" {
		path = "/"
	}
	return ARN("arn:aws:iam::" + string(account) + ":" + kind + path + name)
}
