package state

import "github.com/doorward/doorward/iam"

// This file reads what canonical.go writes, for the tables that narrow views pack. It is
// only given what this package has written, so that what is wrong with bytes is noted and
// not described.

// reader is a record being read. Its texts share one string.
type reader struct {
	left string
	bad  bool // the record ended before its fields did, or holds what cannot be
}

func (r *reader) number() (n uint64) {
	for i, shift := 0, 0; i < len(r.left) && shift < 64; i, shift = i+1, shift+7 {
		b := r.left[i]
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			r.left = r.left[i+1:]
			return n
		}
	}
	r.left, r.bad = "", true
	return 0
}

func (r *reader) text() string {
	n := r.number()
	if n > uint64(len(r.left)) {
		r.left, r.bad = "", true
		return ""
	}
	s := r.left[:n]
	r.left = r.left[n:]
	return s
}

func (r *reader) flag() bool { return r.number() != 0 }

func (r *reader) time() iam.Time {
	n := r.number()
	return iam.Time(n>>1) ^ -iam.Time(n&1) // as binary.AppendVarint writes it
}

func (r *reader) ref() iam.Ref {
	return iam.Ref{Account: iam.AccountID(r.text()), Kind: iam.Kind(r.number()), Name: r.text()}
}

// listOf reads a list, which is nil if it is empty.
func listOf[T any](r *reader, item func() T) (list []T) {
	n := r.number()
	if n > uint64(len(r.left)) { // an item has at least one byte
		r.left, r.bad = "", true
		return nil
	}
	if n > 0 {
		list = make([]T, n)
	}
	for i := range list {
		list[i] = item()
	}
	return list
}

func textsOf[S ~string](r *reader) []S { return listOf(r, func() S { return S(r.text()) }) }

func (r *reader) tags() []iam.Tag {
	return listOf(r, func() iam.Tag { return iam.Tag{Key: r.text(), Value: r.text()} })
}

func (r *reader) inline() []iam.InlinePolicy {
	return listOf(r, func() iam.InlinePolicy { return iam.InlinePolicy{Name: r.text(), Document: r.text()} })
}

func (r *reader) posix() *iam.POSIX {
	if !r.flag() {
		return nil
	}
	return &iam.POSIX{UID: uint32(r.number()), GID: uint32(r.number())}
}

func readUser(r *reader) *iam.User {
	return &iam.User{
		Account: iam.AccountID(r.text()), Name: r.text(), Path: r.text(), ID: iam.UniqueID(r.text()),
		Created: r.time(), Status: iam.Status(r.number()), Tags: r.tags(), POSIX: r.posix(),
		Groups: textsOf[string](r), Attached: textsOf[iam.ARN](r), Inline: r.inline(), Boundary: iam.ARN(r.text()),
	}
}

func readAccessKey(r *reader) *iam.AccessKey {
	return &iam.AccessKey{
		ID: iam.AccessKeyID(r.text()), Owner: r.ref(), Status: iam.Status(r.number()),
		Created: r.time(), Expires: r.time(), LastUsed: r.time(), Password: r.flag(),
	}
}

func readServiceAccount(r *reader) *iam.ServiceAccount {
	return &iam.ServiceAccount{
		Account: iam.AccountID(r.text()), Parent: r.text(), Key: iam.AccessKeyID(r.text()), Description: r.text(),
		Policy: r.text(), Status: iam.Status(r.number()), Created: r.time(), Expires: r.time(),
	}
}

func readSession(r *reader) *iam.Session {
	return &iam.Session{
		Key: iam.AccessKeyID(r.text()), Kind: iam.SessionKind(r.number()), Parent: r.ref(), ParentID: iam.UniqueID(r.text()),
		Name: r.text(), Policies: textsOf[string](r), PolicyARNs: textsOf[iam.ARN](r), Tags: r.tags(),
		TransitiveTags: textsOf[string](r), SourceIdentity: r.text(), Chained: r.flag(),
		Issuer: iam.AccessKeyID(r.text()), Issued: r.time(), Expires: r.time(),
	}
}
