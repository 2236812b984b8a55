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

// s3Keys translates the mapping's condition keys.
var s3Keys = func() (table [s3.NumKeys]policy.Key) {
	for k := range table {
		table[k] = policy.Keys
		if key, ok := policy.KeyOf(s3.Key(k).Name()); ok {
			table[k] = key
		}
	}
	return table
}()

// tagFamilies are the condition keys that are one key for each tag.
var tagFamilies = [...]struct {
	key    s3.Key
	family policy.TagFamily
	facts  authz.Facts
}{
	{s3.KeyRequestObjectTag, policy.S3RequestObjectTag, authz.RequestObjectTags},
	{s3.KeyExistingObjectTag, policy.S3ExistingObjectTag, authz.ExistingObjectTags},
	{s3.KeyRequestTag, policy.RequestTag, authz.RequestTags},
}

// unknowns are the keys of the mapping whose values only the S3 server or a body
// has, and the facts that stand for them.
var unknowns = [...]struct {
	keys  []s3.Key
	facts authz.Facts
}{
	{[]s3.Key{s3.KeyExistingObjectTag}, authz.ExistingObjectTags},
	{[]s3.Key{s3.KeyBucketTag, s3.KeyResourceTag}, authz.BucketTags},
	{[]s3.Key{s3.KeyRequestObjectTag, s3.KeyRequestObjectTagKeys}, authz.RequestObjectTags},
	{[]s3.Key{s3.KeyRequestTag, s3.KeyTagKeys}, authz.RequestTags},
	{[]s3.Key{s3.KeyLockMode, s3.KeyLockRetainUntil, s3.KeyLockRemainingDays, s3.KeyLockLegalHold, s3.KeyLockEventHold, s3.KeyLockEventHoldDays}, authz.ObjectLock},
	{[]s3.Key{s3.KeyLocationConstraint}, authz.LocationConstraint},
	{[]s3.Key{s3.KeySSE, s3.KeySSEKMSKeyID}, authz.Encryption},
	{[]s3.Key{s3.KeyInventoryFields}, authz.InventoryFields},
	{[]s3.Key{s3.KeyReplicationPause}, authz.ReplicationPause},
}

// describe makes the context of one need complete.
func (i *inquiry) describe(n *s3.Need, owner iam.AccountID) {
	ctx := &i.context
	i.describeCaller(owner)
	i.describeRequest(ctx, n)
	i.describeFacts(ctx, i.request.Facts)
	if n.Unknown == 0 {
		return
	}
	stated := families(i.request.Facts)
	for _, u := range unknowns {
		for _, k := range u.keys {
			if n.Unknown.Has(k) {
				ctx.Leave(u.facts &^ stated)
			}
		}
	}
}

// describeCaller begins the context with what does not depend on the need.
func (i *inquiry) describeCaller(owner iam.AccountID) {
	ctx := &i.context
	ctx.Reset()
	i.authorizer.instants.at(i.began).describe(ctx)
	i.who.describe(ctx)
	ctx.Set(policy.ViaAWSService, "false")
	if region := i.claim.Scope().Region; region != "" {
		ctx.Set(policy.RequestedRegion, region)
	}
	if owner != "" {
		ctx.Set(policy.ResourceAccount, string(owner))
		ctx.Set(policy.S3ResourceAccount, string(owner))
	}
}

// describeFacts sets what the S3 server states.
func (i *inquiry) describeFacts(ctx *authz.Context, facts []protocol.Pair) {
	for _, f := range facts {
		if factual(f.Name) && wholeFamily(f.Name) == 0 {
			ctx.SetStated(f.Name, f.Value)
		}
	}
}

// describeRequest sets the keys that the request itself gives rise to.
func (i *inquiry) describeRequest(ctx *authz.Context, n *s3.Need) {
	have := i.result.Keys(n)
	for rest := have; rest != 0; rest &= rest - 1 {
		k := s3.Key(bits.TrailingZeros64(uint64(rest)))
		if s3Keys[k] == policy.Keys {
			continue
		}
		switch k {
		case s3.KeySignatureAge:
			i.age = strconv.AppendInt(i.age[:0], i.result.SignatureAge, 10)
			ctx.Set(s3Keys[k], borrow(i.age))
			continue
		case s3.KeySourceIP:
			i.ip = i.result.SourceIP.AppendTo(i.ip[:0])
			ctx.Set(s3Keys[k], borrow(i.ip))
			continue
		}
		switch v := i.result.Lookup(n, k, ""); v.Presence {
		case s3.Single:
			ctx.Set(s3Keys[k], v.Text)
		case s3.Spellings:
			ctx.SetSpellings(s3Keys[k], v.List)
		case s3.Many:
			ctx.SetList(s3Keys[k], v.List)
		}
	}
	for at, f := range tagFamilies {
		if !have.Has(f.key) {
			continue
		}
		i.tags[at] = i.tags[at][:0]
		for _, t := range i.result.Tags(n, f.key) {
			i.tags[at] = append(i.tags[at], authz.Tag{Name: t.Name, Value: t.Value})
		}
		ctx.SetTags(f.family, i.tags[at])
	}
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
