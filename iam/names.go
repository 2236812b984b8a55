package iam

import (
	"strings"
	"time"
)

// AccountID is a 12-digit account number. Every entity belongs to one account;
// the first account of a store is [FirstAccount].
type AccountID string

// FirstAccount is the account that a store is born with.
const FirstAccount AccountID = "000000000000"

// Valid reports whether a is twelve decimal digits.
func (a AccountID) Valid() bool {
	if len(a) != 12 {
		return false
	}
	for i := 0; i < len(a); i++ {
		if a[i] < '0' || a[i] > '9' {
			return false
		}
	}
	return true
}

// Root returns the ARN of the account's root user.
func (a AccountID) Root() ARN { return ARN("arn:aws:iam::" + string(a) + ":root") }

// ARN is an Amazon Resource Name: arn:partition:service:region:account:resource.
// Comparison is case-sensitive and byte by byte.
type ARN string

// Account returns the fifth segment, empty if the ARN has none.
func (a ARN) Account() AccountID {
	rest := string(a)
	for range 4 {
		_, after, ok := strings.Cut(rest, ":")
		if !ok {
			return ""
		}
		rest = after
	}
	account, _, _ := strings.Cut(rest, ":")
	return AccountID(account)
}

// Resource returns everything after the fifth colon, empty if there are fewer.
func (a ARN) Resource() string {
	rest := string(a)
	for range 5 {
		_, after, ok := strings.Cut(rest, ":")
		if !ok {
			return ""
		}
		rest = after
	}
	return rest
}

// AccessKeyID names a credential, unique in the whole store. Generated ids begin
// with AKIA (long-term) or ASIA (session) and have 20 characters; the
// name-and-password form of a user is a key whose id is the user's name.
type AccessKeyID string

// UniqueID is an identifier that is never used again, prefixed by kind as AWS
// does (AIDA user, AROA role, AGPA group, ANPA managed policy).
type UniqueID string

// Index is a position in the replicated log. Larger is later; zero is before
// the first entry.
type Index uint64

// Time is an instant in milliseconds since the Unix epoch, UTC. Zero means
// unset (never, or no limit).
type Time int64

// At converts t, dropping what is finer than a millisecond.
func At(t time.Time) Time { return Time(t.UnixMilli()) }

// Go returns t as a time.Time in UTC.
func (t Time) Go() time.Time { return time.UnixMilli(int64(t)).UTC() }

// ISO returns t in the form of the AWS Query APIs, e.g. 2024-05-20T10:13:20Z.
func (t Time) ISO() string { return t.Go().Format("2006-01-02T15:04:05Z") }

// Add returns t moved by d, in whole milliseconds.
func (t Time) Add(d time.Duration) Time { return t + Time(d.Milliseconds()) }

// Fold returns the form under which names of users, groups, roles and policies
// compare: ASCII letters in lower case, everything else as it is. Such names are
// unique ignoring case and keep the case they were given (IAM user guide, "IAM
// identifiers"). A name that is folded already is returned unchanged.
func Fold(name string) string {
	for i := 0; i < len(name); i++ {
		if c := name[i]; 'A' <= c && c <= 'Z' {
			return foldFrom(name, i)
		}
	}
	return name
}

func foldFrom(name string, first int) string {
	folded := []byte(name)
	for i := first; i < len(folded); i++ {
		if c := folded[i]; 'A' <= c && c <= 'Z' {
			folded[i] = c + ('a' - 'A')
		}
	}
	return string(folded)
}
