package iam

// Command is one wish to change the store. Everything that is not determined by
// the state (time, randomness, identifiers, sealed secrets) is in it, spent by
// the proposer, so that every replica computes the same result.
type Command interface{ command() }

// Envelope carries a command through the log.
type Envelope struct {
	Command Command
	Request [16]byte // random; a second entry with the same id and actor has no effect. Zero: not deduplicated
	Actor   ARN      // who asked, for the audit trail
	Time    Time     // the proposer's clock
}

// Result is what a replica makes of a command. A refused command is a result
// that every replica computes alike.
type Result struct {
	Index Index
	Err   *Error // nil: done
	Count int    // records that a bulk command touched
}

// Initialize is the first command of a store's life.
type Initialize struct {
	ClusterID string
	Epoch     uint64
	Account   AccountID
	RootKey   AccessKey // owner KindRoot
	Policies  []Policy  // the built-in policies
	Settings  Settings
}

// CreateUser adds a user, optionally with its name-and-password key in the same
// step.
type CreateUser struct {
	User     User
	Password *AccessKey
}

// UpdateUser changes what is set. Renaming keeps keys, memberships and policies.
// A name-and-password key is renamed with its user; since a sealed secret is bound
// to the key's id, the command then carries it sealed anew.
type UpdateUser struct {
	User     Ref
	NewName  string // empty: unchanged
	Password Sealed // of the name-and-password key under NewName; nil: the user has none
	NewPath  string // empty: unchanged
	Status   Status // zero: unchanged
	SetPOSIX bool   // POSIX counts, nil clears
	POSIX    *POSIX
}

// DeleteUser removes a user. Without Cascade it is refused with DeleteConflict
// while the user has keys, policies, groups or service accounts; with it they go too.
type DeleteUser struct {
	User    Ref
	Cascade bool
}

// CreateGroup adds a group.
type CreateGroup struct{ Group Group }

// UpdateGroup renames or moves a group.
type UpdateGroup struct {
	Group            Ref
	NewName, NewPath string
}

// DeleteGroup removes a group that has no members and no policies.
type DeleteGroup struct{ Group Ref }

// AddUserToGroup makes a user a member; again is no change.
type AddUserToGroup struct{ User, Group Ref }

// RemoveUserFromGroup ends a membership.
type RemoveUserFromGroup struct{ User, Group Ref }

// CreateRole adds a role.
type CreateRole struct{ Role Role }

// UpdateRole changes what is set.
type UpdateRole struct {
	Role           Ref
	SetDescription bool
	Description    string
	MaxSession     uint32 // zero: unchanged
	Trust          string // empty: unchanged
}

// DeleteRole removes a role that has no policies.
type DeleteRole struct{ Role Ref }

// CreatePolicy adds a managed policy with its first version.
type CreatePolicy struct{ Policy Policy }

// DeletePolicy removes a managed policy that is attached nowhere and has only its
// default version.
type DeletePolicy struct{ Policy ARN }

// CreatePolicyVersion adds a version; it is in force only if MakeDefault.
type CreatePolicyVersion struct {
	Policy      ARN
	Document    string
	MakeDefault bool
	Created     Time
}

// DeletePolicyVersion removes a version that is not the default.
type DeletePolicyVersion struct {
	Policy ARN
	Number uint32
}

// SetDefaultPolicyVersion puts a version in force.
type SetDefaultPolicyVersion struct {
	Policy ARN
	Number uint32
}

// AttachPolicy attaches a managed policy to a user, group or role; again is no
// change.
type AttachPolicy struct {
	To     Ref
	Policy ARN
}

// DetachPolicy undoes AttachPolicy.
type DetachPolicy struct {
	From   Ref
	Policy ARN
}

// PutInlinePolicy sets an inline policy of a user, group or role.
type PutInlinePolicy struct {
	On     Ref
	Policy InlinePolicy
}

// DeleteInlinePolicy removes an inline policy.
type DeleteInlinePolicy struct {
	On   Ref
	Name string
}

// SetBoundary sets or, with an empty policy, removes the permissions boundary of
// a user or role.
type SetBoundary struct {
	On     Ref
	Policy ARN
}

// SetTags adds or overwrites tags on a user, role, policy or provider and removes
// others.
type SetTags struct {
	On     Ref
	Set    []Tag
	Remove []string
}

// CreateAccessKey adds a long-term key to a user or to the root.
type CreateAccessKey struct{ Key AccessKey }

// UpdateAccessKey changes what is set.
type UpdateAccessKey struct {
	Owner      Ref
	Key        AccessKeyID
	Status     Status // zero: unchanged
	SetExpires bool
	Expires    Time
	Secret     Sealed // nil: unchanged
}

// DeleteAccessKey removes a key.
type DeleteAccessKey struct {
	Owner Ref
	Key   AccessKeyID
}

// RecordLastUsed moves LastUsed forward, never back; unknown keys are passed over.
type RecordLastUsed struct{ Uses []Use }

// Use is the last time that a key was seen in use.
type Use struct {
	Key  AccessKeyID
	Time Time
}

// CreateServiceAccount adds a service account and its key.
type CreateServiceAccount struct {
	ServiceAccount ServiceAccount
	Key            AccessKey
}

// UpdateServiceAccount changes what is set.
type UpdateServiceAccount struct {
	ServiceAccount Ref
	SetDescription bool
	Description    string
	SetPolicy      bool
	Policy         string
	Status         Status
	SetExpires     bool
	Expires        Time
	Secret         Sealed
}

// DeleteServiceAccount removes a service account and its key.
type DeleteServiceAccount struct{ ServiceAccount Ref }

// CreateSession adds a temporary credential.
type CreateSession struct{ Session Session }

// RevokeSessions ends sessions: one by key, or all of a parent that were issued
// before an instant.
type RevokeSessions struct {
	Key          AccessKeyID // set: just this one
	Parent       Ref
	IssuedBefore Time
}

// ExpireSessions removes up to Max sessions whose end lies at or before Cutoff.
// It only tidies: an expired session is refused by every reader anyway.
type ExpireSessions struct {
	Cutoff Time
	Max    uint32
}

// PutBucket sets a bucket record.
type PutBucket struct{ Bucket Bucket }

// DeleteBucket removes a bucket record.
type DeleteBucket struct{ Name string }

// CreateProvider adds an OpenID Connect identity provider.
type CreateProvider struct{ Provider Provider }

// UpdateProvider changes what is set. Adding a client id that is there, or removing
// one that is not, is no change.
type UpdateProvider struct {
	Provider       Ref
	AddClient      string
	RemoveClient   string
	SetThumbprints bool
	Thumbprints    []string
}

// DeleteProvider removes an identity provider. Trust policies that name it stay,
// and let nobody in.
type DeleteProvider struct{ Provider Ref }

// SetAccountAlias sets or, with an empty alias, removes the alias of an account.
type SetAccountAlias struct {
	Account AccountID
	Alias   string
}

// PutSettings replaces the settings.
type PutSettings struct{ Settings Settings }

// PutAuthority adds an authority that signs the certificates of members from now on.
type PutAuthority struct{ Authority Authority }

// DeleteAuthority ends the trust in an authority that does not sign.
type DeleteAuthority struct{ Fingerprint string }

// StageAuthority adds an authority that is trusted and does not sign yet. One is
// replaced at a time.
type StageAuthority struct{ Authority Authority }

// UseAuthority makes an authority sign, in the place of the one that did.
type UseAuthority struct{ Fingerprint string }

// CreateEnrolment lets one member in, with a token whose hash the enrolment has. It
// also tidies away enrolments that nobody took up in time.
type CreateEnrolment struct{ Enrolment Enrolment }

// TakeEnrolment uses a token up. Again with the same key is no change, so that a
// member whose answer was lost can ask once more.
type TakeEnrolment struct {
	ID   string
	Hash []byte // SHA-256 of the token's secret
	Name string // what the member calls itself; counts if the enrolment names nobody
	Key  []byte // SHA-256 of the member's public key
}

// DeleteEnrolment takes a token back that nobody has used, or a member's leave to
// renew its certificate and to connect.
type DeleteEnrolment struct{ ID string }

// RaiseLevel allows what builds below a feature level do not know. It never goes
// back.
type RaiseLevel struct{ Level uint16 }

// Batch is commands that take effect together, in order, or not at all: the first
// one that is refused refuses the batch. Only commands of feature level 1 that are
// about identities may be in one; another batch may not.
type Batch struct{ Commands []Command }

// Reseal replaces sealed secrets by the same secrets under another key. One that has
// changed meanwhile is passed over.
type Reseal struct{ Secrets []Resealed }

// Resealed is a secret of an access key, a session or an authority.
type Resealed struct {
	Table Table
	Name  string
	Was   Sealed
	Now   Sealed
}

// Guarded is a command that takes effect only while parts of the store are as its
// proposer saw them, and is refused with [ConcurrentModification] otherwise. Another
// guarded command may not be in one.
type Guarded struct {
	Parts   []Part
	Command Command
}

// Part is a part of the store and the sum of what was in it; package state tells
// which records are in which.
type Part struct {
	Bucket uint16
	Sum    [2]uint64
}

// PutGossip changes the keys of the nodes' gossip by one step, if they still are what
// the proposer saw.
type PutGossip struct{ Was, Now Gossip }

func (Initialize) command()              {}
func (CreateUser) command()              {}
func (UpdateUser) command()              {}
func (DeleteUser) command()              {}
func (CreateGroup) command()             {}
func (UpdateGroup) command()             {}
func (DeleteGroup) command()             {}
func (AddUserToGroup) command()          {}
func (RemoveUserFromGroup) command()     {}
func (CreateRole) command()              {}
func (UpdateRole) command()              {}
func (DeleteRole) command()              {}
func (CreatePolicy) command()            {}
func (DeletePolicy) command()            {}
func (CreatePolicyVersion) command()     {}
func (DeletePolicyVersion) command()     {}
func (SetDefaultPolicyVersion) command() {}
func (AttachPolicy) command()            {}
func (DetachPolicy) command()            {}
func (PutInlinePolicy) command()         {}
func (DeleteInlinePolicy) command()      {}
func (SetBoundary) command()             {}
func (SetTags) command()                 {}
func (CreateAccessKey) command()         {}
func (UpdateAccessKey) command()         {}
func (DeleteAccessKey) command()         {}
func (RecordLastUsed) command()          {}
func (CreateServiceAccount) command()    {}
func (UpdateServiceAccount) command()    {}
func (DeleteServiceAccount) command()    {}
func (CreateSession) command()           {}
func (RevokeSessions) command()          {}
func (ExpireSessions) command()          {}
func (PutBucket) command()               {}
func (DeleteBucket) command()            {}
func (CreateProvider) command()          {}
func (UpdateProvider) command()          {}
func (DeleteProvider) command()          {}
func (SetAccountAlias) command()         {}
func (PutSettings) command()             {}
func (PutAuthority) command()            {}
func (DeleteAuthority) command()         {}
func (StageAuthority) command()          {}
func (UseAuthority) command()            {}
func (CreateEnrolment) command()         {}
func (TakeEnrolment) command()           {}
func (DeleteEnrolment) command()         {}
func (RaiseLevel) command()              {}
func (Batch) command()                   {}
func (Reseal) command()                  {}
func (Guarded) command()                 {}
func (PutGossip) command()               {}
