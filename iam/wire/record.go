package wire

import (
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// This file gives the fields of every record, in the order in which they are
// written. New fields are appended, never put between, and none is ever removed:
// old logs and snapshots are read by the same functions.

func (c *codec) ref(r *iam.Ref) {
	c.record(3, func() {
		common(c, &r.Account)
		number(c, &r.Kind)
		text(c, &r.Name)
	})
}

func (c *codec) tag(t *iam.Tag) {
	c.record(2, func() {
		common(c, &t.Key)
		common(c, &t.Value)
	})
}

func (c *codec) tags(tags *[]iam.Tag) { list(c, tags, c.tag) }

func (c *codec) posix(p *iam.POSIX) {
	c.record(2, func() {
		number(c, &p.UID)
		number(c, &p.GID)
	})
}

func (c *codec) inlinePolicy(p *iam.InlinePolicy) {
	c.record(2, func() {
		common(c, &p.Name)
		common(c, &p.Document)
	})
}

func (c *codec) inline(policies *[]iam.InlinePolicy) { list(c, policies, c.inlinePolicy) }

// texts is a list of texts that tend to repeat between records.
func texts[S ~string](c *codec, items *[]S) {
	list(c, items, func(s *S) { common(c, s) })
}

func (c *codec) user(u *iam.User) {
	c.record(12, func() {
		common(c, &u.Account)
		text(c, &u.Name)
		common(c, &u.Path)
		text(c, &u.ID)
		c.time(&u.Created)
		number(c, &u.Status)
		c.tags(&u.Tags)
		optional(c, &u.POSIX, c.posix)
		texts(c, &u.Groups)
		texts(c, &u.Attached)
		c.inline(&u.Inline)
		common(c, &u.Boundary)
	})
}

func (c *codec) group(g *iam.Group) {
	c.record(7, func() {
		common(c, &g.Account)
		text(c, &g.Name)
		common(c, &g.Path)
		text(c, &g.ID)
		c.time(&g.Created)
		texts(c, &g.Attached)
		c.inline(&g.Inline)
	})
}

func (c *codec) role(r *iam.Role) {
	c.record(13, func() {
		common(c, &r.Account)
		text(c, &r.Name)
		common(c, &r.Path)
		text(c, &r.ID)
		c.time(&r.Created)
		common(c, &r.Description)
		common(c, &r.Trust)
		number(c, &r.MaxSession)
		c.tags(&r.Tags)
		texts(c, &r.Attached)
		c.inline(&r.Inline)
		common(c, &r.Boundary)
		optional(c, &r.POSIX, c.posix)
	})
}

func (c *codec) policyVersion(v *iam.PolicyVersion) {
	c.record(3, func() {
		number(c, &v.Number)
		text(c, &v.Document)
		c.time(&v.Created)
	})
}

func (c *codec) policy(p *iam.Policy) {
	c.record(12, func() {
		common(c, &p.Account)
		text(c, &p.Name)
		common(c, &p.Path)
		text(c, &p.ID)
		text(c, &p.Description)
		c.time(&p.Created)
		c.time(&p.Updated)
		list(c, &p.Versions, c.policyVersion)
		number(c, &p.Default)
		number(c, &p.Next)
		c.tags(&p.Tags)
		c.flag(&p.Builtin)
	})
}

func (c *codec) accessKey(k *iam.AccessKey) {
	c.record(8, func() {
		text(c, &k.ID)
		c.secret(&k.Secret)
		c.ref(&k.Owner)
		number(c, &k.Status)
		c.time(&k.Created)
		c.time(&k.Expires)
		c.time(&k.LastUsed)
		c.flag(&k.Password)
	})
}

func (c *codec) serviceAccount(s *iam.ServiceAccount) {
	c.record(8, func() {
		common(c, &s.Account)
		text(c, &s.Parent)
		text(c, &s.Key)
		common(c, &s.Description)
		common(c, &s.Policy)
		number(c, &s.Status)
		c.time(&s.Created)
		c.time(&s.Expires)
	})
}

func (c *codec) session(s *iam.Session) {
	c.record(15, func() {
		text(c, &s.Key)
		c.secret(&s.Secret)
		number(c, &s.Kind)
		c.ref(&s.Parent)
		common(c, &s.ParentID)
		common(c, &s.Name)
		texts(c, &s.Policies)
		texts(c, &s.PolicyARNs)
		c.tags(&s.Tags)
		texts(c, &s.TransitiveTags)
		common(c, &s.SourceIdentity)
		c.flag(&s.Chained)
		common(c, &s.Issuer)
		c.time(&s.Issued)
		c.time(&s.Expires)
	})
}

func (c *codec) bucket(b *iam.Bucket) {
	c.record(3, func() {
		text(c, &b.Name)
		common(c, &b.Account)
		common(c, &b.Policy)
	})
}

func (c *codec) settings(s *iam.Settings) {
	c.record(11, func() {
		number(c, &s.PolicySize)
		number(c, &s.KeysPerUser)
		number(c, &s.ServiceAccounts)
		number(c, &s.AttachedPolicies)
		number(c, &s.GroupsPerUser)
		number(c, &s.MaxStaleness)
		c.flag(&s.NoSelfAssume)
		number(c, &s.KeyMaxAge)
		number(c, &s.MinSession)
		number(c, &s.MaxSession)
		list(c, &s.GuardRails, func(level *[]string) { texts(c, level) })
	})
}

func (c *codec) store(s *iam.Store) {
	// The keys of the gossip came with level 3: a store below has none to write.
	fields := 6
	if c.writing && (c.public || s.Gossip == iam.Gossip{}) {
		fields = 5
	}
	c.record(fields, func() {
		text(c, &s.ClusterID)
		common(c, &s.Account)
		c.time(&s.Created)
		number(c, &s.Epoch)
		text(c, &s.Alias)
		if fields == 6 {
			c.gossip(&s.Gossip)
		}
	})
}

func (c *codec) gossip(g *iam.Gossip) {
	c.record(3, func() {
		number(c, &g.Oldest)
		number(c, &g.Newest)
		number(c, &g.Current)
	})
}

func (c *codec) provider(p *iam.Provider) {
	c.record(6, func() {
		common(c, &p.Account)
		text(c, &p.URL)
		c.time(&p.Created)
		texts(c, &p.ClientIDs)
		texts(c, &p.Thumbprints)
		c.tags(&p.Tags)
	})
}

func (c *codec) enrolment(e *iam.Enrolment) {
	c.record(9, func() {
		text(c, &e.ID)
		number(c, &e.Kind)
		text(c, &e.Name)
		c.bytes(&e.Hash)
		c.time(&e.Created)
		c.time(&e.Expires)
		common(c, &e.By)
		c.time(&e.Used)
		c.bytes(&e.Key)
	})
}

func (c *codec) authority(a *iam.Authority) {
	c.record(4, func() {
		text(c, &a.Fingerprint)
		text(c, &a.Certificate)
		c.secret(&a.Key)
		c.time(&a.Signing)
	})
}

func (c *codec) level(l *iam.Level) {
	c.record(1, func() { number(c, &l.Number) })
}

func (c *codec) deletion(d *iam.Deletion) {
	c.record(3, func() {
		number(c, &d.Table)
		common(c, &d.Account)
		text(c, &d.Name)
	})
}

// tableDeletion marks a change that removes instead of writing. Changes are
// written as [table, record], removals as [0, deletion].
const tableDeletion iam.Table = 0

func (c *codec) change(ch *iam.Change) {
	c.record(2, func() {
		table, _, _ := state.KeyOf(*ch)
		if ch.Delete != nil {
			table = tableDeletion
		}
		number(c, &table)
		c.changed(table, ch)
	})
}

// changed is the record of a change to a table. Readers set the one pointer that
// the table calls for.
func (c *codec) changed(table iam.Table, ch *iam.Change) {
	switch table {
	case tableDeletion:
		whole(c, &ch.Delete, c.deletion)
	case iam.TableUsers:
		whole(c, &ch.User, c.user)
	case iam.TableGroups:
		whole(c, &ch.Group, c.group)
	case iam.TableRoles:
		whole(c, &ch.Role, c.role)
	case iam.TablePolicies:
		whole(c, &ch.Policy, c.policy)
	case iam.TableAccessKeys:
		whole(c, &ch.AccessKey, c.accessKey)
	case iam.TableServiceAccounts:
		whole(c, &ch.ServiceAccount, c.serviceAccount)
	case iam.TableSessions:
		whole(c, &ch.Session, c.session)
	case iam.TableBuckets:
		whole(c, &ch.Bucket, c.bucket)
	case iam.TableSettings:
		whole(c, &ch.Settings, c.settings)
	case iam.TableStore:
		whole(c, &ch.Store, c.store)
	case iam.TableProviders:
		whole(c, &ch.Provider, c.provider)
	case iam.TableEnrolments:
		whole(c, &ch.Enrolment, c.enrolment)
	case iam.TableAuthorities:
		whole(c, &ch.Authority, c.authority)
	case iam.TableLevels:
		whole(c, &ch.Level, c.level)
	default:
		c.fail("table %d is not known", table)
	}
}

// whole is a record that is always there.
func whole[T any](c *codec, p **T, body func(*T)) {
	if !c.writing {
		if c.left == 0 {
			c.fail("record is missing")
			return
		}
		*p = new(T)
	}
	body(*p)
}

func (c *codec) sum(s *state.Sum) {
	c.record(2, func() {
		number(c, &s[0])
		number(c, &s[1])
	})
}
