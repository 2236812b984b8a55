// Package oidc proves OpenID Connect identity tokens: it parses a JSON Web Token,
// fetches the issuer's keys, and verifies the signature and the times.
//
// [Parse] reads a token and proves nothing. [Verifier.Verify] proves it against
// the keys of an issuer that the caller trusts; whom the token is for, and what it
// allows, is for the caller to decide. Sources: OpenID Connect Core 1.0 and
// Discovery 1.0; RFC 7515 (JWS), 7517 (JWK), 7518 (JWA), 7519 (JWT), 8725 (best
// current practices).
package oidc
