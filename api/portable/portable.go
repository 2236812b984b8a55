// Package portable is identities as a document: what `POST /v1/import` takes, what
// `GET /v1/export` gives, and what the readers of other systems' exports make. It
// names things by name, never by unique id or ARN, so that a document fits any
// account.
package portable

// Format is the value of [Document.Format]. A reader refuses any other.
const Format = "doorward/1"

// Document is a set of identities. The order in which they are listed does not
// matter: policies come before groups, groups and roles before users, users before
// service accounts.
type Document struct {
	Format          string           `json:"format"`
	Policies        []Policy         `json:"policies,omitempty"`
	Groups          []Group          `json:"groups,omitempty"`
	Roles           []Role           `json:"roles,omitempty"`
	Users           []User           `json:"users,omitempty"`
	ServiceAccounts []ServiceAccount `json:"service_accounts,omitempty"`
}

// Len returns the number of identities.
func (d *Document) Len() int {
	return len(d.Policies) + len(d.Groups) + len(d.Roles) + len(d.Users) + len(d.ServiceAccounts)
}

// Policy is a managed policy with the document in force.
type Policy struct {
	Name        string `json:"name"`
	Path        string `json:"path,omitempty"` // empty: /
	Description string `json:"description,omitempty"`
	Document    string `json:"document"`
	Tags        []Tag  `json:"tags,omitempty"`
}

// Tag is a key and a value.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Inline is a policy of one user, group or role.
type Inline struct {
	Name     string `json:"name"`
	Document string `json:"document"`
}

// Group is a set of users; they name it.
type Group struct {
	Name     string   `json:"name"`
	Path     string   `json:"path,omitempty"`
	Policies []string `json:"policies,omitempty"` // names of managed policies
	Inline   []Inline `json:"inline_policies,omitempty"`
}

// Role is a role with its trust policy.
type Role struct {
	Name        string   `json:"name"`
	Path        string   `json:"path,omitempty"`
	Description string   `json:"description,omitempty"`
	Trust       string   `json:"trust_policy"`
	MaxSession  uint32   `json:"max_session,omitempty"` // seconds; zero: 3600
	Policies    []string `json:"policies,omitempty"`
	Inline      []Inline `json:"inline_policies,omitempty"`
	Boundary    string   `json:"permissions_boundary,omitempty"` // name of a managed policy
	Tags        []Tag    `json:"tags,omitempty"`
}

// POSIX is the owner of the files behind a user's objects.
type POSIX struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

// User is a user, with secrets or without.
type User struct {
	Name     string   `json:"name"`
	Path     string   `json:"path,omitempty"`
	Disabled bool     `json:"disabled,omitempty"`
	POSIX    *POSIX   `json:"posix,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	Policies []string `json:"policies,omitempty"`
	Inline   []Inline `json:"inline_policies,omitempty"`
	Boundary string   `json:"permissions_boundary,omitempty"`
	Tags     []Tag    `json:"tags,omitempty"`
	// Secret is that of the name-and-password form: an access key whose id is the
	// user's name. Empty: the user gets none, or keeps what it has.
	Secret string `json:"secret_key,omitempty"`
	Keys   []Key  `json:"access_keys,omitempty"`
}

// Key is an access key of a user. One without a secret is only mentioned.
type Key struct {
	ID       string `json:"access_key_id"`
	Secret   string `json:"secret_access_key,omitempty"`
	Disabled bool   `json:"disabled,omitempty"`
}

// ServiceAccount is a service account with its key.
type ServiceAccount struct {
	ID          string `json:"access_key_id"`
	Secret      string `json:"secret_access_key"`
	Parent      string `json:"parent"` // name of the user
	Description string `json:"description,omitempty"`
	Policy      string `json:"policy,omitempty"` // narrowing document; empty: all that the parent may
	Disabled    bool   `json:"disabled,omitempty"`
	Expires     string `json:"expires,omitempty"` // RFC 3339; empty: never
}

// The actions of a plan.
const (
	Create = "create" // it is not there
	Update = "update" // it is there and differs
	Same   = "same"   // it is there and does not differ
	Refuse = "refuse" // it cannot be done, and Reason says why
)

// Item is what an import does about one identity.
type Item struct {
	Kind   string   `json:"kind"` // policy, group, role, user or service account
	Name   string   `json:"name"`
	Action string   `json:"action"`
	Detail []string `json:"detail,omitempty"` // what changes, and what to know
	Reason string   `json:"reason,omitempty"` // of a refusal
}

// Plan is what an import does, item by item in the order in which it does it.
type Plan struct {
	Items   []Item `json:"items"`
	Applied bool   `json:"applied"` // false: nothing has been changed
	Index   uint64 `json:"index"`   // of the change, or of the view that was planned on
}

// Count returns the number of items with an action.
func (p *Plan) Count(action string) (n int) {
	for _, i := range p.Items {
		if i.Action == action {
			n++
		}
	}
	return n
}
