package s3

import "strings"

// Action is one S3 action, a small integer for use as a bit in a set. The zero
// Action is none. Ids are for use in memory only: their order may change.
type Action uint8

// The actions that the operations of the table need, and those that the service
// authorization reference gives condition keys for.
const (
	_ Action = iota
	AbortMultipartUpload
	AllowVendedLogDeliveryForResource
	BypassGovernanceRetention
	CreateBucket
	CreateBucketMetadataTableConfiguration
	DeleteBucket
	DeleteBucketMetadataTableConfiguration
	DeleteBucketPolicy
	DeleteBucketWebsite
	DeleteObject
	DeleteObjectTagging
	DeleteObjectVersion
	DeleteObjectVersionTagging
	GetAccelerateConfiguration
	GetAnalyticsConfiguration
	GetBucketAbac
	GetBucketAcl
	GetBucketCORS
	GetBucketLocation
	GetBucketLogging
	GetBucketMetadataTableConfiguration
	GetBucketNotification
	GetBucketObjectLockConfiguration
	GetBucketOwnershipControls
	GetBucketPolicy
	GetBucketPolicyStatus
	GetBucketPublicAccessBlock
	GetBucketRequestPayment
	GetBucketTagging
	GetBucketVersioning
	GetBucketWebsite
	GetEncryptionConfiguration
	GetIntelligentTieringConfiguration
	GetInventoryConfiguration
	GetLifecycleConfiguration
	GetMetricsConfiguration
	GetObject
	GetObjectAcl
	GetObjectAttributes
	GetObjectLegalHold
	GetObjectRetention
	GetObjectTagging
	GetObjectTorrent
	GetObjectVersion
	GetObjectVersionAcl
	GetObjectVersionAttributes
	GetObjectVersionForReplication
	GetObjectVersionTagging
	GetObjectVersionTorrent
	GetReplicationConfiguration
	InitiateReplication
	ListAllMyBuckets
	ListBucket
	ListBucketMultipartUploads
	ListBucketVersions
	ListMultipartUploadParts
	ListTagsForResource
	ObjectOwnerOverrideToBucketOwner
	PauseReplication
	PutAccelerateConfiguration
	PutAnalyticsConfiguration
	PutBucketAbac
	PutBucketAcl
	PutBucketCORS
	PutBucketLogging
	PutBucketNotification
	PutBucketObjectLockConfiguration
	PutBucketOwnershipControls
	PutBucketPolicy
	PutBucketPublicAccessBlock
	PutBucketRequestPayment
	PutBucketTagging
	PutBucketVersioning
	PutBucketWebsite
	PutEncryptionConfiguration
	PutIntelligentTieringConfiguration
	PutInventoryConfiguration
	PutLifecycleConfiguration
	PutMetricsConfiguration
	PutObject
	PutObjectAcl
	PutObjectLegalHold
	PutObjectRetention
	PutObjectTagging
	PutObjectVersionAcl
	PutObjectVersionTagging
	PutReplicationConfiguration
	ReplicateDelete
	ReplicateObject
	ReplicateTags
	RestoreObject
	TagResource
	UntagResource
	UpdateBucketMetadataInventoryTableConfiguration
	UpdateBucketMetadataJournalTableConfiguration
	UpdateObjectEncryption

	numActions
)

// NumActions is the number of action ids, the zero one included: an array of
// this length can be indexed by any Action.
const NumActions = int(numActions)

// everyKeys are taken by every action: the S3 keys of each signed request and
// the global keys of the connection.
var everyKeys = keys(KeyAuthType, KeySignatureVersion, KeySignatureAge, KeyTLSVersion, KeyContentSHA256,
	KeyResourceAccount, KeySecureTransport, KeySourceIP, KeyUserAgent, KeyReferer)

// Sets of keys that go together.
var (
	grantKeys = keys(KeyGrantFullControl, KeyGrantRead, KeyGrantReadACP, KeyGrantWrite, KeyGrantWriteACP)
	aclKeys   = grantKeys | keys(KeyACL)
	sseKeys   = keys(KeySSE, KeySSEKMSKeyID, KeySSECustomerAlgorithm)
	reqTags   = keys(KeyRequestObjectTag, KeyRequestObjectTagKeys)
	eventHold = keys(KeyLockEventHold, KeyLockEventHoldDays)
	retention = eventHold | keys(KeyLockMode, KeyLockRemainingDays, KeyLockRetainUntil)
	listing   = keys(KeyDelimiter, KeyMaxKeys, KeyPrefix)
)

// actions is the list of S3 actions with the condition keys that each takes
// beyond everyKeys (service authorization reference for Amazon S3).
var actions = [numActions]struct {
	name string
	keys KeySet
}{
	AbortMultipartUpload:                            {"s3:AbortMultipartUpload", 0},
	AllowVendedLogDeliveryForResource:               {"s3:AllowVendedLogDeliveryForResource", keys(KeyDeliverySourceARN, KeyLogType, KeyResourceARNBeingAuthorized)},
	BypassGovernanceRetention:                       {"s3:BypassGovernanceRetention", aclKeys | sseKeys | reqTags | keys(KeyCopySource, KeyMetadataDirective, KeyStorageClass, KeyWebsiteRedirectLocation)},
	CreateBucket:                                    {"s3:CreateBucket", aclKeys | keys(KeyRequestTag, KeyTagKeys, KeyLocationConstraint, KeyBucketNamespace, KeyObjectOwnership)},
	CreateBucketMetadataTableConfiguration:          {"s3:CreateBucketMetadataTableConfiguration", 0},
	DeleteBucket:                                    {"s3:DeleteBucket", 0},
	DeleteBucketMetadataTableConfiguration:          {"s3:DeleteBucketMetadataTableConfiguration", 0},
	DeleteBucketPolicy:                              {"s3:DeleteBucketPolicy", 0},
	DeleteBucketWebsite:                             {"s3:DeleteBucketWebsite", 0},
	DeleteObject:                                    {"s3:DeleteObject", keys(KeyIfMatch)},
	DeleteObjectTagging:                             {"s3:DeleteObjectTagging", keys(KeyExistingObjectTag)},
	DeleteObjectVersion:                             {"s3:DeleteObjectVersion", keys(KeyVersionID)},
	DeleteObjectVersionTagging:                      {"s3:DeleteObjectVersionTagging", keys(KeyExistingObjectTag, KeyVersionID)},
	GetAccelerateConfiguration:                      {"s3:GetAccelerateConfiguration", 0},
	GetAnalyticsConfiguration:                       {"s3:GetAnalyticsConfiguration", 0},
	GetBucketAbac:                                   {"s3:GetBucketAbac", 0},
	GetBucketAcl:                                    {"s3:GetBucketAcl", 0},
	GetBucketCORS:                                   {"s3:GetBucketCORS", 0},
	GetBucketLocation:                               {"s3:GetBucketLocation", 0},
	GetBucketLogging:                                {"s3:GetBucketLogging", 0},
	GetBucketMetadataTableConfiguration:             {"s3:GetBucketMetadataTableConfiguration", 0},
	GetBucketNotification:                           {"s3:GetBucketNotification", 0},
	GetBucketObjectLockConfiguration:                {"s3:GetBucketObjectLockConfiguration", 0},
	GetBucketOwnershipControls:                      {"s3:GetBucketOwnershipControls", 0},
	GetBucketPolicy:                                 {"s3:GetBucketPolicy", 0},
	GetBucketPolicyStatus:                           {"s3:GetBucketPolicyStatus", 0},
	GetBucketPublicAccessBlock:                      {"s3:GetBucketPublicAccessBlock", 0},
	GetBucketRequestPayment:                         {"s3:GetBucketRequestPayment", 0},
	GetBucketTagging:                                {"s3:GetBucketTagging", 0},
	GetBucketVersioning:                             {"s3:GetBucketVersioning", 0},
	GetBucketWebsite:                                {"s3:GetBucketWebsite", 0},
	GetEncryptionConfiguration:                      {"s3:GetEncryptionConfiguration", 0},
	GetIntelligentTieringConfiguration:              {"s3:GetIntelligentTieringConfiguration", 0},
	GetInventoryConfiguration:                       {"s3:GetInventoryConfiguration", 0},
	GetLifecycleConfiguration:                       {"s3:GetLifecycleConfiguration", 0},
	GetMetricsConfiguration:                         {"s3:GetMetricsConfiguration", 0},
	GetObject:                                       {"s3:GetObject", keys(KeyExistingObjectTag)},
	GetObjectAcl:                                    {"s3:GetObjectAcl", keys(KeyExistingObjectTag)},
	GetObjectAttributes:                             {"s3:GetObjectAttributes", keys(KeyExistingObjectTag)},
	GetObjectLegalHold:                              {"s3:GetObjectLegalHold", 0},
	GetObjectRetention:                              {"s3:GetObjectRetention", 0},
	GetObjectTagging:                                {"s3:GetObjectTagging", keys(KeyExistingObjectTag)},
	GetObjectTorrent:                                {"s3:GetObjectTorrent", 0},
	GetObjectVersion:                                {"s3:GetObjectVersion", keys(KeyExistingObjectTag, KeyVersionID)},
	GetObjectVersionAcl:                             {"s3:GetObjectVersionAcl", keys(KeyExistingObjectTag, KeyVersionID)},
	GetObjectVersionAttributes:                      {"s3:GetObjectVersionAttributes", keys(KeyExistingObjectTag, KeyVersionID)},
	GetObjectVersionForReplication:                  {"s3:GetObjectVersionForReplication", 0},
	GetObjectVersionTagging:                         {"s3:GetObjectVersionTagging", keys(KeyExistingObjectTag, KeyVersionID)},
	GetObjectVersionTorrent:                         {"s3:GetObjectVersionTorrent", keys(KeyVersionID)},
	GetReplicationConfiguration:                     {"s3:GetReplicationConfiguration", 0},
	InitiateReplication:                             {"s3:InitiateReplication", 0},
	ListAllMyBuckets:                                {"s3:ListAllMyBuckets", 0},
	ListBucket:                                      {"s3:ListBucket", listing},
	ListBucketMultipartUploads:                      {"s3:ListBucketMultipartUploads", keys(KeyResourceTag)},
	ListBucketVersions:                              {"s3:ListBucketVersions", listing},
	ListMultipartUploadParts:                        {"s3:ListMultipartUploadParts", 0},
	ListTagsForResource:                             {"s3:ListTagsForResource", 0},
	ObjectOwnerOverrideToBucketOwner:                {"s3:ObjectOwnerOverrideToBucketOwner", 0},
	PauseReplication:                                {"s3:PauseReplication", keys(KeyDestinationRegion)},
	PutAccelerateConfiguration:                      {"s3:PutAccelerateConfiguration", 0},
	PutAnalyticsConfiguration:                       {"s3:PutAnalyticsConfiguration", 0},
	PutBucketAbac:                                   {"s3:PutBucketAbac", 0},
	PutBucketAcl:                                    {"s3:PutBucketAcl", aclKeys},
	PutBucketCORS:                                   {"s3:PutBucketCORS", 0},
	PutBucketLogging:                                {"s3:PutBucketLogging", 0},
	PutBucketNotification:                           {"s3:PutBucketNotification", 0},
	PutBucketObjectLockConfiguration:                {"s3:PutBucketObjectLockConfiguration", 0},
	PutBucketOwnershipControls:                      {"s3:PutBucketOwnershipControls", 0},
	PutBucketPolicy:                                 {"s3:PutBucketPolicy", 0},
	PutBucketPublicAccessBlock:                      {"s3:PutBucketPublicAccessBlock", 0},
	PutBucketRequestPayment:                         {"s3:PutBucketRequestPayment", 0},
	PutBucketTagging:                                {"s3:PutBucketTagging", 0},
	PutBucketVersioning:                             {"s3:PutBucketVersioning", 0},
	PutBucketWebsite:                                {"s3:PutBucketWebsite", 0},
	PutEncryptionConfiguration:                      {"s3:PutEncryptionConfiguration", 0},
	PutIntelligentTieringConfiguration:              {"s3:PutIntelligentTieringConfiguration", 0},
	PutInventoryConfiguration:                       {"s3:PutInventoryConfiguration", keys(KeyInventoryFields)},
	PutLifecycleConfiguration:                       {"s3:PutLifecycleConfiguration", 0},
	PutMetricsConfiguration:                         {"s3:PutMetricsConfiguration", 0},
	PutObject:                                       {"s3:PutObject", aclKeys | sseKeys | reqTags | retention | keys(KeyObjectCreation, KeyIfMatch, KeyIfNoneMatch, KeyLockLegalHold, KeyCopySource, KeyMetadataDirective, KeyAnnotationDirective, KeyStorageClass, KeyWebsiteRedirectLocation)},
	PutObjectAcl:                                    {"s3:PutObjectAcl", aclKeys | keys(KeyExistingObjectTag, KeyStorageClass)},
	PutObjectLegalHold:                              {"s3:PutObjectLegalHold", keys(KeyLockLegalHold)},
	PutObjectRetention:                              {"s3:PutObjectRetention", retention},
	PutObjectTagging:                                {"s3:PutObjectTagging", reqTags | keys(KeyExistingObjectTag)},
	PutObjectVersionAcl:                             {"s3:PutObjectVersionAcl", aclKeys | keys(KeyExistingObjectTag, KeyVersionID, KeyStorageClass)},
	PutObjectVersionTagging:                         {"s3:PutObjectVersionTagging", reqTags | keys(KeyExistingObjectTag, KeyVersionID)},
	PutReplicationConfiguration:                     {"s3:PutReplicationConfiguration", keys(KeyReplicationPause)},
	ReplicateDelete:                                 {"s3:ReplicateDelete", 0},
	ReplicateObject:                                 {"s3:ReplicateObject", sseKeys | eventHold},
	ReplicateTags:                                   {"s3:ReplicateTags", 0},
	RestoreObject:                                   {"s3:RestoreObject", 0},
	TagResource:                                     {"s3:TagResource", keys(KeyRequestTag, KeyTagKeys)},
	UntagResource:                                   {"s3:UntagResource", keys(KeyTagKeys)},
	UpdateBucketMetadataInventoryTableConfiguration: {"s3:UpdateBucketMetadataInventoryTableConfiguration", 0},
	UpdateBucketMetadataJournalTableConfiguration:   {"s3:UpdateBucketMetadataJournalTableConfiguration", 0},
	UpdateObjectEncryption:                          {"s3:UpdateObjectEncryption", keys(KeyExistingObjectTag, KeySSE, KeySSEKMSKeyID)},
}

// Name returns the action as policies write it, e.g. "s3:GetObject".
func (a Action) Name() string {
	if a >= numActions {
		return ""
	}
	return actions[a].name
}

// Keys returns the condition keys that the action takes.
func (a Action) Keys() KeySet {
	if a == 0 || a >= numActions {
		return 0
	}
	return actions[a].keys | everyKeys
}

// ParseAction returns the action of that name, case aside as AWS compares
// action names, and false if the list has none.
func ParseAction(name string) (Action, bool) {
	a, ok := actionIDs[strings.ToLower(name)]
	return a, ok
}

var actionIDs = func() map[string]Action {
	ids := make(map[string]Action, numActions)
	for a := Action(1); a < numActions; a++ {
		ids[strings.ToLower(actions[a].name)] = a
	}
	return ids
}()
