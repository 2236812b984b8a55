package s3

import (
	"net/http"

	"github.com/doorward/doorward/iam"
)

// The codes of the S3 error list that a mapping refuses with, beside those that
// iam names. Source: Amazon S3 API Reference, error responses.
const (
	InvalidArgument              iam.Code = "InvalidArgument"
	InvalidBucketName            iam.Code = "InvalidBucketName"
	InvalidRequest               iam.Code = "InvalidRequest"
	InvalidTag                   iam.Code = "InvalidTag"
	InvalidURI                   iam.Code = "InvalidURI"
	KeyTooLong                   iam.Code = "KeyTooLongError"
	MalformedPOSTRequest         iam.Code = "MalformedPOSTRequest"
	MalformedXML                 iam.Code = "MalformedXML"
	MaxPostPreDataLengthExceeded iam.Code = "MaxPostPreDataLengthExceededError"
	MethodNotAllowed             iam.Code = "MethodNotAllowed"
	NotImplemented               iam.Code = "NotImplemented"
)

// Status returns the HTTP status of a code that Map refuses with.
func Status(code iam.Code) int {
	switch code {
	case MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case NotImplemented:
		return http.StatusNotImplemented
	}
	return http.StatusBadRequest
}
