package oidc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Leeway is how far the clocks of issuer and store may differ.
const Leeway = 5 * time.Minute

// The reasons for which a token is refused. What wraps them says more.
var (
	// ErrMalformed says that a text is no signed JSON Web Token.
	ErrMalformed = errors.New("not a signed JSON Web Token")
	// ErrRefused says that a token was not signed by its issuer, or with an
	// algorithm that is not accepted, or lacks a claim.
	ErrRefused = errors.New("token refused")
	// ErrUnreachable says that the issuer's keys could not be fetched. Try again.
	ErrUnreachable = errors.New("issuer not reachable")
)

// ExpiredError says that a token has expired.
type ExpiredError struct{ Now, Expires time.Time }

// Error names both times.
func (e *ExpiredError) Error() string {
	return fmt.Sprintf("token expired at %s, it is %s", e.Expires.UTC().Format(time.RFC3339), e.Now.UTC().Format(time.RFC3339))
}

// Token is a token as it was sent.
type Token struct {
	// Claims is the payload; numbers are json.Number.
	Claims map[string]any

	algorithm, keyID string
	signed           string // header and payload, as they are signed
	signature        []byte
}

// Parse reads a token in compact form. Nothing about it is proved.
func Parse(text string) (*Token, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%w: %d parts instead of three", ErrMalformed, len(parts))
	}
	var header struct {
		Algorithm string   `json:"alg"`
		KeyID     string   `json:"kid"`
		Critical  []string `json:"crit"`
	}
	if err := decodePart(parts[0], &header); err != nil {
		return nil, fmt.Errorf("%w: header: %v", ErrMalformed, err)
	}
	if len(header.Critical) > 0 {
		return nil, fmt.Errorf("%w: critical header %s is not understood", ErrMalformed, header.Critical[0])
	}
	t := &Token{algorithm: header.Algorithm, keyID: header.KeyID, signed: parts[0] + "." + parts[1]}
	if err := decodePart(parts[1], &t.Claims); err != nil || t.Claims == nil {
		return nil, fmt.Errorf("%w: payload: %v", ErrMalformed, err)
	}
	var err error
	if t.signature, err = base64.RawURLEncoding.Strict().DecodeString(parts[2]); err != nil {
		return nil, fmt.Errorf("%w: signature: %v", ErrMalformed, err)
	}
	return t, nil
}

func decodePart(part string, into any) error {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one JSON value")
	}
	return nil
}

// Text returns a claim that is a text, empty if it is absent or something else.
func (t *Token) Text(claim string) string {
	text, _ := t.Claims[claim].(string)
	return text
}

// Texts returns a claim as texts, whether it is one value or a list: numbers and
// booleans in their JSON spelling. Objects are left out.
func (t *Token) Texts(claim string) (texts []string) {
	values, isList := t.Claims[claim].([]any)
	if !isList {
		values = []any{t.Claims[claim]}
	}
	for _, v := range values {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case json.Number:
			texts = append(texts, v.String())
		case bool:
			texts = append(texts, fmt.Sprint(v))
		}
	}
	return texts
}

// instant returns a NumericDate claim.
func (t *Token) instant(claim string) (time.Time, bool) {
	number, ok := t.Claims[claim].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := number.Float64()
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// checkTimes refuses a token outside of its life. An expiry is required.
func (t *Token) checkTimes(now time.Time) error {
	expires, ok := t.instant("exp")
	if !ok {
		return fmt.Errorf("%w: missing a required claim: exp", ErrRefused)
	}
	if !now.Before(expires.Add(Leeway)) {
		return &ExpiredError{now, expires}
	}
	if _, ok := t.instant("iat"); !ok {
		return fmt.Errorf("%w: missing a required claim: iat", ErrRefused)
	}
	for _, claim := range []string{"nbf", "iat"} {
		if from, ok := t.instant(claim); ok && now.Add(Leeway).Before(from) {
			return fmt.Errorf("%w: not valid before %s", ErrRefused, from.UTC().Format(time.RFC3339))
		}
	}
	return nil
}
