package s3

// Key identifies a condition key that an S3 request can give rise to. The zero
// Key is no key. Ids are for use in memory only: their order may change.
//
// A key whose name ends in a slash is a family: one key for each tag name.
type Key uint8

// The condition keys of the service authorization reference for Amazon S3, and
// the global keys whose value comes from the request.
const (
	_ Key = iota

	// Of every signed request.
	KeyAuthType
	KeySignatureVersion
	KeySignatureAge
	KeyTLSVersion
	KeyContentSHA256
	KeyResourceAccount

	// From the connection and from plain headers.
	KeySecureTransport
	KeySourceIP
	KeyUserAgent
	KeyReferer

	// From the query.
	KeyDelimiter
	KeyMaxKeys
	KeyPrefix
	KeyVersionID

	// From headers.
	KeyACL
	KeyBucketNamespace
	KeyCopySource
	KeyGrantFullControl
	KeyGrantRead
	KeyGrantReadACP
	KeyGrantWrite
	KeyGrantWriteACP
	KeyIfMatch
	KeyIfNoneMatch
	KeyMetadataDirective
	KeyAnnotationDirective
	KeyObjectOwnership
	KeySSE
	KeySSECustomerAlgorithm
	KeySSEKMSKeyID
	KeyStorageClass
	KeyWebsiteRedirectLocation

	// From headers or from the body.
	KeyLockEventHold
	KeyLockEventHoldDays
	KeyLockLegalHold
	KeyLockMode
	KeyLockRemainingDays
	KeyLockRetainUntil
	KeyInventoryFields
	KeyLocationConstraint
	KeyRequestObjectTag
	KeyRequestObjectTagKeys
	KeyRequestTag
	KeyTagKeys

	// From the operation.
	KeyObjectCreation

	// From what the S3 server stores.
	KeyBucketTag
	KeyExistingObjectTag
	KeyResourceTag

	// From server features that no request of the table reaches.
	KeyDeliverySourceARN
	KeyDestinationRegion
	KeyLogType
	KeyReplicationPause
	KeyResourceARNBeingAuthorized

	numKeys
)

// NumKeys is the number of key ids, the zero one included: an array of this
// length can be indexed by any Key.
const NumKeys = int(numKeys)

// KeySet is a set of condition keys, one bit for each [Key].
type KeySet uint64

// Has reports whether k is in the set.
func (s KeySet) Has(k Key) bool { return s>>k&1 != 0 }

func keys(list ...Key) KeySet {
	var s KeySet
	for _, k := range list {
		s |= 1 << k
	}
	return s
}

var keyNames = [numKeys]string{
	KeyAuthType:         "s3:authType",
	KeySignatureVersion: "s3:signatureversion",
	KeySignatureAge:     "s3:signatureAge",
	KeyTLSVersion:       "s3:TlsVersion",
	KeyContentSHA256:    "s3:x-amz-content-sha256",
	KeyResourceAccount:  "s3:ResourceAccount",

	KeySecureTransport: "aws:SecureTransport",
	KeySourceIP:        "aws:SourceIp",
	KeyUserAgent:       "aws:UserAgent",
	KeyReferer:         "aws:Referer",

	KeyDelimiter: "s3:delimiter",
	KeyMaxKeys:   "s3:max-keys",
	KeyPrefix:    "s3:prefix",
	KeyVersionID: "s3:VersionId",

	KeyACL:                     "s3:x-amz-acl",
	KeyBucketNamespace:         "s3:x-amz-bucket-namespace",
	KeyCopySource:              "s3:x-amz-copy-source",
	KeyGrantFullControl:        "s3:x-amz-grant-full-control",
	KeyGrantRead:               "s3:x-amz-grant-read",
	KeyGrantReadACP:            "s3:x-amz-grant-read-acp",
	KeyGrantWrite:              "s3:x-amz-grant-write",
	KeyGrantWriteACP:           "s3:x-amz-grant-write-acp",
	KeyIfMatch:                 "s3:if-match",
	KeyIfNoneMatch:             "s3:if-none-match",
	KeyMetadataDirective:       "s3:x-amz-metadata-directive",
	KeyAnnotationDirective:     "s3:x-amz-object-annotation-directive",
	KeyObjectOwnership:         "s3:x-amz-object-ownership",
	KeySSE:                     "s3:x-amz-server-side-encryption",
	KeySSECustomerAlgorithm:    "s3:x-amz-server-side-encryption-customer-algorithm",
	KeySSEKMSKeyID:             "s3:x-amz-server-side-encryption-aws-kms-key-id",
	KeyStorageClass:            "s3:x-amz-storage-class",
	KeyWebsiteRedirectLocation: "s3:x-amz-website-redirect-location",

	KeyLockEventHold:        "s3:object-lock-event-hold",
	KeyLockEventHoldDays:    "s3:object-lock-event-hold-duration-days",
	KeyLockLegalHold:        "s3:object-lock-legal-hold",
	KeyLockMode:             "s3:object-lock-mode",
	KeyLockRemainingDays:    "s3:object-lock-remaining-retention-days",
	KeyLockRetainUntil:      "s3:object-lock-retain-until-date",
	KeyInventoryFields:      "s3:InventoryAccessibleOptionalFields",
	KeyLocationConstraint:   "s3:locationconstraint",
	KeyRequestObjectTag:     "s3:RequestObjectTag/",
	KeyRequestObjectTagKeys: "s3:RequestObjectTagKeys",
	KeyRequestTag:           "aws:RequestTag/",
	KeyTagKeys:              "aws:TagKeys",

	KeyObjectCreation: "s3:ObjectCreationOperation",

	KeyBucketTag:         "s3:BucketTag/",
	KeyExistingObjectTag: "s3:ExistingObjectTag/",
	KeyResourceTag:       "aws:ResourceTag/",

	KeyDeliverySourceARN:          "s3:deliverySourceArn",
	KeyDestinationRegion:          "s3:destinationRegion",
	KeyLogType:                    "s3:logType",
	KeyReplicationPause:           "s3:isReplicationPauseRequest",
	KeyResourceARNBeingAuthorized: "s3:resourceArnBeingAuthorized",
}

// Name returns the key as policies write it, e.g. "s3:prefix"; for a family
// with its closing slash, e.g. "s3:RequestObjectTag/".
func (k Key) Name() string {
	if k >= numKeys {
		return ""
	}
	return keyNames[k]
}
