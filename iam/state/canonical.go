package state

import (
	"encoding/binary"

	"github.com/doorward/doorward/iam"
)

// This file writes records in the one form that is hashed. Every field takes part,
// in the order of its declaration, every list preceded by its length; sealed
// secrets are left to [View.SecretSum]. A test compares the number of fields with
// those of the types, so that a new field cannot be forgotten here.

// canonical is a record being written.
type canonical []byte

func (c canonical) number(n uint64) canonical { return binary.AppendUvarint(c, n) }

func (c canonical) text(s string) canonical { return append(c.number(uint64(len(s))), s...) }

func (c canonical) flag(b bool) canonical {
	if b {
		return append(c, 1)
	}
	return append(c, 0)
}

func (c canonical) time(t iam.Time) canonical { return binary.AppendVarint(c, int64(t)) }

func (c canonical) ref(r iam.Ref) canonical {
	return c.text(string(r.Account)).number(uint64(r.Kind)).text(r.Name)
}

func (c canonical) tags(tags []iam.Tag) canonical {
	c = c.number(uint64(len(tags)))
	for _, t := range tags {
		c = c.text(t.Key).text(t.Value)
	}
	return c
}

func (c canonical) posix(p *iam.POSIX) canonical {
	if p == nil {
		return c.flag(false)
	}
	return c.flag(true).number(uint64(p.UID)).number(uint64(p.GID))
}

func (c canonical) inline(policies []iam.InlinePolicy) canonical {
	c = c.number(uint64(len(policies)))
	for _, p := range policies {
		c = c.text(p.Name).text(p.Document)
	}
	return c
}

func texts[S ~string](c canonical, list []S) canonical {
	c = c.number(uint64(len(list)))
	for _, s := range list {
		c = c.text(string(s))
	}
	return c
}

// appendKey writes what identifies a record: equal for records that replace one
// another.
func appendKey(b []byte, table iam.Table, account iam.AccountID, name string) []byte {
	return canonical(append(b, byte(table))).text(string(account)).text(name)
}

var (
	userForm           = &form[iam.User]{iam.TableUsers, writeUser, readUser}
	groupForm          = &form[iam.Group]{iam.TableGroups, writeGroup, nil}
	roleForm           = &form[iam.Role]{iam.TableRoles, writeRole, nil}
	policyForm         = &form[iam.Policy]{iam.TablePolicies, writePolicy, nil}
	accessKeyForm      = &form[iam.AccessKey]{iam.TableAccessKeys, writeAccessKey, readAccessKey}
	serviceAccountForm = &form[iam.ServiceAccount]{iam.TableServiceAccounts, writeServiceAccount, readServiceAccount}
	sessionForm        = &form[iam.Session]{iam.TableSessions, writeSession, readSession}
	bucketForm         = &form[iam.Bucket]{iam.TableBuckets, writeBucket, nil}
	settingsForm       = &form[iam.Settings]{iam.TableSettings, writeSettings, nil}
	storeForm          = &form[iam.Store]{iam.TableStore, writeStore, nil}
	providerForm       = &form[iam.Provider]{iam.TableProviders, writeProvider, nil}
	enrolmentForm      = &form[iam.Enrolment]{iam.TableEnrolments, writeEnrolment, nil}
	authorityForm      = &form[iam.Authority]{iam.TableAuthorities, writeAuthority, nil}
	levelForm          = &form[iam.Level]{iam.TableLevels, writeLevel, nil}
)

func writeUser(c canonical, u *iam.User) canonical {
	c = c.text(string(u.Account)).text(u.Name).text(u.Path).text(string(u.ID))
	c = c.time(u.Created).number(uint64(u.Status)).tags(u.Tags).posix(u.POSIX)
	c = texts(texts(c, u.Groups), u.Attached)
	return c.inline(u.Inline).text(string(u.Boundary))
}

func writeGroup(c canonical, g *iam.Group) canonical {
	c = c.text(string(g.Account)).text(g.Name).text(g.Path).text(string(g.ID))
	return texts(c.time(g.Created), g.Attached).inline(g.Inline)
}

func writeRole(c canonical, r *iam.Role) canonical {
	c = c.text(string(r.Account)).text(r.Name).text(r.Path).text(string(r.ID))
	c = c.time(r.Created).text(r.Description).text(r.Trust).number(uint64(r.MaxSession))
	c = texts(c.tags(r.Tags), r.Attached)
	return c.inline(r.Inline).text(string(r.Boundary)).posix(r.POSIX)
}

func writePolicy(c canonical, p *iam.Policy) canonical {
	c = c.text(string(p.Account)).text(p.Name).text(p.Path).text(string(p.ID))
	c = c.text(p.Description).time(p.Created).time(p.Updated).number(uint64(len(p.Versions)))
	for _, v := range p.Versions {
		c = c.number(uint64(v.Number)).text(v.Document).time(v.Created)
	}
	return c.number(uint64(p.Default)).number(uint64(p.Next)).tags(p.Tags).flag(p.Builtin)
}

func writeAccessKey(c canonical, k *iam.AccessKey) canonical {
	c = c.text(string(k.ID)).ref(k.Owner).number(uint64(k.Status))
	return c.time(k.Created).time(k.Expires).time(k.LastUsed).flag(k.Password)
}

func writeServiceAccount(c canonical, s *iam.ServiceAccount) canonical {
	c = c.text(string(s.Account)).text(s.Parent).text(string(s.Key)).text(s.Description)
	return c.text(s.Policy).number(uint64(s.Status)).time(s.Created).time(s.Expires)
}

func writeSession(c canonical, s *iam.Session) canonical {
	c = c.text(string(s.Key)).number(uint64(s.Kind)).ref(s.Parent).text(string(s.ParentID)).text(s.Name)
	c = texts(texts(c, s.Policies), s.PolicyARNs).tags(s.Tags)
	c = texts(c, s.TransitiveTags).text(s.SourceIdentity).flag(s.Chained)
	return c.text(string(s.Issuer)).time(s.Issued).time(s.Expires)
}

func writeBucket(c canonical, b *iam.Bucket) canonical {
	return c.text(b.Name).text(string(b.Account)).text(b.Policy)
}

func writeSettings(c canonical, s *iam.Settings) canonical {
	for _, n := range [...]uint32{s.PolicySize, s.KeysPerUser, s.ServiceAccounts, s.AttachedPolicies, s.GroupsPerUser, s.MaxStaleness} {
		c = c.number(uint64(n))
	}
	c = c.flag(s.NoSelfAssume)
	for _, n := range [...]uint32{s.KeyMaxAge, s.MinSession, s.MaxSession} {
		c = c.number(uint64(n))
	}
	c = c.number(uint64(len(s.GuardRails)))
	for _, level := range s.GuardRails {
		c = texts(c, level)
	}
	return c
}

func writeStore(c canonical, s *iam.Store) canonical {
	c = c.text(s.ClusterID).text(string(s.Account)).time(s.Created).number(s.Epoch)
	if s.Alias != "" { // a later field: stores without it keep the sums they had
		c = c.text(s.Alias)
	}
	return c
}

func writeProvider(c canonical, p *iam.Provider) canonical {
	c = c.text(string(p.Account)).text(p.URL).time(p.Created)
	return texts(texts(c, p.ClientIDs), p.Thumbprints).tags(p.Tags)
}

func writeEnrolment(c canonical, e *iam.Enrolment) canonical {
	c = c.text(e.ID).number(uint64(e.Kind)).text(e.Name).text(string(e.Hash))
	return c.time(e.Created).time(e.Expires).text(string(e.By)).time(e.Used).text(string(e.Key))
}

func writeAuthority(c canonical, a *iam.Authority) canonical {
	return c.text(a.Fingerprint).text(a.Certificate).time(a.Signing)
}

func writeLevel(c canonical, l *iam.Level) canonical { return c.number(uint64(l.Number)) }
