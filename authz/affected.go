package authz

import (
	"iter"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// Affected yields the access keys whose identity a change may alter, as far as v
// knows them; a key may come more than once. Ask with the view before the change
// and with the one after it: together they name everybody. The second result is
// true for a change that concerns every key, such as one of the settings.
//
// It needs no memory of who was made from what: the view's indexes lead from a
// record to those who depend on it. [Identity.Records] is the same relation the
// other way round.
func Affected(v *state.View, c iam.Change) (keys iter.Seq[iam.AccessKeyID], all bool) {
	table, account, name := state.KeyOf(c)
	return func(yield func(iam.AccessKeyID) bool) {
		a := affected{v, yield}
		switch table {
		case iam.TableUsers:
			a.user(account, name)
		case iam.TableGroups:
			a.group(account, name)
		case iam.TableRoles:
			a.sessionsOf(iam.Ref{Account: account, Kind: iam.KindRole, Name: name})
		case iam.TablePolicies:
			a.policy(account, name)
		case iam.TableAccessKeys, iam.TableSessions:
			yield(iam.AccessKeyID(name))
		case iam.TableServiceAccounts:
			a.serviceAccount(iam.AccessKeyID(name))
		}
	}, table == iam.TableSettings || table == iam.TableStore
}

// affected walks from a record to keys. Each step reports whether to go on.
type affected struct {
	view  *state.View
	yield func(iam.AccessKeyID) bool
}

func (a *affected) user(account iam.AccountID, name string) bool {
	ref := iam.Ref{Account: account, Kind: iam.KindUser, Name: name}
	for k := range a.view.KeysOf(ref) {
		if !a.yield(k.ID) {
			return false
		}
	}
	for sa := range a.view.ServiceAccountsOf(account, name) {
		if !a.serviceAccount(sa.Key) {
			return false
		}
	}
	return a.sessionsOf(ref)
}

func (a *affected) serviceAccount(id iam.AccessKeyID) bool {
	account := iam.AccountID("")
	if sa, ok := a.view.ServiceAccount(id); ok {
		account = sa.Account
	}
	return a.yield(id) && a.sessionsOf(iam.Ref{Account: account, Kind: iam.KindServiceAccount, Name: string(id)})
}

func (a *affected) sessionsOf(parent iam.Ref) bool {
	for s := range a.view.SessionsOf(parent) {
		if !a.yield(s.Key) {
			return false
		}
	}
	return true
}

func (a *affected) group(account iam.AccountID, name string) bool {
	for u := range a.view.MembersOf(account, name) {
		if !a.user(account, u.Name) {
			return false
		}
	}
	return true
}

// policy goes by the ARN that the policy has in this view. One that is not in it
// was created or deleted, and nobody is attached to a policy that does not exist;
// those who name it all the same are found by the view that has it.
func (a *affected) policy(account iam.AccountID, name string) bool {
	p, ok := a.view.PolicyNamed(account, name)
	if !ok {
		return true
	}
	arn := p.ARN()
	for _, entities := range []iter.Seq[iam.Ref]{a.view.AttachedTo(arn), a.view.BoundaryOf(arn)} {
		for ref := range entities {
			if !a.entity(ref) {
				return false
			}
		}
	}
	for s := range a.view.SessionsUsing(arn) {
		if !a.yield(s.Key) {
			return false
		}
	}
	return true
}

func (a *affected) entity(ref iam.Ref) bool {
	switch ref.Kind {
	case iam.KindUser:
		return a.user(ref.Account, ref.Name)
	case iam.KindGroup:
		return a.group(ref.Account, ref.Name)
	}
	return a.sessionsOf(ref)
}
