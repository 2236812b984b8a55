package sidecar

import (
	"math/bits"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/authz/s3"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar/protocol"
)

// s3Keys are the mapping's names for condition keys, zero for a key that no request
// gives rise to.
var s3Keys = func() (table [policy.Keys]s3.Key) {
	for k := s3.Key(1); int(k) < s3.NumKeys; k++ {
		if key, ok := policy.KeyOf(k.Name()); ok {
			table[key] = k
		}
	}
	return table
}()

// tagFamilies are those that a request can carry, by the mapping's names for them.
var tagFamilies = [policy.TagFamilies]s3.Key{
	policy.S3RequestObjectTag:  s3.KeyRequestObjectTag,
	policy.S3ExistingObjectTag: s3.KeyExistingObjectTag,
	policy.RequestTag:          s3.KeyRequestTag,
}

// unknowns are the facts that stand for a key of the mapping whose value only the S3
// server or a body has.
var unknowns = [s3.NumKeys]authz.Facts{
	s3.KeyExistingObjectTag:    authz.ExistingObjectTags,
	s3.KeyBucketTag:            authz.BucketTags,
	s3.KeyResourceTag:          authz.BucketTags,
	s3.KeyRequestObjectTag:     authz.RequestObjectTags,
	s3.KeyRequestObjectTagKeys: authz.RequestObjectTags,
	s3.KeyRequestTag:           authz.RequestTags,
	s3.KeyTagKeys:              authz.RequestTags,
	s3.KeyLockMode:             authz.ObjectLock,
	s3.KeyLockRetainUntil:      authz.ObjectLock,
	s3.KeyLockRemainingDays:    authz.ObjectLock,
	s3.KeyLockLegalHold:        authz.ObjectLock,
	s3.KeyLockEventHold:        authz.ObjectLock,
	s3.KeyLockEventHoldDays:    authz.ObjectLock,
	s3.KeyLocationConstraint:   authz.LocationConstraint,
	s3.KeySSE:                  authz.Encryption,
	s3.KeySSEKMSKeyID:          authz.Encryption,
	s3.KeyInventoryFields:      authz.InventoryFields,
	s3.KeyReplicationPause:     authz.ReplicationPause,
}

// describe begins the context of one need: what is open, and what the S3 server
// states. The rest is supplied when the decision comes to it.
func (i *inquiry) describe(n *s3.Need, owner iam.AccountID) {
	i.describeCaller(owner)
	i.need = n
	i.describeFacts(&i.context, i.request.Facts)
	open := authz.Facts(0)
	for rest := n.Unknown; rest != 0; rest &= rest - 1 {
		open |= unknowns[bits.TrailingZeros64(uint64(rest))]
	}
	if open != 0 {
		i.context.Leave(open &^ families(i.request.Facts))
	}
}

// describeCaller begins a context of which what does not depend on a need is
// supplied.
func (i *inquiry) describeCaller(owner iam.AccountID) {
	i.need, i.owner = nil, owner
	i.context.Reset()
	i.context.From(i)
}

// describeFacts sets what the S3 server states.
func (i *inquiry) describeFacts(ctx *authz.Context, facts []protocol.Pair) {
	for _, f := range facts {
		if factual(f.Name) && wholeFamily(f.Name) == 0 {
			ctx.SetStated(f.Name, f.Value)
		}
	}
}

// Supply implements [authz.Source].
func (i *inquiry) Supply(ctx *authz.Context, k policy.Key) {
	switch k {
	case policy.CurrentTime, policy.EpochTime:
		i.authorizer.instants.at(i.began).describe(ctx)
	case policy.ViaAWSService:
		ctx.Set(k, "false")
	case policy.RequestedRegion:
		if region := i.claim.Scope().Region; region != "" {
			ctx.Set(k, region)
		}
	case policy.ResourceAccount, policy.S3ResourceAccount:
		if i.owner != "" {
			ctx.Set(k, string(i.owner))
		}
	default:
		if s3Keys[k] != 0 {
			i.supply(ctx, k)
		} else {
			i.who.describe(ctx)
		}
	}
}

// supply sets a key that the request itself gives rise to.
func (i *inquiry) supply(ctx *authz.Context, k policy.Key) {
	r, n, of := &i.result, i.need, s3Keys[k]
	if n == nil || !r.Keys(n).Has(of) {
		return
	}
	switch of {
	case s3.KeySignatureAge:
		i.age = strconv.AppendInt(i.age[:0], r.SignatureAge, 10)
		ctx.Set(k, borrow(i.age))
		return
	case s3.KeySourceIP:
		i.ip = r.SourceIP.AppendTo(i.ip[:0])
		ctx.Set(k, borrow(i.ip))
		return
	}
	switch v := r.Lookup(n, of, ""); v.Presence {
	case s3.Single:
		ctx.Set(k, v.Text)
	case s3.Spellings:
		ctx.SetSpellings(k, v.List)
	case s3.Many:
		ctx.SetList(k, v.List)
	}
}

// Tags implements [authz.Source].
func (i *inquiry) Tags(f policy.TagFamily) []authz.Tag {
	switch {
	case f == policy.PrincipalTag && i.who != nil:
		return i.who.identity.Tags()
	case i.need == nil || tagFamilies[f] == 0:
		return nil
	}
	i.tags = i.tags[:0]
	for _, t := range i.result.Tags(i.need, tagFamilies[f]) {
		i.tags = append(i.tags, authz.Tag(t))
	}
	return i.tags
}

// borrow returns the bytes as a string for as long as they are not written again.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// view8 returns the bytes of a string, to be read only.
func view8(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// instant is a second of the clock, written out for conditions.
type instant struct {
	second     int64
	iso, epoch string
}

func (i *instant) describe(ctx *authz.Context) {
	ctx.Set(policy.CurrentTime, i.iso)
	ctx.Set(policy.EpochTime, i.epoch)
}

// instants keeps the present second, so that it is written out once.
type instants struct{ current atomic.Pointer[instant] }

func (i *instants) at(now time.Time) *instant {
	second := now.Unix()
	if at := i.current.Load(); at != nil && at.second == second {
		return at
	}
	at := &instant{second: second, iso: iam.At(now.Truncate(time.Second)).ISO(), epoch: strconv.FormatInt(second, 10)}
	i.current.Store(at)
	return at
}
