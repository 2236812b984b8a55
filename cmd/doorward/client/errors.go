package client

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"

	"github.com/doorward/doorward/iam"
)

// Error is a refusal by the store.
type Error struct {
	Status    int // HTTP status
	Code      iam.Code
	Message   string
	RequestID string
}

// Error returns "Code: message".
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Is makes errors.Is compare codes, so that &Error{Code: …} serves as a sentinel.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Unavailable says that the store did not answer, or answered that it cannot
// serve at the moment. The call may be tried again; a write may have happened.
type Unavailable struct {
	Endpoint string
	Cause    error
}

// Error names the endpoint and the cause.
func (e *Unavailable) Error() string { return fmt.Sprintf("%s: %v", e.Endpoint, e.Cause) }

// Unwrap returns the cause.
func (e *Unavailable) Unwrap() error { return e.Cause }

// refusal reads the error document of an answer, in XML from the Query APIs and
// in JSON from /v1. Answers of the 5xx class and throttling are Unavailable.
func (c *Client) refusal(answer *http.Response, body []byte) error {
	refused := &Error{Status: answer.StatusCode, RequestID: answer.Header.Get("X-Amzn-Requestid")}
	if !refused.readXML(body) && !refused.readJSON(body) {
		refused.Code = iam.Code(fmt.Sprintf("HTTP%d", answer.StatusCode))
		refused.Message = "the answer is not one of a Doorward store; does the endpoint name one?"
	}
	if answer.StatusCode >= 500 || refused.Code == iam.Throttling {
		return &Unavailable{Endpoint: c.endpoint.String(), Cause: refused}
	}
	return refused
}

func (e *Error) readXML(body []byte) bool {
	var document struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Code      iam.Code `xml:"Error>Code"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}
	if xml.Unmarshal(body, &document) != nil || document.Code == "" {
		return false
	}
	e.Code, e.Message = document.Code, document.Message
	if document.RequestID != "" {
		e.RequestID = document.RequestID
	}
	return true
}

func (e *Error) readJSON(body []byte) bool {
	var document struct {
		Error struct {
			Code      iam.Code `json:"code"`
			Message   string   `json:"message"`
			RequestID string   `json:"request_id"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &document) != nil || document.Error.Code == "" {
		return false
	}
	e.Code, e.Message = document.Error.Code, document.Error.Message
	if document.Error.RequestID != "" {
		e.RequestID = document.Error.RequestID
	}
	return true
}
