package sigv4

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/doorward/doorward/iam"
)

// The codes of the S3 error list that concern credentials and bodies, beside
// those that iam names already. Source: Amazon S3 API Reference, error responses.
const (
	AuthorizationHeaderMalformed      iam.Code = "AuthorizationHeaderMalformed"
	AuthorizationQueryParametersError iam.Code = "AuthorizationQueryParametersError"
	BadDigest                         iam.Code = "BadDigest"
	EntityTooLarge                    iam.Code = "EntityTooLarge"
	EntityTooSmall                    iam.Code = "EntityTooSmall"
	IncompleteBody                    iam.Code = "IncompleteBody"
	InternalError                     iam.Code = "InternalError"
	InvalidAccessKeyID                iam.Code = "InvalidAccessKeyId"
	InvalidArgument                   iam.Code = "InvalidArgument"
	InvalidPolicyDocument             iam.Code = "InvalidPolicyDocument"
	InvalidRequest                    iam.Code = "InvalidRequest"
	InvalidToken                      iam.Code = "InvalidToken"
	InvalidURI                        iam.Code = "InvalidURI"
	MalformedPOSTRequest              iam.Code = "MalformedPOSTRequest"
	MalformedTrailerError             iam.Code = "MalformedTrailerError"
	MaxPostPreDataLengthExceededError iam.Code = "MaxPostPreDataLengthExceededError"
	MissingContentLength              iam.Code = "MissingContentLength"
	NotImplemented                    iam.Code = "NotImplemented"
	RequestHeaderSectionTooLarge      iam.Code = "RequestHeaderSectionTooLarge"
	RequestTimeTooSkewed              iam.Code = "RequestTimeTooSkewed"
	SlowDown                          iam.Code = "SlowDown"
	XAmzContentSHA256Mismatch         iam.Code = "XAmzContentSHA256Mismatch"
)

// Status returns the HTTP status that AWS answers code with: 400 where the lists
// say nothing else.
func Status(code iam.Code) int {
	switch code {
	case iam.AccessDenied, InvalidAccessKeyID, iam.SignatureDoesNotMatch, RequestTimeTooSkewed,
		iam.InvalidClientTokenID, iam.MissingAuthenticationToken:
		return http.StatusForbidden
	case MissingContentLength:
		return http.StatusLengthRequired
	case InternalError, iam.InternalFailure:
		return http.StatusInternalServerError
	case NotImplemented:
		return http.StatusNotImplemented
	case SlowDown, iam.ServiceUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// Field is one further element of an S3 error document, such as StringToSign.
type Field struct{ Name, Value string }

// Error is a refusal as the client will read it. Its text names code and message
// only; Fields echo what the client sent (canonical request, token and all) and
// belong in the response, never in a log.
type Error struct {
	Code    iam.Code
	Status  int // HTTP status
	Message string
	Fields  []Field
}

func errorf(code iam.Code, format string, args ...any) *Error {
	return &Error{Code: code, Status: Status(code), Message: fmt.Sprintf(format, args...)}
}

func (e *Error) with(name, value string) *Error {
	e.Fields = append(e.Fields, Field{name, value})
	return e
}

// Error returns "Code: message".
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Unwrap returns the same refusal as an iam.Error, so that errors.Is compares
// codes across rooms.
func (e *Error) Unwrap() error { return &iam.Error{Code: e.Code, Message: e.Message} }

// LogValue leaves Fields out.
func (e *Error) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// malformed says what is wrong with the form of a credential, in the code that
// its place in the request has.
func (c *Credential) malformed(format string, args ...any) *Error {
	switch {
	case c.query:
		return errorf(iam.IncompleteSignature, format, args...)
	case c.kind == Presigned || c.kind == PostForm:
		return errorf(AuthorizationQueryParametersError, format, args...)
	}
	return errorf(AuthorizationHeaderMalformed, "The authorization header is malformed; "+format, args...)
}

// mixed refuses a request that carries more than one credential.
func (c *Credential) mixed() *Error {
	const text = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified"
	if c.query {
		return errorf(iam.IncompleteSignature, text)
	}
	return errorf(InvalidArgument, text)
}

func invalidURI() *Error { return errorf(InvalidURI, "Couldn't parse the specified URI.") }

// signatureV2 refuses Signature Version 2 by name.
func (c *Credential) signatureV2() *Error {
	if c.query {
		return errorf(iam.IncompleteSignature, "AWS Signature Version 2 is not supported.")
	}
	return errorf(InvalidRequest, "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
}

// asymmetric refuses SigV4A by name.
func (c *Credential) asymmetric() *Error {
	return errorf(NotImplemented, "Signature Version 4A is not supported here. Please use %s.", algorithmHMAC)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// Refusal is a reason, found by the caller while looking a key or a token up,
// to refuse a credential.
type Refusal uint8

// The closed list of reasons.
const (
	UnknownAccessKey Refusal = iota + 1 // no such key, or it is inactive
	TokenMissing                        // a session's key came without its token
	TokenInvalid                        // a token that is broken, foreign, or sent with a long-term key
	TokenExpired                        // the session has ended
	CredentialNeeded                    // anonymous, where a credential is required
)

// Refuse returns the error that the credential's service answers for why, in
// the codes of S3 or of the Query services.
func (c *Credential) Refuse(why Refusal) *Error {
	query := c.query
	switch {
	case why == TokenExpired && query:
		e := errorf(iam.ExpiredToken, "The security token included in the request is expired")
		e.Status = http.StatusForbidden // S3 answers 400
		return e
	case why == TokenExpired:
		return errorf(iam.ExpiredToken, "The provided token has expired.")
	case why == CredentialNeeded && query:
		return errorf(iam.MissingAuthenticationToken, "Request is missing Authentication Token")
	case why == CredentialNeeded:
		return errorf(iam.AccessDenied, "Access Denied")
	case query:
		return errorf(iam.InvalidClientTokenID, "The security token included in the request is invalid.")
	case why == TokenInvalid:
		return errorf(InvalidToken, "The provided token is malformed or otherwise invalid.")
	}
	e := errorf(InvalidAccessKeyID, "The AWS Access Key Id you provided does not exist in our records.")
	return e.with("AWSAccessKeyId", c.accessKeyID)
}
