package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// threats are the ways in which other S3 servers were broken by signatures and
// requests, from public advisories and issue trackers, and where the test of each is.
// The text is a test's name, or stands in the name or comment of one.
var threats = map[string][]string{
	"authz/sigv4/threats_test.go": {
		"TestClass1_NothingButAVerificationIsValid", "TestClass1_AnonymousStreaming", "TestClass1_EmptyAccessKeyIsMalformed",
		"TestMinIO_CVE_2026_41145_MixedCredentialsAreRefused", // class 2
		"Class 3, CVE-2026-54330, Swift bug 2158733, versitygw 2026-05-30", "#9120 and #9121",
		"TestClass5_ForwardedHeadersAreNotRead",
		"TestClass12_LineBreaksDoNotMoveTheCanonicalRequest", "TestClass12_SlashesInTheAccessKeyDoNotShiftTheScope", "TestClass12_ScopeEndsInTheWholeTerminator",
		"TestClass16_SignaturesAreComparedWhole", "TestClass16_ChunkSignaturesAreComparedWhole", "GHSA-3p3x",
		"TestMinIO_CVE_2020_11012_", "TestMinIO_CVE_2021_21390_", "TestMinIO_CVE_2023_28434_", "TestMinIO_CVE_2025_31489_", "TestMinIO_CVE_2026_40344_",
		"TestRGW_CVE_2023_43040_", "TestRGW_CVE_2024_47866_", "TestRGW_Tracker_72253_", "45790", "TestRGW_Tracker_81230_", "81123",
		"TestSeaweedFS_CVE_2026_54917_", "TestSeaweedFS_9124_", "GHSA-wfxj and -w5fh", "TestRustFS_GHSA_c667_",
		"TestKeystone_CVE_2025_65073_", "TestKeystone_CVE_2020_12692_", "TestVersitygw_GHSA_v2ch_",
		"TestTrap_QueryIsNotParsedAsAForm", "TestTrap_RepeatedHeaderIsJoined", "75304", "TestTrap_RunsOfSpaces", "TestTrap_SignedHeaderIsNotTakenFromTheQuery",
		"TestTrap_OneHostOneCandidate", "#8444 and #8464", "TestTrap_NoHeaderIsExemptFromTheSignature", "TestTrap_UnsignedContentTypeIsAccepted", "79674",
		"TestTrap_PathEncodedOnceForS3AndTwiceElsewhere", "TestTrap_EmptyHashWithABody", "TestTrap_DecodedLengthDisagrees", "TestTrap_DateBefore1970",
		"TestTrap_LocalTimeIsNotUTC", "TestTrap_DuplicateQueryCredentials", "TestTrap_NetHTTPKeepsTheTargetRaw", "TestTrap_SignedChunksAreNotDowngraded",
		"TestTrap_TrailersAreThoseAnnounced", "TestChecksumsHaveOneSpelling",
	},
	"authz/sigv4/stream_test.go": {"TestDamagedStreamsAreNeverDone", "TestNothingOfAChunkIsDoneBeforeItsSignature"},
	"authz/s3/threats_test.go": {
		"TestPathConfusionBetweenBuckets", "TestCopySourceIsAuthorizedByItself", "TestMultiDeleteIsAuthorizedKeyByKey", "TestUnknownSubresourcesAreRefused",
		"TestHeadersThatGrantMore", "TestHeadersDoNotBecomeConditionKeys",
		"MinIO CVE-2021-21362", "MinIO CVE-2023-25812", "MinIO CVE-2023-28434", "MinIO CVE-2026-34204",
		"Ceph CVE-2023-43040", "Ceph CVE-2024-47866", "Ceph tracker 81248",
		"SeaweedFS CVE-2026-54917", "SeaweedFS CVE-2026-55874", "SeaweedFS CVE-2026-58372", "SeaweedFS CVE-2026-55873", "SeaweedFS CVE-2026-72921 and CVE-2026-77317",
		"SeaweedFS CVE-2026-77368", "SeaweedFS CVE-2026-77611", "SeaweedFS #7912",
		"RustFS CVE-2025-68705", "CVE-2026-21862", "GHSA-6r96-hmgc-726c", "GHSA-3ppv", "GHSA-mx42", "Swift CVE-2022-47950",
	},
	"authz/spellings_test.go":    {"TestACopySourceMatchesInBothSpellings"},
	"authz/form/form_test.go":    {"TestFormsThatTwoReadersCouldTakeInTwoWaysAreRefused"},
	"sidecar/authorizer_test.go": {"TestAMultiDeleteIsDecidedKeyByKey", "TestAKeyThatIsRevokedWithinAListIsRefusedForTheRest"},
	"sidecar/context_test.go":    {"TestACopySourceMatchesHoweverItIsWritten"},
	"e2e/sdk/roundtrip_test.go":  {"TestMinIO_CVE_2024_36107_", "TestMinIO_CVE_2026_34204_", "TestDamagedUploadsAreNotStored"},
}

func TestEveryThreatToSignaturesAndRequestsHasItsTest(t *testing.T) {
	for name, texts := range threats {
		source, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, text := range texts {
			if strings.HasPrefix(text, "Test") {
				text = "func " + text
			}
			if !strings.Contains(string(source), text) {
				t.Errorf("%s has no test of %s", name, text)
			}
		}
	}
}
