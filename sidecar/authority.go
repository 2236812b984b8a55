package sidecar

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/doorward/doorward/authz"
)

// authority is what a principal may do, compiled from its policies once and used
// for every request. It does not change.
type authority struct {
	all *authz.Authority
	// For S3 servers that keep bucket policies themselves: what a bucket policy may
	// add to, and what cuts even that. limit is nil if nothing does.
	own, limit *authz.Authority
}

// decide answers one question. bucket is the policy of the bucket, nil if there is
// none.
func (a *authority) decide(r *authz.Request, bucket *authz.BucketPolicy) authz.Decision {
	return a.all.Decide(r, bucket)
}

// split answers one question in two halves: what the caller's own policies say,
// and what cuts even what a bucket policy grants, if limited is true.
func (a *authority) split(r *authz.Request) (own, limit authz.Decision, limited bool) {
	own = a.own.Decide(r, nil)
	if a.limit == nil {
		return own, authz.Decision{}, false
	}
	// The limit is asked for by itself, as if it were a user's.
	question := *r
	question.Principal.Type = authz.User
	return own, a.limit.Decide(&question, nil), true
}

// nobody is the authority of an anonymous caller: only a bucket policy speaks.
var nobody = &authority{}

// compiler makes authorities; equal policies give one object.
type compiler struct {
	mu    sync.Mutex
	authz *authz.Compiler
	// buckets are recently used bucket policies, each at the place that its text's
	// hash says.
	buckets [256]atomic.Pointer[bucketPolicy]
}

type bucketPolicy struct {
	document string
	compiled *authz.BucketPolicy
}

func newCompiler() *compiler { return &compiler{authz: authz.NewCompiler()} }

func (c *compiler) authority(p authz.Policies, kind authz.PrincipalType) *authority {
	own, limit, limited := halves(p, kind)
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &authority{all: c.authz.Authority(p), own: c.authz.Authority(own)}
	if limited {
		a.limit = c.authz.Authority(limit)
	}
	return a
}

// halves takes policies apart into those that a bucket policy may add to and those
// that cut even its grant: the session policies, a service account's own policy,
// and the boundary of a role (IAM user guide, "Policy evaluation for requests
// within a single account").
func halves(own authz.Policies, kind authz.PrincipalType) (_, limit authz.Policies, limited bool) {
	if own.Parent != nil {
		limit.Identity, own.Identity, own.Parent = own.Identity, *own.Parent, nil
		limited = true
	}
	if own.Session != nil {
		if limited {
			limit.Session = own.Session
		} else {
			limit.Identity = *own.Session
		}
		own.Session, limited = nil, true
	}
	if own.Boundary != nil && kind == authz.AssumedRole {
		if !limited {
			limit.Identity = authz.PolicySet{{Name: "all", Document: everything}}
		}
		limit.Boundary, limited = own.Boundary, true
	}
	return own, limit, limited
}

const everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// bucket returns a compiled bucket policy. It keeps no reference to document.
func (c *compiler) bucket(document string) *authz.BucketPolicy {
	place := &c.buckets[xxhash.Sum64String(document)%uint64(len(c.buckets))]
	if known := place.Load(); known != nil && known.document == document {
		return known.compiled
	}
	document = strings.Clone(document)
	c.mu.Lock()
	compiled := c.authz.Bucket(authz.Policy{Name: "bucket policy", Document: document})
	c.mu.Unlock()
	place.Store(&bucketPolicy{document, compiled})
	return compiled
}
