package s3

import (
	"time"

	"github.com/doorward/doorward/iam"
)

// extras are the needs that depend on what else a request says: section 4.3 of
// the S3 user guide's permissions page, one line for each cause.
var extras = [...]struct {
	extra   extra
	cause   string
	present func(*Result) bool
	actions []Action
}{
	{objectACL, "`x-amz-acl` or `x-amz-grant-*`", func(r *Result) bool { return r.hasAny(aclFields) }, act{PutObjectAcl}},
	{objectTags, "`x-amz-tagging`, or field `tagging` of a form", func(r *Result) bool { return r.has(fieldTagging) }, act{PutObjectTagging}},
	{objectRetention, "`x-amz-object-lock-mode`, `-retain-until-date` or `-event-hold…`", func(r *Result) bool { return r.hasAny(retentionFields) }, act{PutObjectRetention}},
	{objectLegalHold, "`x-amz-object-lock-legal-hold`", func(r *Result) bool { return r.has(field(KeyLockLegalHold)) }, act{PutObjectLegalHold}},
	{bypassGovernance, "`x-amz-bypass-governance-retention`, unless it is empty or `false`", func(r *Result) bool { return r.on(fieldBypassGovernance) }, act{BypassGovernanceRetention}},
	{bucketACL, "`x-amz-acl` other than `private`, or `x-amz-grant-*`", (*Result).sharesBucket, act{PutBucketAcl}},
	{bucketLock, "`x-amz-bucket-object-lock-enabled`, unless it is empty or `false`", func(r *Result) bool { return r.on(fieldBucketLock) }, act{PutBucketObjectLockConfiguration, PutBucketVersioning}},
	{bucketOwnership, "`x-amz-object-ownership`", func(r *Result) bool { return r.has(field(KeyObjectOwnership)) }, act{PutBucketOwnershipControls}},
}

var (
	grantFields = fields(field(KeyGrantFullControl), field(KeyGrantRead), field(KeyGrantReadACP), field(KeyGrantWrite), field(KeyGrantWriteACP))
	aclFields   = grantFields | fields(field(KeyACL))
	lockFields  = retentionFields | fields(field(KeyLockLegalHold))

	retentionFields = fields(field(KeyLockMode), field(KeyLockRetainUntil), field(KeyLockEventHold), field(KeyLockEventHoldDays))
)

func (r *Result) sharesBucket() bool {
	return r.hasAny(grantFields) || r.has(field(KeyACL)) && r.values[KeyACL] != "private"
}

// addNeeds lists what the operation has to be allowed.
func (r *Result) addNeeds(op *row, req *Request) error {
	if err := r.finishFacts(op, req); err != nil {
		return err
	}
	r.Evaluation = All
	r.Bucket, r.Key, r.VersionID = r.target.bucket, r.target.key, r.target.versionID
	switch {
	case op.body == DeleteBody:
		r.Evaluation = Each
		r.addDeletions(op, req)
		return nil
	case op.body == FormBody && r.Missing == FormBody, r.Operation.Preflight():
		return nil
	case r.scope() == onService:
		r.target.resource = "*"
	}
	if op.extra&copySource != 0 {
		if err := r.addSource(op, req); err != nil {
			return err
		}
	}
	r.addTarget(op, &r.target, 0, req)
	if op.extra&bucketTags != 0 {
		r.addBucketTags(req)
	}
	return nil
}

// addTarget adds the operation's own needs on p and the extra ones.
func (r *Result) addTarget(op *row, p *place, group int, req *Request) {
	for _, a := range op.actionsFor(p) {
		r.need(a, p, group, req)
	}
	if op.extra == 0 {
		return
	}
	for i := range extras {
		x := &extras[i]
		if op.extra&x.extra != 0 && x.present(r) {
			for _, a := range x.actions {
				r.need(a, p, group, req)
			}
		}
	}
}

func (op *row) actionsFor(p *place) []Action {
	if p.versionID != "" && op.versioned != nil {
		return op.versioned
	}
	return op.actions
}

// addSource adds what reading the source of a copy needs, and what carrying its
// tags along does.
func (r *Result) addSource(op *row, req *Request) error {
	if err := r.parseCopySource(); err != nil {
		return err
	}
	r.SourceBucket, r.SourceKey, r.SourceVersionID = r.source.bucket, r.source.key, r.source.versionID
	read, readTags := GetObject, GetObjectTagging
	if r.source.versionID != "" {
		read, readTags = GetObjectVersion, GetObjectVersionTagging
	}
	r.need(read, &r.source, 0, req)
	if op.extra&sourceTags == 0 || r.values[fieldTaggingDirective] == "REPLACE" && r.has(fieldTaggingDirective) {
		return nil
	}
	proviso := IfSourceTagged
	if tags, known := req.stored(&r.source); known {
		if len(tags) == 0 {
			return nil
		}
		proviso = Certain
	}
	r.need(readTags, &r.source, 0, req).If = proviso
	if !r.has(fieldTagging) {
		r.need(PutObjectTagging, &r.target, 0, req).If = proviso
	}
	return nil
}

// addBucketTags adds the need of a CreateBucket whose body has tags.
func (r *Result) addBucketTags(req *Request) {
	switch {
	case r.Missing == CreateBucketBody:
		r.need(TagResource, &r.target, 0, req).If = IfBodyTagged
	case len(r.tags) > 0:
		r.need(TagResource, &r.target, 0, req)
	}
}

// need adds one need and says which of its condition keys are not known.
func (r *Result) need(a Action, p *place, group int, req *Request) *Need {
	takes := a.Keys()
	n := Need{Action: a, Group: group, Resource: p.resource, Bucket: p.bucket, Key: p.key, VersionID: p.versionID, Unknown: takes & r.open}
	if takes.Has(KeyExistingObjectTag) {
		tags, known := req.stored(p)
		n.stored = tags
		if !known {
			n.Unknown |= 1 << KeyExistingObjectTag
		}
	}
	r.Needs = append(r.Needs, n)
	return &r.Needs[len(r.Needs)-1]
}

// stored returns the tags that the S3 server has looked up for an object.
func (req *Request) stored(p *place) (tags []Tag, known bool) {
	for i := range req.Stored {
		o := &req.Stored[i]
		if o.Key == p.key && o.Bucket == p.bucket && o.VersionID == p.versionID {
			return o.Tags, true
		}
	}
	return nil, false
}

// readConnection takes the facts that no client can choose.
func (r *Result) readConnection(req *Request) {
	r.SourceIP, r.SignatureAge = req.RemoteAddr, req.Signature.Age
	secure := "false"
	if req.Secure {
		secure = "true"
	}
	r.set(field(KeySecureTransport), secure)
	if req.Secure && req.TLSVersion != "" {
		r.set(field(KeyTLSVersion), req.TLSVersion)
	}
	if req.RemoteAddr.IsValid() {
		r.have |= 1 << KeySourceIP
	}
	if req.Signature.AuthType != "" {
		r.set(field(KeyAuthType), req.Signature.AuthType)
	}
	if req.Signature.Version != "" {
		r.set(field(KeySignatureVersion), req.Signature.Version)
		r.have |= 1 << KeySignatureAge
	}
}

// finishFacts adds the condition keys that follow from others.
func (r *Result) finishFacts(op *row, req *Request) error {
	r.open |= op.open | keys(KeyResourceTag)
	if op.creation != "" {
		r.set(field(KeyObjectCreation), op.creation)
	}
	if op.extra&objectTags != 0 && r.has(fieldTagging) {
		if err := r.parseTaggingHeader(r.values[fieldTagging]); err != nil {
			return err
		}
	}
	if (op.extra&objectRetention != 0 || op.body == RetentionBody) && r.has(field(KeyLockRetainUntil)) {
		return r.remainingDays(req.Now)
	}
	return nil
}

// remainingDays fills s3:object-lock-remaining-retention-days: the days from now
// until the retention date, a day begun counting as one.
func (r *Result) remainingDays(now iam.Time) error {
	text := r.values[KeyLockRetainUntil]
	until, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return iam.Errorf(InvalidArgument, "the retain until date %q is not in ISO 8601 format", text)
	}
	if now != 0 {
		r.set(field(KeyLockRemainingDays), daysUntil(until, now))
	}
	return nil
}
