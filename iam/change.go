package iam

// Change is one record written or removed. The changes of a command, applied in
// order to the view before it, give the view after it: on a replica and on a
// sidecar alike.
//
// Exactly one of the pointers is set for a write; Delete names the record for a
// removal.
type Change struct {
	User           *User
	Group          *Group
	Role           *Role
	Policy         *Policy
	AccessKey      *AccessKey
	ServiceAccount *ServiceAccount
	Session        *Session
	Bucket         *Bucket
	Settings       *Settings
	Store          *Store
	Provider       *Provider
	Enrolment      *Enrolment
	Authority      *Authority
	Level          *Level
	Delete         *Deletion
}

// Table says which table a [Deletion] is about.
type Table uint8

// The tables of a store. The numbers are part of the wire formats.
const (
	TableUsers           Table = 1
	TableGroups          Table = 2
	TableRoles           Table = 3
	TablePolicies        Table = 4
	TableAccessKeys      Table = 5
	TableServiceAccounts Table = 6
	TableSessions        Table = 7
	TableBuckets         Table = 8
	TableSettings        Table = 9
	TableStore           Table = 10
	TableProviders       Table = 11
	TableEnrolments      Table = 12
	TableAuthorities     Table = 13
	TableLevels          Table = 14 // of one record, whose name is empty
)

// LastTable is the table with the greatest number.
const LastTable = TableLevels

// Deletion names a record that is gone. Account is empty for tables whose names
// are global (access keys, service accounts, sessions, buckets, enrolments,
// authorities, the level).
type Deletion struct {
	Table   Table
	Account AccountID
	Name    string
}

// Store is the identity of the store itself.
type Store struct {
	ClusterID string
	Account   AccountID
	Created   Time
	Epoch     uint64 // random; a new one begins when a backup is restored, so that nobody mixes histories
	Alias     string // of the account; empty: none
	Gossip    Gossip // sidecars are not told
}

// Gossip says which keys the nodes' gossip uses, by number: every node derives them
// from the root key. The zero value is the first key and no other.
type Gossip struct {
	Oldest, Newest uint32 // what nodes can read was encrypted with one of these
	Current        uint32 // what they encrypt with
}

// Next is the next step of a rotation: first there is a new key, which every node can
// read, then it is in use, then the old one is gone.
func (g Gossip) Next() Gossip {
	switch {
	case g.Oldest == g.Newest:
		g.Newest++
	case g.Current != g.Newest:
		g.Current = g.Newest
	default:
		g.Oldest = g.Newest
	}
	return g
}
