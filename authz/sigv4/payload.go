package sigv4

// The words that stand for a payload hash. Source: Amazon S3 API Reference,
// common request headers, x-amz-content-sha256.
const (
	unsignedPayload          = "UNSIGNED-PAYLOAD"
	streamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	streamingECDSA           = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
	streamingECDSATrailer    = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"

	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// bodyMode returns the mode that a payload hash stands for, zero if it is neither
// a documented word nor as long as a hash. Whether it is one shows when the body
// is compared with it.
func bodyMode(payload string) BodyMode {
	switch payload {
	case unsignedPayload:
		return BodyUnsigned
	case streamingSigned:
		return BodyStreaming
	case streamingSignedTrailer:
		return BodyStreamingTrailer
	case streamingUnsignedTrailer:
		return BodyUnsignedTrailer
	case streamingECDSA:
		return BodyStreamingECDSA
	case streamingECDSATrailer:
		return BodyStreamingECDSATrailer
	}
	if len(payload) == len(emptySHA256) {
		return BodySigned
	}
	return 0
}

// coverage is the body mode of a signed request. The Query services sign the hash
// of the body whether they send it or not. A chunk chain goes on with the algorithm
// that signed its request.
func (c *Credential) coverage() BodyMode {
	if c.query {
		return BodySigned
	}
	switch mode := bodyMode(c.payload); mode {
	case BodyStreaming, BodyStreamingTrailer:
		if c.algorithm == HMACSHA256 {
			return mode
		}
	case BodyStreamingECDSA, BodyStreamingECDSATrailer:
		if c.algorithm == ECDSAP256 {
			return mode
		}
	default:
		return mode
	}
	return 0
}

// anonymousBody is bodyMode for a request without a signature: nothing is
// announced unless the client says so, and a chunk chain has no beginning.
func anonymousBody(payload string) BodyMode {
	switch mode := bodyMode(payload); {
	case payload == "":
		return BodyUnsigned
	case mode == BodySigned || mode == BodyUnsigned || mode == BodyUnsignedTrailer:
		return mode
	}
	return 0
}

// parseSum reads a SHA-256 in hexadecimal.
func parseSum(s string) (sum [32]byte, ok bool) {
	if len(s) != 2*len(sum) {
		return sum, false
	}
	var bad byte
	for i := range sum {
		high, low := hexDigit[s[2*i]], hexDigit[s[2*i+1]]
		sum[i] = high<<4 | low
		bad |= high | low
	}
	return sum, bad <= 0x0F
}
