package policy

import "strings"

// Key is a condition key of the table below: one that Doorward or an S3 server
// can fill in. Keys outside of the table are legal too; they are compared by
// name.
type Key uint8

// The condition keys of AWS (IAM user guide, "AWS global condition context
// keys") and of Amazon S3 (service authorization reference).
const (
	CurrentTime Key = iota
	EpochTime
	SecureTransport
	SourceIP
	VPCSourceIP
	SourceVPC
	SourceVPCE
	UserAgent
	Referer
	UserID
	Username
	PrincipalTypeKey
	PrincipalARN
	PrincipalAccount
	PrincipalOrgID
	PrincipalOrgPaths
	PrincipalIsAWSService
	PrincipalServiceName
	PrincipalServiceNamesList
	TokenIssueTime
	MultiFactorAuthPresent
	MultiFactorAuthAge
	FederatedProvider
	SourceIdentity
	RoleSessionName
	RequestedRegion
	ResourceAccount
	ResourceOrgID
	ResourceOrgPaths
	TagKeys
	ViaAWSService
	CalledVia
	CalledViaFirst
	CalledViaLast
	SourceARN
	SourceAccount
	SourceOrgID
	SourceOrgPaths
	S3AuthType
	S3SignatureVersion
	S3SignatureAge
	S3TLSVersion
	S3ContentSHA256
	S3ResourceAccount
	S3Prefix
	S3Delimiter
	S3MaxKeys
	S3VersionID
	S3LocationConstraint
	S3ACL
	S3GrantFullControl
	S3GrantRead
	S3GrantReadACP
	S3GrantWrite
	S3GrantWriteACP
	S3CopySource
	S3MetadataDirective
	S3AnnotationDirective
	S3ServerSideEncryption
	S3ServerSideEncryptionKMSKeyID
	S3ServerSideEncryptionCustomerAlgorithm
	S3StorageClass
	S3WebsiteRedirectLocation
	S3ObjectOwnership
	S3BucketNamespace
	S3ObjectLockMode
	S3ObjectLockRetainUntilDate
	S3ObjectLockRemainingRetentionDays
	S3ObjectLockLegalHold
	S3ObjectLockEventHold
	S3ObjectLockEventHoldDurationDays
	S3IfMatch
	S3IfNoneMatch
	S3ObjectCreationOperation
	S3RequestObjectTagKeys
	S3InventoryAccessibleOptionalFields
	S3DestinationRegion
	S3IsReplicationPauseRequest
	S3DeliverySourceARN
	S3LogType
	S3ResourceARNBeingAuthorized
	S3DataAccessPointARN
	S3DataAccessPointAccount
	S3AccessPointNetworkOrigin
	S3AccessGrantsInstanceARN
	STSExternalID
	STSRoleSessionName
	STSTransitiveTagKeys
	// Keys is the number of keys in the table.
	Keys
)

// KeyInfo describes a condition key.
type KeyInfo struct {
	// Name as AWS writes it. Names are compared without regard to case.
	Name string
	// Type is the family of comparisons that the key is meant for.
	Type Family
	// Multi is true for keys that may have several values in one request.
	Multi bool
}

var keyInfos = [Keys]KeyInfo{
	CurrentTime:                             {Name: "aws:CurrentTime", Type: DateFamily},
	EpochTime:                               {Name: "aws:EpochTime", Type: DateFamily},
	SecureTransport:                         {Name: "aws:SecureTransport", Type: BoolFamily},
	SourceIP:                                {Name: "aws:SourceIp", Type: IPFamily},
	VPCSourceIP:                             {Name: "aws:VpcSourceIp", Type: IPFamily},
	SourceVPC:                               {Name: "aws:SourceVpc"},
	SourceVPCE:                              {Name: "aws:SourceVpce"},
	UserAgent:                               {Name: "aws:UserAgent"},
	Referer:                                 {Name: "aws:Referer"},
	UserID:                                  {Name: "aws:userid"},
	Username:                                {Name: "aws:username"},
	PrincipalTypeKey:                        {Name: "aws:PrincipalType"},
	PrincipalARN:                            {Name: "aws:PrincipalArn", Type: ARNFamily},
	PrincipalAccount:                        {Name: "aws:PrincipalAccount"},
	PrincipalOrgID:                          {Name: "aws:PrincipalOrgID"},
	PrincipalOrgPaths:                       {Name: "aws:PrincipalOrgPaths", Multi: true},
	PrincipalIsAWSService:                   {Name: "aws:PrincipalIsAWSService", Type: BoolFamily},
	PrincipalServiceName:                    {Name: "aws:PrincipalServiceName"},
	PrincipalServiceNamesList:               {Name: "aws:PrincipalServiceNamesList", Multi: true},
	TokenIssueTime:                          {Name: "aws:TokenIssueTime", Type: DateFamily},
	MultiFactorAuthPresent:                  {Name: "aws:MultiFactorAuthPresent", Type: BoolFamily},
	MultiFactorAuthAge:                      {Name: "aws:MultiFactorAuthAge", Type: NumericFamily},
	FederatedProvider:                       {Name: "aws:FederatedProvider"},
	SourceIdentity:                          {Name: "aws:SourceIdentity"},
	RoleSessionName:                         {Name: "aws:RoleSessionName"},
	RequestedRegion:                         {Name: "aws:RequestedRegion"},
	ResourceAccount:                         {Name: "aws:ResourceAccount"},
	ResourceOrgID:                           {Name: "aws:ResourceOrgID"},
	ResourceOrgPaths:                        {Name: "aws:ResourceOrgPaths", Multi: true},
	TagKeys:                                 {Name: "aws:TagKeys", Multi: true},
	ViaAWSService:                           {Name: "aws:ViaAWSService", Type: BoolFamily},
	CalledVia:                               {Name: "aws:CalledVia", Multi: true},
	CalledViaFirst:                          {Name: "aws:CalledViaFirst"},
	CalledViaLast:                           {Name: "aws:CalledViaLast"},
	SourceARN:                               {Name: "aws:SourceArn", Type: ARNFamily},
	SourceAccount:                           {Name: "aws:SourceAccount"},
	SourceOrgID:                             {Name: "aws:SourceOrgID"},
	SourceOrgPaths:                          {Name: "aws:SourceOrgPaths", Multi: true},
	S3AuthType:                              {Name: "s3:authType"},
	S3SignatureVersion:                      {Name: "s3:signatureversion"},
	S3SignatureAge:                          {Name: "s3:signatureAge", Type: NumericFamily},
	S3TLSVersion:                            {Name: "s3:TlsVersion", Type: NumericFamily},
	S3ContentSHA256:                         {Name: "s3:x-amz-content-sha256"},
	S3ResourceAccount:                       {Name: "s3:ResourceAccount"},
	S3Prefix:                                {Name: "s3:prefix"},
	S3Delimiter:                             {Name: "s3:delimiter"},
	S3MaxKeys:                               {Name: "s3:max-keys", Type: NumericFamily},
	S3VersionID:                             {Name: "s3:VersionId"},
	S3LocationConstraint:                    {Name: "s3:locationconstraint"},
	S3ACL:                                   {Name: "s3:x-amz-acl"},
	S3GrantFullControl:                      {Name: "s3:x-amz-grant-full-control"},
	S3GrantRead:                             {Name: "s3:x-amz-grant-read"},
	S3GrantReadACP:                          {Name: "s3:x-amz-grant-read-acp"},
	S3GrantWrite:                            {Name: "s3:x-amz-grant-write"},
	S3GrantWriteACP:                         {Name: "s3:x-amz-grant-write-acp"},
	S3CopySource:                            {Name: "s3:x-amz-copy-source"},
	S3MetadataDirective:                     {Name: "s3:x-amz-metadata-directive"},
	S3AnnotationDirective:                   {Name: "s3:x-amz-object-annotation-directive"},
	S3ServerSideEncryption:                  {Name: "s3:x-amz-server-side-encryption"},
	S3ServerSideEncryptionKMSKeyID:          {Name: "s3:x-amz-server-side-encryption-aws-kms-key-id", Type: ARNFamily},
	S3ServerSideEncryptionCustomerAlgorithm: {Name: "s3:x-amz-server-side-encryption-customer-algorithm"},
	S3StorageClass:                          {Name: "s3:x-amz-storage-class"},
	S3WebsiteRedirectLocation:               {Name: "s3:x-amz-website-redirect-location"},
	S3ObjectOwnership:                       {Name: "s3:x-amz-object-ownership"},
	S3BucketNamespace:                       {Name: "s3:x-amz-bucket-namespace"},
	S3ObjectLockMode:                        {Name: "s3:object-lock-mode"},
	S3ObjectLockRetainUntilDate:             {Name: "s3:object-lock-retain-until-date", Type: DateFamily},
	S3ObjectLockRemainingRetentionDays:      {Name: "s3:object-lock-remaining-retention-days", Type: NumericFamily},
	S3ObjectLockLegalHold:                   {Name: "s3:object-lock-legal-hold"},
	S3ObjectLockEventHold:                   {Name: "s3:object-lock-event-hold"},
	S3ObjectLockEventHoldDurationDays:       {Name: "s3:object-lock-event-hold-duration-days", Type: NumericFamily},
	S3IfMatch:                               {Name: "s3:if-match"},
	S3IfNoneMatch:                           {Name: "s3:if-none-match"},
	S3ObjectCreationOperation:               {Name: "s3:ObjectCreationOperation", Type: BoolFamily},
	S3RequestObjectTagKeys:                  {Name: "s3:RequestObjectTagKeys", Multi: true},
	S3InventoryAccessibleOptionalFields:     {Name: "s3:InventoryAccessibleOptionalFields", Multi: true},
	S3DestinationRegion:                     {Name: "s3:destinationRegion"},
	S3IsReplicationPauseRequest:             {Name: "s3:isReplicationPauseRequest", Type: BoolFamily},
	S3DeliverySourceARN:                     {Name: "s3:deliverySourceArn", Type: ARNFamily},
	S3LogType:                               {Name: "s3:logType"},
	S3ResourceARNBeingAuthorized:            {Name: "s3:resourceArnBeingAuthorized", Type: ARNFamily},
	S3DataAccessPointARN:                    {Name: "s3:DataAccessPointArn", Type: ARNFamily},
	S3DataAccessPointAccount:                {Name: "s3:DataAccessPointAccount"},
	S3AccessPointNetworkOrigin:              {Name: "s3:AccessPointNetworkOrigin"},
	S3AccessGrantsInstanceARN:               {Name: "s3:AccessGrantsInstanceArn", Type: ARNFamily},
	STSExternalID:                           {Name: "sts:ExternalId"},
	STSRoleSessionName:                      {Name: "sts:RoleSessionName"},
	STSTransitiveTagKeys:                    {Name: "sts:TransitiveTagKeys", Multi: true},
}

// Info returns what is known of the key.
func (k Key) Info() KeyInfo { return keyInfos[k] }

// String returns the key's name as AWS writes it.
func (k Key) String() string { return keyInfos[k].Name }

var keysByName = func() map[string]Key {
	m := make(map[string]Key, Keys)
	for k := range keyInfos {
		m[strings.ToLower(keyInfos[k].Name)] = Key(k)
	}
	return m
}()

// KeyOf finds a key of the table by its name in any case.
func KeyOf(name string) (Key, bool) {
	k, ok := keysByName[strings.ToLower(name)]
	return k, ok
}

// TagFamily is a condition key that is followed by the name of a tag.
type TagFamily uint8

// The tag families.
const (
	PrincipalTag TagFamily = iota
	RequestTag
	ResourceTag
	S3ExistingObjectTag
	S3RequestObjectTag
	S3BucketTag
	// TagFamilies is the number of tag families.
	TagFamilies
)

var tagPrefixes = [TagFamilies]string{
	"aws:PrincipalTag/", "aws:RequestTag/", "aws:ResourceTag/",
	"s3:ExistingObjectTag/", "s3:RequestObjectTag/", "s3:BucketTag/",
}

// Prefix returns the part of the key before the tag's name, slash included.
func (f TagFamily) Prefix() string { return tagPrefixes[f] }

// FoldsCase reports whether the names of the family's tags are compared
// without regard to case: those of aws: keys are, object and bucket tags are
// data of S3 and keep theirs.
func (f TagFamily) FoldsCase() bool { return f <= ResourceTag }

// TagOf splits a key such as "aws:PrincipalTag/team" into family and tag name.
func TagOf(name string) (f TagFamily, tag string, ok bool) {
	for f, prefix := range tagPrefixes {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return TagFamily(f), name[len(prefix):], true
		}
	}
	return 0, "", false
}
