package iam

import (
	"errors"
	"fmt"
)

// Code is an AWS error code. Both ends of the wire know the list, so it only
// ever grows.
type Code string

// The codes of the IAM, STS and S3 error lists that Doorward answers with.
const (
	AccessDenied                  Code = "AccessDenied"
	ConcurrentModification        Code = "ConcurrentModification"
	DeleteConflict                Code = "DeleteConflict"
	EntityAlreadyExists           Code = "EntityAlreadyExists"
	EntityTemporarilyUnmodifiable Code = "EntityTemporarilyUnmodifiable"
	ExpiredToken                  Code = "ExpiredToken"
	IncompleteSignature           Code = "IncompleteSignature"
	InternalFailure               Code = "InternalFailure"
	InvalidAction                 Code = "InvalidAction"
	InvalidClientTokenID          Code = "InvalidClientTokenId"
	InvalidInput                  Code = "InvalidInput"
	InvalidParameterCombination   Code = "InvalidParameterCombination"
	InvalidParameterValue         Code = "InvalidParameterValue"
	InvalidQueryParameter         Code = "InvalidQueryParameter"
	LimitExceeded                 Code = "LimitExceeded"
	MalformedPolicyDocument       Code = "MalformedPolicyDocument"
	MissingAction                 Code = "MissingAction"
	MissingAuthenticationToken    Code = "MissingAuthenticationToken"
	MissingParameter              Code = "MissingParameter"
	NoSuchEntity                  Code = "NoSuchEntity"
	PackedPolicyTooLarge          Code = "PackedPolicyTooLarge"
	PolicyNotAttachable           Code = "PolicyNotAttachable"
	ServiceUnavailable            Code = "ServiceUnavailable"
	SignatureDoesNotMatch         Code = "SignatureDoesNotMatch"
	Throttling                    Code = "Throttling"
	UnmodifiableEntity            Code = "UnmodifiableEntity"
	ValidationError               Code = "ValidationError"
)

// Error is a refusal in the terms of the AWS APIs: a code for machines, a
// message for people, and the cause where there is one. It never holds a secret.
type Error struct {
	Code    Code
	Message string
	Cause   error
}

// Errorf makes an Error; a %w operand becomes its cause.
func Errorf(code Code, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	cause, _ := wrapped.(interface{ Unwrap() error })
	e := &Error{Code: code, Message: wrapped.Error()}
	if cause != nil {
		e.Cause = cause.Unwrap()
	}
	return e
}

// Error returns "Code: message".
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is makes errors.Is compare codes, so that &Error{Code: NoSuchEntity} serves as
// a sentinel.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// ErrUnchanged marks errors of a store that had no room or no leader at the moment:
// nothing happened, and the same may be asked again after a while.
var ErrUnchanged = errors.New("nothing was changed")
