package s3

import "strings"

// param is a query parameter that the S3 API gives a meaning.
type param uint8

// plain stands in the operation table for a request without subresource.
const plain param = 0

// paramKind is what a parameter does to the meaning of a request.
type paramKind uint8

const (
	// subresource parameters select the operation, and carry no value.
	subresource paramKind = iota
	// upload selects the operation and carries a value.
	upload
	// modifier parameters carry a value that a few operations take.
	modifier
	// selector parameters carry a value that tells operations with the same action
	// apart.
	selector
	// condition parameters are read into condition keys.
	condition
)

// The parameters that the code names; the others stand in the table only.
const (
	pAbac param = iota + 1
	pAccelerate
	pACL
	pAnalytics
	pAttributes
	pCORS
	pDelete
	pEncryption
	pIntelligentTiering
	pInventory
	pLegalHold
	pLifecycle
	pLocation
	pLogging
	pMetadataConfiguration
	pMetadataInventoryTable
	pMetadataJournalTable
	pMetadataTable
	pMetrics
	pNotification
	pObjectLock
	pOwnershipControls
	pPolicy
	pPolicyStatus
	pPublicAccessBlock
	pRenameObject
	pReplication
	pRequestPayment
	pRestore
	pRetention
	pSelect
	pSession
	pTagging
	pTorrent
	pUploads
	pVersioning
	pVersions
	pWebsite
	pUploadID
	pPartNumber
	pVersionID
	pID
	pListType
	pDelimiter
	pMaxKeys
	pPrefix

	numParams
)

// params are the parameters that mean something to the mapping. Names compare
// case-sensitively, as S3 does.
var params = [numParams]struct {
	name string
	kind paramKind
}{
	pAbac:                   {"abac", subresource},
	pAccelerate:             {"accelerate", subresource},
	pACL:                    {"acl", subresource},
	pAnalytics:              {"analytics", subresource},
	pAttributes:             {"attributes", subresource},
	pCORS:                   {"cors", subresource},
	pDelete:                 {"delete", subresource},
	pEncryption:             {"encryption", subresource},
	pIntelligentTiering:     {"intelligent-tiering", subresource},
	pInventory:              {"inventory", subresource},
	pLegalHold:              {"legal-hold", subresource},
	pLifecycle:              {"lifecycle", subresource},
	pLocation:               {"location", subresource},
	pLogging:                {"logging", subresource},
	pMetadataConfiguration:  {"metadataConfiguration", subresource},
	pMetadataInventoryTable: {"metadataInventoryTable", subresource},
	pMetadataJournalTable:   {"metadataJournalTable", subresource},
	pMetadataTable:          {"metadataTable", subresource},
	pMetrics:                {"metrics", subresource},
	pNotification:           {"notification", subresource},
	pObjectLock:             {"object-lock", subresource},
	pOwnershipControls:      {"ownershipControls", subresource},
	pPolicy:                 {"policy", subresource},
	pPolicyStatus:           {"policyStatus", subresource},
	pPublicAccessBlock:      {"publicAccessBlock", subresource},
	pRenameObject:           {"renameObject", subresource},
	pReplication:            {"replication", subresource},
	pRequestPayment:         {"requestPayment", subresource},
	pRestore:                {"restore", subresource},
	pRetention:              {"retention", subresource},
	pSelect:                 {"select", subresource},
	pSession:                {"session", subresource},
	pTagging:                {"tagging", subresource},
	pTorrent:                {"torrent", subresource},
	pUploads:                {"uploads", subresource},
	pVersioning:             {"versioning", subresource},
	pVersions:               {"versions", subresource},
	pWebsite:                {"website", subresource},
	pUploadID:               {"uploadId", upload},
	pPartNumber:             {"partNumber", modifier},
	pVersionID:              {"versionId", modifier},
	pID:                     {"id", selector},
	pListType:               {"list-type", selector},
	pDelimiter:              {"delimiter", condition},
	pMaxKeys:                {"max-keys", condition},
	pPrefix:                 {"prefix", condition},
}

// ordinaryParams are the other parameters of the S3 API. They are listed because
// they may be sent empty; a parameter that is not known at all may not, since a
// name without a value looks like a subresource.
const ordinaryParams = `
bucket-region continuation-token encoding-type fetch-owner key-marker marker max-buckets max-directory-buckets max-parts
max-uploads part-number-marker select-type start-after upload-id-marker version-id-marker x-id
response-cache-control response-content-disposition response-content-encoding response-content-language
response-content-type response-expires`

// ordinaryParam is the id of all of them.
const ordinaryParam = numParams

var (
	paramIDs     = make(map[string]param)
	paramSpelled = make(map[string]string) // in small letters to as S3 spells it
	// paramSlots finds a parameter: an open hash table.
	paramSlots [numSlots]struct {
		name string
		id   param
	}
)

func init() {
	for p := param(1); p < numParams; p++ {
		paramIDs[params[p].name] = p
		paramSpelled[strings.ToLower(params[p].name)] = params[p].name
	}
	for name := range strings.FieldsSeq(ordinaryParams) {
		paramIDs[name] = ordinaryParam
	}
	for name, p := range paramIDs {
		at := nameHash(name)
		for paramSlots[at].id != 0 {
			at++
		}
		paramSlots[at].name, paramSlots[at].id = name, p
	}
}

// paramID returns the id of a parameter, and false if S3 does not know it.
func paramID(name string) (param, bool) {
	if name == "" {
		return 0, false
	}
	for at := nameHash(name); paramSlots[at].id != 0; at++ {
		if paramSlots[at].name == name {
			return paramSlots[at].id, true
		}
	}
	return 0, false
}
