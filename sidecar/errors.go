package sidecar

import (
	"context"
	"errors"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
)

// The reasons for which a sidecar cannot tell. All of them are answered 503, and
// the client tries again: none is ever an allow or a 403.
var (
	// ErrNotReady says that no snapshot has arrived yet. Wait for [Authorizer.Ready].
	ErrNotReady = errors.New("sidecar has no view of the store yet")
	// ErrStale says that the sidecar has been cut off for longer than the store's
	// max staleness.
	ErrStale = errors.New("sidecar has been cut off from the store for too long")
	// ErrBehind says that the index a request needs did not arrive in time.
	ErrBehind = errors.New("sidecar is behind the index that the request needs")
	// ErrUnconfirmed says that the store could not be asked about something that is
	// not in the view.
	ErrUnconfirmed = errors.New("the store could not be asked")
	// ErrOverloaded says that too many requests are waiting.
	ErrOverloaded = errors.New("too many requests are waiting")
)

// What the store says about a signing key that it does not give, and what a
// signature that does not hold is refused with; see iam.Error.Is.
var (
	noSuchKey   = &iam.Error{Code: iam.NoSuchEntity}
	noSuchScope = &iam.Error{Code: iam.ValidationError}
	mismatch    = &iam.Error{Code: iam.SignatureDoesNotMatch}
)

// errImpatient ends an inquiry that would have to wait and may not; see
// [Authorizer.AuthorizeNow].
var errImpatient = errors.New("the answer has to be waited for")

// impatient is the context of an inquiry that may not wait.
var impatient = context.WithValue(context.Background(), impatientKey{}, true)

type impatientKey struct{}

// unavailable is the answer to a client when the sidecar cannot tell, in S3's
// codes: SlowDown where waiting a moment helps, else ServiceUnavailable.
func unavailable(err error) *sigv4.Error {
	code, text := iam.ServiceUnavailable, "Service is unable to handle request: "
	if errors.Is(err, ErrBehind) || errors.Is(err, ErrOverloaded) {
		code, text = sigv4.SlowDown, "Please reduce your request rate: "
	}
	return &sigv4.Error{Code: code, Status: sigv4.Status(code), Message: text + reason(err) + "."}
}

// reason is the sentinel behind err; causes stay in the log.
func reason(err error) string {
	for _, known := range []error{ErrNotReady, ErrStale, ErrBehind, ErrUnconfirmed, ErrOverloaded} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return ErrUnconfirmed.Error()
}

// refusal is what S3 answers to a key or token that may not be used, for questions
// that come without a signature.
func refusal(why sigv4.Refusal) *sigv4.Error {
	code, text := sigv4.InvalidAccessKeyID, "The AWS Access Key Id you provided does not exist in our records."
	switch why {
	case sigv4.TokenExpired:
		code, text = iam.ExpiredToken, "The provided token has expired."
	case sigv4.TokenInvalid:
		code, text = sigv4.InvalidToken, "The provided token is malformed or otherwise invalid."
	}
	return &sigv4.Error{Code: code, Status: sigv4.Status(code), Message: text}
}
