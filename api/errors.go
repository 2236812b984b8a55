package api

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
)

// Codes of the Query APIs that only this package answers with. Sources: the
// common errors of IAM and STS, and the errors of each action in their API
// references.
const (
	malformedInput    iam.Code = "MalformedInput"
	invalidRequest    iam.Code = "InvalidRequest"
	requestTooLarge   iam.Code = "RequestEntityTooLarge"
	notFound          iam.Code = "NotFound"
	invalidIdentity   iam.Code = "InvalidIdentityToken"
	expiredIdentity   iam.Code = "ExpiredTokenException"
	openIDUnreachable iam.Code = "OpenIdIdpCommunicationError"
)

var statuses = map[iam.Code]int{
	iam.AccessDenied:                  http.StatusForbidden,
	iam.ConcurrentModification:        http.StatusConflict,
	iam.DeleteConflict:                http.StatusConflict,
	iam.EntityAlreadyExists:           http.StatusConflict,
	iam.EntityTemporarilyUnmodifiable: http.StatusConflict,
	iam.ExpiredToken:                  http.StatusForbidden,
	iam.InternalFailure:               http.StatusInternalServerError,
	iam.InvalidClientTokenID:          http.StatusForbidden,
	iam.LimitExceeded:                 http.StatusConflict,
	iam.MissingAuthenticationToken:    http.StatusForbidden,
	iam.NoSuchEntity:                  http.StatusNotFound,
	iam.ServiceUnavailable:            http.StatusServiceUnavailable,
	iam.SignatureDoesNotMatch:         http.StatusForbidden,
	requestTooLarge:                   http.StatusRequestEntityTooLarge,
	notFound:                          http.StatusNotFound,
	throttling:                        http.StatusTooManyRequests,
}

// statusOf returns the HTTP status of a code: 400 where AWS's lists say nothing
// else.
func statusOf(code iam.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusBadRequest
}

// refusal is an error as the client will read it.
type refusal struct {
	status  int
	code    iam.Code
	message string
	again   bool // nothing happened, and the same may be asked after retryAfter
}

// retryAfter is how many seconds a client should wait before it asks again.
const retryAfter = "1"

// refusalOf decides what a client is told about err. What is not a refusal in
// AWS's terms is an internal failure, and its text stays in the log.
func refusalOf(err error) refusal {
	var signature *sigv4.Error
	if errors.As(err, &signature) {
		status := signature.Status
		if signature.Code == iam.ExpiredToken {
			status = statusOf(signature.Code) // S3 answers 400, the Query services 403
		}
		return refusal{status, signature.Code, signature.Message, false}
	}
	var refused *iam.Error
	if errors.As(err, &refused) {
		return refusal{statusOf(refused.Code), refused.Code, refused.Message, refused.Code == throttling || errors.Is(err, iam.ErrUnchanged)}
	}
	return refusal{http.StatusInternalServerError, iam.InternalFailure,
		"The request processing has failed because of an unknown error, exception or failure.", false}
}

// The XML namespaces of the answers.
const (
	iamNamespace = "https://iam.amazonaws.com/doc/2010-05-08/"
	stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	// faultNamespace is that of refusals before a call of an API was recognised.
	faultNamespace = "http://webservices.amazon.com/AWSFault/2005-15-09"
)

type errorResponse struct {
	XMLName   xml.Name
	Error     errorDetail
	RequestID string `xml:"RequestId"`
}

type errorDetail struct {
	Type    string
	Code    iam.Code
	Message string `xml:",omitempty"`
}

func (r refusal) blame() string {
	if r.status >= 500 {
		return "Receiver"
	}
	return "Sender"
}

func (r refusal) announce(header http.Header) {
	if r.again {
		header.Set("Retry-After", retryAfter)
	}
}

// writeXML sends the refusal in the form of the Query services.
func (r refusal) writeXML(w http.ResponseWriter, namespace, requestID string) {
	r.announce(w.Header())
	writeXML(w, r.status, errorResponse{
		XMLName:   xml.Name{Space: namespace, Local: "ErrorResponse"},
		Error:     errorDetail{r.blame(), r.code, r.message},
		RequestID: requestID,
	})
}

// writeJSON sends the refusal in the form of /v1.
func (r refusal) writeJSON(w http.ResponseWriter, requestID string) {
	r.announce(w.Header())
	writeJSON(w, r.status, map[string]any{"error": map[string]any{
		"code": r.code, "message": r.message, "request_id": requestID,
	}})
}

func writeXML(w http.ResponseWriter, status int, answer any) {
	body, err := xml.Marshal(answer)
	if err != nil {
		http.Error(w, "the answer could not be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	w.Write([]byte(xml.Header))
	w.Write(body)
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	body, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, "the answer could not be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
