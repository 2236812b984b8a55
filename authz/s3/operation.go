package s3

import (
	"github.com/doorward/doorward/authz/form"
	"github.com/doorward/doorward/iam"
)

// Operation is one operation of the S3 API, an index into the table. The zero
// Operation is none. Numbers are for use in memory only.
type Operation uint8

// Name returns the operation as the S3 API reference calls it, e.g. "GetObject".
func (o Operation) Name() string {
	if int(o) >= len(operations) {
		return ""
	}
	return operations[o].name
}

// Preflight reports whether the request is a CORS preflight, the one operation
// that IAM does not decide: the server answers it from the bucket's CORS rules.
func (o Operation) Preflight() bool { return o != 0 && operations[o].method == "OPTIONS" }

// scope says what the target of a request names, one bit each.
type scope uint8

const (
	onService scope = 1 << iota
	onBucket
	onObject
)

// when tells operations of one method, scope and subresource apart.
type when uint8

const (
	always when = iota
	withID
	withListType
	withPartNumber
	withPartNumberAndCopySource
	withCopySource
	withForm
)

// extra is a set of needs that depend on what else the request says, see extras
// in needs.go.
type extra uint16

const (
	copySource extra = 1 << iota
	sourceTags
	objectACL
	objectTags
	objectRetention
	objectLegalHold
	bypassGovernance
	bucketACL
	bucketLock
	bucketOwnership
	bucketTags

	newObject = objectACL | objectTags | objectRetention | objectLegalHold
)

// row describes one operation.
type row struct {
	name   string
	method string
	scope  scope
	sub    param
	when   when
	// actions are needed on the bucket or object that the target names; versioned
	// are needed instead when the request has a versionId.
	actions, versioned []Action
	// takes are the modifiers that the operation allows in the query.
	takes uint64
	extra extra
	body  Body
	// creation is the value of s3:ObjectCreationOperation, if it has one.
	creation string
	// open are condition keys whose value is in a part of the request that is not
	// read here.
	open KeySet
}

type act = []Action

const (
	version    = 1 << pVersionID
	partNumber = 1 << pPartNumber
)

// operations is the table: section "Required permissions for Amazon S3 API
// operations" of the S3 user guide, and the S3 API reference for the shapes. Rows
// of one method, scope and subresource are tried from the top, so those with a
// condition come first. Row 0 is no operation.
var operations = [...]row{
	{},

	{name: "ListBuckets", method: "GET", scope: onService, actions: act{ListAllMyBuckets}},
	{name: "CORSPreflight", method: "OPTIONS", scope: onBucket | onObject},

	{name: "CreateBucket", method: "PUT", scope: onBucket, actions: act{CreateBucket}, extra: bucketACL | bucketLock | bucketOwnership | bucketTags, body: CreateBucketBody},
	{name: "DeleteBucket", method: "DELETE", scope: onBucket, actions: act{DeleteBucket}},
	{name: "HeadBucket", method: "HEAD", scope: onBucket, actions: act{ListBucket}},
	{name: "ListObjectsV2", method: "GET", scope: onBucket, when: withListType, actions: act{ListBucket}},
	{name: "ListObjects", method: "GET", scope: onBucket, actions: act{ListBucket}},
	{name: "ListObjectVersions", method: "GET", scope: onBucket, sub: pVersions, actions: act{ListBucketVersions}},
	{name: "ListMultipartUploads", method: "GET", scope: onBucket, sub: pUploads, actions: act{ListBucketMultipartUploads}},
	{name: "DeleteObjects", method: "POST", scope: onBucket, sub: pDelete, actions: act{DeleteObject}, versioned: act{DeleteObjectVersion}, extra: bypassGovernance, body: DeleteBody},
	{name: "PostObject", method: "POST", scope: onBucket, when: withForm, actions: act{PutObject}, extra: newObject, body: FormBody, creation: "true"},

	{name: "GetBucketAbac", method: "GET", scope: onBucket, sub: pAbac, actions: act{GetBucketAbac}},
	{name: "PutBucketAbac", method: "PUT", scope: onBucket, sub: pAbac, actions: act{PutBucketAbac}},
	{name: "GetBucketAccelerateConfiguration", method: "GET", scope: onBucket, sub: pAccelerate, actions: act{GetAccelerateConfiguration}},
	{name: "PutBucketAccelerateConfiguration", method: "PUT", scope: onBucket, sub: pAccelerate, actions: act{PutAccelerateConfiguration}},
	{name: "GetBucketAcl", method: "GET", scope: onBucket, sub: pACL, actions: act{GetBucketAcl}},
	{name: "PutBucketAcl", method: "PUT", scope: onBucket, sub: pACL, actions: act{PutBucketAcl}},
	{name: "GetBucketAnalyticsConfiguration", method: "GET", scope: onBucket, sub: pAnalytics, when: withID, actions: act{GetAnalyticsConfiguration}},
	{name: "ListBucketAnalyticsConfigurations", method: "GET", scope: onBucket, sub: pAnalytics, actions: act{GetAnalyticsConfiguration}},
	{name: "PutBucketAnalyticsConfiguration", method: "PUT", scope: onBucket, sub: pAnalytics, actions: act{PutAnalyticsConfiguration}},
	{name: "DeleteBucketAnalyticsConfiguration", method: "DELETE", scope: onBucket, sub: pAnalytics, actions: act{PutAnalyticsConfiguration}},
	{name: "GetBucketCors", method: "GET", scope: onBucket, sub: pCORS, actions: act{GetBucketCORS}},
	{name: "PutBucketCors", method: "PUT", scope: onBucket, sub: pCORS, actions: act{PutBucketCORS}},
	{name: "DeleteBucketCors", method: "DELETE", scope: onBucket, sub: pCORS, actions: act{PutBucketCORS}},
	{name: "GetBucketEncryption", method: "GET", scope: onBucket, sub: pEncryption, actions: act{GetEncryptionConfiguration}},
	{name: "PutBucketEncryption", method: "PUT", scope: onBucket, sub: pEncryption, actions: act{PutEncryptionConfiguration}},
	{name: "DeleteBucketEncryption", method: "DELETE", scope: onBucket, sub: pEncryption, actions: act{PutEncryptionConfiguration}},
	{name: "GetBucketIntelligentTieringConfiguration", method: "GET", scope: onBucket, sub: pIntelligentTiering, when: withID, actions: act{GetIntelligentTieringConfiguration}},
	{name: "ListBucketIntelligentTieringConfigurations", method: "GET", scope: onBucket, sub: pIntelligentTiering, actions: act{GetIntelligentTieringConfiguration}},
	{name: "PutBucketIntelligentTieringConfiguration", method: "PUT", scope: onBucket, sub: pIntelligentTiering, actions: act{PutIntelligentTieringConfiguration}},
	{name: "DeleteBucketIntelligentTieringConfiguration", method: "DELETE", scope: onBucket, sub: pIntelligentTiering, actions: act{PutIntelligentTieringConfiguration}},
	{name: "GetBucketInventoryConfiguration", method: "GET", scope: onBucket, sub: pInventory, when: withID, actions: act{GetInventoryConfiguration}},
	{name: "ListBucketInventoryConfigurations", method: "GET", scope: onBucket, sub: pInventory, actions: act{GetInventoryConfiguration}},
	{name: "PutBucketInventoryConfiguration", method: "PUT", scope: onBucket, sub: pInventory, actions: act{PutInventoryConfiguration}, body: InventoryBody},
	{name: "DeleteBucketInventoryConfiguration", method: "DELETE", scope: onBucket, sub: pInventory, actions: act{PutInventoryConfiguration}},
	{name: "GetBucketLifecycleConfiguration", method: "GET", scope: onBucket, sub: pLifecycle, actions: act{GetLifecycleConfiguration}},
	{name: "PutBucketLifecycleConfiguration", method: "PUT", scope: onBucket, sub: pLifecycle, actions: act{PutLifecycleConfiguration}},
	{name: "DeleteBucketLifecycle", method: "DELETE", scope: onBucket, sub: pLifecycle, actions: act{PutLifecycleConfiguration}},
	{name: "GetBucketLocation", method: "GET", scope: onBucket, sub: pLocation, actions: act{GetBucketLocation}},
	{name: "GetBucketLogging", method: "GET", scope: onBucket, sub: pLogging, actions: act{GetBucketLogging}},
	{name: "PutBucketLogging", method: "PUT", scope: onBucket, sub: pLogging, actions: act{PutBucketLogging}},
	{name: "CreateBucketMetadataConfiguration", method: "POST", scope: onBucket, sub: pMetadataConfiguration, actions: act{CreateBucketMetadataTableConfiguration}},
	{name: "GetBucketMetadataConfiguration", method: "GET", scope: onBucket, sub: pMetadataConfiguration, actions: act{GetBucketMetadataTableConfiguration}},
	{name: "DeleteBucketMetadataConfiguration", method: "DELETE", scope: onBucket, sub: pMetadataConfiguration, actions: act{DeleteBucketMetadataTableConfiguration}},
	{name: "CreateBucketMetadataTableConfiguration", method: "POST", scope: onBucket, sub: pMetadataTable, actions: act{CreateBucketMetadataTableConfiguration}},
	{name: "GetBucketMetadataTableConfiguration", method: "GET", scope: onBucket, sub: pMetadataTable, actions: act{GetBucketMetadataTableConfiguration}},
	{name: "DeleteBucketMetadataTableConfiguration", method: "DELETE", scope: onBucket, sub: pMetadataTable, actions: act{DeleteBucketMetadataTableConfiguration}},
	{name: "UpdateBucketMetadataInventoryTableConfiguration", method: "PUT", scope: onBucket, sub: pMetadataInventoryTable, actions: act{UpdateBucketMetadataInventoryTableConfiguration}},
	{name: "UpdateBucketMetadataJournalTableConfiguration", method: "PUT", scope: onBucket, sub: pMetadataJournalTable, actions: act{UpdateBucketMetadataJournalTableConfiguration}},
	{name: "GetBucketMetricsConfiguration", method: "GET", scope: onBucket, sub: pMetrics, when: withID, actions: act{GetMetricsConfiguration}},
	{name: "ListBucketMetricsConfigurations", method: "GET", scope: onBucket, sub: pMetrics, actions: act{GetMetricsConfiguration}},
	{name: "PutBucketMetricsConfiguration", method: "PUT", scope: onBucket, sub: pMetrics, actions: act{PutMetricsConfiguration}},
	{name: "DeleteBucketMetricsConfiguration", method: "DELETE", scope: onBucket, sub: pMetrics, actions: act{PutMetricsConfiguration}},
	{name: "GetBucketNotificationConfiguration", method: "GET", scope: onBucket, sub: pNotification, actions: act{GetBucketNotification}},
	{name: "PutBucketNotificationConfiguration", method: "PUT", scope: onBucket, sub: pNotification, actions: act{PutBucketNotification}},
	{name: "GetObjectLockConfiguration", method: "GET", scope: onBucket, sub: pObjectLock, actions: act{GetBucketObjectLockConfiguration}},
	{name: "PutObjectLockConfiguration", method: "PUT", scope: onBucket, sub: pObjectLock, actions: act{PutBucketObjectLockConfiguration}},
	{name: "GetBucketOwnershipControls", method: "GET", scope: onBucket, sub: pOwnershipControls, actions: act{GetBucketOwnershipControls}},
	{name: "PutBucketOwnershipControls", method: "PUT", scope: onBucket, sub: pOwnershipControls, actions: act{PutBucketOwnershipControls}},
	{name: "DeleteBucketOwnershipControls", method: "DELETE", scope: onBucket, sub: pOwnershipControls, actions: act{PutBucketOwnershipControls}},
	{name: "GetBucketPolicy", method: "GET", scope: onBucket, sub: pPolicy, actions: act{GetBucketPolicy}},
	{name: "PutBucketPolicy", method: "PUT", scope: onBucket, sub: pPolicy, actions: act{PutBucketPolicy}},
	{name: "DeleteBucketPolicy", method: "DELETE", scope: onBucket, sub: pPolicy, actions: act{DeleteBucketPolicy}},
	{name: "GetBucketPolicyStatus", method: "GET", scope: onBucket, sub: pPolicyStatus, actions: act{GetBucketPolicyStatus}},
	{name: "GetPublicAccessBlock", method: "GET", scope: onBucket, sub: pPublicAccessBlock, actions: act{GetBucketPublicAccessBlock}},
	{name: "PutPublicAccessBlock", method: "PUT", scope: onBucket, sub: pPublicAccessBlock, actions: act{PutBucketPublicAccessBlock}},
	{name: "DeletePublicAccessBlock", method: "DELETE", scope: onBucket, sub: pPublicAccessBlock, actions: act{PutBucketPublicAccessBlock}},
	{name: "GetBucketReplication", method: "GET", scope: onBucket, sub: pReplication, actions: act{GetReplicationConfiguration}},
	{name: "PutBucketReplication", method: "PUT", scope: onBucket, sub: pReplication, actions: act{PutReplicationConfiguration}, open: keys(KeyReplicationPause)},
	{name: "DeleteBucketReplication", method: "DELETE", scope: onBucket, sub: pReplication, actions: act{PutReplicationConfiguration}},
	{name: "GetBucketRequestPayment", method: "GET", scope: onBucket, sub: pRequestPayment, actions: act{GetBucketRequestPayment}},
	{name: "PutBucketRequestPayment", method: "PUT", scope: onBucket, sub: pRequestPayment, actions: act{PutBucketRequestPayment}},
	{name: "GetBucketTagging", method: "GET", scope: onBucket, sub: pTagging, actions: act{GetBucketTagging}},
	{name: "PutBucketTagging", method: "PUT", scope: onBucket, sub: pTagging, actions: act{PutBucketTagging}},
	{name: "DeleteBucketTagging", method: "DELETE", scope: onBucket, sub: pTagging, actions: act{PutBucketTagging}},
	{name: "GetBucketVersioning", method: "GET", scope: onBucket, sub: pVersioning, actions: act{GetBucketVersioning}},
	{name: "PutBucketVersioning", method: "PUT", scope: onBucket, sub: pVersioning, actions: act{PutBucketVersioning}},
	{name: "GetBucketWebsite", method: "GET", scope: onBucket, sub: pWebsite, actions: act{GetBucketWebsite}},
	{name: "PutBucketWebsite", method: "PUT", scope: onBucket, sub: pWebsite, actions: act{PutBucketWebsite}},
	{name: "DeleteBucketWebsite", method: "DELETE", scope: onBucket, sub: pWebsite, actions: act{DeleteBucketWebsite}},

	{name: "GetObject", method: "GET", scope: onObject, actions: act{GetObject}, versioned: act{GetObjectVersion}, takes: version | partNumber},
	{name: "HeadObject", method: "HEAD", scope: onObject, actions: act{GetObject}, versioned: act{GetObjectVersion}, takes: version | partNumber},
	{name: "CopyObject", method: "PUT", scope: onObject, when: withCopySource, actions: act{PutObject}, extra: copySource | sourceTags | newObject, creation: "true"},
	{name: "PutObject", method: "PUT", scope: onObject, actions: act{PutObject}, extra: newObject, creation: "true"},
	{name: "DeleteObject", method: "DELETE", scope: onObject, actions: act{DeleteObject}, versioned: act{DeleteObjectVersion}, takes: version, extra: bypassGovernance},
	{name: "GetObjectAcl", method: "GET", scope: onObject, sub: pACL, actions: act{GetObjectAcl}, versioned: act{GetObjectVersionAcl}, takes: version},
	{name: "PutObjectAcl", method: "PUT", scope: onObject, sub: pACL, actions: act{PutObjectAcl}, versioned: act{PutObjectVersionAcl}, takes: version},
	{name: "GetObjectAttributes", method: "GET", scope: onObject, sub: pAttributes, actions: act{GetObject, GetObjectAttributes}, versioned: act{GetObjectVersion, GetObjectVersionAttributes}, takes: version},
	{name: "UpdateObjectEncryption", method: "PUT", scope: onObject, sub: pEncryption, actions: act{UpdateObjectEncryption, PutObject}, takes: version, open: keys(KeySSE, KeySSEKMSKeyID)},
	{name: "GetObjectLegalHold", method: "GET", scope: onObject, sub: pLegalHold, actions: act{GetObjectLegalHold}, takes: version},
	{name: "PutObjectLegalHold", method: "PUT", scope: onObject, sub: pLegalHold, actions: act{PutObjectLegalHold}, takes: version, body: LegalHoldBody},
	{name: "GetObjectRetention", method: "GET", scope: onObject, sub: pRetention, actions: act{GetObjectRetention}, takes: version},
	{name: "PutObjectRetention", method: "PUT", scope: onObject, sub: pRetention, actions: act{PutObjectRetention}, takes: version, extra: bypassGovernance, body: RetentionBody},
	{name: "GetObjectTagging", method: "GET", scope: onObject, sub: pTagging, actions: act{GetObjectTagging}, versioned: act{GetObjectVersionTagging}, takes: version},
	{name: "PutObjectTagging", method: "PUT", scope: onObject, sub: pTagging, actions: act{PutObjectTagging}, versioned: act{PutObjectVersionTagging}, takes: version, body: TaggingBody},
	{name: "DeleteObjectTagging", method: "DELETE", scope: onObject, sub: pTagging, actions: act{DeleteObjectTagging}, versioned: act{DeleteObjectVersionTagging}, takes: version},
	{name: "GetObjectTorrent", method: "GET", scope: onObject, sub: pTorrent, actions: act{GetObject}, versioned: act{GetObjectVersion}, takes: version},
	{name: "RestoreObject", method: "POST", scope: onObject, sub: pRestore, actions: act{RestoreObject}, takes: version},
	{name: "SelectObjectContent", method: "POST", scope: onObject, sub: pSelect, actions: act{GetObject}},
	{name: "CreateMultipartUpload", method: "POST", scope: onObject, sub: pUploads, actions: act{PutObject}, extra: newObject, creation: "false"},
	{name: "UploadPartCopy", method: "PUT", scope: onObject, sub: pUploadID, when: withPartNumberAndCopySource, actions: act{PutObject}, takes: partNumber, extra: copySource, creation: "false"},
	{name: "UploadPart", method: "PUT", scope: onObject, sub: pUploadID, when: withPartNumber, actions: act{PutObject}, takes: partNumber, creation: "false"},
	{name: "CompleteMultipartUpload", method: "POST", scope: onObject, sub: pUploadID, actions: act{PutObject}, creation: "true"},
	{name: "AbortMultipartUpload", method: "DELETE", scope: onObject, sub: pUploadID, actions: act{AbortMultipartUpload}},
	{name: "ListParts", method: "GET", scope: onObject, sub: pUploadID, actions: act{ListMultipartUploadParts}},
}

// methods are the HTTP methods of the table, in the order of the index.
var methods = [...]string{"GET", "PUT", "HEAD", "DELETE", "POST", "OPTIONS"}

// firstRows finds the first row for a method, a scope and a subresource, 0 if
// there is none.
var firstRows = func() (index [len(methods)][onObject + 1][numParams]uint8) {
	for i := len(operations) - 1; i > 0; i-- {
		op := &operations[i]
		for s := onService; s <= onObject; s <<= 1 {
			if op.scope&s != 0 {
				index[methodIndex(op.method)][s][op.sub] = uint8(i)
			}
		}
	}
	return index
}()

func methodIndex(method string) int {
	for i, m := range methods {
		if m == method {
			return i
		}
	}
	return -1
}

// selectOperation finds the row of the request and refuses what its operation
// does not take.
func (r *Result) selectOperation(method string) (*row, error) {
	m := methodIndex(method)
	if m < 0 {
		return nil, iam.Errorf(MethodNotAllowed, "method %q is not one of S3's", method)
	}
	first := firstRows[m][r.scope()][r.sub]
	for i := int(first); i != 0 && i < len(operations); i++ {
		op := &operations[i]
		if op.method != method || op.sub != r.sub || op.scope&r.scope() == 0 {
			break
		}
		if r.satisfies(op.when) {
			r.Operation = Operation(i)
			return op, r.checkTaken(op)
		}
	}
	return nil, r.errNoOperation(method)
}

// scope returns what the target names.
func (r *Result) scope() scope {
	switch {
	case r.target.bucket == "":
		return onService
	case r.target.key == "":
		return onBucket
	}
	return onObject
}

func (r *Result) satisfies(w when) bool {
	switch w {
	case withID:
		return r.params>>pID&1 != 0
	case withListType:
		return r.params>>pListType&1 != 0
	case withPartNumber:
		return r.params>>pPartNumber&1 != 0
	case withCopySource:
		return r.has(field(KeyCopySource))
	case withPartNumberAndCopySource:
		return r.satisfies(withPartNumber) && r.satisfies(withCopySource)
	case withForm:
		return r.has(fieldContentType) && form.Is(r.values[fieldContentType])
	}
	return true
}

// checkTaken refuses a version id, a part number or a copy source where the
// operation has no use for it: a server that had one would do something else than
// what is authorized.
func (r *Result) checkTaken(op *row) error {
	switch left := r.params &^ op.takes; {
	case left>>pVersionID&1 != 0:
		return iam.Errorf(InvalidArgument, "%s does not accept a version-id", op.name)
	case left>>pPartNumber&1 != 0:
		return iam.Errorf(InvalidArgument, "%s does not accept a partNumber", op.name)
	}
	if r.has(field(KeyCopySource)) && op.extra&copySource == 0 && !r.Operation.Preflight() {
		return iam.Errorf(InvalidArgument, "%s does not accept x-amz-copy-source", op.name)
	}
	return nil
}

func (r *Result) errNoOperation(method string) error {
	if r.sub == plain {
		return iam.Errorf(MethodNotAllowed, "%s is not allowed on this resource", method)
	}
	for m := range methods {
		if firstRows[m][r.scope()][r.sub] != 0 {
			return iam.Errorf(MethodNotAllowed, "%s is not allowed on subresource %s", method, params[r.sub].name)
		}
	}
	return iam.Errorf(NotImplemented, "subresource %s is not implemented on this resource", params[r.sub].name)
}
