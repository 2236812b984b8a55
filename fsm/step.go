package fsm

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// step is one command being worked out: a handler reads the view, and either
// refuses or collects changes. It never sees its own changes, and nothing happens
// until all of them are there.
type step struct {
	view    *state.View
	now     iam.Time // the store's time
	changes []iam.Change
	count   int // records that a bulk command touched
}

func (s *step) put(c ...iam.Change) { s.changes = append(s.changes, c...) }

func (s *step) delete(table iam.Table, account iam.AccountID, name string) {
	s.put(iam.Change{Delete: &iam.Deletion{Table: table, Account: account, Name: name}})
}

// user, group, role, policy and the others below return a record or the refusal
// NoSuchEntity (409 and 404 codes: IAM API reference, "Common errors" of each
// operation). A reference of the wrong kind is a malformed command.

func (s *step) user(ref iam.Ref) (*iam.User, *iam.Error) {
	if err := wantKind(ref, iam.KindUser); err != nil {
		return nil, err
	}
	if u, ok := s.view.User(ref.Account, ref.Name); ok {
		return u, nil
	}
	return nil, noSuch(iam.KindUser, ref.Name)
}

func (s *step) group(ref iam.Ref) (*iam.Group, *iam.Error) {
	if err := wantKind(ref, iam.KindGroup); err != nil {
		return nil, err
	}
	if g, ok := s.view.Group(ref.Account, ref.Name); ok {
		return g, nil
	}
	return nil, noSuch(iam.KindGroup, ref.Name)
}

func (s *step) role(ref iam.Ref) (*iam.Role, *iam.Error) {
	if err := wantKind(ref, iam.KindRole); err != nil {
		return nil, err
	}
	if r, ok := s.view.Role(ref.Account, ref.Name); ok {
		return r, nil
	}
	return nil, noSuch(iam.KindRole, ref.Name)
}

func (s *step) policy(arn iam.ARN) (*iam.Policy, *iam.Error) {
	if p, ok := s.view.Policy(arn); ok {
		return p, nil
	}
	return nil, iam.Errorf(iam.NoSuchEntity, "Policy %s does not exist or is not attachable.", arn)
}

// ownPolicy is a policy that may be changed: built-in ones may not, as AWS's own
// managed policies may not.
func (s *step) ownPolicy(arn iam.ARN) (*iam.Policy, *iam.Error) {
	p, err := s.policy(arn)
	if err == nil && p.Builtin {
		return nil, iam.Errorf(iam.UnmodifiableEntity, "Policy %s is built in and cannot be changed or deleted. Create a policy of your own instead.", arn)
	}
	return p, err
}

// accessKey finds a long-term key of a user or of the root. The keys of service
// accounts are out of reach here: they are managed with the service account.
func (s *step) accessKey(owner iam.Ref, id iam.AccessKeyID) (*iam.AccessKey, *iam.Error) {
	k, ok := s.view.AccessKey(id)
	if !ok || k.Owner.Kind == iam.KindServiceAccount || !sameRef(k.Owner, owner) {
		return nil, iam.Errorf(iam.NoSuchEntity, "The Access Key with id %s cannot be found", id)
	}
	return k, nil
}

func (s *step) serviceAccount(ref iam.Ref) (*iam.ServiceAccount, *iam.AccessKey, *iam.Error) {
	if err := wantKind(ref, iam.KindServiceAccount); err != nil {
		return nil, nil, err
	}
	sa, ok := s.view.ServiceAccount(iam.AccessKeyID(ref.Name))
	if !ok || sa.Account != ref.Account {
		return nil, nil, noSuch(iam.KindServiceAccount, ref.Name)
	}
	k, ok := s.view.AccessKey(sa.Key)
	if !ok {
		return nil, nil, noSuch(iam.KindServiceAccount, ref.Name)
	}
	return sa, k, nil
}

// keyIDFree refuses an access key id that any key or session in the store has:
// signatures are looked up by it alone.
func (s *step) keyIDFree(id iam.AccessKeyID) *iam.Error {
	_, key := s.view.AccessKey(id)
	_, session := s.view.Session(id)
	if key || session {
		return iam.Errorf(iam.EntityAlreadyExists, "Access key id %s is taken. Choose another.", id)
	}
	return nil
}

func noSuch(k iam.Kind, name string) *iam.Error {
	return iam.Errorf(iam.NoSuchEntity, "The %s with name %s cannot be found.", k, name)
}

func taken(k iam.Kind, name string) *iam.Error {
	return iam.Errorf(iam.EntityAlreadyExists, "%s with name %s already exists.", title(k), name)
}

func title(k iam.Kind) string {
	word := k.String()
	return string(word[0]-'a'+'A') + word[1:]
}

func wantKind(ref iam.Ref, kinds ...iam.Kind) *iam.Error {
	if slices.Contains(kinds, ref.Kind) {
		return nil
	}
	var words []string
	for _, k := range kinds {
		words = append(words, k.String())
	}
	return iam.Errorf(iam.InvalidInput, "The command is about a %s; it may be about a %s.", ref.Kind, strings.Join(words, " or "))
}

// sameRef compares references as the tables do: names ignoring case, but those of
// service accounts exactly.
func sameRef(a, b iam.Ref) bool {
	if a.Kind != b.Kind || a.Account != b.Account {
		return false
	}
	return a.Name == b.Name || a.Kind != iam.KindServiceAccount && iam.Fold(a.Name) == iam.Fold(b.Name)
}

// clone returns a copy of a record that may be changed. Its lists are still
// shared: a handler replaces a list, it never writes into one.
func clone[R any](r *R) *R {
	c := *r
	return &c
}

// without returns list less the items that drop names, as a list of its own.
func without[T any](list []T, drop func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), drop)
}

// with returns list and one more item, as a list of its own.
func with[T any](list []T, item T) []T { return append(slices.Clip(slices.Clone(list)), item) }
