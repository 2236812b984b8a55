package authz

import (
	"strings"

	"github.com/doorward/doorward/authz/policy"
)

// Facts is a set of condition key families whose values the asker does not know
// yet, because only the S3 server can look them up.
type Facts uint16

// The families that can be left open.
const (
	// ExistingObjectTags is s3:ExistingObjectTag/*.
	ExistingObjectTags Facts = 1 << iota
	// BucketTags is s3:BucketTag/* and aws:ResourceTag/*.
	BucketTags
	// RequestObjectTags is s3:RequestObjectTag/* and s3:RequestObjectTagKeys, when
	// the tags are in a body that was not read.
	RequestObjectTags
	// RequestTags is aws:RequestTag/* and aws:TagKeys.
	RequestTags
	// ObjectLock is s3:object-lock-*, when they are in a body that was not read.
	ObjectLock
	// LocationConstraint is s3:locationconstraint.
	LocationConstraint
	// Encryption is s3:x-amz-server-side-encryption*, when it is in a body that was
	// not read.
	Encryption
	// InventoryFields is s3:InventoryAccessibleOptionalFields.
	InventoryFields
	// ReplicationPause is s3:isReplicationPauseRequest.
	ReplicationPause
	factsEnd
)

// AllFacts is every family.
const AllFacts = factsEnd - 1

var factNames = [...]string{
	"s3:ExistingObjectTag/*", "s3:BucketTag/*", "s3:RequestObjectTag/*", "aws:RequestTag/*", "s3:object-lock-*", "s3:locationconstraint",
	"s3:x-amz-server-side-encryption*", "s3:InventoryAccessibleOptionalFields", "s3:isReplicationPauseRequest",
}

// Keys lists the families as patterns of condition keys, in a fixed order.
func (f Facts) Keys() []string {
	var keys []string
	for i, name := range factNames {
		if f&(1<<i) != 0 {
			keys = append(keys, name)
		}
	}
	return keys
}

// String returns the families separated by commas.
func (f Facts) String() string { return strings.Join(f.Keys(), ",") }

var tagFacts = [policy.TagFamilies]Facts{
	policy.RequestTag:          RequestTags,
	policy.ResourceTag:         BucketTags,
	policy.S3BucketTag:         BucketTags,
	policy.S3ExistingObjectTag: ExistingObjectTags,
	policy.S3RequestObjectTag:  RequestObjectTags,
}

var keyFacts = [policy.Keys]Facts{
	policy.TagKeys:                             RequestTags,
	policy.S3RequestObjectTagKeys:              RequestObjectTags,
	policy.S3LocationConstraint:                LocationConstraint,
	policy.S3ServerSideEncryption:              Encryption,
	policy.S3ServerSideEncryptionKMSKeyID:      Encryption,
	policy.S3InventoryAccessibleOptionalFields: InventoryFields,
	policy.S3IsReplicationPauseRequest:         ReplicationPause,
	policy.S3ObjectLockMode:                    ObjectLock,
	policy.S3ObjectLockRetainUntilDate:         ObjectLock,
	policy.S3ObjectLockRemainingRetentionDays:  ObjectLock,
	policy.S3ObjectLockLegalHold:               ObjectLock,
	policy.S3ObjectLockEventHold:               ObjectLock,
	policy.S3ObjectLockEventHoldDurationDays:   ObjectLock,
}

// Tag is the name and value of a tag.
type Tag struct{ Name, Value string }

// Context holds the condition keys of one request. With its source, if it has one,
// it is complete: an evaluator adds nothing of its own, so a key that neither has
// is missing. The zero Context is empty and ready; Reset makes it so again, and a
// Context that is reused allocates nothing. It serves one decision at a time.
type Context struct {
	present        keySet
	multi, spelled keySet // of present: those whose values are in lists
	one            [policy.Keys]string
	lists          [policy.Keys][]string
	tags           [policy.TagFamilies][]Tag
	other          []otherKey
	unresolved     Facts
	source         Source
	scratch        scratch
}

// Source knows condition keys that a Context does not hold. It is asked when a
// decision comes to a key, so that a key no statement asks for costs nothing, and
// has to answer alike however often that is.
type Source interface {
	// Supply sets the key in c if the request has a value for it.
	Supply(c *Context, k policy.Key)
	// Tags returns all tags of a family but those that c holds.
	Tags(f policy.TagFamily) []Tag
}

// otherKey is a key outside of the table, such as one of another service.
type otherKey struct {
	name   string
	values []string
	multi  bool
}

type keySet [(policy.Keys + 63) / 64]uint64

func (s *keySet) add(k policy.Key)      { s[k/64] |= 1 << (k % 64) }
func (s *keySet) remove(k policy.Key)   { s[k/64] &^= 1 << (k % 64) }
func (s *keySet) has(k policy.Key) bool { return s[k/64]&(1<<(k%64)) != 0 }

// Reset empties the context and keeps its memory.
func (c *Context) Reset() {
	c.present, c.multi, c.spelled, c.unresolved, c.source = keySet{}, keySet{}, keySet{}, 0, nil
	c.tags = [policy.TagFamilies][]Tag{}
	c.other = c.other[:0]
}

// From names who is asked for what the context does not hold, until the next Reset.
func (c *Context) From(source Source) { c.source = source }

// Set gives a key its single value. An empty value is a value.
func (c *Context) Set(k policy.Key, value string) {
	c.one[k] = value
	c.present.add(k)
	c.multi.remove(k)
	c.spelled.remove(k)
}

// SetList makes a key multivalued. The list may be empty and is not copied.
func (c *Context) SetList(k policy.Key, values []string) {
	c.lists[k] = values
	c.present.add(k)
	c.multi.add(k)
	c.spelled.remove(k)
}

// SetSpellings gives a key its single value where policies write that value in
// several ways, such as a copy source with and without a slash in front. An
// operator holds if it holds for one spelling, and its negation if it holds for
// none, so that no choice of spelling slips past a Deny. A variable stands for the
// first. The slice is not empty and is not copied.
func (c *Context) SetSpellings(k policy.Key, spellings []string) {
	c.lists[k] = spellings
	c.present.add(k)
	c.multi.remove(k)
	c.spelled.add(k)
}

// SetTags gives all tags of a family. The slice is not copied.
func (c *Context) SetTags(f policy.TagFamily, tags []Tag) { c.tags[f] = tags }

// SetStated is SetNamed for what somebody says that a request has: a copy source is
// set with and without a slash in front, however it was said, as S3 requests have it.
func (c *Context) SetStated(name, value string) {
	if k, ok := policy.KeyOf(name); ok && k == policy.S3CopySource {
		plain := strings.TrimPrefix(value, "/")
		c.SetSpellings(k, []string{plain, "/" + plain})
		return
	}
	c.SetNamed(name, value)
}

// SetNamed gives a key its single value by name, whatever kind of key it is.
// Unlike the other setters it may allocate.
func (c *Context) SetNamed(name, value string) {
	if k, ok := policy.KeyOf(name); ok {
		c.Set(k, value)
		return
	}
	if f, tag, ok := policy.TagOf(name); ok {
		c.setTag(f, tag, value)
		return
	}
	c.setOther(otherKey{name: name, values: []string{value}})
}

// SetNamedList makes a key multivalued by name. Tags have one value; the list of
// a tag key is kept under its full name.
func (c *Context) SetNamedList(name string, values []string) {
	if k, ok := policy.KeyOf(name); ok {
		c.SetList(k, values)
		return
	}
	c.setOther(otherKey{name: name, values: values, multi: true})
}

func (c *Context) setTag(f policy.TagFamily, tag, value string) {
	for i := range c.tags[f] {
		if sameTag(f, c.tags[f][i].Name, tag) {
			c.tags[f][i].Value = value
			return
		}
	}
	c.tags[f] = append(c.tags[f], Tag{tag, value})
}

func (c *Context) setOther(o otherKey) {
	for i := range c.other {
		if strings.EqualFold(c.other[i].name, o.name) {
			c.other[i] = o
			return
		}
	}
	c.other = append(c.other, o)
}

func sameTag(f policy.TagFamily, a, b string) bool {
	if f.FoldsCase() {
		return strings.EqualFold(a, b)
	}
	return a == b
}

// Leave marks families as unresolved: a key of theirs that is not set is not
// missing but unknown, and a decision that turns on it is NEED.
func (c *Context) Leave(open Facts) { c.unresolved |= open }

// Unresolved returns the families that were left open.
func (c *Context) Unresolved() Facts { return c.unresolved }

// Lookup finds a key by name. Of an absent key it says which unresolved family
// it belongs to, zero if it is simply missing.
func (c *Context) Lookup(name string) (v Value, open Facts) {
	if c == nil {
		return Value{}, 0
	}
	k := refer(name)
	one, list, kind, open := c.find(&k)
	switch kind {
	case singleValue:
		return Value{Present: true, Values: []string{one}}, 0
	case listValue:
		return Value{Present: true, Multi: true, Values: list}, 0
	case spelledValue:
		return Value{Present: true, Spelled: true, Values: list}, 0
	}
	return Value{}, open
}

// Value is what a context holds for a key.
type Value struct {
	Present bool
	// Multi is true for a multivalued key, which may have any number of values.
	Multi bool
	// Spelled is true if Values are spellings of one value; see SetSpellings.
	Spelled bool
	Values  []string
}

// keyRef is the name of a condition key, resolved once.
type keyRef struct {
	name   string // in full
	tag    string // of a tag, the part behind the slash
	place  place
	key    policy.Key
	family policy.TagFamily
}

// place is where a Context keeps a key.
type place uint8

const (
	inTable place = iota
	inTags
	elsewhere
)

func refer(name string) keyRef {
	if k, ok := policy.KeyOf(name); ok {
		return keyRef{name: name, place: inTable, key: k}
	}
	if f, tag, ok := policy.TagOf(name); ok {
		return keyRef{name: name, place: inTags, family: f, tag: tag}
	}
	return keyRef{name: name, place: elsewhere}
}

// valueKind says what a Context holds for a key.
type valueKind uint8

const (
	noValue valueKind = iota
	singleValue
	listValue
	spelledValue
)

// find looks a key up without allocating. If there is no value, open is the
// unresolved family that the key belongs to, zero if it is missing.
func (c *Context) find(k *keyRef) (one string, list []string, kind valueKind, open Facts) {
	switch k.place {
	case inTable:
		if c.source != nil && !c.present.has(k.key) {
			c.source.Supply(c, k.key)
		}
		switch {
		case !c.present.has(k.key):
			return "", nil, noValue, keyFacts[k.key] & c.unresolved
		case c.multi.has(k.key):
			return "", c.lists[k.key], listValue, 0
		case c.spelled.has(k.key):
			return c.lists[k.key][0], c.lists[k.key], spelledValue, 0
		}
		return c.one[k.key], nil, singleValue, 0
	case inTags:
		if value, ok := findTag(c.tags[k.family], k); ok {
			return value, nil, singleValue, 0
		}
		if c.source != nil {
			if value, ok := findTag(c.source.Tags(k.family), k); ok {
				return value, nil, singleValue, 0
			}
		}
		open = tagFacts[k.family] & c.unresolved
	}
	for i := range c.other {
		if o := &c.other[i]; strings.EqualFold(o.name, k.name) {
			if o.multi {
				return "", o.values, listValue, 0
			}
			return o.values[0], nil, singleValue, 0
		}
	}
	return "", nil, noValue, open
}

func findTag(tags []Tag, k *keyRef) (value string, ok bool) {
	for i := range tags {
		if sameTag(k.family, tags[i].Name, k.tag) {
			return tags[i].Value, true
		}
	}
	return "", false
}

// single is find for a policy variable, which takes keys with a single value
// only.
func (c *Context) single(k *keyRef) (value string, ok bool, open Facts) {
	one, _, kind, open := c.find(k)
	return one, kind == singleValue || kind == spelledValue, open
}
